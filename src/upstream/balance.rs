//! Which of an upstream's targets gets a request. What is decided here is a function of the targets that may get it, of
//! numbers that are drawn, and of whose turn it is; whether a target may get any is decided elsewhere
//! ([`super::breaker`]).

use super::hash::draw;

/// What is known of a target that may get the request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Its place in the list.
    pub position: usize,
    /// 1 at least.
    pub weight: u32,
    /// How many requests are on their way to it.
    pub in_flight: u32,
    /// The number of its address ([`super::hash::number`]).
    pub number: u64,
}

impl Candidate {
    /// How much it has to do, against its weight.
    fn load(&self) -> f64 {
        f64::from(self.in_flight) / f64::from(self.weight)
    }
}

/// How one is picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    InOrder,
    RoundRobin,
    Random,
    LeastInFlight,
    TwoChoices,
    /// The one that a key belongs to.
    Hash(u64),
}

/// Whose turn it is: each target has a time at which it is due, and one that gets a request is due again later by as much as
/// its weight is smaller. So each gets its share of any number of requests, and is off by a few at most.
#[derive(Debug, Clone, Default)]
pub struct Turns {
    due: Vec<f64>,
    now: f64,
}

impl Turns {
    /// The turns of targets with these weights. Where the first round begins is drawn: many instances live for a few
    /// requests only, and the first target must not get the first request of each.
    pub fn new(weights: impl Iterator<Item = u32>, mut uniform: impl FnMut() -> f64) -> Turns {
        Turns { due: weights.map(|weight| uniform() / f64::from(weight.max(1))).collect(), now: 0.0 }
    }

    /// Takes the next turn.
    fn next(&mut self, candidates: &[Candidate]) -> Option<usize> {
        // Whoever was left out for a while makes up for nothing.
        let due = |turns: &Turns, position: usize| turns.due.get(position).copied().unwrap_or_default().max(turns.now);
        let first = candidates
            .iter()
            .min_by(|a, b| due(self, a.position).total_cmp(&due(self, b.position)))
            .map(|candidate| (candidate.position, candidate.weight));
        let (position, weight) = first?;
        let now = due(self, position);
        self.now = now;
        if let Some(due) = self.due.get_mut(position) {
            *due = now + 1.0 / f64::from(weight);
        }
        Some(position)
    }
}

/// Picks a target: its position. `None` where there is no candidate.
pub fn pick(
    pick: Pick,
    candidates: &[Candidate],
    turns: &mut Turns,
    uniform: &mut dyn FnMut() -> f64,
) -> Option<usize> {
    if let [only] = candidates {
        return Some(only.position);
    }
    match pick {
        Pick::InOrder => candidates.first().map(|first| first.position),
        Pick::RoundRobin => turns.next(candidates),
        Pick::Random => random(candidates, uniform),
        Pick::LeastInFlight => {
            let least = candidates.iter().map(Candidate::load).min_by(f64::total_cmp)?;
            let idle: Vec<Candidate> = candidates.iter().copied().filter(|one| one.load() <= least).collect();
            random(&idle, uniform)
        }
        Pick::TwoChoices => {
            let first = random(candidates, uniform)?;
            let others: Vec<Candidate> = candidates.iter().copied().filter(|one| one.position != first).collect();
            let second = random(&others, uniform);
            let load = |position| candidates.iter().find(|one| one.position == position).map_or(0.0, Candidate::load);
            // The first one where they have as much to do, so that weights hold where there is little to do.
            Some(second.filter(|second| load(*second) < load(first)).unwrap_or(first))
        }
        Pick::Hash(key) => {
            let drawn = |one: &Candidate| draw(key, one.number, one.weight);
            candidates.iter().max_by(|a, b| drawn(a).total_cmp(&drawn(b))).map(|one| one.position)
        }
    }
}

/// Any of them, as often as its weight says.
fn random(candidates: &[Candidate], uniform: &mut dyn FnMut() -> f64) -> Option<usize> {
    let total: f64 = candidates.iter().map(|one| f64::from(one.weight)).sum();
    let mut left = uniform() * total;
    for candidate in candidates {
        left -= f64::from(candidate.weight);
        if left < 0.0 {
            return Some(candidate.position);
        }
    }
    candidates.last().map(|last| last.position)
}

// What they are made of is there on this machine only.
#[cfg(not(target_family = "wasm"))]
#[cfg(test)]
mod tests {
    use super::super::hash::{mix, number, uniform};
    use super::*;
    use proptest::prelude::*;

    fn candidates(weights: &[u32]) -> Vec<Candidate> {
        let one = |(position, weight): (usize, &u32)| Candidate {
            position,
            weight: *weight,
            in_flight: 0,
            number: number(&format!("http://{position}.test")),
        };
        weights.iter().enumerate().map(one).collect()
    }

    /// Numbers that look random, from a seed.
    fn numbers(seed: u64) -> impl FnMut() -> f64 {
        let mut state = seed;
        move || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            uniform(mix(state))
        }
    }

    fn turns(weights: &[u32], seed: u64) -> Turns {
        Turns::new(weights.iter().copied(), numbers(seed))
    }

    const WAYS: [Pick; 6] =
        [Pick::InOrder, Pick::RoundRobin, Pick::Random, Pick::LeastInFlight, Pick::TwoChoices, Pick::Hash(7)];

    #[test]
    fn nobody_is_picked_where_there_is_nobody() {
        for way in WAYS {
            assert_eq!(pick(way, &[], &mut Turns::default(), &mut numbers(1)), None);
        }
    }

    #[test]
    fn the_first_of_the_list_is_first() {
        let all = candidates(&[1, 9, 9]);
        assert_eq!(pick(Pick::InOrder, &all, &mut Turns::default(), &mut numbers(1)), Some(0));
        assert_eq!(pick(Pick::InOrder, &all[1..], &mut Turns::default(), &mut numbers(1)), Some(1));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whoever is picked was there to be picked.
        #[test]
        fn only_candidates_are_picked(weights in prop::collection::vec(1..50u32, 1..9), seed: u64, leaves in any::<prop::sample::Index>()) {
            let mut some = candidates(&weights);
            some.remove(leaves.index(some.len()));
            let mut turns = turns(&weights, seed);
            let mut random = numbers(seed);
            for way in WAYS {
                let picked = pick(way, &some, &mut turns, &mut random);
                prop_assert_eq!(picked.is_some(), !some.is_empty());
                prop_assert!(picked.is_none_or(|picked| some.iter().any(|one| one.position == picked)));
            }
        }

        /// Of any number of requests, each has its share, off by one for its own beginning, and by its part of one for the
        /// beginning of each.
        #[test]
        fn turns_hold_the_weights(weights in prop::collection::vec(1..20u32, 1..7), seed: u64, requests in 1..400usize) {
            let all = candidates(&weights);
            let mut turns = turns(&weights, seed);
            let mut counts = vec![0u32; weights.len()];
            for _ in 0..requests {
                counts[pick(Pick::RoundRobin, &all, &mut turns, &mut numbers(0)).unwrap()] += 1;
            }
            let total: u32 = weights.iter().sum();
            for (weight, count) in weights.iter().zip(counts) {
                let share = requests as f64 * f64::from(*weight) / f64::from(total);
                let most = 1.0 + weights.len() as f64 * f64::from(*weight) / f64::from(total);
                prop_assert!((f64::from(count) - share).abs() <= most, "{count} of {share}");
            }
        }

        /// Whoever comes back gets no more than its share.
        #[test]
        fn whoever_was_left_out_makes_up_for_nothing(seed: u64, meanwhile in 1..1_000usize) {
            let all = candidates(&[1, 1, 1]);
            let mut turns = turns(&[1, 1, 1], seed);
            for _ in 0..meanwhile {
                pick(Pick::RoundRobin, &all[..2], &mut turns, &mut numbers(0));
            }
            let picks: Vec<_> = (0..6).filter_map(|_| pick(Pick::RoundRobin, &all, &mut turns, &mut numbers(0))).collect();
            prop_assert!(picks.iter().filter(|position| **position == 2).count() <= 3, "{picks:?}");
        }

        /// Random picks have the weights too, and so do those of whoever has the least to do, where nobody has any.
        #[test]
        fn draws_hold_the_weights(weights in prop::collection::vec(1..10u32, 1..5), seed: u64) {
            let all = candidates(&weights);
            let total: u32 = weights.iter().sum();
            for way in [Pick::Random, Pick::LeastInFlight, Pick::TwoChoices] {
                let mut random = numbers(seed);
                let mut counts = vec![0u32; weights.len()];
                for _ in 0..2_000 {
                    counts[pick(way, &all, &mut Turns::default(), &mut random).unwrap()] += 1;
                }
                for (weight, count) in weights.iter().zip(counts) {
                    let share = f64::from(*weight) / f64::from(total);
                    let allowed = 6.0 * (2_000.0 * share * (1.0 - share)).sqrt() + 1.0;
                    prop_assert!((f64::from(count) - 2_000.0 * share).abs() <= allowed, "{way:?}: {count} of {share}");
                }
            }
        }

        /// Nobody with less to do is passed over by the least, nor by two choices of two.
        #[test]
        fn the_least_busy_is_picked(loads in prop::collection::vec((1..5u32, 0..9u32), 2..6), seed: u64) {
            let mut all = candidates(&loads.iter().map(|(weight, _)| *weight).collect::<Vec<_>>());
            all.iter_mut().zip(&loads).for_each(|(one, (_, in_flight))| one.in_flight = *in_flight);
            let load = |position: usize| all[position].load();
            let picked = pick(Pick::LeastInFlight, &all, &mut Turns::default(), &mut numbers(seed)).unwrap();
            prop_assert!(all.iter().all(|one| one.load() >= load(picked)));
            let picked = pick(Pick::TwoChoices, &all[..2], &mut Turns::default(), &mut numbers(seed)).unwrap();
            prop_assert!(all[..2].iter().all(|one| one.load() >= load(picked)));
        }
    }
}
