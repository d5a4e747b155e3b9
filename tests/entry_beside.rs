//! What `src/cloudflare/entry.js` does when a task waits for several things at once, on workerd, with a script in the core's
//! place. It needs no built gateway.

#[path = "entry/talker.rs"]
mod talker;
#[path = "entry/worker.rs"]
mod worker;

use anyhow::{Result, bail, ensure};
use edgate_kit::running::Running;
use edgate_kit::scenario::Request;
use edgate_kit::seen::SeenResponse;
use edgate_kit::workerd::Objects;
use serde_json::{Value, json};
use std::pin::pin;
use std::time::{Duration, Instant};
use talker::Talker;
use tokio::task::LocalSet;
use worker::{PATIENCE, replies, start, step};

fn run(test: impl Future<Output = Result<()>>) {
    worker::run(LocalSet::new().run_until(test));
}

fn named(name: &str, mut step: Value) -> Value {
    step["as"] = name.into();
    step
}

/// A request of the gateway's own, with its name.
fn own(talker: &Talker, name: &str, path: &str) -> Value {
    within(talker, name, path, "5000")
}

fn within(talker: &Talker, name: &str, path: &str, timeout: &str) -> Value {
    let url = talker.url(path);
    named(name, step(&["F", "GET", &url, "none", "", timeout, "0", "", "0", "0", "0"]))
}

/// The same, with at most 1,000 bytes of its answer read along.
fn along(talker: &Talker, name: &str, path: &str, timeout: &str) -> Value {
    let url = talker.url(path);
    named(name, step(&["F", "GET", &url, "none", "", timeout, "0", "1000", "0", "0"]))
}

/// Reads the body of a response of that name.
fn read(name: &str, whose: &str) -> Value {
    named(name, step(&["B", &format!("{{{whose}}}"), "1000", "5000"]))
}

fn sleep(name: &str, ms: &str) -> Value {
    named(name, step(&["S", ms]))
}

fn many(steps: &[Value]) -> Value {
    json!({ "many": steps })
}

/// The answer with a response's body.
fn answer(name: &str, gone: &[&str]) -> Value {
    json!({ "raw": format!("A\n200\n{{{name}}}\n0\n0\n0"), "gone": gone })
}

/// Who was told of, in their order, and how it began.
fn who(replies: &[String]) -> Vec<&str> {
    replies.iter().map(|reply| reply.split('\n').next().unwrap_or_default()).collect()
}

async fn worker(scripts: Value) -> Result<Running> {
    start(scripts, Objects::None).await
}

/// Fails where the Worker complained of anything.
fn is_quiet(worker: &Running) -> Result<()> {
    let lines = worker.lines().since(0);
    ensure!(!lines.iter().any(|line| line.contains("rror") || line.contains("rejection")), "the log says {lines:#?}");
    Ok(())
}

/// Sends a request, and gives back its answer. These connections of its must have ended a while before that.
async fn send(worker: &Running, talker: &Talker, ended: &[&str]) -> Result<SeenResponse> {
    let request = Request::new("GET", "/");
    let mut answer = pin!(worker.send(&request));
    let all = async {
        for path in ended {
            talker.ended(path).await?;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        answer = &mut answer => bail!("it is answered before: {:?}", answer?),
        all = all => all?,
    }
    answer.await
}

async fn told(worker: &Running, talker: &Talker, ended: &[&str]) -> Result<Vec<String>> {
    let answer = send(worker, talker, ended).await?;
    let told: Vec<String> = serde_json::from_slice(&answer.body.start)?;
    Ok(told[1..].to_vec())
}

#[test]
fn two_requests_take_as_long_as_the_longer() {
    run(async {
        let talker = Talker::start().await?;
        let both = many(&[own(&talker, "long", "/500/l"), own(&talker, "short", "/400/s")]);
        let worker = worker(json!({ "/": [both, many(&[])] })).await?;
        let begun = Instant::now();
        assert_eq!(who(&replies(&worker, "/").await?), ["short: R", "long: R"]);
        ensure!(begun.elapsed() < Duration::from_millis(850), "it took {:?}", begun.elapsed());
        is_quiet(&worker)
    });
}

#[test]
fn six_are_under_way_at_once() {
    run(async {
        let talker = Talker::start().await?;
        let names = ["a", "b", "c", "d", "e", "f"];
        let all: Vec<Value> = names.iter().map(|name| own(&talker, name, &format!("/400/{name}"))).collect();
        let mut script = vec![many(&all)];
        script.resize(names.len(), many(&[]));
        script.push(many(&names.map(|name| read(&name.to_uppercase(), name))));
        script.resize(2 * names.len(), many(&[]));
        let worker = worker(json!({ "/": script })).await?;
        let begun = Instant::now();
        let told = replies(&worker, "/").await?;
        ensure!(begun.elapsed() < Duration::from_millis(1_200), "it took {:?}", begun.elapsed());
        assert_eq!(talker.most_open(), 6);
        let mut bodies = told[6..].to_vec();
        bodies.sort();
        assert_eq!(bodies, names.map(|name| format!("{}: B {:x}", name.to_uppercase(), name.as_bytes()[0])));
        is_quiet(&worker)
    });
}

#[test]
fn loser_of_a_race_is_broken_off() {
    run(async {
        let talker = Talker::start().await?;
        let both = many(&[own(&talker, "won", "/50/won"), own(&talker, "lost", "/hang"), sleep("sleep", "60000")]);
        let wait = json!({ "lines": ["S", "500"], "gone": ["lost", "sleep"] });
        let worker = worker(json!({ "/": [both, wait, answer("won", &[])] })).await?;
        for _ in 0..3 {
            let response = send(&worker, &talker, &["/hang"]).await?;
            assert_eq!((response.status, response.body.text().as_ref()), (200, "won"));
        }
        is_quiet(&worker)
    });
}

#[test]
fn response_that_comes_after_it_was_let_go_takes_nobodys_place() {
    run(async {
        let talker = Talker::start().await?;
        let both = many(&[own(&talker, "won", "/50/won"), own(&talker, "lost", "/100/lost/5000")]);
        let wait = json!({ "many": [sleep("sleep", "500")], "gone": ["lost"] });
        let worker = worker(json!({ "/": [both, wait, answer("won", &[])] })).await?;
        assert_eq!(send(&worker, &talker, &["/100/lost/5000"]).await?.body.text(), "won");
        is_quiet(&worker)
    });
}

#[test]
fn response_that_is_let_go_holds_no_connection() {
    run(async {
        let talker = Talker::start().await?;
        let (first, second) = ("/0/first/60000", "/0/second/60000");
        let both = many(&[own(&talker, "first", first), own(&talker, "second", second)]);
        let wait = json!({ "many": [sleep("sleep", "500")], "gone": ["first", "second"] });
        let script = json!([both, many(&[]), wait, own(&talker, "third", "/0/third"), answer("third", &[])]);
        let worker = worker(json!({ "/": script })).await?;
        assert_eq!(send(&worker, &talker, &[first, second]).await?.body.text(), "third");
        is_quiet(&worker)
    });
}

#[test]
fn bodies_are_read_beside_each_other() {
    run(async {
        let talker = Talker::start().await?;
        let both = many(&[own(&talker, "a", "/0/aa/400"), own(&talker, "b", "/0/bb/200")]);
        let reads = many(&[read("readA", "a"), read("readB", "b"), read("again", "a")]);
        let worker = worker(json!({ "/": [both, many(&[]), reads, many(&[]), many(&[])] })).await?;
        let begun = Instant::now();
        let told = replies(&worker, "/").await?;
        ensure!(begun.elapsed() < Duration::from_millis(850), "it took {:?}", begun.elapsed());
        assert!(told[2].starts_with("again: E\nother\n"), "a body is read once: {told:?}");
        assert_eq!(told[3..], ["readB: B 6262", "readA: B 6161"]);
        is_quiet(&worker)
    });
}

#[test]
fn reading_is_broken_off() {
    run(async {
        let talker = Talker::start().await?;
        let both = many(&[read("read", "a"), sleep("sleep", "100")]);
        let wait = json!({ "many": [sleep("later", "500")], "gone": ["read"] });
        let worker = worker(json!({ "/": [own(&talker, "a", "/0/aa/60000"), both, wait] })).await?;
        let told = told(&worker, &talker, &["/0/aa/60000"]).await?;
        assert_eq!(who(&told), ["a: R", "sleep: V", "later: V"]);
        is_quiet(&worker)
    });
}

#[test]
fn request_that_takes_too_long_is_broken_off_alone() {
    run(async {
        let talker = Talker::start().await?;
        let both = many(&[within(&talker, "late", "/hang", "100"), own(&talker, "fine", "/600/fine")]);
        let worker = worker(json!({ "/": [both, many(&[]), read("read", "fine")] })).await?;
        let told = told(&worker, &talker, &["/hang"]).await?;
        assert_eq!(who(&told), ["late: E", "fine: R", "read: B 66696e65"]);
        assert!(told[0].starts_with("late: E\ntimeout\n"), "{told:?}");
        is_quiet(&worker)
    });
}

#[test]
fn failure_of_one_is_no_failure_of_the_others() {
    run(async {
        let talker = Talker::start().await?;
        let refused =
            named("refused", step(&["F", "GET", "http://127.0.0.1:1/", "none", "", "5000", "0", "", "0", "0", "0"]));
        let url = talker.url("/0/x");
        let bad = named("bad", step(&["F", "GET", &url, "none", "", "5000", "0", "", "0", "0", "1", "a b", "c"]));
        let key = named("key", step(&["C", "EdDSA", "unknown", "", "0"]));
        let jwk = named("jwk", json!({ "lines": ["C", "EdDSA", "", "{", "0"], "bytes": "00" }));
        let all = [refused, bad, named("key", key), jwk, named("store", step(&["G", "NOWHERE", "k"]))];
        let all: Vec<Value> = all.into_iter().chain([own(&talker, "fine", "/400/fine")]).collect();
        let mut script = vec![many(&all)];
        script.resize(all.len(), many(&[]));
        script.push(answer("fine", &[]));
        let told = {
            let mut all = script.clone();
            all.pop();
            all
        };
        let worker = worker(json!({ "/": script, "/told": told })).await?;
        assert_eq!(worker.send(&Request::new("GET", "/")).await?.body.text(), "fine");
        let mut told = replies(&worker, "/told").await?;
        assert!(told.pop().is_some_and(|last| last.starts_with("fine: R\n200\n")));
        told.sort();
        let begins = [
            "bad: E\nother\n",
            "jwk: E\nother\n",
            "key: E\nunknown-key\n",
            "refused: E\ndisconnected\n",
            "store: E\ndenied\n",
        ];
        assert!(told.iter().zip(begins).all(|(told, begin)| told.starts_with(begin)), "{told:#?}");
        Ok(())
    });
}

#[test]
fn reply_that_waits_for_its_turn_is_forgotten_with_its_operation() {
    run(async {
        let talker = Talker::start().await?;
        // Both are known at once: there is no such body.
        let both = many(&[read("first", "nobody"), read("second", "nobody")]);
        let wait = json!({ "many": [sleep("sleep", "20")], "gone": ["second"] });
        let worker = worker(json!({ "/": [both, wait, own(&talker, "a", "/0/a")] })).await?;
        assert_eq!(who(&replies(&worker, "/").await?), ["first: E", "sleep: V", "a: R"]);
        is_quiet(&worker)
    });
}

#[test]
fn body_goes_to_what_goes_on_behind() {
    run(async {
        let talker = Talker::start().await?;
        let both = many(&[own(&talker, "a", "/0/aa/200"), own(&talker, "b", "/0/bb")]);
        let behind = [many(&[read("read", "a"), sleep("sleep", "50")]), many(&[])];
        let script = json!([both, many(&[]), { "behind": behind, "raw": "A\n200\n{b}\n0\n0\n0" }]);
        let worker = worker(json!({ "/": script })).await?;
        assert_eq!(worker.send(&Request::new("GET", "/")).await?.body.text(), "bb");
        let told = r#"behind: ["sleep: V\n0","read: B 6161"]"#;
        worker.lines().wait_for(0, PATIENCE, |line| line == told).await?;
        is_quiet(&worker)
    });
}

#[test]
fn end_of_the_instance_ends_what_is_under_way() {
    run(async {
        let talker = Talker::start().await?;
        let beside = many(&[own(&talker, "a", "/hang?a"), sleep("sleep", "400")]);
        let other = many(&[own(&talker, "b", "/hang?b"), own(&talker, "c", "/600/c"), sleep("sleep", "60000")]);
        let behind = json!([many(&[own(&talker, "d", "/hang?d"), own(&talker, "e", "/700/e")]), many(&[])]);
        let scripts = json!({
            "/trap": [beside, { "trap": "a trap" }],
            "/other": [other, many(&[])],
            "/behind": [{ "behind": behind, "raw": "A\n200\nnone\n0\n0\n0" }],
            "/long": [sleep("sleep", "1"), sleep("sleep", "1"), own(&talker, "z", "/1000/z"), answer("z", &[])],
        });
        let worker = worker(scripts).await?;
        assert_eq!(worker.send(&Request::new("GET", "/behind")).await?.status, 200);
        let (trap, other) = (Request::new("GET", "/trap"), Request::new("GET", "/other"));
        let (trap, other) = tokio::join!(worker.send(&trap), worker.send(&other));
        assert_eq!((trap?.status, other?.status), (500, 500));
        // The next instance has operations of the same numbers.
        assert_eq!(worker.send(&Request::new("GET", "/long")).await?.body.text(), "z");
        for path in ["/hang?a", "/hang?b", "/hang?d"] {
            talker.ended(path).await?;
        }
        talker.is_quiet().await
    });
}

#[test]
fn body_is_read_along() {
    run(async {
        let talker = Talker::start().await?;
        let path = &format!("/1/{}", "l".repeat(1_001));
        let all = many(&[along(&talker, "a", "/300/ab/50", "5000"), along(&talker, "b", path, "5000")]);
        let rest = many(&[read("c", "b")]);
        let worker = worker(json!({ "/": [all, many(&[]), rest] })).await?;
        // One that is longer is left to be read, where it is found to be too long.
        let told = replies(&worker, "/").await?;
        assert_eq!(who(&told), ["b: R", "a: R", "c: E"]);
        ensure!(told[0].starts_with("b: R\n200\n1") && told[1].starts_with("a: R\n200\n2"), "{told:?}");
        ensure!(told[1].ends_with(" 6162") && told[2] == "c: E\nbody-too-large\n", "{told:?}");
        is_quiet(&worker)
    });
}

#[test]
fn what_happens_to_a_body_that_is_read_along_happens_to_the_body() {
    run(async {
        let talker = Talker::start().await?;
        let all = many(&[along(&talker, "late", "/1/ab/60000", "200"), along(&talker, "hang", "/hang", "300")]);
        let rest = many(&[read("body", "late")]);
        let worker = worker(json!({ "/": [all, many(&[]), rest] })).await?;
        let told = send_and_tell(&worker, &talker).await?;
        ensure!(told[0].starts_with("late: R\n200\n1"), "{told:?}");
        assert_eq!(told[1..], ["hang: E\ntimeout\nno answer in time", "body: E\ntimeout\n"]);
        is_quiet(&worker)
    });
}

/// What was told, when all connections have ended.
async fn send_and_tell(worker: &Running, talker: &Talker) -> Result<Vec<String>> {
    let told = replies(worker, "/").await?;
    talker.is_quiet().await?;
    Ok(told)
}
