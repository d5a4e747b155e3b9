//! A bucket: what was taken is a debt, which shrinks with the time.

use super::line::{Line, Words};
use super::{Act, BEHIND_MS, Count, MOST, steady, wait};

/// A bucket as a question finds it: the debt is that of now.
pub struct Bucket {
    limit: u64,
    period: u64,
    burst: u64,
    now: u64,
    /// By how much that is later than the clock says.
    ahead: u64,
    debt: u64,
    unreadable: bool,
    /// Whether there is something to write. What only went by is found again from the state as it was.
    pub changed: bool,
}

/// What a state says.
struct Kept {
    period: u64,
    debt: u64,
    at: u64,
}

fn parse(state: &str) -> Option<Kept> {
    let mut words = Words::of(state);
    if words.word()? != "bucket" {
        return None;
    }
    let kept = Kept { period: words.number()?, debt: words.number()?, at: words.number()? };
    (words.is_at_end() && kept.at < MOST).then_some(kept)
}

impl Bucket {
    pub fn read(limit: u64, period: u64, burst: u64, state: Option<&str>, now: u64) -> Bucket {
        let kept = state.map(parse);
        let mut bucket = Bucket {
            limit,
            period,
            burst,
            now,
            ahead: 0,
            debt: 0,
            unreadable: matches!(kept, Some(None)),
            changed: false,
        };
        if let Some(Some(kept)) = kept
            && kept.period == period
        {
            // A clock that has been set back is written down, or nothing would ever go by for those who are refused.
            (bucket.now, bucket.changed) = steady(kept.at, now);
            bucket.ahead = bucket.now - now;
            let gone = limit.saturating_mul(bucket.now.saturating_sub(kept.at));
            bucket.debt = kept.debt.min(bucket.deepest()).saturating_sub(gone);
        }
        bucket
    }

    /// The debt of a bucket from which everything was taken.
    fn full(&self) -> u64 {
        self.burst.saturating_mul(self.period)
    }

    /// The largest debt, so that charges cannot close a bucket for ever.
    fn deepest(&self) -> u64 {
        self.full().saturating_add(self.limit.saturating_mul(BEHIND_MS)).min(MOST)
    }

    fn left(&self) -> u64 {
        self.full().saturating_sub(self.debt) / self.period
    }

    /// Does what is asked, and says how much was taken.
    pub fn apply(&mut self, act: Act) -> u64 {
        let before = self.debt;
        let taken = match act {
            Act::Take { least, most } => Some(most.min(self.left())).filter(|taken| *taken >= least).unwrap_or(0),
            Act::Charge { amount } => amount,
            Act::Return { amount, stamp } => {
                self.debt = before.saturating_sub(self.unused(amount, stamp));
                0
            }
            Act::Forget => {
                self.debt = 0;
                self.changed = true;
                0
            }
            Act::Renew { .. } | Act::Look { .. } => 0,
        };
        self.debt = self.debt.saturating_add(taken.saturating_mul(self.period)).min(self.deepest());
        self.changed = (self.changed || self.debt != before) && !matches!(act, Act::Look { .. });
        taken
    }

    /// What giving back takes from the debt: no more than what has not gone by of it since it was taken. What has, has
    /// made room for others already; given back once more, more than `burst + limit * time / period` could be taken. No
    /// more than a burst was ever taken at once. And what was taken later than now was taken by a clock that has been set
    /// back since, so nobody can say how much of it has gone by.
    fn unused(&self, amount: u64, stamp: u64) -> u64 {
        let Some(age) = self.now.checked_sub(stamp) else { return 0 };
        amount.min(self.burst).saturating_mul(self.period).saturating_sub(self.limit.saturating_mul(age))
    }

    pub fn count(&self, taken: u64, least: u64) -> Count {
        // Which debt leaves room for it.
        let room = self.burst.checked_sub(least).map(|rest| rest * self.period);
        let retry_ms = match room {
            _ if least == 0 => 0,
            Some(room) => wait(self.debt.saturating_sub(room).div_ceil(self.limit), self.ahead),
            None => MOST,
        };
        let reset_ms = wait(self.debt.div_ceil(self.limit), self.ahead);
        Count { taken, left: self.left(), retry_ms, reset_ms, stamp: self.now, unreadable: self.unreadable }
    }

    pub fn line(&self) -> String {
        let mut line = Line::default();
        line.word("bucket").number(self.period).number(self.debt).number(self.now);
        line.end()
    }
}
