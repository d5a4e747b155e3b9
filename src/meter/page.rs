//! Counters in a key-value store that can read, write and add to a number, and knows no time to live: many counters share
//! a page, which is one value, and there is a fixed number of pages. Whoever wants to change a page takes a ticket, and
//! waits for its turn, which has come when the page says that the ticket before was served. So each page is read and
//! written by one at a time, and no ticket's work is lost.
//!
//! Idle counters are tidied away by whoever writes the page next. What stays for ever is at most [`PAGES`] values, and as
//! many numbers.
//!
//! ```text
//! edgate-limits SERVED          the ticket that was served last
//! COUNTER UNTIL STATE           one line for each counter; UNTIL in milliseconds since 1970
//! ```

use super::{Ask, Count, Decision, JITTER_MS};
use std::collections::BTreeMap;

/// How many pages there are. A page of 4,096 holds some 250 of a million counters, in some 25 KB.
pub const PAGES: u32 = 4_096;

/// What a page begins with.
const MARK: &str = "edgate-limits";

/// What comes of asking counters of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turned {
    /// To each question, in their order. `None` to one that cannot be read.
    pub answers: Vec<Option<Count>>,
    /// The page as it is then.
    pub next: String,
}

/// The page of a counter: those that differ in their limit alone are on the same one, since a request asks for them
/// together.
pub fn of(counter: &str) -> u32 {
    let values = counter.rsplit(':').next().unwrap_or_default();
    // FNV-1a, which is fair and small.
    let hash = values.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash ^ (hash >> 16)) % PAGES
}

/// The ticket that a page served last: 0 where there is no page yet. `None` where it cannot be read.
pub fn served(page: Option<&[u8]>) -> Option<u64> {
    page.map_or(Some(0), |page| Page::read(page).map(|page| page.served))
}

/// Serves a ticket: asks counters of a page, pairs of a counter and a question, one after the other, at a time in
/// milliseconds since 1970.
pub fn serve(page: Option<&[u8]>, ticket: u64, questions: &[(&str, &Ask)], now_ms: u64) -> Turned {
    let read = page.map_or(Some(Page::default()), Page::read);
    let unreadable = read.is_none();
    let mut page = read.unwrap_or_default();
    // The states that are new: `None` for those that are gone.
    let mut fresh: BTreeMap<&str, Option<(u64, String)>> = BTreeMap::new();
    let mut answers = Vec::with_capacity(questions.len());
    for (counter, ask) in questions {
        let state = match fresh.get(counter) {
            Some(fresh) => fresh.as_ref().map(|(_, state)| state.as_str()),
            None => page.counters.get(counter).map(|(_, state)| *state),
        };
        let Some(Decision { answer, state, keep_ms }) = ask.decide(state, now_ms) else {
            answers.push(None);
            continue;
        };
        answers.push(Some(Count { unreadable: answer.unreadable || unreadable, ..answer }));
        // Another host's clock may be behind.
        let until = now_ms.saturating_add(keep_ms).saturating_add(JITTER_MS);
        fresh.insert(counter, state.map(|state| (until, state)));
    }
    page.served = ticket;
    page.counters.retain(|counter, (until, _)| *until > now_ms && !fresh.contains_key(counter));
    let fresh = fresh.iter().filter_map(|(counter, line)| Some((*counter, line.as_ref()?)));
    page.counters.extend(fresh.map(|(counter, (until, state))| (counter, (*until, state.as_str()))));
    Turned { answers, next: page.text() }
}

#[derive(Default)]
struct Page<'a> {
    served: u64,
    counters: BTreeMap<&'a str, (u64, &'a str)>,
}

impl<'a> Page<'a> {
    /// `None` for what is no page, or only a part of one.
    fn read(page: &'a [u8]) -> Option<Page<'a>> {
        let mut lines = std::str::from_utf8(page).ok()?.strip_suffix('\n')?.split('\n');
        let (mark, served) = lines.next()?.split_once(' ')?;
        let line = |line: &'a str| {
            let (counter, rest) = line.split_once(' ')?;
            let (until, state) = rest.split_once(' ')?;
            Some((counter, (until.parse().ok()?, state)))
        };
        let counters = lines.map(line).collect::<Option<_>>()?;
        (mark == MARK).then_some(Page { served: served.parse().ok()?, counters })
    }

    fn text(&self) -> String {
        let mut text = [MARK, " ", &self.served.to_string(), "\n"].concat();
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

    fn page(questions: &[(&str, &Ask)]) -> String {
        serve(None, 1, questions, NOW).next
    }

    fn served_next(page: &str, ticket: u64, questions: &[(&str, &Ask)], now: u64) -> String {
        serve(Some(page.as_bytes()), ticket, questions, now).next
    }

    #[test]
    fn counters_of_a_page_are_asked_one_after_the_other() {
        let (four, eight) = (take(4), take(8));
        let first = serve(None, 1, &[("a", &eight), ("b", &four), ("a", &four)], NOW);
        assert_eq!(taken(&first), [8, 4, 2]);
        let begins: Vec<_> = first.next.lines().map(|line| line.split(' ').next().unwrap_or_default()).collect();
        assert_eq!(begins, ["edgate-limits", "a", "b"]);
        let second = serve(Some(first.next.as_bytes()), 2, &[("a", &four), ("b", &eight)], NOW);
        assert_eq!(taken(&second), [0, 6]);
    }

    #[test]
    fn pages_tell_which_ticket_was_served_last() {
        assert_eq!(served(None), Some(0));
        let first = page(&[]);
        assert_eq!((first.as_str(), served(Some(first.as_bytes()))), ("edgate-limits 1\n", Some(1)));
        let later = served_next(&first, 7, &[("a", &take(1))], NOW);
        assert_eq!(served(Some(later.as_bytes())), Some(7));
        assert_eq!(served(Some(b"edgate-limits x\n")), None);
    }

    #[test]
    fn whoever_writes_tidies_away_what_has_ended() {
        let one = take(1);
        let page = page(&[("a", &one), ("b", &one)]);
        // A clock that is a little ahead forgets nothing yet.
        let soon = served_next(&page, 2, &[("b", &one)], NOW + 1_000);
        assert!(soon.contains("\na "), "{soon}");
        let later = served_next(&page, 2, &[("b", &one)], NOW + 60_000);
        assert!(!later.contains("\na ") && later.contains("\nb "), "{later}");
    }

    #[test]
    fn forgotten_counters_leave_the_page() {
        let forget = Ask { act: Act::Forget, ..take(1) };
        assert_eq!(served_next(&page(&[("a", &take(1))]), 2, &[("a", &forget)], NOW), "edgate-limits 2\n");
    }

    #[test]
    fn what_is_no_page_begins_anew_and_says_so() {
        let page = page(&[("a", &take(9))]);
        let parts = (0..page.len()).map(|end| &page.as_bytes()[..end]).filter(|part| !part.ends_with(b"\n"));
        for part in parts.chain([&b"\xff\n"[..], b"{}\n", b"\n", b"edgate-limits\n", b"edgate-limits 1\na\n"]) {
            let turned = serve(Some(part), 2, &[("a", &take(9))], NOW);
            let answer = turned.answers[0].expect("an answer");
            assert!(answer.unreadable && answer.taken == 9, "{part:?}");
            assert!(turned.next.starts_with("edgate-limits 2\na "), "{}", turned.next);
        }
        let broken = page.replace("\na ", "\na 99999999999999 no ");
        let answers = serve(Some(broken.as_bytes()), 2, &[("a", &take(9)), ("b", &take(9))], NOW).answers;
        let unreadable: Vec<_> = answers.iter().map(|answer| answer.map(|count| count.unreadable)).collect();
        assert_eq!(unreadable, [Some(true), Some(false)]);
    }

    #[test]
    fn counters_spread_over_pages_by_what_they_count() {
        assert_eq!(of("edgate/a:bucket:hash"), of("edgate/b:within:hash"));
        let used: std::collections::BTreeSet<u32> =
            (0..40_000).map(|value| of(&format!("edgate/a:bucket:{value}"))).collect();
        assert!(used.len() > 4_000 && used.iter().all(|page| *page < PAGES), "{}", used.len());
    }
}
