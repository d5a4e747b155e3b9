//! Limits on workerd, with Durable Objects: exactly as many requests as there may be, whatever happens to the processes;
//! and counters that clean up, are spoilt, and outlive the wasm.

#[path = "replay/workers.rs"]
mod workers;

use anyhow::{Context, Result, ensure};
use edgate_kit::client::{self, Connection};
use edgate_kit::crowd::together;
use edgate_kit::running::Deployment;
use edgate_kit::scenario::answer::{Answer, AnswerBody};
use edgate_kit::scenario::content::Content;
use edgate_kit::scenario::{Abandon, Request};
use edgate_kit::upstream::Upstream;
use edgate_kit::workerd::Workerd;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const CLIENTS: usize = 64;
const PATIENCE: Duration = Duration::from_secs(10);

fn run(test: impl Future<Output = Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if let Err(error) = runtime.block_on(test) {
        panic!("{error:#}");
    }
}

/// A gateway with one limit, whose answers are its own.
fn limited(limit: Value) -> Deployment {
    let respond = json!({ "match": { "path": ["/", "/{*rest}"] }, "limits": ["all"], "respond": { "body": "fine" } });
    let bindings = vec![("LIMIT_ALL".to_owned(), limit), ("ROUTE_ALL".to_owned(), respond)];
    Deployment { bindings, ..Deployment::default() }
}

/// So many requests in all. A machine that is busy may take its time.
fn quota(limit: usize) -> Value {
    json!({ "quota": format!("{limit}/24h"), "key": "global", "on_failure": "deny", "timeout": "10s" })
}

/// The same, whose answers are those of an upstream.
fn proxied(limit: Value, upstream: &Upstream) -> Deployment {
    let mut deployment = limited(limit);
    let route =
        json!({ "match": { "path": ["/", "/{*rest}"] }, "limits": ["all"], "upstream": "orders", "websocket": true });
    let upstream = json!({ "url": format!("http://{}", upstream.address()) });
    deployment.bindings.truncate(1);
    deployment.bindings.extend([("ROUTE_ALL".to_owned(), route), ("UPSTREAM_ORDERS".to_owned(), upstream)]);
    deployment
}

/// How often there was which status.
type Statuses = BTreeMap<u16, usize>;

/// Has many clients send so many requests in all, to these addresses in turn.
async fn crowd(addresses: &[SocketAddr], requests: usize) -> Result<Statuses> {
    let left = Arc::new(AtomicUsize::new(requests));
    let clients = (0..CLIENTS).map(|client| {
        let (address, left) = (addresses[client % addresses.len()], Arc::clone(&left));
        async move {
            let mut connection = Connection::open(address).await?;
            let mut statuses = Vec::new();
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                statuses.push(connection.send(&Request::new("GET", "/")).await?.status);
            }
            Ok(statuses)
        }
    });
    let mut statuses = Statuses::new();
    for status in together(clients).await?.concat() {
        *statuses.entry(status).or_default() += 1;
    }
    Ok(statuses)
}

/// Fails where a Worker said that something went wrong that nobody looked at.
fn is_quiet(worker: &Workerd) -> Result<()> {
    let cries = ["panicked", "RuntimeError", "ncaught", "nhandled", "wasm trap", "ReferenceError", "TypeError"];
    let lines = worker.lines().since(0);
    let cry = lines.iter().find(|line| cries.iter().any(|cry| line.contains(cry)));
    ensure!(cry.is_none(), "the log says {cry:?}");
    Ok(())
}

#[test]
fn exactly_as_many_are_admitted_as_may_be() {
    run(async {
        for limit in [1, 100, 1_000] {
            let worker = Workerd::start(&workers::options()?, &limited(quota(limit))).await?;
            let statuses = crowd(&[worker.address()], 2 * limit + CLIENTS).await?;
            ensure!(statuses == Statuses::from([(200, limit), (429, limit + CLIENTS)]), "{limit}: {statuses:?}");
            is_quiet(&worker)?;
        }
        Ok(())
    });
}

#[test]
fn exactly_as_many_are_admitted_by_several_processes_together() {
    run(async {
        for limit in [1, 100, 1_000] {
            let all = Workerd::start_several(&workers::options()?, &limited(quota(limit)), 3).await?;
            let addresses: Vec<SocketAddr> = all.iter().map(Workerd::address).collect();
            let statuses = crowd(&addresses, 2 * limit + CLIENTS).await?;
            ensure!(statuses == Statuses::from([(200, limit), (429, limit + CLIENTS)]), "{limit}: {statuses:?}");
            all.iter().try_for_each(is_quiet)?;
        }
        Ok(())
    });
}

#[test]
fn blocks_of_several_processes_are_never_more_than_the_limit() {
    run(async {
        for limit in [1, 100, 1_000] {
            let mut quota = quota(limit);
            quota["accuracy"] = json!("leased");
            let all = Workerd::start_several(&workers::options()?, &limited(quota), 3).await?;
            let addresses: Vec<SocketAddr> = all.iter().map(Workerd::address).collect();
            let statuses = crowd(&addresses, 3 * limit + CLIENTS).await?;
            let admitted = statuses.get(&200).copied().unwrap_or_default();
            // What a block has left when the others are refused comes back later.
            ensure!(admitted <= limit && admitted * 10 >= limit * 8, "{limit}: {statuses:?}");
            all.iter().try_for_each(is_quiet)?;
        }
        Ok(())
    });
}

#[test]
fn count_stays_when_workerd_is_killed_in_the_middle() {
    run(async {
        let mut worker = Workerd::start(&workers::options()?, &limited(quota(100))).await?;
        ensure!(crowd(&[worker.address()], 70).await? == Statuses::from([(200, 70)]));
        worker.restart().await?;
        let statuses = crowd(&[worker.address()], 100).await?;
        ensure!(statuses == Statuses::from([(200, 30), (429, 70)]), "{statuses:?}");
        worker.restart().await?;
        ensure!(crowd(&[worker.address()], 10).await? == Statuses::from([(429, 10)]));
        is_quiet(&worker)
    });
}

#[test]
fn counters_that_are_killed_under_load_admit_no_more_and_forget_nothing() {
    run(async {
        const LIMIT: usize = 2_000;
        let mut all = Workerd::start_several(&workers::options()?, &limited(quota(LIMIT)), 3).await?;
        let addresses: Vec<SocketAddr> = all[1..].iter().map(Workerd::address).collect();
        let admitted = Arc::new(AtomicUsize::new(0));
        let clients = (0..CLIENTS).map(|client| {
            let (address, admitted) = (addresses[client % addresses.len()], Arc::clone(&admitted));
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await?;
                let mut unanswered = 0;
                loop {
                    match connection.send(&Request::new("GET", "/")).await?.status {
                        200 => admitted.fetch_add(1, Ordering::Relaxed),
                        429 => return Ok(unanswered),
                        503 => {
                            unanswered += 1;
                            tokio::time::sleep(Duration::from_millis(20)).await;
                            0
                        }
                        status => anyhow::bail!("an answer {status}"),
                    };
                }
            })
        });
        let clients: Vec<_> = clients.collect();
        for part in [4, 2] {
            let begin = Instant::now();
            while admitted.load(Ordering::Relaxed) < LIMIT / part {
                ensure!(begin.elapsed() < PATIENCE, "only {} were admitted", admitted.load(Ordering::Relaxed));
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            all[0].restart().await?;
        }
        let mut unanswered = 0;
        for client in clients {
            let client: Result<usize> = client.await.context("a client")?;
            unanswered += client?;
        }
        let admitted = admitted.load(Ordering::Relaxed);
        // One that was counted while workerd died may have got no answer.
        ensure!(unanswered > 0, "nobody noticed");
        ensure!(admitted <= LIMIT && admitted + unanswered >= LIMIT, "{admitted} of {LIMIT}, {unanswered} unanswered");
        Ok(())
    });
}

/// Waits until the gateway admits one more request.
async fn admits(worker: &Workerd) -> Result<bool> {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(3) {
        if client::send(worker.address(), &Request::new("GET", "/")).await?.status == 200 {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(false)
}

fn chunks(count: usize) -> Answer {
    let body = AnswerBody::Chunks { chunks: vec!["hi".to_owned(); count], every: Duration::from_millis(20) };
    Answer { body, ..Answer::default() }
}

#[test]
fn what_is_held_comes_back_with_the_end_of_the_answer() {
    run(async {
        let mut upstream = Upstream::start().await?;
        let limit = json!({ "concurrency": 1, "key": "global", "lease": "60s", "on_failure": "deny" });
        let worker = Workerd::start(&workers::options()?, &proxied(limit, &upstream)).await?;
        let address = worker.address();
        let whole = || Answer { body: AnswerBody::Whole(Content::Bytes(b"whole".to_vec())), ..Answer::default() };
        for (abandon, long) in [(None, chunks(20)), (Some(Abandon::AfterHead), chunks(1_000)), (None, whole())] {
            upstream.script(vec![Answer { delay: Some(Duration::from_millis(200)), ..long }, whole()]).await?;
            let slow = tokio::spawn(async move {
                client::send(address, &Request { abandon, ..Request::new("GET", "/slow") }).await
            });
            while upstream.take_seen(1, PATIENCE).await.first().context("no request came")?.target != "/slow" {}
            let refused = client::send(address, &Request::new("GET", "/refused")).await?;
            ensure!(refused.status == 429, "{abandon:?}: {}", refused.status);
            ensure!(slow.await??.status == 200);
            ensure!(admits(&worker).await?, "{abandon:?}: it is still held");
        }
        is_quiet(&worker)
    });
}

/// What a counter does, by the door.
async fn at_door(worker: &Workerd, name: &str, act: &str, ask: &str) -> Result<Value> {
    let ask: String = ask.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let path = format!("/counter?name={name}&act={act}&ask={ask}");
    let response = client::send(worker.address(), &Request::new("GET", &path)).await?;
    serde_json::from_slice(&response.body.start).with_context(|| response.body.text().into_owned())
}

async fn with_door() -> Result<Workerd> {
    Workerd::start(&workers::with_door()?, &limited(quota(1_000))).await
}

#[test]
fn counter_that_says_nothing_any_more_leaves_nothing() {
    run(async {
        let worker = with_door().await?;
        let nothing = json!({ "kept": [], "alarm": null });
        let look = at_door(&worker, "new", "count", "look 1 bucket 10 1000 10").await?;
        ensure!(look == "0 10 0 0 0 0" || look.to_string().starts_with("\"0 10 0 0"), "{look}");
        ensure!(at_door(&worker, "new", "kept", "").await? == nothing, "to be looked at leaves nothing");
        at_door(&worker, "a", "count", "take 5 5 bucket 10 1000 10").await?;
        let kept = at_door(&worker, "a", "kept", "").await?;
        ensure!(kept["kept"][0][0] == "counter" && kept["alarm"].is_u64(), "{kept}");
        let begin = Instant::now();
        while at_door(&worker, "a", "kept", "").await? != nothing {
            ensure!(begin.elapsed() < PATIENCE, "it stays: {}", at_door(&worker, "a", "kept", "").await?);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        ensure!(begin.elapsed() > Duration::from_millis(300), "it was gone too early");
        let again = at_door(&worker, "a", "count", "take 10 10 bucket 10 1000 10").await?;
        ensure!(again.to_string().starts_with("\"10 0 "), "{again}");
        ensure!(at_door(&worker, "a", "kept", "").await? != nothing);
        is_quiet(&worker)
    });
}

#[test]
fn counter_that_was_spoilt_says_so_and_begins_anew() {
    run(async {
        let worker = with_door().await?;
        for (number, spoilt) in ["", "0", "x y z", "99999999999999999999 b 1", "NaN ", "9 \u{1}"].iter().enumerate() {
            let name = format!("spoilt-{number}");
            at_door(&worker, &name, "count", "take 7 7 bucket 10 60000 10").await?;
            at_door(&worker, &name, "keep", spoilt).await?;
            let answer = at_door(&worker, &name, "count", "take 10 10 bucket 10 60000 10").await?;
            let answer = answer.as_str().context("it is a line")?.to_owned();
            ensure!(answer.starts_with("10 0 ") && answer.ends_with(" 1"), "{spoilt:?}: {answer}");
            let answer = at_door(&worker, &name, "count", "take 1 1 bucket 10 60000 10").await?;
            ensure!(answer.to_string().starts_with("\"0 0 ") && answer.to_string().ends_with(" 0\""), "{answer}");
        }
        let question = at_door(&worker, "b", "count", "give me all").await?;
        ensure!(question == "Error: a question that cannot be read", "{question}");
        Ok(())
    });
}

#[test]
fn counters_and_requests_go_on_when_the_wasm_has_ended() {
    run(async {
        let worker = with_door().await?;
        let fine = async || client::send(worker.address(), &Request::new("GET", "/")).await.map(|fine| fine.status);
        ensure!(fine().await? == 200);
        at_door(&worker, "a", "count", "take 3 3 within 1000000 1000 60000").await?;
        let trap = at_door(&worker, "a", "trap", "take 2 2 within 1000000 1000 60000").await?;
        ensure!(trap["error"] == "RuntimeError: unreachable" && trap["instances"] == 1, "the wasm did not end: {trap}");
        ensure!(trap["answer"].as_str().is_some_and(|answer| answer.starts_with("2 999995 ")), "{trap}");
        // The next instance has been told everything again.
        for _ in 0..3 {
            ensure!(fine().await? == 200);
        }
        Ok(())
    });
}
