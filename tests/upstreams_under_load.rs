//! Many clients at once, on both platforms, while one target after the other fails, each in another way: no request that
//! may be repeated is lost, and when all is over, all targets get requests again.

#[path = "replay/start.rs"]
mod start;

use anyhow::{Context, Result, ensure};
use edgate_kit::running::{Deployment, Running};
use edgate_kit::scenario::answer::{Answer, AnswerBody, Fault};
use edgate_kit::scenario::content::{Content, RequestBody};
use edgate_kit::scenario::{HostName, Request};
use edgate_kit::upstream::Upstream;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// Each client waits for its answer, so this many requests are under way at once.
const CLIENTS: usize = 12;

/// How long each target fails, and how long all is well after that.
const PHASE: Duration = Duration::from_millis(1_500);

/// More than any target is asked in a phase.
const MANY: usize = 20_000;

fn run(test: impl Future<Output = Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if let Err(error) = runtime.block_on(test) {
        panic!("{error:#}");
    }
}

async fn gateway(host: HostName, targets: &[Upstream]) -> Result<Running> {
    let urls: Vec<String> = targets.iter().map(|target| format!("http://{}", target.address())).collect();
    let upstream = json!({
        "targets": urls, "timeout": "500ms", "retry": { "backoff": "20ms" }, "breaker": { "failures": 3, "open": "1s" },
    });
    let bindings = vec![
        ("UPSTREAM_ORDERS".to_owned(), upstream),
        ("ROUTE_ALL".to_owned(), json!({ "match": { "path": "/{*rest}" }, "upstream": "orders" })),
    ];
    let deployment = Deployment { bindings, ..Deployment::default() };
    start::start(host, &deployment, urls).await
}

fn well(name: usize) -> Answer {
    let body = AnswerBody::Whole(Content::Bytes(format!("target {name}").into_bytes()));
    Answer { body, ..Answer::default() }
}

async fn set(target: &mut Upstream, answer: Answer) -> Result<()> {
    target.script(vec![answer; MANY]).await
}

/// Asks until it is told to stop. Gives back the targets that answered.
async fn client(
    number: usize,
    address: std::net::SocketAddr,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU32>,
) -> Result<BTreeSet<String>> {
    let mut seen = BTreeSet::new();
    while !stop.load(Ordering::Relaxed) {
        let turn = count.fetch_add(1, Ordering::Relaxed);
        let (method, body) = match number % 3 {
            0 => ("PUT", Some(RequestBody { content: Content::Generated(2_000), chunked: false })),
            _ => ("GET", None),
        };
        let request = Request { body, ..Request::new(method, &format!("/{number}/{turn}")) };
        let response = edgate_kit::client::send(address, &request).await?;
        ensure!(response.status == 200, "{method} /{number}/{turn}: {response:?}");
        seen.insert(response.body.text().into_owned());
    }
    Ok(seen)
}

async fn loses_nothing(host: HostName) -> Result<()> {
    let mut targets = Vec::new();
    for name in 0..3 {
        let mut target = Upstream::start().await?;
        set(&mut target, well(name)).await?;
        targets.push(target);
    }
    let gateway = gateway(host, &targets).await?;
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(client(number, gateway.address(), Arc::clone(&stop), Arc::clone(&count)));
    }
    let fault = |fault| Answer { fault: Some(fault), ..Answer::default() };
    let failures = [fault(Fault::Close), fault(Fault::Hang), Answer { status: 503, ..Answer::default() }];
    for (position, failure) in failures.into_iter().chain([fault(Fault::Refuse)]).enumerate() {
        let name = position % targets.len();
        set(&mut targets[name], failure).await?;
        tokio::time::sleep(PHASE).await;
        set(&mut targets[name], well(name)).await?;
        tokio::time::sleep(PHASE).await;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.context("a client")??;
    }
    ensure!(count.load(Ordering::Relaxed) > 500, "only {} requests", count.load(Ordering::Relaxed));
    // All are well: a few requests meet each of them.
    let mut seen = BTreeSet::new();
    for number in 0..60 {
        let response = gateway.send(&Request::new("GET", &format!("/after/{number}"))).await?;
        ensure!(response.status == 200, "afterwards: {response:?}");
        seen.insert(response.body.text().into_owned());
    }
    ensure!(seen.len() == 3, "only {seen:?} get requests again");
    let lines = gateway.lines().since(0);
    let cry = lines.iter().find(|line| line.contains("panicked") || line.contains("RuntimeError"));
    ensure!(cry.is_none(), "the log says: {cry:?}");
    Ok(())
}

#[test]
fn workerd_loses_no_idempotent_request_while_targets_fail() {
    run(loses_nothing(HostName::Workerd));
}

#[test]
fn spin_loses_no_idempotent_request_while_targets_fail() {
    run(loses_nothing(HostName::Spin));
}
