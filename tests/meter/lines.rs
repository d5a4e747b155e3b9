//! Lines are read as they were written, and nothing that anybody writes into them does any harm.

use crate::arbitrary;
use edgate::meter::{Act, Ask, Count, Decision, ENTRIES, JITTER_MS, MOST, Meter, decide};
use proptest::prelude::*;

fn fits(decision: &Decision, ask: &Ask) -> Result<(), TestCaseError> {
    let Decision { answer, state, keep_ms } = decision;
    let Count { taken, left, retry_ms, reset_ms, stamp, .. } = *answer;
    for number in [taken, left, retry_ms, reset_ms, stamp, *keep_ms] {
        prop_assert!(number <= MOST, "{:?}", decision);
    }
    let (Meter::Bucket { burst: limit, .. } | Meter::Until { limit, .. } | Meter::Within { limit, .. }) = ask.meter;
    prop_assert!(left <= limit);
    if let Act::Take { least, most } = ask.act {
        prop_assert!(taken == 0 || (least..=most).contains(&taken));
        prop_assert!(taken <= limit);
    }
    prop_assert_eq!(state.is_some(), *keep_ms > 0);
    Ok(())
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn questions_and_answers_come_back(
        ask in arbitrary::ask(),
        numbers in prop::array::uniform5(arbitrary::number()),
        unreadable in any::<bool>(),
    ) {
        let expected = Some(ask.clone()).filter(|ask| ask.line().split(' ').all(|word| word.parse().unwrap_or(0) <= MOST));
        prop_assert_eq!(Ask::parse(&ask.line()), expected);
        let [taken, left, retry_ms, reset_ms, stamp] = numbers;
        let count = Count { taken, left, retry_ms, reset_ms, stamp, unreadable };
        prop_assert_eq!(Count::parse(&count.line()), Some(count));
    }

    #[test]
    fn no_line_and_no_state_panics(state in arbitrary::state(), line in arbitrary::line(), now in any::<u64>(), text in any::<String>()) {
        let _ = (Ask::parse(&text), Count::parse(&text), Count::parse(&line));
        let Some(decision) = decide(state.as_deref(), &line, now) else { return Ok(()) };
        let ask = Ask::parse(&line).expect("it could be answered");
        fits(&decision, &ask)?;
    }

    #[test]
    fn what_is_written_can_be_read(state in arbitrary::state(), ask in arbitrary::ask(), now in arbitrary::number()) {
        let Some(decision) = ask.decide(state.as_deref(), now) else { return Ok(()) };
        fits(&decision, &ask)?;
        let looks = matches!(ask.act, Act::Look { .. });
        prop_assert!(!looks || decision.state == state, "looking changes nothing");
        if decision.state != state {
            // It says the same to whoever asks now.
            let look = Ask { act: Act::Look { least: 1 }, meter: ask.meter }.decide(decision.state.as_deref(), now);
            let look = look.expect("it can be asked").answer;
            prop_assert!(!look.unreadable);
            prop_assert_eq!((look.left, look.reset_ms), (decision.answer.left, decision.answer.reset_ms));
            let length = decision.state.map_or(0, |state| state.split(' ').count());
            prop_assert!(length <= 2 + 2 * ENTRIES);
        }
    }

    #[test]
    fn what_is_asked_twice_is_done_once_where_it_can_be(state in arbitrary::state(), ask in arbitrary::ask(), now in arbitrary::number()) {
        let Some(first) = ask.decide(state.as_deref(), now) else { return Ok(()) };
        let again = |act| Ask { act, meter: ask.meter }.decide(first.state.as_deref(), now).expect("it can be asked");
        match ask.act {
            Act::Look { .. } => prop_assert_eq!(&again(ask.act), &first),
            Act::Forget => prop_assert_eq!(again(ask.act).state, None),
            // What was refused is refused again, and what was renewed is not renewed once more.
            Act::Take { least, .. } if first.answer.taken < least && first.state == state => {
                prop_assert_eq!(&again(ask.act), &first);
            }
            Act::Renew { amount, .. } if first.answer.taken > 0 => {
                let second = again(Act::Renew { amount, stamp: first.answer.stamp });
                prop_assert_eq!((second.answer.left, second.state), (first.answer.left, first.state.clone()));
            }
            _ => {}
        }
    }

    /// A refusal, and looking, leave no trace: whoever asks later hears the same.
    #[test]
    fn whoever_is_refused_changes_nothing(
        state in arbitrary::state(),
        ask in arbitrary::ask(),
        now in arbitrary::number(),
        later in arbitrary::number(),
    ) {
        let Some(first) = ask.decide(state.as_deref(), now) else { return Ok(()) };
        if first.answer.taken > 0 || !matches!(ask.act, Act::Take { .. } | Act::Look { .. }) {
            return Ok(());
        }
        let now = now.min(MOST - 1);
        let look = |state: Option<&str>| {
            Ask { act: Act::Look { least: 1 }, meter: ask.meter }.decide(state, now.saturating_add(later)).map(|look| look.answer)
        };
        // Unless the clock has been set back: then that is written down.
        if look(first.state.as_deref()) != look(state.as_deref()) {
            let at = state.as_deref().and_then(|state| match ask.meter {
                Meter::Bucket { .. } => state.split(' ').nth(3)?.parse::<u64>().ok(),
                _ => state.split(' ').skip(1).filter_map(|number| number.parse::<u64>().ok()).max(),
            });
            prop_assert!(at > Some(now + JITTER_MS) || first.answer.unreadable);
        }
    }
}
