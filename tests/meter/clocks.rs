//! Clocks that go back: never too much for the time that a clock has moved forward by, and never closed for longer than a
//! counter in use.

use crate::counter::{Counter, START_MS, calendar};
use edgate::meter::{Act, JITTER_MS, MOST, Meter};
use proptest::prelude::*;

/// How a clock moves, and how much is taken then.
fn schedule() -> impl Strategy<Value = Vec<(i64, u64)>> {
    let moves = prop_oneof![
        6 => 0..50_i64,
        4 => 0..2_000_i64,
        2 => -900..0_i64,
        2 => -3_000..0_i64,
        1 => -10_000_000_000..10_000_000_000_i64,
    ];
    prop::collection::vec((moves, 0..12_u64), 1..60)
}

fn meter() -> impl Strategy<Value = Meter> {
    prop_oneof![
        (1..100_u64, 1..3_000_u64, 1..30_u64).prop_map(|(limit, period_ms, burst)| Meter::Bucket {
            limit,
            period_ms,
            burst
        }),
        (1..40_u64, 1..200_u64, 0..3_000_u64).prop_map(|(limit, step_ms, span_ms)| Meter::Within {
            limit,
            step_ms,
            span_ms
        }),
    ]
}

#[derive(Debug)]
struct Asked {
    at_ms: u64,
    /// By how much the clock has moved forward until then, all moves added up.
    forward_ms: u64,
    taken: u64,
}

fn replay(schedule: &[(i64, u64)], counter: &mut Counter, meter: impl Fn(u64) -> Meter) -> Vec<Asked> {
    let (mut at_ms, mut forward_ms) = (START_MS, 0);
    schedule
        .iter()
        .map(|(by, most)| {
            at_ms = at_ms.saturating_add_signed(*by);
            forward_ms += u64::try_from(*by).unwrap_or(0);
            let taken = counter.take(1.min(*most), *most, meter(at_ms), at_ms).taken;
            Asked { at_ms, forward_ms, taken }
        })
        .collect()
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn no_more_is_taken_than_by_the_time_that_went_forward(schedule in schedule(), meter in meter()) {
        // A counter of which nothing is ever forgotten, since nobody knows the clock of what would forget it.
        let mut counter = Counter::kept();
        let asked = replay(&schedule, &mut counter, |_| meter);
        for (at, from) in asked.iter().enumerate() {
            let mut taken = 0_u128;
            for to in &asked[at..] {
                taken += u128::from(to.taken);
                let time = u128::from(to.forward_ms - from.forward_ms);
                match meter {
                    Meter::Bucket { limit, period_ms, burst } => {
                        let most = u128::from(burst) * u128::from(period_ms) + u128::from(limit) * time;
                        prop_assert!(taken * u128::from(period_ms) <= most, "{asked:?}");
                    }
                    Meter::Within { limit, span_ms, .. } | Meter::Until { limit, next_ms: span_ms, .. } => {
                        prop_assert!(taken <= u128::from(limit) || time > u128::from(span_ms), "{asked:?}");
                    }
                }
            }
        }
    }

    /// A clock that goes back into a window that had ended makes it begin anew, but for each time that a window ends, there
    /// is its limit once more, and that is all.
    #[test]
    fn no_more_is_taken_than_by_the_windows_that_have_ended(schedule in schedule(), limit in 1..40_u64, length in 1..3_000_u64) {
        let mut counter = Counter::kept();
        let asked = replay(&schedule, &mut counter, calendar(limit, length));
        for (at, from) in asked.iter().enumerate() {
            let (mut taken, mut most, mut window) = (0, limit, from.at_ms / length);
            for to in &asked[at..] {
                if to.at_ms / length > window {
                    most += limit;
                }
                window = to.at_ms / length;
                taken += to.taken;
                prop_assert!(taken <= most, "{asked:?}");
            }
        }
    }

    #[test]
    fn whoever_waits_as_told_gets_it(schedule in schedule(), meter in meter(), length in 1..3_000_u64, of_calendar in any::<bool>(), least in 1..30_u64) {
        let limit = match meter {
            Meter::Bucket { burst: limit, .. } | Meter::Within { limit, .. } | Meter::Until { limit, .. } => limit,
        };
        let least = least.min(limit);
        let at = |now: u64| if of_calendar { calendar(limit, length)(now) } else { meter };
        let longest = JITTER_MS + match at(START_MS) {
            Meter::Bucket { limit, period_ms, burst } => (burst * period_ms).div_ceil(limit),
            Meter::Within { step_ms, span_ms, .. } => step_ms + span_ms,
            // To the end of the next window, as the counter's clock has it while it stands still.
            Meter::Until { .. } => 2 * length + JITTER_MS,
        };
        let mut counter = Counter::kept();
        let asked = replay(&schedule, &mut counter, at);
        let now = asked.last().map_or(0, |last| last.at_ms);
        let count = counter.take(least, least, at(now), now);
        if count.taken == 0 {
            prop_assert!(count.retry_ms > 0 && count.retry_ms <= longest, "{} of {longest}", count.retry_ms);
            let then = now + count.retry_ms;
            prop_assert_eq!(counter.take(least, least, at(then), then).taken, least);
        }
        let count = counter.look(at(now), now);
        prop_assert!(count.reset_ms <= longest);
    }

    /// What is given back from before a clock was set back may be older than it seems; at most so much is taken twice.
    #[test]
    fn giving_back_never_gives_more_than_was_taken(schedule in schedule(), meter in meter(), amount in 0..40_u64, stamp in -5_000..5_000_i64) {
        let mut counter = Counter::kept();
        let asked = replay(&schedule, &mut counter, |_| meter);
        let now = asked.last().map_or(0, |last| last.at_ms);
        let before = counter.look(meter, now).left;
        let act = Act::Return { amount, stamp: now.saturating_add_signed(stamp) };
        let after = counter.ask(act, meter, now).left;
        prop_assert!((before..=before + amount).contains(&after));
    }

    #[test]
    fn the_end_of_time_is_no_way_in(meter in meter(), now in MOST - 5_000..=u64::MAX, most in 1..100_u64) {
        let mut counter = Counter::kept();
        let first = counter.take(1, most, meter, now).taken;
        let second = counter.take(1, most, meter, now).taken;
        let limit = match meter {
            Meter::Bucket { burst: limit, .. } | Meter::Within { limit, .. } | Meter::Until { limit, .. } => limit,
        };
        prop_assert!(first + second <= limit);
    }
}
