//! Counters in a key-value store that knows no time to live and no conditional creation or removal, only the
//! replacement of a value by another one: many counters share a page, which is one value, and there is a fixed number of
//! pages. A page once made is never removed. So idle counters are tidied away by whoever writes the page next, and what
//! stays for ever is at most [`PAGES`] values.
//!
//! ```text
//! edgate-limits WRITE WRITE ..        the last writes, the newest first
//! COUNTER UNTIL STATE                 one line for each counter; UNTIL in milliseconds since 1970
//! ```
//!
//! Every write has a name of its own. A store that cannot say whether a write took place is asked for the page again:
//! there it stands.

use super::{Count, Decision, JITTER_MS, decide};
use std::collections::BTreeMap;

/// How many pages there are. A page of 4,096 holds some 250 of a million counters, in some 25 KB.
pub const PAGES: u32 = 4_096;

/// A page without counters.
pub const EMPTY: &str = "edgate-limits\n";

/// What a page begins with.
const MARK: &str = "edgate-limits";

/// How many writes a page tells of.
const WRITES: usize = 8;

/// What comes of asking counters of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turned {
    /// To each question, in their order. `None` to one that cannot be read.
    pub answers: Vec<Option<Count>>,
    /// The page as it is then; `None` where nothing has changed.
    pub next: Option<String>,
}

/// The page of a counter: those that differ in their limit alone are on the same one, since a request asks for them
/// together.
pub fn of(counter: &str) -> u32 {
    let values = counter.rsplit(':').next().unwrap_or_default();
    // FNV-1a, which is fair and small.
    let hash = values.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash ^ (hash >> 16)) % PAGES
}

/// Asks counters of a page: pairs of a counter and a question, one after the other, at a time in milliseconds since
/// 1970. `write` is a name for the write that follows, without spaces.
pub fn turn(page: &[u8], questions: &[(&str, &str)], write: &str, now_ms: u64) -> Turned {
    let read = Page::read(page);
    let unreadable = read.is_none();
    let mut page = read.unwrap_or_default();
    let mut changed = false;
    let mut fresh: BTreeMap<&str, Option<(u64, String)>> = BTreeMap::new();
    let mut answers = Vec::with_capacity(questions.len());
    for (counter, ask) in questions {
        let state = match fresh.get(counter) {
            Some(fresh) => fresh.as_ref().map(|(_, state)| state.as_str()),
            None => page.counters.get(counter).map(|(_, state)| *state),
        };
        let Some(Decision { answer, state: next, keep_ms }) = decide(state, ask, now_ms) else {
            answers.push(None);
            continue;
        };
        answers.push(Some(Count { unreadable: answer.unreadable || unreadable, ..answer }));
        if next.as_deref() != state {
            changed = true;
            // Another host's clock may be behind.
            let until = now_ms.saturating_add(keep_ms).saturating_add(JITTER_MS);
            fresh.insert(counter, next.map(|state| (until, state)));
        }
    }
    page.counters.retain(|counter, (until, _)| *until > now_ms && !fresh.contains_key(counter));
    let fresh = fresh.iter().filter_map(|(counter, line)| Some((*counter, line.as_ref()?)));
    page.counters.extend(fresh.map(|(counter, (until, state))| (counter, (*until, state.as_str()))));
    Turned { answers, next: changed.then(|| page.text(write)) }
}

/// Whether this write is one of the last that a page has seen.
pub fn has(page: &[u8], write: &str) -> bool {
    Page::read(page).is_some_and(|page| page.writes.contains(&write))
}

#[derive(Default)]
struct Page<'a> {
    writes: Vec<&'a str>,
    counters: BTreeMap<&'a str, (u64, &'a str)>,
}

impl<'a> Page<'a> {
    /// `None` for what is no page, or only a part of one.
    fn read(page: &'a [u8]) -> Option<Page<'a>> {
        let mut lines = std::str::from_utf8(page).ok()?.strip_suffix('\n')?.split('\n');
        let mut first = lines.next()?.split(' ');
        if first.next() != Some(MARK) {
            return None;
        }
        let line = |line: &'a str| {
            let (counter, rest) = line.split_once(' ')?;
            let (until, state) = rest.split_once(' ')?;
            Some((counter, (until.parse().ok()?, state)))
        };
        Some(Page { writes: first.collect(), counters: lines.map(line).collect::<Option<_>>()? })
    }

    fn text(&self, write: &str) -> String {
        let mut text = [MARK, " ", write].concat();
        for before in self.writes.iter().take(WRITES - 1) {
            text.extend([" ", before]);
        }
        text.push('\n');
        for (counter, (until, state)) in &self.counters {
            text.extend([counter, " ", &until.to_string(), " ", state, "\n"]);
        }
        text
    }
}
