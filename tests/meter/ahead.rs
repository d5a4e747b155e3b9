//! A Durable Object that is busy writes a state in which more has been taken than was (`src/cloudflare/limits.js`, of which
//! this is the same in Rust). Wherever it is killed, reset, woken, or asked by another tier, and whatever its clock does:
//! never too much.

use crate::counter::{START_MS, Used, calendar, is_within_calendar, is_within_rate};
use edgate::meter::{Act, Ask, Count, Meter};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    /// The clock moves, by so many milliseconds.
    Wait(u64),
    Back(u64),
    /// By a tier.
    Take {
        tier: usize,
        least: u64,
        most: u64,
    },
    /// Half of an earlier take, counted from the last one.
    Return {
        back: usize,
    },
    Charge {
        tier: usize,
        amount: u64,
    },
    Look {
        tier: usize,
    },
    Forget {
        tier: usize,
    },
    Settle,
    Alarm,
    Kill,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let tier = || 0..2_usize;
    let step = prop_oneof![
        6 => prop_oneof![4 => 0..20_u64, 2 => 0..200_u64, 1 => 0..3_000_u64].prop_map(Step::Wait),
        1 => prop_oneof![0..1_500_u64, 0..100_000_u64].prop_map(Step::Back),
        40 => (tier(), 1..3_u64, 0..4_u64).prop_map(|(tier, least, more)| Step::Take { tier, least, most: least + more }),
        2 => (0..6_usize).prop_map(|back| Step::Return { back }),
        1 => (tier(), 1..20_u64).prop_map(|(tier, amount)| Step::Charge { tier, amount }),
        1 => tier().prop_map(|tier| Step::Look { tier }),
        1 => tier().prop_map(|tier| Step::Forget { tier }),
        1 => Just(Step::Settle),
        1 => Just(Step::Alarm),
        1 => Just(Step::Kill),
    ];
    // In the end it is killed once more, and gives all that it has.
    let end = tier().prop_map(|tier| [Step::Kill, Step::Take { tier, least: 1, most: 10_000 }]);
    (prop::collection::vec(step, 1..150), end).prop_map(|(steps, end)| steps.into_iter().chain(end).collect())
}

/// The object: what it has in its memory, and what is on the disk.
#[derive(Default)]
struct Object {
    state: Option<String>,
    until: u64,
    ahead: Option<(String, Meter)>,
    spare: u64,
    written: Option<u64>,
    disk: Option<(u64, String, Option<Meter>)>,
}

fn decided(state: Option<&str>, act: Act, meter: Meter, now: u64) -> (Count, u64, Option<String>) {
    let decision = Ask { act, meter }.decide(state, now).expect("it can be asked");
    (decision.answer, decision.keep_ms, decision.state)
}

impl Object {
    fn count(&mut self, act: Act, meter: Meter, now: u64) -> Count {
        let (answer, keep, state) = decided(self.state.as_deref(), act, meter, now);
        if state == self.state {
            return answer;
        }
        self.state = state;
        self.until = now + keep;
        if !self.is_ahead(meter, answer.left, now) {
            self.write(meter, answer.left, now);
        }
        answer
    }

    fn is_ahead(&self, meter: Meter, most: u64, now: u64) -> bool {
        let of_meter = self.ahead.as_ref().filter(|(_, of)| *of == meter && self.state.is_some());
        of_meter.is_some_and(|(ahead, _)| decided(Some(ahead), Act::Look { least: 1 }, meter, now).0.left < most)
    }

    fn write(&mut self, meter: Meter, most: u64, now: u64) {
        let busy = self.written.is_some_and(|written| now.saturating_sub(written) < 50);
        self.spare = if busy { (2 * self.spare + 1).min(64).min(most / 20) } else { 0 };
        self.written = Some(now);
        self.ahead = None;
        self.disk = self.state.clone().map(|state| (self.until, state, None));
        if self.spare > 0 && self.state.is_some() {
            let (_, keep, ahead) = decided(self.state.as_deref(), Act::Take { least: 1, most: self.spare }, meter, now);
            let ahead = ahead.expect("more has been taken");
            self.disk = Some((now + keep, ahead.clone(), Some(meter)));
            self.ahead = Some((ahead, meter));
        }
    }

    fn settle(&mut self) {
        if self.ahead.take().is_some() {
            self.disk = self.state.clone().map(|state| (self.until, state, None));
        }
    }

    fn alarm(&mut self, now: u64) {
        if self.until <= now {
            (self.state, self.until, self.ahead, self.disk) = (None, 0, None, None);
        }
    }

    fn kill(&mut self, now: u64) {
        *self = Object { disk: self.disk.take(), ..Object::default() };
        let Some((until, state, meter)) = self.disk.clone() else { return };
        self.until = until;
        self.state = match meter {
            Some(meter) if until > now => decided(Some(&state), Act::Charge { amount: 1 }, meter, now).2,
            _ => Some(state),
        };
    }
}

/// What was used since the last reset. Times are of a clock that goes only forward.
fn replay(steps: &[Step], meter: impl Fn(usize, u64) -> Meter) -> Vec<Vec<Used>> {
    let mut object = Object::default();
    let (mut now, mut at_ms) = (START_MS + 1_000_000, START_MS + 1_000_000);
    let mut lives: Vec<Vec<Used>> = vec![Vec::new()];
    let mut stamps: Vec<u64> = Vec::new();
    for step in steps {
        let used = lives.last_mut().expect("there is one");
        match *step {
            Step::Wait(time) => (now, at_ms) = (now + time, at_ms + time),
            Step::Back(time) => now -= time,
            Step::Take { tier, least, most } => {
                let count = object.count(Act::Take { least, most }, meter(tier, now), now);
                used.push(Used { at_ms, amount: count.taken });
                stamps.push(count.stamp);
            }
            Step::Return { back } => {
                let Some(at) = used.len().checked_sub(back + 1) else { continue };
                let amount = used[at].amount / 2;
                used[at].amount -= amount;
                object.count(Act::Return { amount, stamp: stamps[at] }, meter(0, now), now);
            }
            Step::Charge { tier, amount } => drop(object.count(Act::Charge { amount }, meter(tier, now), now)),
            Step::Look { tier } => drop(object.count(Act::Look { least: 1 }, meter(tier, now), now)),
            Step::Forget { tier } => {
                object.count(Act::Forget, meter(tier, now), now);
                lives.push(Vec::new());
                stamps.clear();
            }
            Step::Settle => object.settle(),
            Step::Alarm => object.alarm(now),
            Step::Kill => object.kill(now),
        }
    }
    lives
}

proptest! {
    #![proptest_config(crate::cases())]

    /// Of two tiers, the larger one's numbers hold.
    #[test]
    fn a_bucket_gives_no_more_than_a_burst_and_its_rate(
        steps in steps(),
        limits in (1..200_u64, 1..200_u64),
        period_ms in 100..5_000_u64,
        bursts in (1..400_u64, 1..400_u64),
        clock_is_set in any::<bool>(),
        tiers in any::<bool>(),
    ) {
        // Of what is given back by a question from before the clock was set back nobody can say how old it is.
        let steps: Vec<Step> = steps
            .into_iter()
            .filter(|step| !matches!((step, clock_is_set), (Step::Back(_), false) | (Step::Return { .. }, true)))
            .collect();
        let meter = |tier: usize, _| match tier {
            1 if tiers => Meter::Bucket { limit: limits.1, period_ms, burst: bursts.1 },
            _ => Meter::Bucket { limit: limits.0, period_ms, burst: bursts.0 },
        };
        let (limit, burst) = if tiers { (limits.0.max(limits.1), bursts.0.max(bursts.1)) } else { (limits.0, bursts.0) };
        for used in replay(&steps, meter) {
            prop_assert_eq!(is_within_rate(&used, limit, period_ms, burst), Ok(()));
        }
    }

    #[test]
    fn a_window_of_a_calendar_is_never_exceeded(steps in steps(), limits in (1..400_u64, 1..400_u64), length in 500..60_000_u64) {
        let steps: Vec<Step> = steps.into_iter().filter(|step| !matches!(step, Step::Back(_))).collect();
        let meter = |tier: usize, now| calendar(if tier == 0 { limits.0 } else { limits.1 }, length)(now);
        for used in replay(&steps, meter) {
            prop_assert_eq!(is_within_calendar(&used, limits.0.max(limits.1), length), Ok(()));
        }
    }
}
