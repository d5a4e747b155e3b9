//! A scenario on a real platform: the built Worker on workerd, or the built component on Spin, before real upstream
//! servers on loopback.

use crate::keepers::Keeper;
use crate::limiters;
use anyhow::{Context, Result};
use edgate::config::document::Sections;
use edgate_kit::running::{Deployment, Running};
use edgate_kit::scenario::play::Play;
use edgate_kit::scenario::{Abandon, Exchange, HostName, Scenario};
use edgate_kit::seen::SeenResponse;
use edgate_kit::upstream::Upstreams;
use edgate_kit::{client, compare};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};
use tokio::task::{JoinHandle, JoinSet};

/// How long to wait for a request that an upstream should see, or a line that should be logged.
const PATIENCE: Duration = Duration::from_secs(5);

/// A scenario that is being played.
struct Stage {
    gateway: Running,
    keeper: Keeper,
    upstreams: Upstreams,
    play: Play,
    background: Vec<Background>,
}

/// A request whose answer nobody has waited for yet.
struct Background {
    name: String,
    exchange: Exchange,
    /// Where the log was before it.
    mark: usize,
    response: JoinHandle<Result<SeenResponse>>,
}

/// Replays a scenario. Gives back what was not as expected.
pub async fn replay(host: HostName, scenario: &Scenario) -> Result<Vec<String>> {
    let upstreams = Upstreams::start(scenario.upstream_names()).await?;
    let addresses = upstreams.addresses();
    let play = Play::begin(&scenario.with_addresses(&addresses)?, SystemTime::now())?;
    let mut scenario = play.scenario().clone();
    let counters = deployment(host, &scenario);
    let keeper = Keeper::start(host, &mut scenario, &counters).await?;
    let allowed = addresses.values().map(|address| format!("http://{address}")).collect();
    let gateway = keeper.gateway(host, &deployment(host, &scenario), allowed).await?;
    let mut stage = Stage { gateway, keeper, upstreams, play, background: Vec::new() };
    let mut mismatches = Vec::new();
    for position in 0..scenario.exchanges.len() {
        let name = scenario.exchange_name(position);
        let exchange = stage.play.exchange(position, SystemTime::now())?;
        if exchange.request.join {
            mismatches.extend(stage.join().await);
        }
        let found = stage.exchange(&name, exchange).await?;
        mismatches.extend(found.into_iter().map(|found| format!("{name}: {found}")));
    }
    mismatches.extend(stage.join().await);
    let lines = stage.gateway.lines().since(0).into_iter();
    let noise = lines.filter(|line| line.contains("panicked") || line.contains("RuntimeError"));
    mismatches.extend(noise.map(|line| format!("the log says: {line}")));
    Ok(mismatches)
}

impl Stage {
    async fn exchange(&mut self, name: &str, exchange: Exchange) -> Result<Vec<String>> {
        self.prepare(&exchange).await?;
        let mark = self.gateway.lines().count();
        let mut mismatches = Vec::new();
        if exchange.request.background || exchange.request.abandon == Some(Abandon::BeforeHead) {
            let response = self.begin(&exchange);
            mismatches.extend(self.at_upstreams(&exchange).await);
            if exchange.request.background {
                self.background.push(Background { name: name.to_owned(), exchange, mark, response });
            } else {
                response.abort();
            }
            return Ok(mismatches);
        }
        if let Some(count) = exchange.request.at_once {
            mismatches.extend(self.at_once(&exchange, count).await);
        } else {
            for _ in 0..exchange.request.repeat {
                let mark = self.gateway.lines().count();
                let response = self.gateway.send(&exchange.request).await.context("no response");
                mismatches.extend(response.iter().flat_map(|response| self.play.capture(&exchange, response)));
                mismatches.extend(self.judge(&exchange, response, mark).await);
            }
        }
        mismatches.extend(self.at_upstreams(&exchange).await);
        let lines = self.gateway.lines();
        mismatches.extend(compare::unspeakable(&self.play.unspeakable(&exchange), &lines.since(mark)));
        for expected in &exchange.events {
            // That it is not there is said below.
            let _ = lines.wait_for(mark, PATIENCE, |line| compare::is_event(expected, line)).await;
        }
        mismatches.extend(compare::events(&exchange.events, &lines.since(mark)));
        mismatches.extend(stored(&self.gateway, &exchange).await?);
        Ok(mismatches)
    }

    /// All that is to be before an exchange.
    async fn prepare(&mut self, exchange: &Exchange) -> Result<()> {
        for (store, values) in &exchange.store {
            for (key, value) in values {
                self.gateway.set_value(store, key, &value.0)?;
            }
        }
        if let Some(happening) = exchange.counters {
            let happens = self.keeper.happens(happening, &mut self.gateway);
            happens.await.with_context(|| format!("counters = {happening:?}"))?;
        }
        if let Some(advance) = exchange.request.advance {
            tokio::time::sleep(advance).await;
        }
        self.upstreams.prepare(exchange).await
    }

    /// Compares what the upstreams have seen.
    async fn at_upstreams(&self, exchange: &Exchange) -> Vec<String> {
        if self.play.scenario().counts_calls() {
            self.upstreams.settle(exchange, PATIENCE).await;
        }
        let seen = self.upstreams.take_seen(exchange, PATIENCE).await;
        let mut mismatches = compare::requests(&exchange.upstreams, &seen);
        mismatches.extend(compare::calls(&exchange.calls, &seen));
        mismatches
    }

    /// Sends a request without waiting for its answer.
    fn begin(&self, exchange: &Exchange) -> JoinHandle<Result<SeenResponse>> {
        let (address, request) = (self.gateway.address(), self.gateway.with_what_is_known(&exchange.request));
        tokio::spawn(async move { client::send(address, &request).await })
    }

    /// Sends a request so many times at the same time.
    async fn at_once(&self, exchange: &Exchange, count: usize) -> Vec<String> {
        let mut sending = JoinSet::new();
        for _ in 0..count {
            let (address, request) = (self.gateway.address(), self.gateway.with_what_is_known(&exchange.request));
            sending.spawn(async move { client::send(address, &request).await });
        }
        let mut statuses = Vec::new();
        let mut mismatches = Vec::new();
        for response in sending.join_all().await {
            match response {
                Ok(response) => statuses.push(response.status),
                Err(error) => mismatches.push(format!("{error:#}")),
            }
        }
        let expected = exchange.response.iter();
        mismatches.extend(expected.flat_map(|expected| compare::statuses(&expected.statuses, &statuses)));
        mismatches
    }

    /// Waits for the answers to requests in the background, and compares them.
    async fn join(&mut self) -> Vec<String> {
        let mut mismatches = Vec::new();
        for Background { name, exchange, mark, response } in std::mem::take(&mut self.background) {
            let response = response.await.map_err(anyhow::Error::from).flatten().context("no response");
            let found = self.judge(&exchange, response, mark).await;
            mismatches.extend(found.into_iter().map(|found| format!("{name}: {found}")));
        }
        mismatches
    }

    /// Compares an answer and the record of its request.
    async fn judge(&self, exchange: &Exchange, response: Result<SeenResponse>, mark: usize) -> Vec<String> {
        let lines = self.gateway.lines();
        let id = response.as_ref().ok().and_then(|response| {
            let field = response.headers.iter().find(|(name, _)| name == "x-request-id");
            field.map(|(_, value)| value.clone())
        });
        let mut mismatches = Vec::new();
        match (&exchange.response, response) {
            (Some(expected), Ok(response)) => mismatches.extend(compare::response(expected, &response)),
            (None, Ok(_)) => {}
            (_, Err(error)) => mismatches.push(format!("{error:#}; the log says: {:#?}", lines.since(mark))),
        }
        let Some(expected) = &exchange.log else { return mismatches };
        // The line of the exchange before may come late: the identifier tells them apart.
        let mine =
            |line: &str| record(line).is_some_and(|record| id.as_ref().is_none_or(|id| record["request_id"] == **id));
        match lines.wait_for(mark, PATIENCE, mine).await {
            Ok(line) => mismatches.extend(compare::log(expected, &record(&line).unwrap_or_default())),
            Err(error) => mismatches.push(format!("no access record: {error:#}")),
        }
        mismatches
    }
}

/// Compares what stores hold, when it is as it should be or the patience is over: values are written behind a response.
async fn stored(gateway: &Running, exchange: &Exchange) -> Result<Vec<String>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut mismatches = Vec::new();
        for (store, values) in &exchange.stored {
            for (key, expected) in values {
                let value = gateway.value(store, key)?;
                mismatches.extend(compare::stored(&format!("{store} {key}"), expected, value.as_deref()));
            }
        }
        if mismatches.is_empty() || Instant::now() >= deadline {
            return Ok(mismatches);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An access record, if a line is one.
pub fn record(line: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(line).ok()?;
    (value["kind"] == "access").then_some(value)
}

fn deployment(host: HostName, scenario: &Scenario) -> Deployment {
    // What is wrong with the document is for the gateway to say.
    let sections = Sections::from_document(scenario.config.clone(), &mut Vec::new());
    let bindings = sections.bindings().into_iter().map(|(name, value)| (name, value.clone())).collect();
    let mut stores: BTreeMap<_, BTreeMap<_, _>> = scenario
        .store
        .iter()
        .map(|(store, values)| {
            (store.clone(), values.iter().map(|(key, value)| (key.clone(), value.0.clone())).collect())
        })
        .collect();
    // Where Spin counts that has no Redis.
    if host == HostName::Spin && !sections.limits.is_empty() {
        let named = scenario.config.pointer("/gateway/counters").and_then(Value::as_str);
        stores.entry(named.unwrap_or("default").to_owned()).or_default();
    }
    let limiters = limiters::of(&scenario.config);
    let secrets = scenario.secrets.clone().into_iter().collect();
    Deployment { bindings, secrets, stores, limiters, ..Deployment::default() }
}
