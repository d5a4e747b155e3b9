//! The windows of a calendar in a time zone: hours, days and months, one after the other, without gap or overlap. Of a
//! zone it knows only how far ahead of UTC it is at a time.
//!
//! - A *day* begins at the first instant of its date, or of a later one: a midnight that does not exist is the end of the
//!   gap, and a date that a zone skips has no window. Where clocks go back over midnight, the date that had begun goes
//!   on. So a day has 23 to 25 hours where summer time begins or ends. A *month* begins with the first day in it.
//! - An *hour* is sixty minutes from one full hour of the local clock to the next: an hour that is skipped has no window,
//!   and one that comes twice has two. Where a zone goes forward or back by another time than whole hours (Lord Howe
//!   Island: thirty minutes), the hour ends there, and the one that begins there ends at the next full hour.
//!
//! It takes for granted that no zone changes twice within two days.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

#[cfg(test)]
#[cfg(not(target_family = "wasm"))]
mod tests;

/// What ends at once for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calendar {
    Hour,
    Day,
    Month,
}

/// A window, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub start_ms: u64,
    /// When the next one begins. Later than `start_ms`.
    pub end_ms: u64,
    /// When that one ends. Later than `end_ms`.
    pub next_ms: u64,
}

const HOUR_MS: i64 = 3_600_000;

/// No zone is further ahead of UTC or behind it: local mean time of Manila was 15:56 behind.
const REACH_MS: i64 = 16 * HOUR_MS;

/// The last time that is looked at: there are a few months left in the calendar's year 9999.
const LAST_MS: i64 = 253_370_764_800_000;

/// The window that holds a time. `offset` says by how many milliseconds the zone is ahead of UTC at a time.
pub fn window(calendar: Calendar, offset: &dyn Fn(u64) -> i64, now_ms: u64) -> Window {
    let zone = Zone(offset);
    let now = i64::try_from(now_ms).unwrap_or(LAST_MS).min(LAST_MS);
    let (start, end) = zone.window(calendar, now);
    let (_, next) = zone.window(calendar, end);
    // All of them are later than 1970, or begin with it.
    let [start_ms, end_ms, next_ms] = [start, end, next].map(|at| u64::try_from(at).unwrap_or(0));
    Window { start_ms, end_ms, next_ms }
}

/// A zone. Times are milliseconds since 1970; local times are what its clocks show, in the same measure.
struct Zone<'a>(&'a dyn Fn(u64) -> i64);

impl Zone<'_> {
    fn offset(&self, at: i64) -> i64 {
        (self.0)(u64::try_from(at).unwrap_or(0)).clamp(-REACH_MS, REACH_MS)
    }

    fn window(&self, calendar: Calendar, now: i64) -> (i64, i64) {
        if calendar == Calendar::Hour {
            return self.hour(now);
        }
        let mut begins = first_of(calendar, now + self.offset(now));
        loop {
            let next = following(calendar, begins);
            let end = self.first_at(next);
            if end > now {
                return (self.first_at(begins), end);
            }
            // Clocks went back over midnight: it is the next date already.
            begins = next;
        }
    }

    /// The first time at which the zone's clocks show a local time, or a later one.
    fn first_at(&self, local: i64) -> i64 {
        let (low, high) = (local - REACH_MS, local + REACH_MS);
        let (before, after) = (self.offset(low), self.offset(high));
        let by_the_old = local - before;
        if before == after {
            return by_the_old;
        }
        let change = first_where(low, high, |at| self.offset(at) != before);
        if by_the_old < change { by_the_old } else { change.max(local - after) }
    }

    /// An hour: the zone counts for its minutes only.
    fn hour(&self, now: i64) -> (i64, i64) {
        let minutes = |at| self.offset(at).rem_euclid(HOUR_MS);
        let here = minutes(now);
        let start = now - (now + here).rem_euclid(HOUR_MS);
        let end = start + HOUR_MS;
        let start = if minutes(start) == here { start } else { first_where(start, now, |at| minutes(at) == here) };
        let end = if minutes(end) == here { end } else { first_where(now, end, |at| minutes(at) != here) };
        (start, end)
    }
}

/// The first time after `low`, up to `high`, at which something holds that holds from then on.
fn first_where(mut low: i64, mut high: i64, holds: impl Fn(i64) -> bool) -> i64 {
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// When the day or month of a local time begins, as a local time.
fn first_of(calendar: Calendar, local: i64) -> i64 {
    let date = date(local);
    midnight(if calendar == Calendar::Month { date.first_of_month() } else { date })
}

/// When the day or month after one begins that begins at a local time.
fn following(calendar: Calendar, local: i64) -> i64 {
    let date = date(local);
    let last = if calendar == Calendar::Month { date.last_of_month() } else { date };
    // There is one before the year 10000.
    midnight(last.tomorrow().unwrap_or(last))
}

fn date(local: i64) -> Date {
    Offset::UTC.to_datetime(Timestamp::from_millisecond(local).unwrap_or(Timestamp::MAX)).date()
}

fn midnight(date: Date) -> i64 {
    let midnight = DateTime::from_parts(date, Time::midnight());
    Offset::UTC.to_timestamp(midnight).unwrap_or(Timestamp::MAX).as_millisecond()
}
