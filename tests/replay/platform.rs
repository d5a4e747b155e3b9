//! A scenario on a real platform: the built Worker on workerd, or the built component on Spin, before real upstream
//! servers on loopback.

use crate::start::start;
use anyhow::{Context, Result};
use edgate::config::document::Sections;
use edgate_kit::compare;
use edgate_kit::running::{Deployment, Running};
use edgate_kit::scenario::play::Play;
use edgate_kit::scenario::{Exchange, HostName, Scenario};
use edgate_kit::upstream::Upstreams;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// How long to wait for a request that an upstream should see, or a line that should be logged.
const PATIENCE: Duration = Duration::from_secs(5);

/// Replays a scenario. Gives back what was not as expected.
pub async fn replay(host: HostName, scenario: &Scenario) -> Result<Vec<String>> {
    let mut upstreams = Upstreams::start(scenario.upstream_names()).await?;
    let addresses = upstreams.addresses();
    let mut play = Play::begin(&scenario.with_addresses(&addresses)?, SystemTime::now())?;
    let scenario = play.scenario().clone();
    let allowed = addresses.values().map(|address| format!("http://{address}")).collect();
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
    Ok(mismatches)
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
    Deployment { bindings, secrets: scenario.secrets.clone().into_iter().collect(), stores }
}
