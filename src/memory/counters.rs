//! The counters of the memory host, and how they fail.

use crate::host::{HostError, Question};
use crate::meter::{Count, Decision};
use std::collections::BTreeMap;

/// How counters answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Counting {
    #[default]
    Well,
    /// Nobody is there: nothing is counted.
    Down,
    /// What is asked is counted, but nobody waits long enough for the answer.
    Slow,
}

/// States by the names of counters, each with the time until which it says anything.
#[derive(Debug, Default)]
pub struct Shelf {
    pub counting: Counting,
    /// How often it was asked.
    pub asked: u64,
    kept: BTreeMap<String, (String, u64)>,
}

impl Shelf {
    /// Answers, unless nobody is there.
    pub fn count(&mut self, question: &Question, now_ms: u64) -> Result<Count, HostError> {
        self.asked += 1;
        if self.counting == Counting::Down {
            return Err(HostError::Unreachable("the counters are down".to_owned()));
        }
        let state = self.kept.get(&question.counter).filter(|(_, until)| *until > now_ms).map(|(state, _)| &**state);
        let decision = question.ask.decide(state, now_ms);
        let Some(Decision { answer, state: next, keep_ms }) = decision else {
            return Err(HostError::Other(format!("`{}` is no question", question.ask.line())));
        };
        match next {
            Some(next) if Some(&*next) == state => {}
            Some(next) => {
                self.kept.insert(question.counter.clone(), (next, now_ms.saturating_add(keep_ms)));
            }
            None => {
                self.kept.remove(&question.counter);
            }
        }
        Ok(answer)
    }

    /// Has something else written over every state.
    pub fn corrupt(&mut self) {
        for (state, _) in self.kept.values_mut() {
            "no state at all".clone_into(state);
        }
    }
}

/// A rate limiter as Cloudflare's is seen from outside: so many requests of a key in each period, and then no more.
#[derive(Debug, Default)]
pub struct Limiter {
    pub limit: u64,
    pub period_ms: u64,
    /// How many there were of a key, and in which period.
    counts: BTreeMap<String, (u64, u64)>,
}

impl Limiter {
    pub fn new(limit: u64, period_ms: u64) -> Limiter {
        Limiter { limit, period_ms, counts: BTreeMap::new() }
    }

    /// Whether one more may pass.
    pub fn admit(&mut self, key: &str, now_ms: u64) -> bool {
        let period = now_ms / self.period_ms.max(1);
        let (last, count) = self.counts.entry(key.to_owned()).or_default();
        if *last != period {
            (*last, *count) = (period, 0);
        }
        *count = count.saturating_add(1);
        *count <= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::{Act, Ask, Meter};

    fn take(counter: &str) -> Question {
        let meter = Meter::Bucket { limit: 1, period_ms: 1_000, burst: 2 };
        Question { counter: counter.to_owned(), ask: Ask { act: Act::Take { least: 1, most: 1 }, meter } }
    }

    #[test]
    fn each_counter_counts_by_itself_and_is_forgotten_when_it_says_nothing() {
        let mut shelf = Shelf::default();
        let mut taken = |counter, now_ms| shelf.count(&take(counter), now_ms).map(|count| count.taken);
        assert_eq!([taken("a", 0), taken("a", 0), taken("a", 0), taken("b", 0)], [Ok(1), Ok(1), Ok(0), Ok(1)]);
        assert_eq!([taken("a", 2_000), taken("a", 2_000), taken("a", 2_000)], [Ok(1), Ok(1), Ok(0)]);
        assert_eq!(shelf.kept.get("a").map(|(_, until)| *until), Some(4_000));
    }

    #[test]
    fn counters_that_are_down_count_nothing_and_slow_ones_do() {
        let mut shelf = Shelf { counting: Counting::Down, ..Shelf::default() };
        assert!(shelf.count(&take("a"), 0).is_err());
        assert!(shelf.kept.is_empty());
        shelf.counting = Counting::Slow;
        assert_eq!(shelf.count(&take("a"), 0).map(|count| count.left), Ok(1));
    }

    #[test]
    fn what_was_written_over_is_told_and_begins_anew() {
        let mut shelf = Shelf::default();
        let count = |shelf: &mut Shelf| shelf.count(&take("a"), 0).map(|count| (count.left, count.unreadable));
        assert_eq!(count(&mut shelf), Ok((1, false)));
        shelf.corrupt();
        assert_eq!(count(&mut shelf), Ok((1, true)));
        assert_eq!(count(&mut shelf), Ok((0, false)));
    }
}
