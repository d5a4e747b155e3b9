//! Questions and states of all kinds: sensible ones, those at the ends of what numbers can say, and nonsense.

use edgate::meter::{Act, Ask, MOST, Meter};
use proptest::prelude::*;

/// Small ones, times, powers of two and their neighbours, and some that are too large for JavaScript and Lua.
pub fn number() -> BoxedStrategy<u64> {
    prop_oneof![
        4 => 0..4_u64,
        4 => 0..1_000_u64,
        4 => 0..10_000_000_u64,
        1 => 1_767_225_600_000..1_767_225_700_000_u64,
        2 => (0..54_u32, 0..3_u64).prop_map(|(power, more)| (1_u64 << power).saturating_add(more).saturating_sub(1).min(MOST)),
        1 => MOST - 3..=MOST,
        1 => 0..=MOST,
    ]
    .boxed()
}

fn any_number() -> BoxedStrategy<u64> {
    prop_oneof![20 => number(), 1 => MOST..=MOST + 3, 1 => any::<u64>()].boxed()
}

pub fn act() -> BoxedStrategy<Act> {
    let n = any_number;
    prop_oneof![
        4 => (n(), n()).prop_map(|(a, b)| Act::Take { least: a.min(b), most: a.max(b) }),
        1 => (n(), n()).prop_map(|(least, most)| Act::Take { least, most }),
        2 => (n(), n()).prop_map(|(amount, stamp)| Act::Return { amount, stamp }),
        2 => n().prop_map(|amount| Act::Charge { amount }),
        1 => (n(), n()).prop_map(|(amount, stamp)| Act::Renew { amount, stamp }),
        1 => n().prop_map(|least| Act::Look { least }),
        1 => Just(Act::Forget),
    ]
    .boxed()
}

pub fn meter() -> BoxedStrategy<Meter> {
    let n = any_number;
    prop_oneof![
        (1..1_000_u64, 1..90_000_000_u64, 1..100_000_u64).prop_map(|(limit, period_ms, burst)| Meter::Bucket {
            limit,
            period_ms,
            burst
        }),
        (n(), n(), n()).prop_map(|(limit, period_ms, burst)| Meter::Bucket { limit, period_ms, burst }),
        (n(), n(), n())
            .prop_map(|(limit, end_ms, more)| { Meter::Until { limit, end_ms, next_ms: end_ms.saturating_add(more) } }),
        (n(), n(), n()).prop_map(|(limit, step_ms, span_ms)| Meter::Within { limit, step_ms, span_ms }),
    ]
    .boxed()
}

pub fn ask() -> BoxedStrategy<Ask> {
    (act(), meter()).prop_map(|(act, meter)| Ask { act, meter }).boxed()
}

/// One that might have been written by a counter.
fn sensible_state() -> BoxedStrategy<String> {
    let entries = prop::collection::vec((1..2_000_u64, 1..2_000_u64), 0..12);
    prop_oneof![
        (number(), number(), number()).prop_map(|(period, debt, at)| format!("bucket {period} {debt} {at}")),
        (number(), entries).prop_map(|(at, entries)| {
            let mut due = at.saturating_sub(1_000);
            let mut state = format!("sum {at}");
            for (more, amount) in entries {
                due += more;
                state += &format!(" {due} {amount}");
            }
            state
        }),
        (number(), prop::collection::btree_map(number(), number(), 0..6)).prop_map(|(at, entries)| {
            let entries = entries.into_iter().map(|(due, amount)| format!(" {due} {amount}"));
            format!("sum {at}") + &entries.collect::<String>()
        }),
    ]
    .boxed()
}

/// Mostly one that might have been written; or such a one with a mistake in it; or something else.
pub fn state() -> BoxedStrategy<Option<String>> {
    let broken = (sensible_state(), any::<prop::sample::Index>(), "[ 0-9a-z+.-]").prop_map(|(state, at, with)| {
        let at = at.index(state.len());
        state[..at].to_owned() + &with + &state[at + 1..]
    });
    prop_oneof![
        1 => Just(None),
        4 => sensible_state().prop_map(Some),
        1 => broken.prop_map(Some),
        1 => "(bucket|sum)?[ 0-9]{0,20}".prop_map(Some),
        1 => any::<String>().prop_map(Some),
    ]
    .boxed()
}

/// Mostly the line of a question; or one with a mistake in it; or something else.
pub fn line() -> BoxedStrategy<String> {
    let broken = (ask(), any::<prop::sample::Index>(), "[ 0-9a-z+.-]?").prop_map(|(ask, at, with)| {
        let line = ask.line();
        let at = at.index(line.len());
        line[..at].to_owned() + &with + &line[at + 1..]
    });
    prop_oneof![6 => ask().prop_map(|ask| ask.line()), 1 => broken, 1 => "[a-z]{0,6}( [0-9]{0,4}){0,8}"].boxed()
}
