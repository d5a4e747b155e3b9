//! Many clients at once, on both platforms, while the upstream breaks in every way: each answer is a documented one,
//! nothing hangs, nothing panics, and afterwards all is well. And: large bodies pass with flat memory.

#[path = "replay/start.rs"]
mod start;

use anyhow::{Context, Result, ensure};
use edgate_kit::running::{Deployment, Running};
use edgate_kit::scenario::answer::{Answer, AnswerBody, Fault};
use edgate_kit::scenario::content::{Content, RequestBody};
use edgate_kit::scenario::{HostName, Request};
use edgate_kit::seen::{End, SeenResponse};
use edgate_kit::upstream::Upstream;
use serde_json::json;
use std::time::Duration;
use tokio::task::JoinSet;

/// Each client waits for its answer, so this many requests are under way at once.
const CLIENTS: usize = 32;
const REQUESTS_OF_EACH: usize = 12;

fn run(test: impl Future<Output = Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if let Err(error) = runtime.block_on(test) {
        panic!("{error:#}");
    }
}

async fn gateway(host: HostName, upstream: &Upstream) -> Result<Running> {
    let bindings = vec![
        ("EDGATE".to_owned(), json!({ "max_body": "1 GB" })),
        ("UPSTREAM_ORDERS".to_owned(), json!({ "url": format!("http://{}", upstream.address()), "timeout": "400ms" })),
        ("UPSTREAM_PATIENT".to_owned(), json!({ "url": format!("http://{}", upstream.address()), "timeout": "60s" })),
        ("ROUTE_ALL".to_owned(), json!({ "match": { "path": "/{*rest}" }, "upstream": "orders" })),
        ("ROUTE_LARGE".to_owned(), json!({ "match": { "path": "/large" }, "upstream": "patient", "deadline": "60s" })),
        ("ROUTE_FIXED".to_owned(), json!({ "match": { "path": "/" }, "respond": { "body": "fixed" } })),
    ];
    let deployment = Deployment { bindings, ..Deployment::default() };
    start::start(host, &deployment, vec![format!("http://{}", upstream.address())]).await
}

/// What the upstream does, one after the other, whoever asks.
fn misbehaviour() -> Vec<Answer> {
    let whole = |text: &str| AnswerBody::Whole(Content::Bytes(text.as_bytes().to_vec()));
    let chunks = AnswerBody::Chunks { chunks: vec!["a".into(), "b".into()], every: Duration::from_millis(5) };
    let fault = |fault| Answer { fault: Some(fault), ..Answer::default() };
    let cycle = [
        Answer { body: whole("fine"), ..Answer::default() },
        fault(Fault::Close),
        fault(Fault::Reset),
        Answer { body: whole("slow"), delay: Some(Duration::from_millis(100)), ..Answer::default() },
        fault(Fault::BadStatusLine),
        fault(Fault::Hang),
        Answer { status: 503, body: whole("busy"), ..Answer::default() },
        Answer { body: chunks.clone(), ..Answer::default() },
        Answer { body: chunks, fault: Some(Fault::ResetMidBody), ..Answer::default() },
        Answer { body: whole("short"), fault: Some(Fault::Short), ..Answer::default() },
    ];
    cycle.into_iter().cycle().take(CLIENTS * REQUESTS_OF_EACH).collect()
}

/// What each of those must come to. Which client gets which is up to chance.
fn is_documented(response: &SeenResponse) -> bool {
    let text = response.body.text();
    let whole = matches!(response.end, End::Complete);
    match response.status {
        200 if whole => ["fine", "slow", "ab", "fixed"].contains(&&*text),
        200 => ["a", "ab", "short", ""].contains(&&*text),
        503 => whole && text == "busy",
        502 => whole && text.contains("\"code\":\"upstream-failed\""),
        504 => whole && text.contains("\"code\":\"upstream-timeout\""),
        _ => false,
    }
}

async fn breaks_under_load(host: HostName) -> Result<()> {
    let mut upstream = Upstream::start().await?;
    upstream.script(misbehaviour()).await?;
    let gateway = gateway(host, &upstream).await?;
    let address = gateway.address();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(async move {
            for number in 0..REQUESTS_OF_EACH {
                // Every fourth client asks for what needs no upstream: it must not suffer.
                let target = if client % 4 == 3 { "/".to_owned() } else { format!("/{client}/{number}") };
                let response = edgate_kit::client::send(address, &Request::new("GET", &target)).await?;
                ensure!(is_documented(&response), "{target}: {response:?}");
                ensure!(target != "/" || response.body.text() == "fixed", "the fixed answer: {response:?}");
            }
            Ok(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client.context("a client")??;
    }
    let patience = Duration::from_millis(100);
    upstream.take_seen(usize::MAX, patience).await;
    // Killed: nothing listens any more. Then it is back.
    let refuse = || Answer { fault: Some(Fault::Refuse), ..Answer::default() };
    upstream.script(std::iter::repeat_with(refuse).take(CLIENTS).collect()).await?;
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(async move {
            edgate_kit::client::send(address, &Request::new("GET", &format!("/killed/{client}"))).await
        });
    }
    while let Some(response) = clients.join_next().await {
        let response = response.context("a client")??;
        ensure!(response.status == 502 && is_documented(&response), "killed: {response:?}");
    }
    upstream
        .script(vec![Answer { body: AnswerBody::Whole(Content::Bytes(b"well".to_vec())), ..Answer::default() }])
        .await?;
    let response = gateway.send(&Request::new("GET", "/afterwards")).await?;
    ensure!(response.status == 200 && response.body.text() == "well", "afterwards: {response:?}");
    // The record of the last request is the last: then all are there.
    gateway.lines().wait_for(0, Duration::from_secs(5), |line| line.contains("\"/afterwards\"")).await?;
    let lines = gateway.lines().since(0);
    let cry = lines
        .iter()
        .find(|line| line.contains("panicked") || line.contains("RuntimeError") || line.contains("wasm trap"));
    ensure!(cry.is_none(), "the log says: {cry:?}");
    let records = lines.iter().filter(|line| line.contains("\"kind\":\"access\"")).count();
    ensure!(records == CLIENTS * (REQUESTS_OF_EACH + 1) + 1, "{records} access records");
    Ok(())
}

#[test]
fn workerd_gives_documented_answers_while_the_upstream_breaks() {
    run(breaks_under_load(HostName::Workerd));
}

#[test]
fn spin_gives_documented_answers_while_the_upstream_breaks() {
    run(breaks_under_load(HostName::Spin));
}

const LARGE: u64 = 200_000_000;

/// More than buffers, less than a tenth of the body.
const MEMORY_KB: u64 = 100_000;

async fn stays_flat(host: HostName) -> Result<()> {
    let mut upstream = Upstream::start().await?;
    let large = || AnswerBody::Whole(Content::Generated(LARGE));
    upstream.script(vec![Answer::default(), Answer { body: large(), ..Answer::default() }, Answer::default()]).await?;
    let gateway = gateway(host, &upstream).await?;
    let warm = gateway.send(&Request::new("GET", "/warm")).await?;
    ensure!(warm.status == 200, "{warm:?}");
    let before = peak_kb(&gateway)?;
    let down = gateway.send(&Request::new("GET", "/large")).await?;
    ensure!(
        down.status == 200 && down.body.length == LARGE && down.body.is_generated,
        "down: {} bytes",
        down.body.length
    );
    let body = |chunked| Some(RequestBody { content: Content::Generated(LARGE), chunked });
    let mut up = Request::new("PUT", "/large");
    up.body = body(false);
    let answer = gateway.send(&up).await?;
    ensure!(answer.status == 200, "up: {answer:?}");
    upstream.script(vec![Answer::default()]).await?;
    up.body = body(true);
    let answer = gateway.send(&up).await?;
    ensure!(answer.status == 200, "up in chunks: {answer:?}");
    let seen = upstream.take_seen(4, Duration::from_secs(5)).await;
    let received: Vec<u64> = seen.iter().map(|request| request.body.length).collect();
    ensure!(received == [0, 0, LARGE, LARGE], "the upstream received {received:?} bytes");
    let grown = peak_kb(&gateway)?.saturating_sub(before);
    ensure!(grown < MEMORY_KB, "memory grew by {grown} KB while 600 MB passed");
    Ok(())
}

/// The most memory a gateway's process ever had, in KB.
fn peak_kb(gateway: &Running) -> Result<u64> {
    let id = gateway.process_id().context("the gateway has ended")?;
    let status =
        std::fs::read_to_string(format!("/proc/{id}/status")).context("memory is read from /proc, on Linux")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    line.trim().trim_end_matches(" kB").parse().context("VmHWM is no number")
}

#[test]
#[cfg(target_os = "linux")]
fn large_bodies_pass_through_workerd_with_flat_memory() {
    run(stays_flat(HostName::Workerd));
}

#[test]
#[cfg(target_os = "linux")]
fn large_bodies_pass_through_spin_with_flat_memory() {
    run(stays_flat(HostName::Spin));
}
