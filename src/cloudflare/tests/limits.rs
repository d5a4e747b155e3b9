//! What limits need: counters, the platform's rate limiter, time zones, the end of an answer.

use super::*;
use crate::host::{Counters, Question, Timestamp};
use crate::meter::{Act, Ask, Count, Meter};

const SECOND: Duration = Duration::from_secs(1);

fn question(counter: &str, least: u64) -> Question {
    let meter = Meter::Bucket { limit: 10, period_ms: 60_000, burst: 10 };
    Question { counter: counter.to_owned(), ask: Ask { act: Act::Take { least, most: 5 }, meter } }
}

/// Asks counters; each question takes from 1 to 5.
fn count(counters: &'static [&str]) -> Vec<String> {
    task(async move |host| {
        let questions: Vec<Question> = counters.iter().map(|counter| question(counter, 1)).collect();
        let place = Counters { redis: None, store: "default".into() };
        host.count(&place, &questions, Duration::from_millis(1500)).await
    })
}

#[wasm_bindgen_test]
fn questions_of_a_call_are_one_step() {
    let step = count(&["a:1", "b:2"]);
    assert_eq!(step[0], "N");
    assert_eq!(step[2..], ["1500", "a:1", "take 1 5 bucket 10 60000 10", "b:2", "take 1 5 bucket 10 60000 10"]);
    let answers = said(&reply(&step, &["N", "5 5 0 30000 7 0", "0 0 6000 60000 0 1"]));
    let first = Count { taken: 5, left: 5, retry_ms: 0, reset_ms: 30_000, stamp: 7, unreadable: false };
    let second = Count { retry_ms: 6_000, reset_ms: 60_000, unreadable: true, ..Count::default() };
    assert_eq!(answers, format!("{:?}", [Ok::<_, HostError>(first), Ok(second)]));
    assert_eq!(said(&count(&[])), "[]", "nothing is asked");
}

#[wasm_bindgen_test]
fn failure_is_that_of_one_counter_or_of_all() {
    let step = count(&["a", "b", "c"]);
    let answers = said(&reply(&step, &["N", "E timeout", "E other Error: it is lost", "1 2"]));
    let unreadable = r#"Err(Other("an answer that cannot be read"))"#;
    assert_eq!(answers, format!(r#"[Err(Timeout), Err(Other("Error: it is lost")), {unreadable}]"#));
    let denied = said(&reply(&count(&["a", "b"]), &["E", "denied", "not bound"]));
    assert_eq!(denied, r#"[Err(Denied("not bound")), Err(Denied("not bound"))]"#);
    for nonsense in [&["N", "1 1 0 0 0 0"][..], &["V", "1", "1"], &["?"], &["N"], &["N", "", ""]] {
        let answers = said(&reply(&count(&["a", "b"]), nonsense));
        assert_eq!(answers.matches("Err(Other(").count(), 2, "{nonsense:?}: {answers}");
    }
}

#[wasm_bindgen_test]
fn object_decides_with_the_cores_arithmetic() {
    let ask = question("", 1).ask.line();
    let first = lines(&decide(None, &ask, NOW).expect("it is a question"));
    assert_eq!(first[0], "5 5 0 30000 1793491200000 0");
    assert_eq!(first[1], "30000");
    let second = lines(&decide(Some(first[2].clone()), &ask, NOW + 1.5).expect("it is a question"));
    assert!(second[0].starts_with("5 0 0 "), "{second:?}");
    let third = lines(&decide(Some(second[2].clone()), &ask, NOW + 2.0).expect("it is a question"));
    assert!(third[0].starts_with("0 0 "), "{third:?}");
    assert_eq!(third[2], second[2], "there is nothing to write");
    let unread = lines(&decide(Some("\u{1}".to_owned()), &ask, NOW).expect("it is a question"));
    assert!(unread[0].ends_with(" 1"), "{unread:?}");
    let forgotten = decide(Some(second[2].clone()), "forget bucket 10 60000 10", NOW).expect("it is a question");
    assert_eq!(lines(&forgotten)[1..], ["0"], "there is no state");
    for nonsense in ["", "take", "take 1 5 bucket 10 60000", "take 5 1 bucket 10 60000 10"] {
        assert_eq!(decide(None, nonsense, NOW), None, "{nonsense}");
    }
    for time in [f64::NAN, -1.0, f64::INFINITY] {
        assert!(decide(None, &ask, time).is_some());
    }
}

#[wasm_bindgen_test]
fn what_came_too_late_is_given_back() {
    let back = |ask: &str, answer: &str| giving_back(ask, answer);
    let bucket = "bucket 10 60000 10";
    assert_eq!(back(&format!("take 1 5 {bucket}"), "4 6 0 0 77 0"), Some(format!("return 4 77 {bucket}")));
    assert_eq!(back(&format!("take 1 5 {bucket}"), "0 0 6000 0 0 0"), None);
    assert_eq!(back(&format!("take 1 5 {bucket}"), "E other Error: lost"), None);
    for act in ["charge 4", "return 4 77", "renew 4 77", "look 4", "forget"] {
        assert_eq!(back(&format!("{act} {bucket}"), "4 6 0 0 77 0"), None, "{act}");
    }
}

#[wasm_bindgen_test]
fn limiter_of_the_platform_is_asked_for_a_key() {
    let admit = || task(async |host| host.admit("REGIONAL_A", "key", SECOND).await);
    let step = admit();
    assert_eq!(step[0], "U");
    assert_eq!(step[2..], ["REGIONAL_A", "1000", "key"]);
    assert_eq!(said(&reply(&step, &["V", "1", "1"])), "Ok(true)");
    assert_eq!(said(&reply(&admit(), &["V", "1", "0"])), "Ok(false)");
    assert_eq!(said(&reply(&admit(), &["E", "timeout", ""])), "Err(Timeout)");
    assert_eq!(said(&reply(&admit(), &["E", "denied", "no"])), r#"Err(Denied("no"))"#);
}

fn offset(zone: &str, at: f64) -> Option<i64> {
    HOST.with(|host| host.offset(zone, Timestamp(at)))
}

const HOUR: i64 = 3_600_000;

#[wasm_bindgen_test]
fn zones_are_ahead_of_utc_or_behind() {
    assert_eq!(offset("UTC", NOW), Some(0));
    assert_eq!(offset("Europe/Oslo", NOW), Some(HOUR));
    assert_eq!(offset("Asia/Kolkata", NOW + 0.5), Some(5 * HOUR + HOUR / 2));
    assert_eq!(offset("Asia/Kathmandu", NOW + 999.0), Some(5 * HOUR + HOUR / 4 * 3));
    assert_eq!(offset("America/St_Johns", NOW), Some(-2 * HOUR - HOUR / 2));
    assert_eq!(offset("Pacific/Kiritimati", NOW), Some(14 * HOUR));
    assert_eq!(offset("Pacific/Pago_Pago", NOW), Some(-11 * HOUR));
    // 1970-06-01, when Liberia was 44 minutes and 30 seconds behind.
    assert_eq!(offset("Africa/Monrovia", 13_046_400_000.0), Some(-2_670_000));
    // Before 1970, and between two seconds: 1969-12-31T23:59:59.500Z in what was summer time all year.
    assert_eq!(offset("Europe/London", -500.0), Some(HOUR));
}

#[wasm_bindgen_test]
fn summer_begins_and_ends_in_a_millisecond() {
    // 2026-03-29T01:00:00Z, and 2026-10-25T01:00:00Z.
    for (change, before, after) in [(1_774_746_000_000.0, HOUR, 2 * HOUR), (1_792_890_000_000.0, 2 * HOUR, HOUR)] {
        assert_eq!(offset("Europe/Oslo", change - 1.0), Some(before));
        assert_eq!(offset("Europe/Oslo", change), Some(after));
    }
}

#[wasm_bindgen_test]
fn what_is_no_zone_or_no_time_has_no_offset() {
    for zone in ["", "Europe", "Mars/Olympus", "+01:00", "-05", "Europe/Oslo\n", "Europe/Oslo ", "\u{e9}"] {
        for _ in 0..2 {
            assert_eq!(offset(zone, NOW), None, "{zone:?}");
        }
    }
    for time in [f64::NAN, f64::INFINITY, 9e15, -9e15] {
        assert_eq!(offset("Europe/Oslo", time), None, "{time}");
    }
}

#[wasm_bindgen_test]
fn end_of_an_answer_is_waited_for_behind_it() {
    let step = spawn_step(async |host| {
        let (body, watch) = host.watch(Body::bytes("fine"));
        let log = Rc::clone(&host);
        host.wait_until(Box::pin(async move {
            let seen = [watch.ended(SECOND).await, watch.ended(SECOND).await];
            fetch(&log, &HeaderMap::new(), Body::bytes(format!("{seen:?}"))).await.expect("it answers");
        }));
        Response::new(body)
    });
    let step = lines(&step);
    assert_eq!(step[0], "W");
    let (behind, answer) = counted(&step[1..], 1);
    assert_eq!(answer[..3], ["O", "200", "text"]);
    assert_eq!((behind[0].as_str(), behind[2].as_str()), ("E", "1000"));
    let behind = reply(&behind, &["V", "0"]);
    assert_eq!((behind[0].as_str(), behind[2].as_str()), ("E", "1000"));
    let behind = reply(&behind, &["V", "1", ""]);
    assert_eq!(behind[0], "F");
    assert_eq!(body(behind[1].parse().expect("it is a number")), b"[false, true]");
    assert_eq!(gone(&reply(&behind, &["R", "200", "0"])), (vec![behind[1].clone()], vec!["D".to_owned()]));
}

#[wasm_bindgen_test]
fn answer_of_another_request_is_not_the_one_that_is_watched() {
    load_proxy("");
    let watched = spawn_step(async |host| {
        host.sleep(SECOND).await;
        let (body, _) = host.watch(Body::bytes("fine"));
        host.sleep(SECOND).await;
        Response::new(body)
    });
    let other = get("https://gw.test/a");
    let watched = reply(&lines(&watched), &["V", "0"]);
    assert_eq!(reply(&other, &["R", "200", "1"])[..2], ["A", "200"]);
    assert_eq!(reply(&watched, &["V", "0"])[..2], ["O", "200"]);
}
