//! The script on a real Redis decides as the Rust does.

use crate::arbitrary;
use crate::counter::START_MS;
use edgate::meter::redis::{SCRIPT, SHA1};
use edgate::meter::{Act, Ask, Count, MOST, Meter, decide};
use edgate_kit::redis::Redis;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use redis::{Cmd, Connection, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value, cmd};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// A Redis that knows the script, and a connection to it.
async fn start() -> (Redis, Connection) {
    let redis = Redis::start().await.expect("it starts");
    let client = redis::Client::open(redis.url()).expect("it is an address");
    let mut connection = client.get_connection().expect("it takes connections");
    let hash: String = cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query(&mut connection).expect("it is a script");
    assert_eq!(hash, SHA1);
    (redis, connection)
}

/// The call of the script. No time means that of Redis.
fn call(keys: &[&str], now_ms: Option<u64>, lines: &[String]) -> Cmd {
    let mut call = cmd("EVALSHA");
    call.arg(SHA1).arg(keys.len()).arg(keys);
    call.arg(now_ms.map(|now| now.to_string()).unwrap_or_default()).arg(lines);
    call
}

/// Runs the script with states put there before, and says what is there afterwards, all of it in a script: while it
/// runs, nothing expires. KEYS: counters. ARGV: their states, with a mark before each that there is; the time; and questions, each
/// with its counter before it.
const HARNESS: [&str; 2] = [
    "local function decide(KEYS, ARGV)\n",
    "
end
redis.call('FLUSHALL')
for at, key in ipairs(KEYS) do
  if ARGV[at] ~= '' then redis.call('SET', key, string.sub(ARGV[at], 2)) end
end
local keys, words = {}, { ARGV[#KEYS + 1] }
for at = #KEYS + 2, #ARGV, 2 do
  keys[#keys + 1] = ARGV[at]
  words[#words + 1] = ARGV[at + 1]
end
local kept = {}
for _, answer in ipairs(decide(keys, words)) do kept[#kept + 1] = answer end
for _, key in ipairs(KEYS) do
  kept[#kept + 1] = redis.call('GET', key)
end
for _, key in ipairs(KEYS) do
  kept[#kept + 1] = string.format('%.0f', redis.call('PTTL', key))
end
return kept
",
];

type States<'a> = BTreeMap<&'a str, Option<String>>;

/// The answers, then the state of each counter, and then for how long each of them is kept.
fn ask(
    connection: &mut Connection,
    states: &States<'_>,
    questions: &[(&str, String)],
    now: u64,
) -> RedisResult<Vec<Option<String>>> {
    // Its hash takes longer than all the rest.
    static SCRIPT_IN_HARNESS: LazyLock<redis::Script> = LazyLock::new(|| redis::Script::new(&HARNESS.join(SCRIPT)));
    let mut call = SCRIPT_IN_HARNESS.prepare_invoke();
    for (key, state) in states {
        call.key(key).arg(state.as_ref().map(|state| format!("={state}")).unwrap_or_default());
    }
    call.arg(now);
    for (key, line) in questions {
        call.arg(key).arg(line);
    }
    call.invoke(connection)
}

/// Holds what Redis says, and what is there then, against the Rust. Gives the next states.
fn compare<'a>(
    connection: &mut Connection,
    states: &States<'a>,
    questions: &[(&'a str, String)],
    now: u64,
) -> Result<States<'a>, TestCaseError> {
    let mut next = states.clone();
    // -1 without an end, -2 for what is not there.
    let ttl = |state: &Option<String>| if state.is_some() { -1 } else { -2 };
    let mut ttls: BTreeMap<&str, i64> = states.iter().map(|(key, state)| (*key, ttl(state))).collect();
    let mut expected = Vec::new();
    for (key, line) in questions {
        let state = next[key].clone();
        let Some(decision) = decide(state.as_deref(), line, now) else {
            expected.push(Some(String::new()));
            continue;
        };
        expected.push(Some(decision.answer.line()));
        if decision.state != state {
            let keep_ms = i64::try_from(decision.keep_ms).unwrap_or(0);
            ttls.insert(key, if decision.state.is_some() { keep_ms } else { -2 });
            next.insert(key, decision.state);
        }
    }
    expected.extend(next.values().cloned());
    let found = ask(connection, states, questions, now);
    let found =
        found.map_err(|error| TestCaseError::fail(format!("{error} for {questions:?} at {now} in {states:?}")))?;
    let (found, found_ttls) = found.split_at(expected.len());
    prop_assert_eq!(found, expected, "{:?} at {} in {:?}", questions, now, states);
    // For this some time may have gone by.
    for (ttl, found) in ttls.values().zip(found_ttls) {
        let found = found.as_ref().and_then(|ttl| ttl.parse().ok()).unwrap_or(0);
        prop_assert!((ttl - 5_000..=*ttl).contains(&found), "{} for {} of {:?}", found, ttl, questions);
    }
    Ok(next)
}

const KEYS: [&str; 3] = ["a", "b", "c"];

#[tokio::test]
async fn any_question_in_any_state_is_answered_alike() {
    let (_redis, connection) = start().await;
    let connection = RefCell::new(connection);
    let key = prop::sample::select(&KEYS[..]);
    let states = prop::array::uniform3(arbitrary::state());
    let questions = prop::collection::vec((key, arbitrary::line()), 0..5);
    let config = ProptestConfig { cases: crate::cases().cases * 8, ..crate::cases() };
    let law = TestRunner::new(config).run(&(states, questions, arbitrary::number()), |(states, questions, now)| {
        let states = KEYS.into_iter().zip(states).collect();
        compare(&mut connection.borrow_mut(), &states, &questions, now).map(drop)
    });
    law.expect("they agree");
}

/// What is asked, of which of a few meters, after how long; stamps and amounts are those that the counter has given.
#[derive(Debug, Clone)]
struct Step {
    by_ms: i64,
    meter: usize,
    what: u8,
    amount: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let by = prop_oneof![4 => 0..3_i64, 6 => 0..900_i64, 1 => -800..0_i64, 1 => -20_000..20_000_i64];
    let step = (by, 0..3_usize, 0..12_u8, 1..9_u64);
    prop::collection::vec(step.prop_map(|(by_ms, meter, what, amount)| Step { by_ms, meter, what, amount }), 1..40)
}

#[tokio::test]
async fn counters_in_use_are_alike() {
    let (_redis, connection) = start().await;
    let connection = RefCell::new(connection);
    let law = TestRunner::new(crate::cases()).run(&(steps(), 1..30_u64, 1..4_000_u64), |(steps, limit, time)| {
        let mut states = KEYS.into_iter().map(|key| (key, None)).collect();
        let mut stamps = [0; 3];
        let mut now = START_MS;
        for Step { by_ms, meter, what, amount } in steps {
            now = now.saturating_add_signed(by_ms);
            let end_ms = (now / time + 1) * time;
            let stamp = stamps[meter];
            let ask = Ask {
                act: match what {
                    0..=4 => Act::Take { least: 1.min(amount), most: amount },
                    5 => Act::Take { least: amount, most: amount },
                    6 => Act::Charge { amount },
                    7 | 8 => Act::Return { amount, stamp },
                    9 => Act::Renew { amount, stamp },
                    10 => Act::Look { least: amount },
                    _ => Act::Take { least: 0, most: amount },
                },
                meter: [
                    Meter::Bucket { limit, period_ms: time, burst: limit },
                    Meter::Within { limit, step_ms: time / 10 + 1, span_ms: time },
                    Meter::Until { limit, end_ms, next_ms: end_ms + time },
                ][meter],
            };
            let key = KEYS[meter];
            let before = states;
            states = compare(&mut connection.borrow_mut(), &before, &[(key, ask.line())], now)?;
            let answer = ask.decide(before[key].as_deref(), now).expect("it can be asked").answer;
            stamps[meter] = answer.stamp;
        }
        Ok(())
    });
    law.expect("they agree");
}

#[tokio::test]
async fn a_sum_has_as_many_entries_there_as_here() {
    let (_redis, mut connection) = start().await;
    let meter = Meter::Within { limit: MOST, step_ms: 1, span_ms: 1_000_000 };
    for entries in [1_999, 2_000, 2_001] {
        let state = (0..entries).fold("sum 4000".to_owned(), |state, entry| state + &format!(" {} 1", 5_000 + entry));
        let mut states = KEYS.into_iter().map(|key| (key, None)).collect::<States<'_>>();
        states.insert("a", Some(state));
        for act in [Act::Charge { amount: 3 }, Act::Take { least: 1, most: MOST }, Act::Look { least: MOST - 100 }] {
            let line = Ask { act, meter }.line();
            compare(&mut connection, &states, &[("a", line)], 4_500).expect("they agree");
        }
    }
}

#[tokio::test]
async fn what_is_no_text_is_written_over() {
    let (_redis, mut connection) = start().await;
    let meter = Meter::Bucket { limit: 10, period_ms: 1_000, burst: 10 };
    let look = Ask { act: Act::Look { least: 1 }, meter }.line();
    let take = Ask { act: Act::Take { least: 1, most: 1 }, meter }.line();
    let _: () = cmd("LPUSH").arg("a").arg("x").query(&mut connection).expect("it does");
    let _: () = cmd("SET").arg("b").arg(&b"bucket \xff\0"[..]).query(&mut connection).expect("it does");
    for (line, taken, unreadable) in [(&look, 0, true), (&take, 1, true), (&take, 1, false)] {
        let lines = [line.clone(), line.clone()];
        let answers: Vec<String> = call(&["a", "b"], Some(1_000), &lines).query(&mut connection).expect("it answers");
        for answer in answers {
            let count = Count::parse(&answer).expect("it can be read");
            assert_eq!((count.taken, count.unreadable), (taken, unreadable));
        }
    }
}

#[tokio::test]
async fn a_redis_that_has_forgotten_the_script_says_so() {
    let (mut redis, mut connection) = start().await;
    let meter = Meter::Bucket { limit: 10, period_ms: 600_000, burst: 10 };
    let lines = [Ask { act: Act::Take { least: 4, most: 4 }, meter }.line()];
    let ask = call(&["a"], None, &lines);
    let taken = |answers: Vec<String>| {
        answers.iter().map(|answer| Count::parse(answer).map(|count| count.taken)).collect::<Vec<_>>()
    };
    assert_eq!(taken(ask.query(&mut connection).expect("it answers")), [Some(4)]);
    let _: () = cmd("SCRIPT").arg("FLUSH").query(&mut connection).expect("it does");
    let error: RedisError = ask.query::<Value>(&mut connection).expect_err("it has forgotten");
    assert_eq!(error.kind(), ErrorKind::Server(ServerErrorKind::NoScript));
    // What the counters say is still there, and the whole script is as good as its name.
    let whole = |connection: &mut Connection| {
        let mut whole = cmd("EVAL");
        whole.arg(SCRIPT).arg(1).arg("a").arg("").arg(&lines);
        taken(whole.query(connection).expect("it answers"))
    };
    assert_eq!(whole(&mut connection), [Some(4)]);
    assert_eq!(taken(ask.query(&mut connection).expect("it knows it again")), [Some(0)]);
    redis.restart().await.expect("it starts again");
    let client = redis::Client::open(redis.url()).expect("it is an address");
    let mut connection = client.get_connection().expect("it takes connections");
    ask.query::<Value>(&mut connection).expect_err("it is another one");
    assert_eq!(whole(&mut connection), [Some(4)], "and has forgotten everything");
}

#[tokio::test]
async fn without_a_time_it_is_that_of_redis() {
    let (_redis, mut connection) = start().await;
    let here = || SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_millis() as u64;
    let meter = Meter::Bucket { limit: 1, period_ms: 60_000, burst: 3 };
    let lines = [Ask { act: Act::Take { least: 2, most: 2 }, meter }.line(), "no question".to_owned()];
    let before = here();
    let answers: Vec<String> = call(&["a", "b"], None, &lines).query(&mut connection).expect("it answers");
    let count = Count::parse(&answers[0]).expect("it can be read");
    assert!((before..=here()).contains(&count.stamp), "{count:?}");
    assert_eq!((count.taken, count.left, count.reset_ms, &*answers[1]), (2, 1, 120_000, ""));
    let ttl: i64 = cmd("PTTL").arg("a").query(&mut connection).expect("it answers");
    assert!(ttl > 60_000 && ttl <= 120_000);
}

#[tokio::test]
async fn of_many_who_ask_at_once_as_many_are_let_in_as_may() {
    let (redis, _connection) = start().await;
    let meter = Meter::Bucket { limit: 100, period_ms: 86_400_000, burst: 100 };
    let line = Ask { act: Act::Take { least: 1, most: 1 }, meter }.line();
    let client = redis::Client::open(redis.url()).expect("it is an address");
    let asks = || {
        let (client, line) = (client.clone(), line.clone());
        std::thread::spawn(move || {
            let mut connection = client.get_connection().expect("it takes connections");
            let lines = [line];
            let taken = (0..50).map(|_| {
                let answers: Vec<String> = call(&["a"], None, &lines).query(&mut connection).expect("it answers");
                Count::parse(&answers[0]).expect("it can be read").taken
            });
            taken.sum::<u64>()
        })
    };
    let threads: Vec<_> = (0..8).map(|_| asks()).collect();
    let taken: u64 = threads.into_iter().map(|thread| thread.join().expect("it ends")).sum();
    assert_eq!(taken, 100);
}
