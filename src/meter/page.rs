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

use super::{Ask, Count, Decision, JITTER_MS};
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
pub fn turn(page: &[u8], questions: &[(&str, &Ask)], write: &str, now_ms: u64) -> Turned {
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
        let Some(Decision { answer, state: next, keep_ms }) = ask.decide(state, now_ms) else {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::{Act, Meter};

    const NOW: u64 = 1_800_000_000_000;

    fn take(most: u64) -> Ask {
        Ask { act: Act::Take { least: 1, most }, meter: Meter::Bucket { limit: 10, period_ms: 1_000, burst: 10 } }
    }

    fn taken(turned: &Turned) -> Vec<u64> {
        turned.answers.iter().map(|answer| answer.map_or(u64::MAX, |count| count.taken)).collect()
    }

    #[test]
    fn counters_of_a_page_are_asked_one_after_the_other() {
        let (four, eight) = (take(4), take(8));
        let turned = turn(EMPTY.as_bytes(), &[("a", &eight), ("b", &four), ("a", &four)], "w", NOW);
        assert_eq!(taken(&turned), [8, 4, 2]);
        let page = turned.next.expect("something has changed");
        assert_eq!(
            page.lines().map(|line| line.split(' ').next()).collect::<Vec<_>>(),
            [Some("edgate-limits"), Some("a"), Some("b")]
        );
        let turned = turn(page.as_bytes(), &[("a", &four), ("b", &eight)], "x", NOW);
        assert_eq!(taken(&turned), [0, 6]);
        let other = turned.next.expect("something has changed");
        assert!(other.starts_with("edgate-limits x w\n"), "{other}");
    }

    #[test]
    fn nothing_is_written_where_nothing_changes() {
        let look = Ask { act: Act::Look { least: 1 }, ..take(1) };
        let turned = turn(EMPTY.as_bytes(), &[("a", &look)], "w", NOW);
        assert_eq!((turned.answers[0].map(|count| count.left), turned.next), (Some(10), None));
    }

    #[test]
    fn whoever_writes_tidies_away_what_has_ended() {
        let one = take(1);
        let page = turn(EMPTY.as_bytes(), &[("a", &one), ("b", &one)], "w", NOW).next.expect("a page");
        // A clock that is a little ahead forgets nothing yet.
        let soon = turn(page.as_bytes(), &[("b", &one)], "x", NOW + 1_000).next.expect("a page");
        assert!(soon.contains("\na "), "{soon}");
        let later = turn(page.as_bytes(), &[("b", &one)], "x", NOW + 60_000).next.expect("a page");
        assert!(!later.contains("\na ") && later.contains("\nb "), "{later}");
    }

    #[test]
    fn forgotten_counters_leave_the_page() {
        let forget = Ask { act: Act::Forget, ..take(1) };
        let page = turn(EMPTY.as_bytes(), &[("a", &take(1))], "w", NOW).next.expect("a page");
        assert_eq!(turn(page.as_bytes(), &[("a", &forget)], "x", NOW).next.as_deref(), Some("edgate-limits x w\n"));
    }

    #[test]
    fn pages_tell_of_their_last_writes() {
        let mut page = EMPTY.to_owned();
        for write in 0..20 {
            page = turn(page.as_bytes(), &[("a", &take(1))], &format!("w{write}"), NOW + write * 500)
                .next
                .expect("a page");
        }
        let known: Vec<bool> = (0..20).map(|write| has(page.as_bytes(), &format!("w{write}"))).collect();
        assert_eq!(known, [vec![false; 12], vec![true; 8]].concat());
    }

    #[test]
    fn what_is_no_page_begins_anew_and_says_so() {
        let page = turn(EMPTY.as_bytes(), &[("a", &take(9))], "w", NOW).next.expect("a page");
        let parts = (0..page.len()).map(|end| &page.as_bytes()[..end]).filter(|part| *part != EMPTY.as_bytes());
        // A part that ends with a line is a page, with fewer writes or counters.
        for part in parts.filter(|part| !part.ends_with(b"\n")).chain([&b"\xff\n"[..], b"{}\n", b"edgate-limits\na\n"])
        {
            let turned = turn(part, &[("a", &take(9))], "x", NOW);
            let answer = turned.answers[0].expect("an answer");
            assert!(answer.unreadable && answer.taken == 9, "{part:?}");
            assert!(turned.next.is_some_and(|page| page.starts_with("edgate-limits x\na ")));
        }
        let broken = page.replace("\na ", "\na 99999999999999 no ");
        let answer = turn(broken.as_bytes(), &[("a", &take(9)), ("b", &take(9))], "x", NOW).answers;
        assert!(answer[0].is_some_and(|count| count.unreadable) && answer[1].is_some_and(|count| !count.unreadable));
    }

    #[test]
    fn counters_spread_over_pages_by_what_they_count() {
        assert_eq!(of("edgate/a:bucket:hash"), of("edgate/b:within:hash"));
        let mut used = std::collections::BTreeSet::new();
        used.extend((0..40_000).map(|value| of(&format!("edgate/a:bucket:{value}"))));
        assert!(used.len() > 4_000 && used.iter().all(|page| *page < PAGES), "{}", used.len());
    }
}
