//! Which counters of a limit have not answered, so that requests do not wait for them one by one. One that fails is left
//! alone by itself: it may be the only one that has too much to do. Where several fail, one after the other, and none
//! answers in between, the place where all of them are is taken to be down. Once a second it is asked all the same: the
//! counter by those that come in a moment, since it may be back and all of them are to be counted, and the place by one
//! request. The first answer ends it.

use crate::bounded::Bounded;
use std::cell::{Cell, RefCell};

/// How often it is looked whether a counter that did not answer is back, in milliseconds.
pub const LOOK_MS: f64 = 1_000.0;

/// For how long a counter is asked then, in milliseconds: as long as one that is back may take to answer.
const MOMENT_MS: f64 = 250.0;

/// How long a counter that did not answer is remembered, in milliseconds.
const DOUBTED_MS: f64 = 10_000.0;

/// How many counters must have failed in a row until all of them are left alone.
const SEVERAL: usize = 3;

/// How many counters are remembered that did not answer: each was waited for.
const KEYS: usize = 1_000;

/// Which counters of a limit have not answered.
pub struct Outage {
    /// From when until when each is left alone.
    failed: RefCell<Bounded<(f64, f64)>>,
    /// Those that have failed since one has answered: no more than [`SEVERAL`].
    in_a_row: RefCell<Vec<[u8; 32]>>,
    /// While all are left alone, when one was asked last of those that have failed themselves, and of the others: where
    /// those that are asked most are not well, it is the others that tell of the place.
    looked: [Cell<f64>; 2],
    /// When a failure was told of last.
    told: Cell<f64>,
}

impl Default for Outage {
    fn default() -> Outage {
        let never = || Cell::new(f64::NEG_INFINITY);
        Outage {
            failed: RefCell::new(Bounded::new(KEYS)),
            in_a_row: RefCell::default(),
            looked: [never(), never()],
            told: never(),
        }
    }
}

impl Outage {
    /// Whether a counter is to be left alone. If not, whoever asks does ask it: others may be left alone because of that.
    pub fn covers(&self, key: &[u8; 32], now: f64) -> bool {
        let failed = self.failed.borrow_mut().get(key, now);
        let looked = self.is_everywhere().then(|| &self.looked[usize::from(failed.is_some())]);
        if failed.is_some_and(|(from, until)| (from..until).contains(&now))
            || looked.is_some_and(|looked| is_recent(looked.get(), now))
        {
            return true;
        }
        if failed.is_some_and(|(_, until)| now >= until) {
            self.leave_alone(key, now + MOMENT_MS, now + LOOK_MS);
        }
        if let Some(looked) = looked {
            looked.set(now);
        }
        false
    }

    /// A counter has answered.
    pub fn end(&self, key: &[u8; 32]) {
        self.failed.borrow_mut().remove(key);
        self.in_a_row.borrow_mut().clear();
    }

    /// A counter could not be asked. Whether that is news.
    pub fn note(&self, key: &[u8; 32], now: f64) -> bool {
        self.leave_alone(key, now, now + LOOK_MS);
        let mut in_a_row = self.in_a_row.borrow_mut();
        let is_first = in_a_row.is_empty();
        if in_a_row.len() < SEVERAL && !in_a_row.contains(key) {
            in_a_row.push(*key);
            if in_a_row.len() == SEVERAL {
                self.looked.iter().for_each(|looked| looked.set(now));
            }
        }
        let is_news = is_first && !is_recent(self.told.get(), now);
        if is_news {
            self.told.set(now);
        }
        is_news
    }

    fn leave_alone(&self, key: &[u8; 32], from: f64, until: f64) {
        self.failed.borrow_mut().put(*key, (from, until), from + DOUBTED_MS);
    }

    fn is_everywhere(&self) -> bool {
        self.in_a_row.borrow().len() >= SEVERAL
    }
}

/// Whether something was a moment ago. Of a clock that was set back nothing is.
fn is_recent(at: f64, now: f64) -> bool {
    (at..at + LOOK_MS).contains(&now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> [u8; 32] {
        [number; 32]
    }

    /// Which of these are asked.
    fn asked(outage: &Outage, keys: impl IntoIterator<Item = u8>, now: f64) -> Vec<u8> {
        keys.into_iter().filter(|number| !outage.covers(&key(*number), now)).collect()
    }

    fn fail(outage: &Outage, keys: impl IntoIterator<Item = u8>, now: f64) {
        for number in keys {
            outage.note(&key(number), now);
        }
    }

    #[test]
    fn counter_that_fails_is_left_alone_by_itself() {
        let outage = Outage::default();
        // Many questions to one counter that fail together are one failure.
        let news = (0..50).filter(|_| outage.note(&key(1), 0.0));
        assert_eq!(news.count(), 1);
        assert_eq!(asked(&outage, [1, 1, 2, 3, 2], 999.0), [2, 3, 2]);
        // Those look that come in a moment, and then others a second later.
        assert_eq!(asked(&outage, [1, 1, 1], 1_000.0), [1, 1, 1]);
        assert_eq!(asked(&outage, [1, 1], 1_249.0), [1, 1]);
        assert!(asked(&outage, [1, 1], 1_250.0).is_empty());
        outage.note(&key(1), 1_900.0);
        assert!(asked(&outage, [1, 1], 2_500.0).is_empty());
        assert_eq!(asked(&outage, [1, 1], 2_900.0), [1, 1]);
        outage.end(&key(1));
        assert_eq!(asked(&outage, [1, 1], 2_900.0), [1, 1]);
    }

    #[test]
    fn several_that_fail_in_a_row_have_all_left_alone_but_for_one_look_a_second() {
        let outage = Outage::default();
        fail(&outage, 1..=3, 0.0);
        assert!(asked(&outage, 1..=100, 999.0).is_empty());
        // One of those that have failed, and one of which nothing is known.
        assert_eq!(asked(&outage, 1..=100, 1_000.0), [1, 4]);
        outage.note(&key(4), 1_000.0);
        assert!(asked(&outage, 1..=100, 1_500.0).is_empty());
        assert_eq!(asked(&outage, 1..=100, 2_000.0), [1, 5]);
        outage.end(&key(5));
        // Those that have failed are still looked after one by one.
        assert_eq!(asked(&outage, [1, 2, 3, 5, 6, 7], 2_000.0), [1, 2, 3, 5, 6, 7]);
        assert_eq!(asked(&outage, [1, 2, 3, 5, 6, 7], 2_500.0), [5, 6, 7]);
    }

    #[test]
    fn failures_with_answers_in_between_are_no_outage() {
        let outage = Outage::default();
        for number in 1..=100 {
            outage.note(&key(number), 0.0);
            outage.end(&key(0));
        }
        assert_eq!(asked(&outage, 99..=102, 0.0), [101, 102]);
    }

    #[test]
    fn an_outage_is_told_of_once() {
        let outage = Outage::default();
        let told = (0..100_u8).filter(|number| outage.note(&key(*number), f64::from(*number) * 600.0));
        assert_eq!(told.collect::<Vec<_>>(), [0]);
        // One that comes and goes, once a second.
        let told = (0..40).filter(|number| {
            outage.end(&key(1));
            outage.note(&key(1), 100_000.0 + f64::from(*number) * 100.0)
        });
        assert_eq!(told.collect::<Vec<_>>(), [0, 10, 20, 30]);
    }

    #[test]
    fn clock_that_is_set_back_ends_it() {
        let outage = Outage::default();
        fail(&outage, 1..=3, 1e12);
        assert_eq!(asked(&outage, [1, 9, 9], 0.0), [1, 9]);
    }
}
