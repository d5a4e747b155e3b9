//! Never too much, in any interval, while the clock does not go back.

use crate::counter::{Counter, START_MS, Used, calendar, is_within_calendar, is_within_rate, is_within_span};
use edgate::meter::{Act, Meter};
use proptest::prelude::*;

/// What is asked, after so many milliseconds.
#[derive(Debug, Clone)]
struct Step {
    after_ms: u64,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Take {
        least: u64,
        most: u64,
    },
    /// So many hundredths of what is left of an earlier take, counted from the last one.
    Return {
        back: usize,
        percent: u64,
    },
    Charge(u64),
    Look,
    /// By somebody whose clock is ahead of the counter's by so many milliseconds, or behind it.
    TakeElsewhere {
        most: u64,
        ahead_ms: i64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let what = prop_oneof![
        4 => (0..4_u64, 1..12_u64).prop_map(|(least, more)| What::Take { least, most: least + more }),
        2 => (0..6_usize, 1..=100_u64).prop_map(|(back, percent)| What::Return { back, percent }),
        1 => (1..20_u64).prop_map(What::Charge),
        1 => Just(What::Look),
        2 => (1..9_u64, -3_500..2_500_i64).prop_map(|(most, ahead_ms)| What::TakeElsewhere { most, ahead_ms }),
    ];
    let after = prop_oneof![3 => Just(0), 4 => 0..20_u64, 4 => 0..400_u64, 1 => 0..5_000_u64];
    let step = (after, what).prop_map(|(after_ms, what)| Step { after_ms, what });
    prop::collection::vec(step, 1..60)
}

/// Asks all that, with the meter as whoever asks knows it then, and says what was used in the end.
fn replay(steps: &[Step], start_ms: u64, meter: impl Fn(u64) -> Meter) -> Vec<Used> {
    let mut counter = Counter::default();
    let mut now = start_ms;
    let mut takes: Vec<(Used, u64)> = Vec::new();
    for step in steps {
        now += step.after_ms;
        let mut take = |least, most, meter| {
            let count = counter.take(least, most, meter, now);
            assert!(count.taken == 0 || (least..=most).contains(&count.taken));
            takes.push((Used { at_ms: now, amount: count.taken }, count.stamp));
        };
        match step.what {
            What::Take { least, most } => take(least, most, meter(now)),
            What::TakeElsewhere { most, ahead_ms } => take(1, most, meter(now.saturating_add_signed(ahead_ms))),
            What::Charge(amount) => drop(counter.ask(Act::Charge { amount }, meter(now), now)),
            What::Look => drop(counter.look(meter(now), now)),
            What::Return { back, percent } => {
                let Some((used, stamp)) = takes.iter_mut().rev().nth(back) else { continue };
                let amount = used.amount * percent / 100;
                used.amount -= amount;
                counter.ask(Act::Return { amount, stamp: *stamp }, meter(now), now);
            }
        }
    }
    takes.into_iter().map(|(used, _)| used).collect()
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn a_bucket_gives_no_more_than_a_burst_and_its_rate(
        steps in steps(),
        limit in 1..200_u64,
        period_ms in prop_oneof![1..50_u64, 1..5_000_u64],
        burst in 1..40_u64,
    ) {
        let used = replay(&steps, START_MS, |_| Meter::Bucket { limit, period_ms, burst });
        prop_assert_eq!(is_within_rate(&used, limit, period_ms, burst), Ok(()));
    }

    #[test]
    fn a_window_that_moves_is_never_exceeded(steps in steps(), limit in 0..60_u64, step_ms in 1..300_u64, span_ms in 0..3_000_u64) {
        let used = replay(&steps, START_MS, |_| Meter::Within { limit, step_ms, span_ms });
        prop_assert_eq!(is_within_span(&used, limit, span_ms), Ok(()));
    }

    /// Windows are those of the counter's clock, whatever the clocks of those who ask say. Where something is given back,
    /// those must agree within a window.
    #[test]
    fn a_window_of_a_calendar_is_never_exceeded(steps in steps(), limit in 0..60_u64, length in 1..1_500_u64, returns in any::<bool>()) {
        let mut steps = steps;
        if returns {
            let most = i64::try_from((length - 1) / 2).unwrap_or(0);
            for step in &mut steps {
                if let What::TakeElsewhere { ahead_ms, .. } = &mut step.what {
                    *ahead_ms = (*ahead_ms).clamp(-most, most);
                }
            }
        } else {
            steps.retain(|step| !matches!(step.what, What::Return { .. }));
        }
        let used = replay(&steps, START_MS, calendar(limit, length));
        prop_assert_eq!(is_within_calendar(&used, limit, length), Ok(()));
    }

    #[test]
    fn what_is_there_can_be_taken_and_what_is_not_when_it_was_said(
        steps in steps(),
        within in any::<bool>(),
        limit in 1..60_u64,
        time in 1..3_000_u64,
        least in 1..60_u64,
    ) {
        let meter = if within {
            Meter::Within { limit, step_ms: time / 10 + 1, span_ms: time }
        } else {
            Meter::Bucket { limit, period_ms: time, burst: limit }
        };
        let mut counter = Counter::default();
        let mut now = START_MS;
        for step in &steps {
            now += step.after_ms;
            match step.what {
                What::Take { least, most } => drop(counter.take(least, most, meter, now)),
                What::Charge(amount) => drop(counter.ask(Act::Charge { amount }, meter, now)),
                _ => {}
            }
        }
        let look = counter.ask(Act::Look { least }, meter, now);
        let at = |after, amount| {
            let mut counter = counter.clone();
            counter.take(amount, amount, meter, now + after).taken
        };
        prop_assert_eq!(at(0, look.left), look.left);
        prop_assert_eq!(at(0, look.left + 1), 0);
        prop_assert_eq!(at(look.reset_ms, limit), limit, "all is there again");
        if least > limit {
            prop_assert_eq!(look.retry_ms, edgate::meter::MOST);
        } else {
            prop_assert_eq!(at(look.retry_ms, least), least);
            prop_assert!(look.retry_ms == 0 || at(look.retry_ms - 1, least) == 0, "not a millisecond earlier");
            prop_assert_eq!(look.retry_ms == 0, least <= look.left);
        }
    }

    #[test]
    fn what_is_given_back_at_once_was_never_taken(steps in steps(), limit in 1..60_u64, time in 1..3_000_u64, amount in 1..20_u64, kind in 0..3) {
        let now = START_MS + steps.iter().map(|step| step.after_ms).sum::<u64>();
        let meter = |now: u64| match kind {
            0 => Meter::Bucket { limit, period_ms: time, burst: limit },
            1 => Meter::Within { limit, step_ms: time / 10 + 1, span_ms: time },
            _ => Meter::Until { limit, end_ms: now / time * time + time, next_ms: now / time * time + 2 * time },
        };
        let mut counter = Counter::default();
        let mut at = START_MS;
        for step in &steps {
            at += step.after_ms;
            if let What::Take { least, most } = step.what {
                counter.take(least, most, meter(at), at);
            }
        }
        let before = counter.look(meter(now), now);
        let taken = counter.take(amount, amount, meter(now), now);
        counter.ask(Act::Return { amount: taken.taken, stamp: taken.stamp }, meter(now), now);
        prop_assert_eq!(counter.look(meter(now), now), before);
    }
}
