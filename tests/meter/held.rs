//! What is held at the same time: each holder says again and again that it is still there, gives back when it is done, or
//! dies.

use crate::counter::{Counter, START_MS};
use edgate::meter::{Act, Meter};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum What {
    Come,
    /// A holder, by a number that chooses one.
    Renew(usize),
    Leave(usize),
    Die(usize),
}

#[derive(Debug, Clone)]
struct Holder {
    due_ms: u64,
    lives: bool,
}

fn schedule() -> impl Strategy<Value = Vec<(u64, What)>> {
    let what = prop_oneof![
        4 => Just(What::Come),
        2 => any::<usize>().prop_map(What::Renew),
        2 => any::<usize>().prop_map(What::Leave),
        1 => any::<usize>().prop_map(What::Die),
    ];
    prop::collection::vec((prop_oneof![0..30_u64, 0..900_u64], what), 1..80)
}

/// Everybody who lives renews before it is due.
fn renew_all(counter: &mut Counter, holders: &mut [Holder], meter: Meter, until_ms: u64) {
    loop {
        let first = holders.iter_mut().filter(|holder| holder.lives && holder.due_ms <= until_ms);
        let Some(first) = first.min_by_key(|holder| holder.due_ms) else { return };
        let count = counter.ask(Act::Renew { amount: 1, stamp: first.due_ms }, meter, first.due_ms - 1);
        assert!(count.taken == 1 && count.stamp > first.due_ms);
        first.due_ms = count.stamp;
    }
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn no_more_hold_at_once_than_may_and_the_dead_make_room(schedule in schedule(), limit in 1..6_u64, step_ms in 1..80_u64, span_ms in 1..500_u64) {
        let meter = Meter::Within { limit, step_ms, span_ms };
        let mut counter = Counter::default();
        let mut holders: Vec<Holder> = Vec::new();
        let mut now = START_MS;
        for (after, what) in schedule {
            now += after;
            renew_all(&mut counter, &mut holders, meter, now);
            // Until a dead one is due, nobody knows that it is dead.
            holders.retain(|holder| holder.lives || holder.due_ms > now);
            prop_assert_eq!(counter.look(meter, now).left, limit - holders.len() as u64);
            let living: Vec<usize> = (0..holders.len()).filter(|at| holders[*at].lives).collect();
            let choose = |number: usize| living.get(number.checked_rem(living.len()).unwrap_or(0)).copied();
            match what {
                What::Come => {
                    let count = counter.take(1, 1, meter, now);
                    prop_assert_eq!(count.taken == 1, (holders.len() as u64) < limit);
                    if count.taken == 1 {
                        holders.push(Holder { due_ms: count.stamp, lives: true });
                    }
                }
                What::Renew(number) => {
                    let Some(at) = choose(number) else { continue };
                    let count = counter.ask(Act::Renew { amount: 1, stamp: holders[at].due_ms }, meter, now);
                    holders[at].due_ms = count.stamp;
                }
                What::Leave(number) => {
                    let Some(at) = choose(number) else { continue };
                    let holder = holders.remove(at);
                    counter.ask(Act::Return { amount: 1, stamp: holder.due_ms }, meter, now);
                }
                What::Die(number) => {
                    let Some(at) = choose(number) else { continue };
                    holders[at].lives = false;
                }
            }
            prop_assert!(holders.len() as u64 <= limit);
        }
        // All die.
        let reset = counter.look(meter, now).reset_ms;
        prop_assert!(reset <= step_ms + span_ms);
        prop_assert_eq!(counter.take(limit, limit, meter, now + reset).taken, limit);
    }

    /// Whoever renews too late holds nevertheless, and nobody else is let in until there is room.
    #[test]
    fn whoever_renews_too_late_still_counts(limit in 1..6_u64, late in 0..1_000_u64, step_ms in 1..80_u64, span_ms in 1..500_u64) {
        let meter = Meter::Within { limit, step_ms, span_ms };
        let mut counter = Counter::default();
        let first = counter.take(1, 1, meter, 10_000);
        let now = first.stamp + late;
        prop_assert_eq!(counter.take(limit, limit, meter, now).taken, limit);
        let again = counter.ask(Act::Renew { amount: 1, stamp: first.stamp }, meter, now);
        prop_assert_eq!((again.taken, again.left), (1, 0));
        counter.ask(Act::Return { amount: 1, stamp: again.stamp }, meter, now);
        prop_assert_eq!(counter.take(1, 1, meter, now).taken, 0, "it was one more than may be");
        counter.ask(Act::Return { amount: 1, stamp: again.stamp }, meter, now);
        prop_assert_eq!(counter.take(1, 1, meter, now).taken, 1);
    }
}
