//! What counters answer, by example. The laws are in `tests/meter.rs`.

use super::*;

const RATE: Meter = Meter::Bucket { limit: 100, period_ms: 60_000, burst: 20 };
const WINDOW: Meter = Meter::Until { limit: 10, end_ms: 2_000, next_ms: 3_000 };
const MOVING: Meter = Meter::Within { limit: 10, step_ms: 100, span_ms: 1_000 };

/// A counter that writes down what it is told to.
#[derive(Default)]
struct Counter(Option<String>);

impl Counter {
    fn ask(&mut self, act: Act, meter: Meter, now_ms: u64) -> Count {
        let decision = Ask { act, meter }.decide(self.0.as_deref(), now_ms).expect("it can be asked");
        assert_eq!(decision.state.is_some(), decision.keep_ms > 0, "it is kept as long as it says something");
        self.0 = decision.state;
        decision.answer
    }

    fn take(&mut self, amount: u64, meter: Meter, now_ms: u64) -> Count {
        self.ask(Act::Take { least: amount, most: amount }, meter, now_ms)
    }
}

#[test]
fn a_bucket_has_its_burst_and_then_its_rate() {
    let mut counter = Counter::default();
    let count = counter.take(20, RATE, 1_000_000);
    let expected = Count { taken: 20, left: 0, retry_ms: 0, reset_ms: 12_000, stamp: 1_000_000, unreadable: false };
    assert_eq!(count, expected);
    let count = counter.take(1, RATE, 1_000_000);
    assert_eq!((count.taken, count.retry_ms), (0, 600));
    assert_eq!(counter.take(1, RATE, 1_000_599).taken, 0);
    assert_eq!(counter.take(1, RATE, 1_000_600).taken, 1);
    assert_eq!(counter.take(1, RATE, 1_000_600).retry_ms, 600);
    assert_eq!(counter.take(21, RATE, 9_000_000).retry_ms, MOST);
}

#[test]
fn a_block_is_what_there_is() {
    let mut counter = Counter::default();
    counter.take(15, RATE, 0);
    assert_eq!(counter.ask(Act::Take { least: 6, most: 50 }, RATE, 0).taken, 0);
    assert_eq!(counter.ask(Act::Take { least: 1, most: 50 }, RATE, 0).taken, 5);
    let count = counter.ask(Act::Take { least: 0, most: 50 }, RATE, 0);
    assert_eq!((count.taken, count.retry_ms), (0, 0));
}

#[test]
fn a_bucket_takes_back_what_has_not_gone_by() {
    let mut counter = Counter::default();
    let Count { stamp, .. } = counter.take(20, RATE, 0);
    assert_eq!(
        counter.ask(Act::Return { amount: 10, stamp }, RATE, 3_000).left,
        10,
        "5 have gone by, 5 are given back"
    );
    assert_eq!(counter.ask(Act::Return { amount: 5, stamp }, RATE, 3_000).left, 10, "all 5 may have gone by");
    assert_eq!(
        counter.ask(Act::Return { amount: 5, stamp: 4_000 }, RATE, 3_000).left,
        10,
        "nobody knows when that was"
    );
}

#[test]
fn a_charge_closes_a_bucket_for_a_day_at_most() {
    let mut counter = Counter::default();
    assert_eq!(counter.ask(Act::Charge { amount: 30 }, RATE, 0).retry_ms, 6_600);
    assert_eq!(counter.ask(Act::Charge { amount: MOST }, RATE, 0).retry_ms, BEHIND_MS + 600);
    assert_eq!(counter.take(1, RATE, BEHIND_MS + 600).taken, 1);
}

#[test]
fn another_period_begins_anew() {
    let mut counter = Counter::default();
    counter.take(20, RATE, 0);
    let other = Meter::Bucket { limit: 100, period_ms: 1_000, burst: 20 };
    let count = counter.take(20, other, 0);
    assert_eq!((count.taken, count.unreadable), (20, false));
}

#[test]
fn a_window_ends_for_all_at_once() {
    let mut counter = Counter::default();
    assert_eq!(counter.take(4, WINDOW, 1_000).stamp, 2_000);
    assert_eq!(counter.take(6, WINDOW, 1_900).taken, 6);
    let count = counter.take(1, WINDOW, 1_999);
    assert_eq!((count.taken, count.retry_ms, count.reset_ms), (0, 1, 1));
    // The next window has begun, and whoever asks does not know it yet.
    let count = counter.take(10, WINDOW, 2_000);
    assert_eq!((count.taken, count.stamp), (10, 3_000));
    // Nor the one after that: windows go on.
    let count = counter.take(10, WINDOW, 5_500);
    assert_eq!((count.taken, count.stamp, count.reset_ms), (10, 6_000, 500));
}

#[test]
fn a_moving_window_counts_each_step_until_it_has_left() {
    let mut counter = Counter::default();
    assert_eq!(counter.take(4, MOVING, 50).stamp, 1_100);
    assert_eq!(counter.take(6, MOVING, 120).stamp, 1_200);
    let count = counter.take(5, MOVING, 1_000);
    assert_eq!((count.taken, count.retry_ms, count.reset_ms), (0, 200, 200));
    assert_eq!(counter.take(4, MOVING, 1_100).taken, 4);
    assert_eq!(counter.take(11, MOVING, 1_100).retry_ms, MOST);
}

#[test]
fn a_sum_gives_back_what_is_still_there() {
    let mut counter = Counter::default();
    let Count { stamp, .. } = counter.take(6, WINDOW, 1_000);
    assert_eq!(counter.ask(Act::Return { amount: 4, stamp }, WINDOW, 1_000).left, 8);
    assert_eq!(counter.ask(Act::Return { amount: 4, stamp: stamp + 1 }, WINDOW, 1_000).left, 8);
    assert_eq!(counter.ask(Act::Return { amount: 4, stamp }, WINDOW, 1_000).left, 10);
    assert_eq!(counter.0, None);
}

#[test]
fn what_is_renewed_counts_for_another_term() {
    let mut counter = Counter::default();
    let first = counter.take(3, MOVING, 50);
    let count = counter.ask(Act::Renew { amount: 1, stamp: first.stamp }, MOVING, 950);
    assert_eq!((count.taken, count.stamp, count.left), (1, 2_000, 7));
    assert_eq!(counter.ask(Act::Look { least: 1 }, MOVING, 1_100).left, 9);
    // It had ended, and others have taken all; it is held nevertheless.
    counter.take(10, MOVING, 3_000);
    let count = counter.ask(Act::Renew { amount: 1, stamp: count.stamp }, MOVING, 3_000);
    assert_eq!((count.taken, count.left, count.retry_ms), (1, 0, 1_100));
    assert_eq!(counter.ask(Act::Charge { amount: 5 }, MOVING, 3_500).left, 0);
}

#[test]
fn nothing_is_written_where_nothing_changes() {
    for meter in [RATE, WINDOW, MOVING] {
        let mut counter = Counter::default();
        counter.ask(Act::Take { least: 1, most: 100 }, meter, 1_000);
        let before = counter.0.clone();
        assert_eq!(counter.take(5, meter, 1_100).taken, 0);
        counter.ask(Act::Look { least: 1 }, meter, 1_100);
        counter.ask(Act::Return { amount: 1, stamp: 0 }, meter, 900_000);
        assert_eq!(counter.0, before);
        counter.ask(Act::Forget, meter, 1_100);
        assert_eq!(counter.0, None);
    }
}

#[test]
fn an_unreadable_state_counts_as_none() {
    let long = "sum 1".to_owned() + &(2..2_003).map(|due| format!(" {due} 1")).collect::<String>();
    let states =
        ["", "bucket", "bucket 1 1", "bucket 60000 1 1 ", " bucket 60000 1 1", "bucket 60000 +1 1", "sum", "sum 1 5 0"];
    let more = [
        "sum 1 5 1 5 1",
        "sum 1 5",
        "sum 1 5 -1",
        "sum 1  5 1",
        "sum 0x1",
        "bucket 60000 1 9007199254740991",
        "é",
        &long,
    ];
    for state in states.iter().chain(&more) {
        for meter in [RATE, MOVING] {
            let look = Ask { act: Act::Look { least: 1 }, meter }.decide(Some(state), 1_000).expect("it can be asked");
            assert!(look.answer.unreadable, "{state}");
            assert_eq!(look.state.as_deref(), Some(*state), "looking writes nothing");
            let take = Ask { act: Act::Take { least: 1, most: 1 }, meter }.decide(Some(state), 1_000);
            let take = take.expect("it can be asked");
            assert!(take.answer.unreadable && take.answer.taken == 1 && take.state.as_deref() != Some(state));
        }
    }
    let other = Ask { act: Act::Look { least: 1 }, meter: RATE }.decide(Some("sum 1"), 1_000).expect("it can be asked");
    assert!(other.answer.unreadable);
}

#[test]
fn lines_are_what_they_are_said_to_be() {
    let ask = Ask { act: Act::Take { least: 1, most: 5 }, meter: RATE };
    assert_eq!(ask.line(), "take 1 5 bucket 100 60000 20");
    let decision = decide(None, &ask.line(), 7).expect("it can be read");
    assert_eq!(decision.state.as_deref(), Some("bucket 60000 300000 7"));
    assert_eq!(decision.answer.line(), "5 15 0 3000 7 0");
    let decision = decide(Some("sum 3 5 1 2000 2"), "renew 1 2000 until 10 2000 3000", 6).expect("it can be read");
    assert_eq!(decision.state.as_deref(), Some("sum 6 2000 2"));
}

#[test]
fn other_lines_are_no_questions() {
    let lines = [
        "",
        "take 1 2",
        "take 2 1 bucket 1 1 1",
        "take 1 2 bucket 0 1 1",
        "take 1 2 bucket 1 0 1",
        "take 1 2 bucket 1 1 0",
        "take 1 2 bucket 1 9007199254740991 2",
        "take 1 2 bucket 1 1 1 ",
        "take 1 2  bucket 1 1 1",
        "take 1 2 bucket 1 1 1 1",
        "take 1 9007199254740992 bucket 1 1 1",
        "take 1 99999999999999999999999 bucket 1 1 1",
        "take 1 0x2 bucket 1 1 1",
        "take 1 2 until 1 5 5",
        "take 1 2 within 1 0 5",
        "forget 1 bucket 1 1 1",
        "TAKE 1 2 bucket 1 1 1",
    ];
    for line in lines {
        assert_eq!(decide(None, line, 0), None, "{line}");
    }
}

#[test]
fn a_clock_that_goes_back_a_little_stands_still() {
    let mut counter = Counter::default();
    counter.take(20, RATE, 10_000);
    let count = counter.take(1, RATE, 9_000);
    assert_eq!((count.stamp, count.retry_ms, count.reset_ms), (10_000, 1_600, 13_000));
    assert_eq!(counter.take(1, RATE, 10_600).taken, 1);
}

#[test]
fn a_clock_that_was_set_back_goes_on() {
    let mut counter = Counter::default();
    counter.take(20, RATE, 1_000_000);
    assert_eq!(counter.take(1, RATE, 5_000).retry_ms, 600);
    assert_eq!(counter.take(1, RATE, 5_600).taken, 1);

    let mut counter = Counter::default();
    counter.take(10, MOVING, 1_000_000);
    assert_eq!(counter.take(1, MOVING, 5_000).retry_ms, 1_100);
    assert_eq!(counter.take(1, MOVING, 6_100).taken, 1);

    let mut counter = Counter::default();
    counter.take(10, Meter::Until { limit: 10, end_ms: 90_000, next_ms: 91_000 }, 89_000);
    assert_eq!(counter.take(1, WINDOW, 1_000).retry_ms, 2_000);
    assert_eq!(counter.take(1, WINDOW, 3_000).taken, 1);
}

#[test]
fn a_sum_has_only_so_many_entries() {
    let mut counter = Counter::default();
    let fine = Meter::Within { limit: MOST, step_ms: 1, span_ms: 1_000_000 };
    for now in 1..=2_500 {
        counter.take(1, fine, now);
    }
    let state = counter.0.clone().unwrap_or_default();
    assert_eq!(state.split(' ').count(), 2 + 2 * ENTRIES);
    assert!(state.ends_with(" 1002501 501"), "the last ones count together");
    assert_eq!(counter.ask(Act::Look { least: 1 }, fine, 2_500).left, MOST - 2_500);
}

#[test]
fn charges_beyond_all_numbers_are_the_largest_one() {
    let mut counter = Counter::default();
    for _ in 0..3 {
        counter.ask(Act::Charge { amount: MOST }, WINDOW, 1_000);
    }
    assert_eq!(counter.0.as_deref(), Some("sum 1000 2000 9007199254740991"));
    assert_eq!(counter.ask(Act::Return { amount: MOST, stamp: 2_000 }, WINDOW, 1_000).left, 10);
}
