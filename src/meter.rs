//! How much is left: the arithmetic of limits, without a clock, without I/O, in whole numbers. Memory, the Durable
//! Object, the key-value store, leases and limits of one instance run this very code; Redis runs `meter/redis.lua`,
//! which is held against it.
//!
//! A counter is a state, which is a line of text. It is shown a question ([`Ask`], a line too) and the time, and gives
//! a [`Count`] and its next state: [`decide`]. There are two kinds.
//!
//! - A *bucket* meters a rate (GCRA as ITU-T I.371 has it, as a leaky bucket with a continuous state): what was taken
//!   is a debt of `amount * period_ms`, which shrinks by `limit` a millisecond, so nothing is ever rounded. Something may
//!   be taken where the debt stays within `burst * period_ms`. In any time, no more than `burst + limit * time /
//!   period` is taken.
//! - A *sum* meters quotas and what is held at the same time: amounts, each of which counts until a moment of its own,
//!   its due time. Something may be taken where all that counts stays within `limit`. A calendar's window ends for all of
//!   it at once; in a window that moves, an amount counts until the whole step in which it was taken has left the
//!   window; what is held counts until it is given back, or until nobody can hold it any more.
//!
//! # States
//!
//! ```text
//! bucket PERIOD DEBT AT
//! sum AT DUE AMOUNT DUE AMOUNT ..
//! ```
//!
//! `AT` is when it was written; entries of a sum are in the order of their due times, no two alike. A bucket's state of
//! another period counts as none: debts of two periods are not of one measure. A line that is no such state counts as
//! none, too, and the answer says so. What changes nothing writes nothing: the next state is then the one that was given,
//! so a flood of refusals costs a counter that has to be written nothing.
//!
//! # When a clock goes back
//!
//! A clock that goes back by no more than [`JITTER_MS`] stands still instead. One that goes back further has been set:
//! the counter goes on from the new time, with the same debt, and what was due later than anything can be now is due
//! as late as it can be. So two things hold, whatever a clock does:
//!
//! - Never too much: let a clock move forward by `time`, all such moves added up, and back as often as it likes; then
//!   what is taken in that is no more than with a clock that only moved forward by `time`. What is given back by a
//!   question from before the clock was set back is the exception, since nobody can say how old that is.
//! - Never for ever: a question that was told to come again in `retry_ms` is granted after that much time, and that is
//!   never longer than a counter in use at the new time could have said.
//!
//! Several clocks at one counter must agree within [`JITTER_MS`]: otherwise each change from one that is behind to one
//! that is ahead is a move forward.

mod bucket;
mod line;
pub mod page;
pub mod redis;
mod sum;
#[cfg(test)]
mod tests;

use bucket::Bucket;
use line::{Line, Words};
use sum::{Sum, Terms};
/// How far a clock may go back without having been set, in milliseconds.
pub const JITTER_MS: u64 = 1_000;

/// The largest whole number that JavaScript and Lua count with.
pub const MOST: u64 = (1 << 53) - 1;

/// How long a bucket may take at most to come back to its burst, in milliseconds: a day. A charge that would put it
/// further behind counts for that much.
pub const BEHIND_MS: u64 = 86_400_000;

/// How many entries a sum has at most. Where there would be more, the last two become one, which is due with the later.
pub const ENTRIES: usize = 2_000;

/// What is asked of a counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    pub act: Act,
    pub meter: Meter,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Take as much as there is, up to `most`, but at least `least`; or nothing. `least` is no more than `most`. With a
    /// `least` of 0 nothing is refused: whatever there is was wanted.
    Take { least: u64, most: u64 },
    /// Give back what was taken and not used. `stamp` is that of the answer that gave it. To be sent once: a second one
    /// would give back what somebody else has taken.
    Return { amount: u64, stamp: u64 },
    /// Take this, whether it is there or not: it has been used already.
    Charge { amount: u64 },
    /// What was taken by one `Take` with this stamp is still held: it counts for another term, even where it had ended
    /// and somebody else has taken it since. Means nothing to a bucket.
    Renew { amount: u64, stamp: u64 },
    /// Change nothing.
    Look { least: u64 },
    /// Begin anew.
    Forget,
}

/// How a counter counts. Numbers are at most [`MOST`], and so is `burst * period_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meter {
    /// `limit` in `period_ms`, and `burst` at once. All at least 1.
    Bucket { limit: u64, period_ms: u64, burst: u64 },
    /// `limit` until `end_ms`, and then anew until `next_ms`, which is later (milliseconds since 1970): a calendar's
    /// window, which the asker knows, and the next one, since the counter's clock may be ahead. Where that has ended,
    /// too, the asker's clock is far behind; windows as long as the next one go on after it.
    Until { limit: u64, end_ms: u64, next_ms: u64 },
    /// `limit` in any `span_ms`, in steps of `step_ms`, at least 1: a window that moves, or what is held at the same time.
    /// What is taken counts for `span_ms` from the end of the step that it is taken in.
    Within { limit: u64, step_ms: u64, span_ms: u64 },
}

/// What a counter says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How much was taken, charged or renewed: 0 for nothing.
    pub taken: u64,
    /// How much could still be taken now.
    pub left: u64,
    /// In how many milliseconds `least` could be taken, if nobody else takes anything: 0 where it was taken, or could be.
    /// [`MOST`] where it never can. Where nothing was asked for, `least` is 1.
    pub retry_ms: u64,
    /// In how many milliseconds all is there again, if nobody takes anything.
    pub reset_ms: u64,
    /// What goes with giving back what was taken: the time of a bucket, the due time of a sum.
    pub stamp: u64,
    /// Whether there was a state that could not be read: the counter has begun anew.
    pub unreadable: bool,
}

/// What comes of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub answer: Count,
    /// The next state. `None` for that of a counter that nobody has asked yet. Where it is the one that was given, there
    /// is nothing to write.
    pub state: Option<String>,
    /// For how many milliseconds the state says anything: then it may be forgotten. 0 where there is none, and only there.
    pub keep_ms: u64,
}

/// Answers a question, a line, to a counter in a state, a line or nothing, at a time in milliseconds since 1970. `None`
/// for a question that cannot be read.
pub fn decide(state: Option<&str>, ask: &str, now_ms: u64) -> Option<Decision> {
    Ask::parse(ask)?.decide(state, now_ms)
}

impl Ask {
    /// Answers the question as [`decide`] does. `None` where its numbers are not as [`Act`] and [`Meter`] say.
    pub fn decide(&self, state: Option<&str>, now_ms: u64) -> Option<Decision> {
        if !self.can_be_asked() {
            return None;
        }
        // So that nothing that is due at the end of time is due already.
        let now = now_ms.min(MOST - 1);
        Some(match self.meter {
            Meter::Bucket { limit, period_ms, burst } => {
                let mut bucket = Bucket::read(limit, period_ms, burst, state, now);
                let taken = bucket.apply(self.act);
                decision(bucket.count(taken, least(self.act, taken)), state, bucket.changed.then(|| bucket.line()))
            }
            Meter::Until { limit, end_ms, next_ms } => {
                self.of_sum(Sum::read(limit, &|now| Terms::until(end_ms, next_ms, now), state, now), state)
            }
            Meter::Within { limit, step_ms, span_ms } => {
                self.of_sum(Sum::read(limit, &|now| Terms::within(step_ms, span_ms, now), state, now), state)
            }
        })
    }

    fn of_sum(&self, mut sum: Sum, state: Option<&str>) -> Decision {
        let taken = sum.apply(self.act);
        decision(sum.count(taken, least(self.act, taken)), state, sum.changed.then(|| sum.line()))
    }

    fn can_be_asked(&self) -> bool {
        let act = match self.act {
            Act::Take { least, most } => least <= most && most <= MOST,
            Act::Return { amount, stamp } | Act::Renew { amount, stamp } => amount.max(stamp) <= MOST,
            Act::Charge { amount: number } | Act::Look { least: number } => number <= MOST,
            Act::Forget => true,
        };
        act && match self.meter {
            Meter::Bucket { limit, period_ms, burst } => {
                limit.min(period_ms).min(burst) >= 1 && limit <= MOST && burst.saturating_mul(period_ms) <= MOST
            }
            Meter::Until { limit, end_ms, next_ms } => end_ms < next_ms && limit.max(next_ms) <= MOST,
            Meter::Within { limit, step_ms, span_ms } => step_ms >= 1 && limit.max(step_ms).max(span_ms) <= MOST,
        }
    }

    /// The question as a line: the act and its numbers, then the meter and its numbers.
    ///
    /// ```text
    /// take LEAST MOST | return AMOUNT STAMP | charge AMOUNT | renew AMOUNT STAMP | look LEAST | forget
    /// bucket LIMIT PERIOD BURST | until LIMIT END NEXT | within LIMIT STEP SPAN
    /// ```
    pub fn line(&self) -> String {
        let mut line = Line::default();
        match self.act {
            Act::Take { least, most } => line.word("take").number(least).number(most),
            Act::Return { amount, stamp } => line.word("return").number(amount).number(stamp),
            Act::Charge { amount } => line.word("charge").number(amount),
            Act::Renew { amount, stamp } => line.word("renew").number(amount).number(stamp),
            Act::Look { least } => line.word("look").number(least),
            Act::Forget => line.word("forget"),
        };
        match self.meter {
            Meter::Bucket { limit, period_ms, burst } => {
                line.word("bucket").number(limit).number(period_ms).number(burst)
            }
            Meter::Until { limit, end_ms, next_ms } => line.word("until").number(limit).number(end_ms).number(next_ms),
            Meter::Within { limit, step_ms, span_ms } => {
                line.word("within").number(limit).number(step_ms).number(span_ms)
            }
        };
        line.end()
    }

    /// Reads the line. Words are one space apart, and a number is up to 16 decimal digits.
    pub fn parse(line: &str) -> Option<Ask> {
        let mut words = Words::of(line);
        let act = match words.word()? {
            "take" => Act::Take { least: words.number()?, most: words.number()? },
            "return" => Act::Return { amount: words.number()?, stamp: words.number()? },
            "charge" => Act::Charge { amount: words.number()? },
            "renew" => Act::Renew { amount: words.number()?, stamp: words.number()? },
            "look" => Act::Look { least: words.number()? },
            "forget" => Act::Forget,
            _ => return None,
        };
        let (kind, limit, second, third) = (words.word()?, words.number()?, words.number()?, words.number()?);
        let meter = match kind {
            "bucket" => Meter::Bucket { limit, period_ms: second, burst: third },
            "until" => Meter::Until { limit, end_ms: second, next_ms: third },
            "within" => Meter::Within { limit, step_ms: second, span_ms: third },
            _ => return None,
        };
        words.is_at_end().then_some(Ask { act, meter })
    }
}

impl Count {
    /// The answer as a line: `TAKEN LEFT RETRY RESET STAMP UNREADABLE`, the last one 0 or 1.
    pub fn line(&self) -> String {
        let mut line = Line::default();
        for number in [self.taken, self.left, self.retry_ms, self.reset_ms, self.stamp, self.unreadable.into()] {
            line.number(number);
        }
        line.end()
    }

    /// Reads the line.
    pub fn parse(line: &str) -> Option<Count> {
        let mut words = Words::of(line);
        let count = Count {
            taken: words.number()?,
            left: words.number()?,
            retry_ms: words.number()?,
            reset_ms: words.number()?,
            stamp: words.number()?,
            unreadable: match words.word()? {
                "0" => false,
                "1" => true,
                _ => return None,
            },
        };
        words.is_at_end().then_some(count)
    }
}

/// What is waited for. Whoever has what was asked for waits for nothing.
fn least(act: Act, taken: u64) -> u64 {
    match act {
        Act::Take { least, .. } if taken >= least => 0,
        Act::Take { least, .. } | Act::Look { least } => least,
        Act::Return { .. } | Act::Charge { .. } | Act::Renew { .. } | Act::Forget => 1,
    }
}

/// A state says something for as long as there is not all there again.
fn decision(answer: Count, given: Option<&str>, changed: Option<String>) -> Decision {
    let state = match changed {
        Some(state) => (answer.reset_ms > 0).then_some(state),
        None => given.map(str::to_owned),
    };
    let keep_ms = if state.is_some() { answer.reset_ms.max(1) } else { 0 };
    Decision { answer, state, keep_ms }
}

/// The time that a counter goes by which was written at `at`, and whether its clock has been set back.
fn steady(at: u64, now: u64) -> (u64, bool) {
    match at.checked_sub(now) {
        Some(back) if back <= JITTER_MS => (at, false),
        back => (now, back.is_some()),
    }
}

/// How long to wait, by a clock that stands still for a while first.
fn wait(time: u64, ahead: u64) -> u64 {
    if time == 0 { 0 } else { time.saturating_add(ahead).min(MOST) }
}
