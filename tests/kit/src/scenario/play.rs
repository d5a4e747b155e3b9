//! A scenario that is being played: what depends on the time, and on what exchanges before have shown, is made just
//! before it is sent.

use super::placeholders::fill;
use super::scene::{Scene, Times};
use super::service::{self, Service};
use super::{Exchange, Scenario};
use crate::seen::{SeenResponse, values};
use anyhow::{Context, Result};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::SystemTime;
use toml::Value;

/// The shortest secret that is looked for in the log, in bytes.
const SHORTEST_SECRET: usize = 8;

/// A scenario that is being played.
pub struct Play {
    scenario: Scenario,
    captured: BTreeMap<String, String>,
    minted: RefCell<Minted>,
}

/// Tokens and proofs that were made.
#[derive(Debug, Clone, Default)]
pub(super) struct Minted {
    /// For this exchange: the same name is the same text.
    pub now: BTreeMap<String, String>,
    /// For all exchanges.
    pub once: BTreeMap<String, String>,
    /// How many proofs there were.
    pub proofs: usize,
}

impl Play {
    /// Begins to play a scenario that has its addresses ([`Scenario::with_addresses`]), at this time.
    pub fn begin(scenario: &Scenario, now: SystemTime) -> Result<Play> {
        let mut play = Play { scenario: scenario.clone(), captured: BTreeMap::new(), minted: RefCell::default() };
        let mut source = scenario.source.clone();
        // What exchanges say is not known yet; credentials are made when they are needed.
        source.retain(|key, _| ["title", "config", "secrets", "store"].contains(&key));
        let scene = play.scene(now, None);
        source.iter_mut().try_for_each(|(key, value)| fill(key, value, &scene))?;
        let begun: Scenario = source.try_into().context("with its placeholders filled in it is no valid scenario")?;
        play.scenario = Scenario { config: begun.config, secrets: begun.secrets, store: begun.store, ..play.scenario };
        Ok(play)
    }

    /// The scenario, with its configuration, secrets and stores as they are at the beginning. Its exchanges are those
    /// of the file: [`Play::exchange`] has them as they are played.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The exchange at a position, as it is sent when `request.advance` has passed since `now`. Its services are all
    /// that answer during it.
    pub fn exchange(&self, position: usize, now: SystemTime) -> Result<Exchange> {
        let name = || self.scenario.exchange_name(position);
        let written = &self.scenario.exchanges[position];
        let now = now + written.request.advance.unwrap_or_default();
        self.minted.borrow_mut().now.clear();
        let scene = self.scene(now, Some(written));
        let mut source = self.source_of(position)?;
        fill("exchange", &mut source, &scene).with_context(name)?;
        let mut exchange: Exchange =
            source.try_into().context("with its placeholders filled in it is no valid exchange").with_context(name)?;
        exchange.services = self.services(position, &scene).with_context(name)?;
        let request = &mut exchange.request;
        for signature in std::mem::take(&mut request.sign) {
            scene.sign(&signature, request).with_context(|| format!("the signature {signature}")).with_context(name)?;
        }
        Ok(exchange)
    }

    /// What no line of the log may have: what the exchange says, every secret, and the tokens and proofs that were made
    /// for it. A text of a few characters may stand anywhere, so that one is left out unless the exchange says it.
    pub fn unspeakable(&self, exchange: &Exchange) -> Vec<String> {
        let minted = self.minted.borrow();
        let made = minted.now.values().chain(minted.once.values()).chain(self.scenario.secrets.values());
        let long = made.filter(|text| text.len() >= SHORTEST_SECRET);
        exchange.never_logged.iter().chain(long).cloned().collect()
    }

    /// Keeps what an exchange captures of its response. Gives back what is not there.
    pub fn capture(&mut self, exchange: &Exchange, response: &SeenResponse) -> Vec<String> {
        let mut mismatches = Vec::new();
        for (name, field) in &exchange.capture {
            match values(&response.headers, field).first() {
                Some(value) => drop(self.captured.insert(name.clone(), (*value).to_owned())),
                None => mismatches.push(format!("capture {name}: the response has no {field}")),
            }
        }
        mismatches
    }

    fn scene<'a>(&'a self, now: SystemTime, exchange: Option<&'a Exchange>) -> Scene<'a> {
        Scene {
            source: &self.scenario.source,
            times: Times { now },
            captured: &self.captured,
            minted: &self.minted,
            request: exchange.map(|exchange| &exchange.request),
        }
    }

    fn source_of(&self, position: usize) -> Result<Value> {
        let exchanges = self.scenario.source.get("exchange").and_then(Value::as_array);
        exchanges.and_then(|exchanges| exchanges.get(position)).cloned().context("there is no such exchange")
    }

    /// The services of the scenario, and what exchanges up to this one have said of them.
    fn services(&self, position: usize, scene: &Scene<'_>) -> Result<Vec<Service>> {
        let own = filled(self.scenario.source.get("service"), scene)?;
        let mut services = own.clone();
        for earlier in 0..=position {
            service::change(&mut services, &own, &filled(self.source_of(earlier)?.get("service"), scene)?);
        }
        Ok(services)
    }
}

fn filled(services: Option<&Value>, scene: &Scene<'_>) -> Result<Vec<Service>> {
    let Some(mut services) = services.cloned() else { return Ok(Vec::new()) };
    fill("service", &mut services, scene)?;
    services.try_into().context("with its placeholders filled in it is no valid service")
}
