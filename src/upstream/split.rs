//! Other upstreams for a part of a route's requests: canaries, tests of one version against another, copies for one that is
//! tried out. Who belongs to a share is decided by values of the request, so that it stays so: by the upstream's name and
//! those values alone. Whoever belongs to a share still does when it grows.

use super::hash;
use super::uniform;
use crate::config::units::Share;
use crate::exchange::Exchange;
use crate::host::Host;
use crate::interest::Interest;
use crate::limit::key::{Found, Key, Values};
use crate::rule::Rule;
use std::rc::Rc;

/// An upstream for a part of the requests.
#[derive(Debug)]
pub struct Arm {
    /// Its position among the gateway's upstreams.
    pub upstream: usize,
    pub name: Rc<str>,
    pub when: Option<Rule>,
    pub weight: Option<Share>,
    /// What decides who belongs to the share; each request by itself where there is nothing.
    pub key: Option<Key>,
}

/// A copy for another upstream.
#[derive(Debug)]
pub struct Mirror {
    pub upstream: usize,
    pub name: Rc<str>,
    pub when: Option<Rule>,
    pub share: Share,
}

/// The upstream that takes a request: the first whose rule holds, and whose share it belongs to. A share is one of all
/// requests, whichever upstreams stand before it.
pub fn choose(arms: &[Arm], host: &dyn Host, ex: &Exchange) -> Option<usize> {
    let mut rest = 1.0;
    for arm in arms {
        if arm.when.as_ref().is_some_and(|rule| !rule.holds(ex)) {
            continue;
        }
        let Some(weight) = arm.weight.map(Share::of_one) else { return Some(arm.upstream) };
        if takes(weight, rest, arm.place(host, ex)) {
            return Some(arm.upstream);
        }
        rest -= weight;
    }
    None
}

/// Whether somebody at a place between 0 and 1 belongs to a share of all, where a part of all is left.
fn takes(weight: f64, rest: f64, place: f64) -> bool {
    place * rest < weight
}

impl Arm {
    /// Where a request stands, between 0 and 1.
    fn place(&self, host: &dyn Host, ex: &Exchange) -> f64 {
        match self.key.as_ref().and_then(|key| of(key, ex)) {
            Some(key) => hash::uniform(hash::mix(key ^ hash::number(&self.name))),
            None => uniform(host),
        }
    }

    pub fn interest(&self, interest: &mut Interest) {
        self.when.iter().for_each(|rule| rule.interest(interest));
        self.key.iter().for_each(|key| interest_of(key, interest));
    }
}

impl Mirror {
    /// Whether a request is copied.
    pub fn takes(&self, host: &dyn Host, ex: &Exchange) -> bool {
        self.when.as_ref().is_none_or(|rule| rule.holds(ex)) && takes(self.share.of_one(), 1.0, uniform(host))
    }
}

/// The number that the values of a request come to. `None` where it has none of them.
pub fn of(key: &Key, ex: &Exchange) -> Option<u64> {
    let found = key.find(ex);
    let any = found.iter().any(|found| matches!(found, Found::Value { .. }));
    any.then(|| hash::first(&Values::of(&found).hash))
}

/// Adds what a key reads of requests.
pub fn interest_of(key: &Key, interest: &mut Interest) {
    key.parts.iter().flat_map(|part| &part.sources).for_each(|source| source.interest(interest));
}

// What they are made of is there on this machine only.
#[cfg(not(target_family = "wasm"))]
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What each of some shares gets of those who stand at independent places.
    fn spread(weights: &[u32], people: u64) -> Vec<Option<usize>> {
        let place =
            |person: u64, arm: usize| hash::uniform(hash::mix(hash::mix(person) ^ hash::number(&arm.to_string())));
        let of = |person| {
            let mut rest = 1.0;
            for (arm, weight) in weights.iter().enumerate() {
                let weight = Share(*weight).of_one();
                if takes(weight, rest, place(person, arm)) {
                    return Some(arm);
                }
                rest -= weight;
            }
            None
        };
        (0..people).map(of).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn each_gets_its_share_of_all(parts in prop::collection::vec(0..100u32, 1..5)) {
            let total: u32 = parts.iter().sum::<u32>() + 50;
            let weights: Vec<u32> = parts.iter().map(|part| part * 10_000 / total).collect();
            let spread = spread(&weights, 4_000);
            for (arm, weight) in weights.iter().enumerate() {
                let count = spread.iter().filter(|taken| **taken == Some(arm)).count() as f64;
                let share = Share(*weight).of_one();
                let allowed = 6.0 * (4_000.0 * share * (1.0 - share)).sqrt() + 1.0;
                prop_assert!((count - 4_000.0 * share).abs() <= allowed, "{count} of {}", 4_000.0 * share);
            }
        }

        /// Whoever has the new version keeps it when more get it.
        #[test]
        fn who_belongs_to_a_share_belongs_to_a_larger_one(small in 0..10_000u32, more in 0..10_000u32) {
            let large = (small + more).min(10_000);
            let (before, after) = (spread(&[small], 500), spread(&[large], 500));
            prop_assert!(before.iter().zip(after).all(|(before, after)| before.is_none() || after.is_some()));
        }
    }
}
