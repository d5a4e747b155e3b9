//! A scenario on a real platform: the built Worker on workerd, or the built component on Spin, before real upstream
//! servers on loopback.

use crate::start::start;
use anyhow::{Context, Result};
use edgate::config::document::Sections;
use edgate_kit::compare;
use edgate_kit::redis::Redis;
use edgate_kit::running::{Deployment, Running};
use edgate_kit::scenario::play::Play;
use edgate_kit::scenario::{Exchange, HostName, Scenario};
use edgate_kit::upstream::Upstreams;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

/// How long to wait for a request that an upstream should see, or a line that should be logged.
const PATIENCE: Duration = Duration::from_secs(5);

/// Replays a scenario. Gives back what was not as expected.
pub async fn replay(host: HostName, scenario: &Scenario) -> Result<Vec<String>> {
    let mut upstreams = Upstreams::start(scenario.upstream_names()).await?;
    let addresses = upstreams.addresses();
    let mut play = Play::begin(&scenario.with_addresses(&addresses)?, SystemTime::now())?;
    let mut scenario = play.scenario().clone();
    let mut allowed: Vec<String> = addresses.values().map(|address| format!("http://{address}")).collect();
    let redis = redis(host, &mut scenario).await?;
    allowed.extend(redis.as_ref().map(Redis::url));
    let gateway = start(host, &deployment(&scenario), allowed).await?;
    let mut mismatches = Vec::new();
    for position in 0..scenario.exchanges.len() {
        let exchange = play.exchange(position, SystemTime::now())?;
        let found = one(&gateway, &mut upstreams, &exchange, &mut play).await?;
        let name = scenario.exchange_name(position);
        mismatches.extend(found.into_iter().map(|found| format!("{name}: {found}")));
    }
    let noise =
        gateway.lines().since(0).into_iter().filter(|line| line.contains("panicked") || line.contains("RuntimeError"));
    mismatches.extend(noise.map(|line| format!("the log says: {line}")));
    Ok(mismatches)
}

/// A Redis of the scenario's own, where its configuration names one that the platform calls. Its address takes the place
/// of the one that is named.
async fn redis(host: HostName, scenario: &mut Scenario) -> Result<Option<Redis>> {
    match scenario.config.pointer_mut("/gateway/redis") {
        Some(named) if host == HostName::Spin => {
            let redis = Redis::start().await?;
            *named = redis.url().into();
            Ok(Some(redis))
        }
        _ => Ok(None),
    }
}

async fn one(
    gateway: &Running,
    upstreams: &mut Upstreams,
    exchange: &Exchange,
    play: &mut Play,
) -> Result<Vec<String>> {
    for (store, values) in &exchange.store {
        for (key, value) in values {
            gateway.set_value(store, key, &value.0)?;
        }
    }
    if let Some(advance) = exchange.request.advance {
        tokio::time::sleep(advance).await;
    }
    upstreams.prepare(exchange).await?;
    let mark = gateway.lines().count();
    let response = gateway.send(&exchange.request).await.context("no response");
    let id = response.as_ref().ok().and_then(|response| {
        let field = response.headers.iter().find(|(name, _)| name == "x-request-id");
        field.map(|(_, value)| value.clone())
    });
    if play.scenario().counts_calls() {
        upstreams.settle(exchange, PATIENCE).await;
    }
    let seen = upstreams.take_seen(exchange, PATIENCE).await;
    let mut mismatches = compare::requests(&exchange.upstreams, &seen);
    mismatches.extend(compare::calls(&exchange.calls, &seen));
    mismatches.extend(response.iter().flat_map(|response| play.capture(exchange, response)));
    match (&exchange.response, response) {
        (Some(expected), Ok(response)) => mismatches.extend(compare::response(expected, &response)),
        (None, Ok(_)) => {}
        (_, Err(error)) => mismatches.push(format!("{error:#}; the log says: {:#?}", gateway.lines().since(mark))),
    }
    if let Some(expected) = &exchange.log {
        // The line of the exchange before may come late: the identifier tells them apart.
        let mine =
            |line: &str| record(line).is_some_and(|record| id.as_ref().is_none_or(|id| record["request_id"] == **id));
        match gateway.lines().wait_for(mark, PATIENCE, mine).await {
            Ok(line) => mismatches.extend(compare::log(expected, &record(&line).unwrap_or_default())),
            Err(error) => mismatches.push(format!("no access record: {error:#}")),
        }
    }
    mismatches.extend(compare::unspeakable(&play.unspeakable(exchange), &gateway.lines().since(mark)));
    for expected in &exchange.events {
        // That it is not there is said below.
        let _ = gateway.lines().wait_for(mark, PATIENCE, |line| compare::is_event(expected, line)).await;
    }
    mismatches.extend(compare::events(&exchange.events, &gateway.lines().since(mark)));
    mismatches.extend(stored(gateway, exchange).await?);
    Ok(mismatches)
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

fn deployment(scenario: &Scenario) -> Deployment {
    // What is wrong with the document is for the gateway to say.
    let sections = Sections::from_document(scenario.config.clone(), &mut Vec::new());
    let bindings = sections.bindings().into_iter().map(|(name, value)| (name, value.clone())).collect();
    let stores: BTreeMap<_, BTreeMap<_, _>> = scenario
        .store
        .iter()
        .map(|(store, values)| {
            (store.clone(), values.iter().map(|(key, value)| (key.clone(), value.0.clone())).collect())
        })
        .collect();
    Deployment { bindings, secrets: scenario.secrets.clone().into_iter().collect(), stores, limiters: BTreeMap::new() }
}
