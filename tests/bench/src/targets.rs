//! What edgate sets itself, and whether it is met.

use crate::aggregated;
use crate::contestant::{Contestant, edgate};
use crate::first_answer::FirstAnswer;
use crate::limited;
use crate::memory::{self, Memory};
use crate::plan::{self, ALGORITHMS, Group, ROUTES, Shown, Then, Verifying};
use crate::resilient;
use crate::rounds::{Outcome, ratio};
use crate::size::Size;
use edgate_kit::credentials::algorithm::Algorithm;

/// One target.
#[derive(Debug, Clone)]
pub struct Target {
    pub what: String,
    /// At most this.
    pub limit: f64,
    /// `None` where it was not measured.
    pub measured: Option<f64>,
    pub unit: Unit,
}

/// What a target is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Ratio,
    Kilobytes,
    Milliseconds,
}

/// CPU per request, against the JavaScript proxy.
const CPU: f64 = 1.1;
/// CPU per request with a token, against hono's middleware: one that is remembered, and others by what signs them.
const REPEATED: f64 = 0.75;
const DISTINCT_HMAC: f64 = 0.85;
const DISTINCT_PUBLIC: f64 = 1.0;
/// CPU per request with 1,000 routes, against that with 10: the same, but for what two runs of the same differ by.
const GROWTH: f64 = 1.05;
/// Compressed, in units of 1024 bytes.
const BUNDLE: f64 = 500.0;
/// From the start of the process, against the JavaScript proxy.
const FIRST_ANSWER: f64 = 1.3;

/// Holds the results against the targets.
pub fn judge(outcomes: &[Outcome], memories: &[Memory], first_answers: &[FirstAnswer], bundle: Size) -> Vec<Target> {
    let full = |outcome: &&Outcome| outcome.row.group == Group::Full;
    let of = |contestant: Contestant| outcomes.iter().filter(full).find(|outcome| outcome.row.contestant == contestant);
    let cpu = ROUTES.map(|routes| {
        let measured = of(edgate(routes)).and_then(|outcome| outcome.ratio).map(|ratio| ratio.median);
        target(format!("CPU per request to js, {}", plan::routes(routes)), CPU, measured, Unit::Ratio)
    });
    let growth = of(edgate(1000)).zip(of(edgate(10))).and_then(|(many, few)| ratio(&many.turns, &few.turns));
    let first = first_answers.iter().find(|first| first.name == "edgate, 1 route").and_then(|first| first.ratio);
    let others = [
        target("CPU per request, 1000 routes to 10".to_owned(), GROWTH, growth.map(|ratio| ratio.median), Unit::Ratio),
        target("bundle, compressed".to_owned(), BUNDLE, Some(bundle.gzipped as f64 / 1024.0), Unit::Kilobytes),
        target("first answer to js".to_owned(), FIRST_ANSWER, first.map(|ratio| ratio.median), Unit::Ratio),
    ];
    let aggregates = aggregated::judge(outcomes).into_iter().chain(memory::judge(memories));
    let new = aggregates.chain([resilient::judge(outcomes)]);
    cpu.into_iter().chain(tokens(outcomes)).chain(limited::judge(outcomes)).chain(new).chain(others).collect()
}

/// What proxying costs with a token.
fn tokens(outcomes: &[Outcome]) -> Vec<Target> {
    let rows = ALGORITHMS.into_iter().flat_map(|algorithm| [(algorithm, Shown::Same), (algorithm, Shown::Distinct)]);
    let target = |(algorithm, shown)| {
        let limit = match (shown, algorithm) {
            (Shown::Same, _) => REPEATED,
            (Shown::Distinct, Algorithm::Hs256) => DISTINCT_HMAC,
            (Shown::Distinct, _) => DISTINCT_PUBLIC,
        };
        let workload = Verifying { algorithm, shown, then: Then::Proxy }.to_string();
        let outcome = outcomes.iter().find(|outcome| {
            outcome.row.workload == workload && outcome.row.contestant == Contestant::EdgateTokens(algorithm)
        });
        let ratio = outcome.and_then(|outcome| outcome.ratio);
        target(format!("CPU per request to hono, {workload}"), limit, ratio.map(|ratio| ratio.median), Unit::Ratio)
    };
    rows.map(target).collect()
}

fn target(what: String, limit: f64, measured: Option<f64>, unit: Unit) -> Target {
    Target { what, limit, measured, unit }
}

impl Target {
    /// Whether it was measured and is not met.
    pub fn missed(&self) -> bool {
        self.measured.is_some_and(|measured| measured > self.limit)
    }

    /// In words.
    pub fn verdict(&self) -> String {
        match self.measured {
            None => "not measured".to_owned(),
            Some(measured) if measured > self.limit => {
                format!("missed by {:.1} %", (measured / self.limit - 1.0) * 100.0)
            }
            Some(_) => "met".to_owned(),
        }
    }
}

impl Unit {
    pub fn format(self, value: f64) -> String {
        match self {
            Unit::Ratio => format!("{value:.2}"),
            Unit::Kilobytes => format!("{value:.0} KB"),
            Unit::Milliseconds => format!("{value:.1} ms"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_target_says_by_how_much() {
        let missed = target("x".to_owned(), 1.1, Some(1.21), Unit::Ratio);
        assert!(missed.missed());
        assert_eq!(missed.verdict(), "missed by 10.0 %");
    }

    #[test]
    fn what_was_not_measured_is_not_missed() {
        let unknown = target("x".to_owned(), 1.1, None, Unit::Ratio);
        assert!(!unknown.missed());
        assert_eq!(unknown.verdict(), "not measured");
    }
}
