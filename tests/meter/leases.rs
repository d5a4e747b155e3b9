//! Blocks: what an instance has taken may be spent until a while after it was asked for, and the limit holds for what is
//! spent.

use crate::counter::{Counter, START_MS, Used, calendar, is_within_calendar, is_within_rate, is_within_span};
use edgate::meter::{Act, Meter};
use proptest::prelude::*;

/// An instance asks for a block.
#[derive(Debug, Clone)]
struct Block {
    after_ms: u64,
    most: u64,
    /// How long the question is on its way, in thousandths of the time for which a block is kept.
    way: u64,
    /// When each of the block is spent, in thousandths of what is left of that time. What is missing is given back.
    spent: Vec<u64>,
    given_back_after_ms: u64,
}

fn blocks() -> impl Strategy<Value = Vec<Block>> {
    let block = (
        prop_oneof![0..10_u64, 0..200_u64, 0..3_000_u64],
        1..20_u64,
        0..=1_000_u64,
        prop::collection::vec(0..=1_000_u64, 0..20),
        0..4_000_u64,
    );
    let block = block.prop_map(|(after_ms, most, way, spent, given_back_after_ms)| Block {
        after_ms,
        most,
        way,
        spent,
        given_back_after_ms,
    });
    prop::collection::vec(block, 1..40)
}

/// What is to be given back, and when.
struct Unspent {
    at_ms: u64,
    amount: u64,
    stamp: u64,
}

/// What is spent where blocks are kept for so long. What is due is not spent any more, where `ends`.
fn spend(blocks: &[Block], hold_ms: u64, ends: bool, meter: impl Fn(u64) -> Meter) -> Vec<Used> {
    let mut counter = Counter::default();
    let mut now = START_MS;
    let mut spent = Vec::new();
    let mut unspent: Vec<Unspent> = Vec::new();
    for block in blocks {
        now += block.after_ms;
        unspent.sort_by_key(|unspent| unspent.at_ms);
        while let Some(Unspent { at_ms, amount, stamp }) = unspent.first().filter(|first| first.at_ms <= now) {
            counter.ask(Act::Return { amount: *amount, stamp: *stamp }, meter(*at_ms), *at_ms);
            unspent.remove(0);
        }
        // The counter decides now; it was asked a while ago, and the block is kept from then on.
        let until = now + hold_ms - hold_ms * block.way / 1_000;
        let count = counter.take(1, block.most, meter(now), now);
        let last = if ends { until.min(count.stamp - 1) } else { until };
        let used: Vec<u64> =
            block.spent.iter().take(count.taken as usize).map(|part| now + (last - now) * part / 1_000).collect();
        let amount = count.taken - used.len() as u64;
        let at_ms = used.iter().max().copied().unwrap_or(now) + block.given_back_after_ms;
        unspent.push(Unspent { at_ms, amount, stamp: count.stamp });
        spent.extend(used.into_iter().map(|at_ms| Used { at_ms, amount: 1 }));
    }
    spent
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn a_rate_holds_for_what_is_spent_of_blocks(
        blocks in blocks(),
        limit in 1..100_u64,
        period_ms in prop_oneof![1..50_u64, 1..5_000_u64],
        left in 1..20_u64,
        hold_ms in 0..1_000_u64,
    ) {
        // As much less than the burst as comes back while a block is kept.
        let burst = left + (limit * hold_ms).div_ceil(period_ms);
        let used = spend(&blocks, hold_ms, false, |_| Meter::Bucket { limit, period_ms, burst: left });
        prop_assert_eq!(is_within_rate(&used, limit, period_ms, burst), Ok(()));
    }

    #[test]
    fn a_window_that_moves_holds_for_what_is_spent_of_blocks(
        blocks in blocks(),
        limit in 1..60_u64,
        step_ms in 1..200_u64,
        span_ms in 0..2_000_u64,
        hold_ms in 0..1_000_u64,
    ) {
        let used = spend(&blocks, hold_ms, false, |_| Meter::Within { limit, step_ms, span_ms: span_ms + hold_ms });
        prop_assert_eq!(is_within_span(&used, limit, span_ms), Ok(()));
    }

    #[test]
    fn a_window_of_a_calendar_holds_for_what_is_spent_of_blocks_in_it(
        blocks in blocks(),
        limit in 1..60_u64,
        length in 2..1_500_u64,
        hold_ms in 0..1_000_u64,
    ) {
        let used = spend(&blocks, hold_ms, true, calendar(limit, length));
        prop_assert_eq!(is_within_calendar(&used, limit, length), Ok(()));
    }
}
