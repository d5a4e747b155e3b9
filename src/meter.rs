//! How much is left: the arithmetic of limits, without a clock, without I/O, in whole numbers. Memory, the Durable
//! Object, the key-value store, leases and limits of one instance run this very code; Redis runs `meter/redis.lua`,
//! which is held against it.
//!
//! A counter is a state, which is a line of text. It is shown a question ([`Ask`], a line too) and the time, and gives
//! an [`Count`] and its next state: [`decide`]. There are two kinds.
//!
//! - A *bucket* meters a rate (GCRA as ITU-T I.371 has it, as a leaky bucket with a continuous state): what was taken
//!   is a debt of `amount * period_ms`, which shrinks by `limit` a millisecond, so nothing is ever rounded. Something may
//!   be taken where the debt stays within `burst * period_ms`. In any time, no more than `burst + limit * time /
//!   period` is taken.
//! - A *sum* meters quotas and what is held at the same time: amounts, each of which counts until a moment of its own,
//!   its due time. Something may be taken where all that counts stays within `limit`. A calendar's window ends for all of
//!   it at once; a window that moves is thirty steps, and an amount counts until the whole step has left the
//!   window; what is held counts until it is given back, or until nobody can hold it any more.
//!
//! A clock that goes back by no more than [`JITTER_MS`] stands still instead. One that goes back further has been set:
//! the counter goes on from the new time, with the same debt, and what was due later than anything can be now is due
//! as late as it can be.

pub mod page;
pub mod redis;

/// How far a clock may go back without having been set, in milliseconds.
pub const JITTER_MS: u64 = 1_000;

/// The largest whole number that JavaScript and Lua count with.
pub const MOST: u64 = (1 << 53) - 1;

/// What is asked of a counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    pub act: Act,
    pub meter: Meter,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Take as much as there is, up to `most`, but at least `least`; or nothing.
    Take { least: u64, most: u64 },
    /// Give back what was taken and not used. `stamp` is that of the answer that gave it.
    Return { amount: u64, stamp: u64 },
    /// Take this, whether it is there or not: it has been used already.
    Charge { amount: u64 },
    /// What was taken by one `Take` with this stamp is still held: it counts for another term.
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
    /// `limit` until `end_ms`, and then anew until `next_ms` (milliseconds since 1970): a calendar's window, which
    /// the asker knows, and the next one, since the counter's clock may be ahead.
    Until { limit: u64, end_ms: u64, next_ms: u64 },
    /// `limit` in any `span_ms`, in steps of `step_ms`: a window that moves, or what is held at the same time.
    Within { limit: u64, step_ms: u64, span_ms: u64 },
}

/// What a counter says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How much was taken: 0 for nothing.
    pub taken: u64,
    /// How much could still be taken now.
    pub left: u64,
    /// In how many milliseconds `least` could be taken, if nobody else takes anything: 0 where it was taken, or could be.
    /// [`MOST`] where it never can, or where nobody knows.
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
    /// The next state. `None` for that of a counter that nobody has asked yet.
    pub state: Option<String>,
    /// For how many milliseconds the state says anything: then it may be forgotten.
    pub keep_ms: u64,
}

/// Answers a question, a line, to a counter in a state, a line or nothing, at a time in milliseconds since 1970. `None`
/// for a question that cannot be read.
pub fn decide(_state: Option<&str>, _ask: &str, _now_ms: u64) -> Option<Decision> {
    None
}

impl Ask {
    /// The question as a line: the act and its numbers, then the meter and its numbers.
    ///
    /// ```text
    /// take LEAST MOST | return AMOUNT STAMP | charge AMOUNT | renew AMOUNT STAMP | look LEAST | forget
    /// bucket LIMIT PERIOD BURST | until LIMIT END NEXT | within LIMIT STEP SPAN
    /// ```
    pub fn line(&self) -> String {
        String::new()
    }
}

impl Count {
    /// The answer as a line: `TAKEN LEFT RETRY RESET STAMP UNREADABLE`, the last one 0 or 1.
    pub fn line(&self) -> String {
        String::new()
    }

    /// Reads the line.
    pub fn parse(_line: &str) -> Option<Count> {
        None
    }
}
