//! The interleaved run: all gateways stand ready, and in each round every row has its turn.

use crate::contestant::Contestant;
use crate::gateway::{Gateway, Places};
use crate::load::{self, Amount};
use crate::plan::{Plan, Row};
use crate::statistics::{Spread, percentile_ms};
use crate::upstream::Addresses;
use anyhow::{Context, Result};
use edgate_bench::program::say;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

/// What a row came to: medians of its turns.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub row: Row,
    pub requests_per_second: Spread,
    pub p50_ms: Spread,
    pub p99_ms: Spread,
    /// `None` where the operating system is not asked.
    pub cpu_us: Option<Spread>,
    /// CPU per request against the baseline's, turn by turn.
    pub ratio: Option<Spread>,
    /// How much longer than the baseline's the median answer takes, turn by turn.
    pub added_ms: Option<Spread>,
    /// CPU per request of each turn, in microseconds.
    pub turns: Vec<Option<f64>>,
}

/// One turn of a row.
#[derive(Debug, Clone, Copy)]
struct Turn {
    requests_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_us: Option<f64>,
}

/// The gateways that run.
type Gateways = BTreeMap<Contestant, Gateway>;

/// Measures every row of the plan.
pub async fn measure(places: &Places, plan: &Plan, upstreams: &Addresses) -> Result<Vec<Outcome>> {
    let gateways = start(places, plan, upstreams).await?;
    for row in &plan.rows {
        say(&format!("warming up: {}, {}", row.workload, row.name));
        load(&gateways, row, plan.connections, row.warm_up(plan.warm_up)).await?;
    }
    let mut turns: Vec<Vec<Turn>> = vec![Vec::new(); plan.rows.len()];
    for round in 0..plan.rounds {
        say(&format!("round {} of {}", round + 1, plan.rounds));
        for position in order(plan.rows.len(), round) {
            let row = &plan.rows[position];
            let amount = Amount { requests: usize::MAX, time: plan.turn, pace: row.pace() };
            turns[position].push(load(&gateways, row, plan.connections, amount).await?);
        }
    }
    let all: Vec<(&Row, Vec<Turn>)> = plan.rows.iter().zip(turns).collect();
    all.iter().map(|(row, turns)| outcome(row, turns, &all)).collect()
}

async fn start(places: &Places, plan: &Plan, upstreams: &Addresses) -> Result<Gateways> {
    let mut gateways = Gateways::new();
    for row in &plan.rows {
        if let Entry::Vacant(place) = gateways.entry(row.contestant) {
            place.insert(Gateway::start(row.contestant, places, upstreams).await?);
        }
    }
    Ok(gateways)
}

/// The order of turns in a round: every other one backwards, so that no row is always after the same other.
fn order(rows: usize, round: usize) -> Vec<usize> {
    match round % 2 {
        0 => (0..rows).collect(),
        _ => (0..rows).rev().collect(),
    }
}

async fn load(gateways: &Gateways, row: &Row, connections: usize, amount: Amount) -> Result<Turn> {
    let name = || format!("{}, {}", row.workload, row.name);
    let gateway = gateways.get(&row.contestant).with_context(name)?;
    let before = gateway.cpu();
    let sample = load::run(gateway.address(), &row.ask, connections, amount).await.with_context(name)?;
    let used = gateway.cpu().zip(before).map(|(after, before)| after.saturating_sub(before));
    let requests = sample.latencies.len() as f64;
    let percentile = |part| percentile_ms(&sample.latencies, part).context("no request was answered");
    Ok(Turn {
        requests_per_second: requests / sample.elapsed.as_secs_f64(),
        p50_ms: percentile(0.5)?,
        p99_ms: percentile(0.99)?,
        cpu_us: used.map(|used: Duration| used.as_secs_f64() * 1e6 / requests),
    })
}

fn outcome(row: &Row, turns: &[Turn], all: &[(&Row, Vec<Turn>)]) -> Result<Outcome> {
    let spread = |value: fn(&Turn) -> f64| Spread::of(turns.iter().map(value)).context("no round");
    let baseline = all.iter().find(|(other, _)| other.is_baseline_of(row));
    let cpu = |turns: &[Turn]| turns.iter().map(|turn| turn.cpu_us).collect::<Vec<_>>();
    let own = cpu(turns);
    let slower = |others: &[Turn]| Spread::of(turns.iter().zip(others).map(|(turn, other)| turn.p50_ms - other.p50_ms));
    Ok(Outcome {
        row: row.clone(),
        requests_per_second: spread(|turn| turn.requests_per_second)?,
        p50_ms: spread(|turn| turn.p50_ms)?,
        p99_ms: spread(|turn| turn.p99_ms)?,
        cpu_us: Spread::of(own.iter().copied().flatten()),
        ratio: baseline.and_then(|(_, turns)| ratio(&own, &cpu(turns))),
        added_ms: baseline.and_then(|(_, turns)| slower(turns)),
        turns: own,
    })
}

/// One against the other, turn by turn: what disturbs a round disturbs both.
pub fn ratio(ones: &[Option<f64>], others: &[Option<f64>]) -> Option<Spread> {
    let ratios = ones.iter().zip(others).filter_map(|(one, other)| Some((*one)? / (*other)?));
    Spread::of(ratios.filter(|ratio| ratio.is_finite()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_that_of_turns_in_the_same_round() {
        let spread = ratio(&[Some(10.0), Some(20.0), Some(33.0)], &[Some(10.0), Some(20.0), Some(30.0)]);
        assert_eq!(spread.map(|spread| (spread.lower, spread.median)), Some((1.0, 1.0)));
    }

    #[test]
    fn there_is_no_ratio_to_what_was_not_measured() {
        assert_eq!(ratio(&[Some(10.0)], &[None]), None);
    }

    #[test]
    fn every_row_has_its_turn_in_every_round() {
        assert_eq!(order(3, 0), [0, 1, 2]);
        assert_eq!(order(3, 1), [2, 1, 0]);
    }
}
