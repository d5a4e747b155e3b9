//! How often two things happened in the last while: what breakers and retry budgets decide by. It reads no clock, and
//! holds ten counts of each, whatever comes.

/// Into how many parts the time is divided: what is counted goes out of sight in steps of one.
const SLOTS: usize = 10;

/// Two counts over the last `span_ms`, which move with the time.
#[derive(Debug, Clone)]
pub struct Tally {
    slot_ms: u64,
    /// The number of the slot that counts at the moment.
    at: u64,
    slots: [[u32; 2]; SLOTS],
}

impl Tally {
    pub fn new(span_ms: f64) -> Tally {
        // The cast saturates.
        Tally { slot_ms: (span_ms as u64 / SLOTS as u64).max(1), at: 0, slots: [[0; 2]; SLOTS] }
    }

    /// Counts one more of the first, or of the second.
    pub fn add(&mut self, which: usize, now_ms: f64) {
        self.advance(now_ms);
        if let Some(count) = self.slot(self.at).and_then(|slot| slot.get_mut(which)) {
            *count = count.saturating_add(1);
        }
    }

    /// How many there were of each.
    pub fn sums(&mut self, now_ms: f64) -> [u32; 2] {
        self.advance(now_ms);
        self.slots.iter().fold([0; 2], |[a, b], [c, d]| [a.saturating_add(*c), b.saturating_add(*d)])
    }

    pub fn clear(&mut self) {
        self.slots = [[0; 2]; SLOTS];
    }

    /// Empties the slots whose time has come again. A clock that goes back counts into the slot of before.
    fn advance(&mut self, now_ms: f64) {
        let passed = (now_ms as u64 / self.slot_ms).saturating_sub(self.at);
        for step in 1..=passed.min(SLOTS as u64) {
            if let Some(slot) = self.slot(self.at + step) {
                *slot = [0; 2];
            }
        }
        self.at += passed;
    }

    fn slot(&mut self, number: u64) -> Option<&mut [u32; 2]> {
        self.slots.get_mut((number % SLOTS as u64) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_is_not_counted() {
        let mut tally = Tally::new(1_000.0);
        tally.add(0, 50.0);
        tally.add(1, 950.0);
        assert_eq!(tally.sums(999.0), [1, 1]);
        assert_eq!(tally.sums(1_000.0), [0, 1]);
        assert_eq!(tally.sums(1_899.0), [0, 1]);
        assert_eq!(tally.sums(1_900.0), [0, 0]);
    }

    #[test]
    fn a_long_pause_leaves_nothing() {
        let mut tally = Tally::new(1_000.0);
        (0..100).for_each(|step| tally.add(0, f64::from(step) * 10.0));
        assert_eq!(tally.sums(990.0), [100, 0]);
        assert_eq!(tally.sums(1e12), [0, 0]);
    }

    #[test]
    fn a_clock_that_goes_back_loses_nothing() {
        let mut tally = Tally::new(1_000.0);
        tally.add(0, 5_000.0);
        tally.add(0, 4_000.0);
        tally.add(0, f64::NAN);
        assert_eq!(tally.sums(5_000.0), [3, 0]);
    }
}
