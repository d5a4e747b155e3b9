//! What `src/cloudflare/entry.js` does for limits, on workerd, with a script in the core's place: counters as Durable
//! Objects, the platform's rate limiter, and the end of an answer. It needs no built gateway.

#[path = "entry/worker.rs"]
mod worker;

use anyhow::{Context, Result, ensure};
use edgate_kit::client;
use edgate_kit::crowd::together;
use edgate_kit::running::Running;
use edgate_kit::scenario::answer::{Answer, AnswerBody, Fault};
use edgate_kit::scenario::content::{Content, FieldsForm};
use edgate_kit::scenario::{Abandon, Request};
use edgate_kit::seen::{End, values};
use edgate_kit::upstream::Upstream;
use edgate_kit::workerd::{Counters, Objects, Workerd};
use serde_json::{Value, json};
use std::time::Duration;
use worker::{PATIENCE, replies, run, start, start_with, step};

/// Questions to counters: each one's name, and what `tests/entry/edgate.js` understands.
fn ask(timeout: &str, questions: &[(&str, &str)]) -> Value {
    let questions = questions.iter().flat_map(|(counter, question)| [*counter, *question]);
    step(&["N", timeout].into_iter().chain(questions).collect::<Vec<_>>())
}

const LONG: &str = "add 60000";

/// A reply with these answers.
fn answers(all: &[&str]) -> String {
    let all: Vec<String> = all
        .iter()
        .map(|answer| if answer.starts_with('E') { (*answer).into() } else { format!("{answer} 0 0 0 0 0") })
        .collect();
    format!("N\n{}", all.join("\n"))
}

/// Fails where the Worker complained of anything.
fn is_quiet(worker: &Running) -> Result<()> {
    let lines = worker.lines().since(0);
    ensure!(!lines.iter().any(|line| line.contains("rror") || line.contains("rejection")), "the log says {lines:#?}");
    Ok(())
}

#[test]
fn counters_count_each_for_itself_and_answer_in_order() {
    run(async {
        let scripts = json!({ "/": [
            ask("5000", &[("a", LONG), ("b", LONG), ("a", LONG)]),
            ask("5000", &[("b", "look"), ("c", "look"), ("a", "forget"), ("b", LONG)]),
            ask("5000", &[("a", "look")]),
        ] });
        let worker = start(scripts, Objects::Temporary).await?;
        let told = replies(&worker, "/").await?;
        assert_eq!(told, [answers(&["1", "1", "2"]), answers(&["1", "0", "0", "2"]), answers(&["0"])]);
        is_quiet(&worker)
    });
}

#[test]
fn counter_that_fails_fails_alone() {
    run(async {
        let questions = [("a", LONG), ("b", "trap"), ("c", "nonsense"), ("b", LONG)];
        let worker = start(json!({ "/": [ask("5000", &questions)] }), Objects::Temporary).await?;
        let trap = "E other Error: a trap of two lines";
        let nonsense = "E other Error: a question that cannot be read";
        assert_eq!(replies(&worker, "/").await?, [answers(&["1", trap, nonsense, "1"])]);
        // The wasm may have ended with it: the script is asked to load again, which it does.
        assert_eq!(replies(&worker, "/").await?, [answers(&["2", trap, nonsense, "2"])]);
        Ok(())
    });
}

#[test]
fn counters_that_are_not_bound_are_denied() {
    run(async {
        let scripts = json!({ "/": [ask("5000", &[("a", LONG)])] });
        let worker = start(scripts, Objects::None).await?;
        let denied = "E\ndenied\nno Durable Object namespace is bound as EDGATE_LIMITS";
        assert_eq!(replies(&worker, "/").await?, [denied]);
        Ok(())
    });
}

#[test]
fn counter_that_is_late_has_timed_out_and_gets_back_what_it_gave() {
    run(async {
        // Counters of another process, which may be slow and may fail.
        let mut counters = Upstream::start().await?;
        let say = |text: &str| Answer { body: AnswerBody::Whole(Content::Bytes(text.into())), ..Answer::default() };
        let late = |millis, answer| Answer { delay: Some(Duration::from_millis(millis)), ..answer };
        let broken = Answer { status: 500, ..say("broken") };
        let script = vec![say("1 0 0 0 0 0"), late(300, say("2 0 0 0 0 0")), say("0 0 0 0 0 0"), late(300, broken)];
        counters.script(script).await?;
        let scripts = json!({
            "/": [ask("5000", &[("a", LONG)]), ask("50", &[("b", LONG)])],
            "/broken": [ask("50", &[("c", LONG)]), step(&["S", "400"])],
        });
        let worker = start_with(scripts, Objects::None, Counters::At(counters.address())).await?;
        let worker = Running::Workerd(worker);
        // The request that asked is over when the answer comes.
        assert_eq!(replies(&worker, "/").await?, [answers(&["1"]), answers(&["E timeout"])]);
        let seen = counters.take_seen(3, PATIENCE).await;
        let asked: Vec<_> = seen.iter().map(|seen| seen.body.text().into_owned()).collect();
        assert_eq!(asked, [r#"["a","add 60000"]"#, r#"["b","add 60000"]"#, r#"["b","forget"]"#]);
        assert_eq!(replies(&worker, "/broken").await?[0], answers(&["E timeout"]));
        is_quiet(&worker)
    });
}

#[test]
fn many_at_once_are_counted_one_by_one() {
    run(async {
        let worker = start(json!({ "/": [ask("20000", &[("a", LONG)])] }), Objects::Temporary).await?;
        let address = worker.address();
        let clients = (0..64).map(|_| async move {
            let mut counts = Vec::new();
            for _ in 0..5 {
                let response = client::send(address, &Request::new("GET", "/")).await?;
                let told: Vec<String> = serde_json::from_slice(&response.body.start)?;
                let count =
                    told[1].strip_prefix("N\n").and_then(|answer| answer.split(' ').next()?.parse::<u32>().ok());
                counts.extend(count);
            }
            Ok(counts)
        });
        let mut all = together(clients).await?.concat();
        all.sort_unstable();
        assert_eq!(all, (1..=320).collect::<Vec<_>>());
        is_quiet(&worker)
    });
}

#[test]
fn counter_outlives_its_process() {
    run(async {
        let scripts = json!({ "/": [ask("5000", &[("a", LONG)])] });
        let mut worker = start_with(scripts, Objects::Temporary, Counters::Own).await?;
        for expected in ["1", "2", "3"] {
            let response = client::send(worker.address(), &Request::new("GET", "/")).await?;
            let told: Vec<String> = serde_json::from_slice(&response.body.start)?;
            assert_eq!(told[1], answers(&[expected]));
            worker.restart().await?;
        }
        Ok(())
    });
}

#[test]
fn busy_counter_that_is_killed_has_counted_no_less() {
    run(async {
        let scripts = json!({
            "/take": [ask("5000", &[("a", "take 1 1 until 1000")])],
            "/look": [ask("5000", &[("a", "look 1 until 1000")])],
            // What has been taken ahead is put right after a second.
            "/settled": [step(&["S", "1500"])],
        });
        let mut worker = start_with(scripts, Objects::Temporary, Counters::Own).await?;
        let left = async |worker: &Workerd| {
            let response = client::send(worker.address(), &Request::new("GET", "/look")).await?;
            let told: Vec<String> = serde_json::from_slice(&response.body.start)?;
            let left = told[1].split_whitespace().nth(2).and_then(|left| left.parse::<u64>().ok());
            left.with_context(|| told[1].clone())
        };
        let mut expected = 1_000;
        for settles in [false, true] {
            let address = worker.address();
            let clients = (0..64).map(|_| async move {
                for _ in 0..4 {
                    client::send(address, &Request::new("GET", "/take")).await?;
                }
                Ok(())
            });
            together(clients).await?;
            expected -= 256;
            if settles {
                client::send(address, &Request::new("GET", "/settled")).await?;
            }
            worker.restart().await?;
            let left = left(&worker).await?;
            // What was ahead counts one more.
            let least = if settles { expected } else { expected - expected / 20 - 2 };
            ensure!((least..=expected).contains(&left), "{left} left instead of {expected}");
            expected = left;
        }
        Ok(())
    });
}

#[test]
fn counter_is_gone_when_its_state_says_nothing_any_more() {
    run(async {
        // An object looks after a second at the earliest.
        let scripts = json!({
            "/gone": [ask("5000", &[("a", "add 20")]), step(&["S", "1400"]), ask("5000", &[("a", "look")])],
            // The alarm that the first change set comes too early for the second: it is set again.
            "/kept": [
                ask("5000", &[("b", "add 20")]), ask("5000", &[("b", "add 2000")]),
                step(&["S", "1400"]), ask("5000", &[("b", "look")]),
                step(&["S", "1400"]), ask("5000", &[("b", "look")]),
            ],
        });
        let worker = start(scripts, Objects::Temporary).await?;
        assert_eq!(replies(&worker, "/gone").await?, [answers(&["1"]), "V\n0".to_owned(), answers(&["0"])]);
        assert_eq!(replies(&worker, "/gone").await?[2], answers(&["0"]), "and again");
        let kept = replies(&worker, "/kept").await?;
        assert_eq!([&kept[1], &kept[3], &kept[5]], [&answers(&["2"]), &answers(&["2"]), &answers(&["0"])]);
        is_quiet(&worker)
    });
}

#[test]
fn limiter_of_the_platform_is_asked() {
    run(async {
        let admit = |binding: &str| step(&["U", binding, "5000", "key"]);
        let scripts = json!({ "/": vec![admit("REGIONAL_A"); 8], "/unbound": [admit("REGIONAL_B")] });
        let worker = start(scripts, Objects::None).await?;
        let told = replies(&worker, "/").await?;
        let passed = told.iter().filter(|reply| *reply == "V\n1\n1").count();
        // The limiter's minute may end in between.
        assert!((3..=6).contains(&passed) && told.iter().all(|reply| reply.starts_with("V\n1\n")), "{told:?}");
        assert_eq!(replies(&worker, "/unbound").await?, ["E\ndenied\nno rate limiter is bound as REGIONAL_B"]);
        is_quiet(&worker)
    });
}

const ENDED: &str = r#"behind: ["V\n1\n"]"#;
const NOT_ENDED: &str = r#"behind: ["V\n0"]"#;

/// A script that passes on what an upstream answers, with a task behind it that waits so long for its end.
fn watched(upstream: &Upstream, path: &str, longest: &str) -> Value {
    let url = format!("http://{}{path}", upstream.address());
    let fetch = step(&["F", "GET", &url, "none", "", "5000", "0", "", "1", "0", "0"]);
    let answer = "O\n200\n{last}\n1\n0\n0";
    json!([fetch, { "behind": [step(&["E", longest])], "raw": answer }])
}

fn chunks(count: usize, every: u64) -> AnswerBody {
    AnswerBody::Chunks { chunks: vec!["hi".to_owned(); count], every: Duration::from_millis(every) }
}

#[test]
fn end_of_a_body_is_seen_when_it_is_out_or_broken_or_nobody_wants_it() {
    run(async {
        let mut upstream = Upstream::start().await?;
        let script = watched(&upstream, "/", "5000");
        let worker = start(json!({ "/": script }), Objects::None).await?;
        let whole = || AnswerBody::Whole(Content::Bytes(b"whole".to_vec()));
        let cases = [
            ("whole", Answer { body: whole(), ..Answer::default() }, None, End::Complete),
            ("chunks", Answer { body: chunks(3, 20), ..Answer::default() }, None, End::Complete),
            ("no body", Answer { status: 204, ..Answer::default() }, None, End::Complete),
            ("left", Answer { body: chunks(500, 10), ..Answer::default() }, Some(Abandon::AfterHead), End::Abandoned),
        ];
        for (name, answer, abandon, end) in cases {
            upstream.script(vec![answer]).await?;
            let mark = worker.lines().count();
            let response = worker.send(&Request { abandon, ..Request::new("GET", "/") }).await?;
            assert_eq!(response.end, end, "{name}");
            if name == "whole" {
                assert_eq!(values(&response.headers, "content-length"), ["5"]);
            }
            worker.lines().wait_for(mark, Duration::from_secs(2), |line| line == ENDED).await?;
        }
        is_quiet(&worker)?;
        let short = Answer { fault: Some(Fault::Short), body: whole(), ..Answer::default() };
        upstream.script(vec![short]).await?;
        let mark = worker.lines().count();
        let response = worker.send(&Request::new("GET", "/")).await?;
        assert!(matches!(response.end, End::Truncated(_)), "{response:?}");
        worker.lines().wait_for(mark, Duration::from_secs(2), |line| line == ENDED).await?;
        Ok(())
    });
}

#[test]
fn end_that_does_not_come_is_waited_for_so_long() {
    run(async {
        let mut upstream = Upstream::start().await?;
        upstream.script(vec![Answer { body: chunks(20, 50), ..Answer::default() }]).await?;
        let worker = start(json!({ "/": watched(&upstream, "/", "100") }), Objects::None).await?;
        let response = worker.send(&Request::new("GET", "/")).await?;
        assert_eq!(response.body.length, 40);
        worker.lines().wait_for(0, PATIENCE, |line| line == NOT_ENDED).await?;
        is_quiet(&worker)
    });
}

#[test]
fn answer_without_a_stream_has_ended_when_it_is_given() {
    run(async {
        let behind = json!([step(&["E", "5000"])]);
        let text = json!([{ "behind": behind, "raw": "O\n200\ntext\n0\n0\n0\nhello" }]);
        let worker = start(json!({ "/": text }), Objects::None).await?;
        assert_eq!(worker.send(&Request::new("GET", "/")).await?.body.text(), "hello");
        worker.lines().wait_for(0, Duration::from_secs(2), |line| line == ENDED).await?;
        is_quiet(&worker)
    });
}

#[test]
fn end_is_seen_where_there_is_no_answer() {
    run(async {
        // A step that cannot be done: the request is lost.
        let lost = json!([{ "behind": [step(&["E", "5000"])], "raw": "O\n999\nnone\n0\n0\n0" }]);
        let worker = start(json!({ "/": lost }), Objects::None).await?;
        assert_eq!(worker.send(&Request::new("GET", "/")).await?.status, 500);
        worker.lines().wait_for(0, Duration::from_secs(2), |line| line == ENDED).await?;
        Ok(())
    });
}

/// `hello`, compressed.
const GZIP: [u8; 25] =
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0, 0, 0];

#[test]
fn compressed_body_stays_as_it_is_also_where_its_end_is_seen() {
    run(async {
        let mut upstream = Upstream::start().await?;
        let url = format!("http://{}/", upstream.address());
        let fetch = step(&["F", "GET", &url, "none", "", "5000", "0", "", "1", "0", "0"]);
        let scripts = json!({
            "/watched": watched(&upstream, "/", "5000"),
            "/unseen": [fetch, { "raw": "A\n200\n{last}\n1\n0\n0" }],
            "/other": [fetch, { "raw": "O\n203\n{last}\n1\n0\n1\nx-a\n1" }],
        });
        let worker = start(scripts, Objects::None).await?;
        for path in ["/watched", "/unseen", "/other"] {
            let headers = FieldsForm(vec![("content-encoding".to_owned(), "gzip".to_owned())]);
            let body = AnswerBody::Whole(Content::Bytes(GZIP.to_vec()));
            upstream.script(vec![Answer { headers, body, ..Answer::default() }]).await?;
            let mut request = Request::new("GET", path);
            request.headers.0.push(("accept-encoding".to_owned(), "gzip".to_owned()));
            let response = worker.send(&request).await?;
            assert_eq!(response.body.start, GZIP, "{path}");
            assert_eq!(values(&response.headers, "content-length"), ["25"], "{path}");
            assert_eq!(values(&response.headers, "content-encoding"), ["gzip"], "{path}");
        }
        is_quiet(&worker)
    });
}

#[test]
fn answer_to_head_keeps_its_length() {
    run(async {
        let mut upstream = Upstream::start().await?;
        let url = format!("http://{}/", upstream.address());
        let fetch = step(&["F", "HEAD", &url, "none", "", "5000", "0", "", "1", "0", "0"]);
        let answer = json!({ "behind": [step(&["E", "5000"])], "raw": "O\n200\n{last}\n1\n0\n0" });
        let worker = start(json!({ "/": [fetch, answer] }), Objects::None).await?;
        let headers = FieldsForm(vec![("content-length".to_owned(), "50".to_owned())]);
        upstream.script(vec![Answer { headers, ..Answer::default() }]).await?;
        let response = worker.send(&Request::new("HEAD", "/")).await?;
        assert_eq!(values(&response.headers, "content-length"), ["50"]);
        worker.lines().wait_for(0, Duration::from_secs(2), |line| line == ENDED).await?;
        is_quiet(&worker)
    });
}

#[test]
fn websocket_has_ended_when_the_time_is_over() {
    run(async {
        let mut upstream = Upstream::start().await?;
        upstream.script(vec![Answer { websocket: true, ..Answer::default() }]).await?;
        let url = format!("http://{}/", upstream.address());
        let fetch = step(&["F", "GET", &url, "none", "", "5000", "1", "", "1", "0", "0"]);
        let answer = json!({ "behind": [step(&["E", "200"])], "raw": "O\n101\n{last}\n1\n0\n0" });
        let worker = start(json!({ "/": [fetch, answer] }), Objects::None).await?;
        let response = worker.send(&Request { websocket: Some("hi".to_owned()), ..Request::new("GET", "/") }).await?;
        assert_eq!((response.status, response.websocket.as_deref()), (101, Some("hi")));
        worker.lines().wait_for(0, PATIENCE, |line| line == ENDED).await?;
        Ok(())
    });
}
