//! What clients are told of limits: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10), and the
//! fields that came before them. Only what is known is told: who has a block of a counter does not know what is left of
//! it.
//!
//! Both fields are lists, so an upstream's own limits stay beside edgate's. Those of an answer that was cached on the
//! way say nothing any more (section 8 of the draft), and go.

use super::{Limit, Numbers};
use crate::config::limit::LimitFields;
use crate::exchange::{Exchange, LimitNote, LimitOutcome, Stage};
use crate::headers::{append_element, has};
use crate::host::Host;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use sfv::{FieldType, Integer, Item, KeyRef, List, ListEntry, StringRef};
use std::rc::Rc;

static POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
static LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static OLD_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
static OLD_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
static OLD_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The fields of answers that it reads or writes.
pub static FIELDS: [HeaderName; 6] = [
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("x-ratelimit-limit"),
    HeaderName::from_static("x-ratelimit-remaining"),
    HeaderName::from_static("x-ratelimit-reset"),
    header::AGE,
];

/// What a limit says of every request with these numbers.
pub fn note(host: &dyn Host, limit: &Limit, numbers: &Numbers, stage: Stage, position: usize) -> LimitNote {
    let window_ms = match *numbers {
        Numbers::Rate { period_ms, .. } => Some(period_ms),
        Numbers::Rolling { span_ms, .. } => Some(span_ms),
        Numbers::Calendar { calendar, .. } => {
            let window = limit.window(host, calendar);
            Some(window.end_ms - window.start_ms)
        }
        Numbers::Concurrency { .. } => None,
    };
    LimitNote {
        name: Rc::clone(&limit.name),
        stage,
        position,
        outcome: LimitOutcome::Admitted,
        by: None,
        dry_run: limit.dry_run,
        quota: numbers.limit(),
        window_s: window_ms.filter(|ms| ms.is_multiple_of(1_000)).map(|ms| ms / 1_000),
        at_once: window_ms.is_none(),
        left: None,
        reset_ms: None,
        retry_ms: None,
        taken: None,
    }
}

/// What the log tells of a request that does not count.
pub fn exempt(limit: &Limit, stage: Stage, position: usize) -> LimitNote {
    LimitNote {
        name: Rc::clone(&limit.name),
        stage,
        position,
        outcome: LimitOutcome::Exempt,
        by: None,
        dry_run: limit.dry_run,
        quota: limit.numbers.limit(),
        window_s: None,
        at_once: false,
        left: None,
        reset_ms: None,
        retry_ms: None,
        taken: None,
    }
}

/// Writes what the limits of a stage said.
pub fn write(ex: &Exchange, stage: Stage, which: LimitFields, last: bool, fields: &mut HeaderMap) {
    // The last limits are the first to see the answer.
    if last && is_old(fields) {
        [&POLICY, &LIMIT].into_iter().for_each(|name| drop(fields.remove(name)));
    }
    let told = |note: &&LimitNote| note.stage == stage && !note.dry_run && note.outcome != LimitOutcome::Exempt;
    let notes = || ex.notes.limits.iter().filter(told);
    if matches!(which, LimitFields::Standard | LimitFields::Both) {
        append(fields, &POLICY, notes().filter_map(policy));
        append(fields, &LIMIT, notes().filter_map(state));
    }
    if matches!(which, LimitFields::Legacy | LimitFields::Both)
        && let Some((note, left)) = notes().filter_map(|note| Some((note, left(note)?))).min_by_key(|(_, left)| *left)
    {
        legacy(note, left, fields);
    }
}

/// Whether an answer was cached on its way here (RFC 9111, section 5.1).
fn is_old(fields: &HeaderMap) -> bool {
    let age = fields.get(header::AGE).and_then(|age| age.to_str().ok()?.trim().parse::<u64>().ok());
    has(fields, &header::AGE) && age != Some(0)
}

fn append(fields: &mut HeaderMap, name: &HeaderName, members: impl Iterator<Item = ListEntry>) {
    let members: List = members.collect();
    if let Some(Ok(value)) = members.serialize().map(HeaderValue::try_from) {
        append_element(fields, name, &value);
    }
}

/// How much is left, where that is known: nothing, where something is refused.
fn left(note: &LimitNote) -> Option<u64> {
    if note.outcome == LimitOutcome::Denied { note.left.or(Some(0)) } else { note.left }
}

/// In how many seconds more is there. `Retry-After` is never earlier (section 4.3 of the draft).
fn reset(note: &LimitNote) -> Option<u64> {
    let ms = if note.outcome == LimitOutcome::Denied { note.retry_ms } else { note.reset_ms };
    ms.filter(|_| !note.at_once).map(|ms| ms.div_ceil(1_000))
}

fn policy(note: &LimitNote) -> Option<ListEntry> {
    let unit = note.at_once.then_some("concurrent-requests");
    member(&note.name, [("q", Some(note.quota)), ("w", note.window_s)], unit)
}

fn state(note: &LimitNote) -> Option<ListEntry> {
    let left = left(note)?;
    member(&note.name, [("r", Some(left)), ("t", reset(note))], None)
}

/// A member of a list: the limit's name with numbers.
fn member(name: &str, numbers: [(&'static str, Option<u64>); 2], unit: Option<&'static str>) -> Option<ListEntry> {
    let mut item = Item::new(StringRef::from_str(name).ok()?.to_owned());
    for (key, number) in numbers {
        // RFC 9651, section 3.3.1: fifteen digits.
        if let Some(number) = number.and_then(|number| Integer::try_from(number).ok()) {
            item.params.insert(KeyRef::from_str(key).ok()?.to_owned(), number.into());
        }
    }
    if let Some(unit) = unit {
        item.params.insert(KeyRef::from_str("qu").ok()?.to_owned(), StringRef::from_str(unit).ok()?.to_owned().into());
    }
    Some(item.into())
}

/// The limit that is nearest to its end; one of the upstream's, or of another stage, that is nearer still, stays.
fn legacy(note: &LimitNote, left: u64, fields: &mut HeaderMap) {
    let before = fields.get(&OLD_REMAINING).and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    if before.is_some_and(|before| before <= left) {
        return;
    }
    fields.insert(&OLD_LIMIT, HeaderValue::from(note.quota));
    fields.insert(&OLD_REMAINING, HeaderValue::from(left));
    match reset(note) {
        Some(seconds) => drop(fields.insert(&OLD_RESET, HeaderValue::from(seconds))),
        None => drop(fields.remove(&OLD_RESET)),
    }
}
