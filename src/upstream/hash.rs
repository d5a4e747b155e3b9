//! Which target a key belongs to, and which comes next: rendezvous hashing (Thaler and Ravishankar, 1998), with weights.
//! Every target draws a number for the key, and the highest has it. Where a target goes, only its own keys move, and where
//! one comes, only those that it gets. There is nothing to build or to keep; it costs one hash for each target.

use sha2::{Digest, Sha256};

/// What a target draws for a key. A key goes to a target in proportion to its weight.
pub fn draw(key: u64, target: u64, weight: u32) -> f64 {
    f64::from(weight) / -uniform(mix(key ^ mix(target))).ln()
}

/// The number of a target: of its address, so that its place in a list makes no difference.
pub fn number(address: &str) -> u64 {
    first(&Sha256::digest(address).into())
}

/// The beginning of a hash.
pub fn first(hash: &[u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// A number above 0 and below 1.
pub fn uniform(hash: u64) -> f64 {
    ((hash >> 12) as f64 + 0.5) / (1u64 << 52) as f64
}

/// Spreads what is in a number over all of its bits (the finalizer of SplitMix64).
pub fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

// What they are made of is there on this machine only.
#[cfg(not(target_family = "wasm"))]
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const KEYS: u64 = 4_000;

    fn target(number_of: usize) -> u64 {
        number(&format!("https://{number_of}.example.com"))
    }

    fn owner(key: u64, targets: &[(u64, u32)]) -> u64 {
        let best = targets.iter().max_by(|a, b| draw(key, a.0, a.1).total_cmp(&draw(key, b.0, b.1)));
        best.map(|(target, _)| *target).expect("there is one")
    }

    fn targets(weights: &[u32]) -> Vec<(u64, u32)> {
        weights.iter().enumerate().map(|(position, weight)| (target(position), *weight)).collect()
    }

    #[test]
    fn uniform_numbers_are_inside() {
        assert!(uniform(0) > 0.0 && uniform(u64::MAX) < 1.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

        /// Where a target leaves, the keys of the others stay where they are; so they do where it comes back.
        #[test]
        fn only_the_keys_of_whoever_leaves_move(weights in prop::collection::vec(1..10u32, 2..9), leaves in any::<prop::sample::Index>()) {
            let all = targets(&weights);
            let gone = all[leaves.index(all.len())].0;
            let rest: Vec<_> = all.iter().copied().filter(|(target, _)| *target != gone).collect();
            for key in 0..KEYS {
                let before = owner(mix(key), &all);
                prop_assert!(before == gone || before == owner(mix(key), &rest));
            }
        }

        /// Each target has its share of the keys, so about one in n moves where one of n leaves.
        #[test]
        fn keys_are_spread_by_weight(weights in prop::collection::vec(1..10u32, 1..9)) {
            let all = targets(&weights);
            let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
            for key in 0..KEYS {
                *counts.entry(owner(mix(key), &all)).or_default() += 1;
            }
            let total: u32 = weights.iter().sum();
            for (target, weight) in &all {
                let share = f64::from(*weight) / f64::from(total);
                let (expected, count) = (share * KEYS as f64, counts.get(target).copied().unwrap_or_default() as f64);
                // Six standard deviations of a binomial distribution.
                let allowed = 6.0 * (KEYS as f64 * share * (1.0 - share)).sqrt() + 1.0;
                prop_assert!((count - expected).abs() <= allowed, "{count} of {expected}");
            }
        }

        /// The order of a list says nothing.
        #[test]
        fn the_order_of_targets_makes_no_difference(key in any::<u64>(), weights in prop::collection::vec(1..10u32, 1..9)) {
            let all = targets(&weights);
            let reversed: Vec<_> = all.iter().rev().copied().collect();
            prop_assert_eq!(owner(key, &all), owner(key, &reversed));
        }

        /// More weight takes keys, and gives none away.
        #[test]
        fn whoever_gets_more_weight_loses_nothing(weights in prop::collection::vec(1..10u32, 2..6), more in 1..10u32) {
            let before = targets(&weights);
            let mut after = before.clone();
            after[0].1 += more;
            for key in 0..KEYS {
                let (was, is) = (owner(mix(key), &before), owner(mix(key), &after));
                prop_assert!(was == is || is == before[0].0);
            }
        }
    }
}
