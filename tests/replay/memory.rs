//! A scenario in memory: no process, no socket, and a clock that moves at once. Like the Workers adapter, this host
//! lets the gateway see only the header fields that it says it reads, so that a field it forgot to name is found here.

use crate::limiters;
use crate::platform::record;
use crate::wire::{Wire, incoming, request_fields, seen_response, withhold};
use anyhow::Result;
use edgate::config::Platform;
use edgate::config::document::Sections;
use edgate::host::{Capabilities, Host};
use edgate::instance::Instance;
use edgate::memory::MemoryHost;
use edgate::memory::clock::finish;
use edgate::memory::counters::{Counting, Limiter};
use edgate_kit::compare;
use edgate_kit::scenario::counters::Happening;
use edgate_kit::scenario::expected::ExpectedResponse;
use edgate_kit::scenario::play::Play;
use edgate_kit::scenario::service::Script;
use edgate_kit::scenario::{Abandon, Exchange, HostName, Request, Scenario};
use edgate_kit::seen::SeenResponse;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A scenario that is being played.
struct Stage {
    host: Rc<MemoryHost>,
    instance: Rc<Instance>,
    wire: Rc<RefCell<Wire>>,
    play: Play,
}

/// Replays a scenario. Gives back what was not as expected.
pub fn replay(scenario: &Scenario) -> Result<Vec<String>> {
    let addresses: BTreeMap<String, SocketAddr> = scenario
        .upstream_names()
        .into_iter()
        .zip(9000..)
        .map(|(name, port)| (name, (Ipv4Addr::LOCALHOST, port).into()))
        .collect();
    let scenario = scenario.with_addresses(&addresses)?;
    let wire = Rc::new(RefCell::new(Wire {
        names: addresses.iter().map(|(name, address)| (address.to_string(), name.clone())).collect(),
        ..Wire::default()
    }));
    let upstreams = Rc::clone(&wire);
    let host = MemoryHost::new(move |request| upstreams.borrow_mut().answer(request));
    let play = Play::begin(&scenario, clock(&host))?;
    let scenario = play.scenario();
    let limiters = limiters::of(&scenario.config).into_iter();
    let limiters = limiters.map(|(binding, one)| (binding, Limiter::new(one.limit, one.period * 1_000))).collect();
    let host = Rc::new(host.with_secrets(scenario.secrets.clone()).with_limiters(limiters));
    let mut stage = Stage { host, instance: instance(scenario), wire, play };
    set_values(&stage.host, &stage.play.scenario().store);
    let mut mismatches = Vec::new();
    for position in 0..stage.play.scenario().exchanges.len() {
        let exchange = stage.play.exchange(position, clock(&stage.host))?;
        let found = stage.exchange(&exchange)?;
        let name = stage.play.scenario().exchange_name(position);
        mismatches.extend(found.into_iter().map(|found| format!("{name}: {found}")));
    }
    Ok(mismatches)
}

fn clock(host: &MemoryHost) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs_f64(host.now().0 / 1000.0)
}

fn set_values(host: &MemoryHost, stores: &edgate_kit::scenario::Stores) {
    for (store, values) in stores {
        for (key, value) in values {
            host.set_value(store, key, value.0.clone());
        }
    }
}

fn instance(scenario: &Scenario) -> Rc<Instance> {
    let mut diagnostics = Vec::new();
    let sections = Sections::from_document(scenario.config.clone(), &mut diagnostics);
    // A scenario that only one platform can serve is that platform's.
    let spin = scenario.skip.contains_key(&HostName::Workerd);
    let platform = if spin { Platform::Spin } else { Platform::Cloudflare };
    Instance::new(Capabilities::of(platform), sections, diagnostics)
}

impl Stage {
    fn exchange(&mut self, exchange: &Exchange) -> Result<Vec<String>> {
        self.prepare(exchange);
        let request = &exchange.request;
        let mut mismatches = Vec::new();
        let mut lines = Vec::new();
        let mut statuses = Vec::new();
        for _ in 0..request.at_once.unwrap_or(request.repeat) {
            let response = self.ask(request)?;
            self.host.run_later();
            let log = self.host.take_log();
            match (response, &exchange.response) {
                (Some(response), _) if request.at_once.is_some() => statuses.push(response.status),
                (Some(response), expected) => {
                    mismatches.extend(self.play.capture(exchange, &response));
                    mismatches.extend(expected.iter().flat_map(|expected| compare_response(expected, &response)));
                }
                (None, _) if request.abandon == Some(Abandon::BeforeHead) => {}
                (None, _) => mismatches.push("the gateway waits for something".to_owned()),
            }
            if let Some(expected) = &exchange.log {
                match log.iter().find_map(|line| record(line)) {
                    Some(record) => mismatches.extend(compare::log(expected, &record)),
                    None => mismatches.push(format!("no access record; the log says: {log:#?}")),
                }
            }
            lines.extend(log);
        }
        if request.at_once.is_some() {
            let expected = exchange.response.iter();
            mismatches.extend(expected.flat_map(|expected| compare::statuses(&expected.statuses, &statuses)));
        }
        let seen = std::mem::take(&mut self.wire.borrow_mut().seen);
        mismatches.extend(compare::requests(&exchange.upstreams, &seen));
        mismatches.extend(compare::calls(&exchange.calls, &seen));
        mismatches.extend(compare::unspeakable(&self.play.unspeakable(exchange), &lines));
        mismatches.extend(compare::events(&exchange.events, &lines));
        mismatches.extend(self.stored(exchange));
        Ok(mismatches)
    }

    /// All that is to be before an exchange.
    fn prepare(&mut self, exchange: &Exchange) {
        if exchange.request.join {
            self.host.client.finish();
            self.host.run_later();
        }
        match exchange.counters {
            Some(Happening::Down) => self.host.set_counting(Counting::Down),
            Some(Happening::Slow) => self.host.set_counting(Counting::Slow),
            Some(Happening::Up) => self.host.set_counting(Counting::Well),
            Some(Happening::Corrupt) => self.host.corrupt_counters(),
            Some(Happening::Restart) => self.instance = instance(self.play.scenario()),
            // Scripts are Redis's alone.
            Some(Happening::Flush) | None => {}
        }
        set_values(&self.host, &exchange.store);
        self.host.advance(exchange.request.advance.unwrap_or_default());
        self.host.run_later();
        let mut wire = self.wire.borrow_mut();
        let names: Vec<String> = wire.names.values().cloned().collect();
        wire.scripts = names.into_iter().map(|name| (name.clone(), Script::of(exchange, &name))).collect();
    }

    /// Sends a request. `None` where no answer comes.
    fn ask(&self, request: &Request) -> Result<Option<SeenResponse>> {
        let mut incoming = incoming(request)?;
        {
            let mut wire = self.wire.borrow_mut();
            wire.interest = self.instance.interest();
            let interest = wire.interest.clone();
            wire.request_rest = withhold(&mut incoming.headers, interest.as_deref().and_then(request_fields));
        }
        let client = &self.host.client;
        client.takes_time.set(request.background);
        client.leaves.set(request.abandon == Some(Abandon::BeforeHead));
        let shared: Rc<dyn Host> = self.host.clone();
        let response = finish(Rc::clone(&self.instance).handle(shared, incoming));
        client.takes_time.set(false);
        client.leaves.set(false);
        let rest = std::mem::take(&mut self.wire.borrow_mut().response_rest);
        Ok(response.map(|response| seen_response(response, rest, request)))
    }

    fn stored(&self, exchange: &Exchange) -> Vec<String> {
        let mut mismatches = Vec::new();
        for (store, values) in &exchange.stored {
            for (key, expected) in values {
                let value = finish(self.host.get(store, key)).and_then(Result::ok).flatten();
                let value = value.map(|value| String::from_utf8_lossy(&value).into_owned());
                mismatches.extend(compare::stored(&format!("{store} {key}"), expected, value.as_deref()));
            }
        }
        mismatches
    }
}

fn compare_response(expected: &ExpectedResponse, seen: &SeenResponse) -> Vec<String> {
    let mut expected = expected.clone();
    // Trailers, and when pieces arrive, are the platforms' alone.
    expected.trailers.clear();
    expected.first_byte_before_end = false;
    compare::response(&expected, seen)
}
