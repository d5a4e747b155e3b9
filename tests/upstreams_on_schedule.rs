//! Health on a schedule, on workerd with the platform's own event: targets are asked at their time, instances find what came
//! of it in the store, and a wasm that has just begun does it as well.

#[path = "replay/start.rs"]
mod start;

use anyhow::{Result, bail, ensure};
use edgate_kit::running::{Deployment, Running};
use edgate_kit::scenario::answer::{Answer, Fault};
use edgate_kit::scenario::{HostName, Request};
use edgate_kit::upstream::Upstream;
use edgate_kit::workerd::Workerd;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const MINUTE: u64 = 60_000;

/// 2026-01-01T00:00:00Z.
const BEGIN: u64 = 1_767_225_600_000;

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(5);

fn run(test: impl Future<Output = Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if let Err(error) = runtime.block_on(test) {
        panic!("{error:#}");
    }
}

async fn gateway(targets: &[Upstream], health: Value) -> Result<Workerd> {
    let urls: Vec<String> = targets.iter().map(|target| format!("http://{}", target.address())).collect();
    let upstream = json!({ "targets": urls, "balance": "in_order", "health": health });
    let bindings = vec![
        ("EDGATE".to_owned(), json!({ "store": "STATE", "targets": ["cloudflare"] })),
        ("UPSTREAM_ORDERS".to_owned(), upstream),
        ("ROUTE_ALL".to_owned(), json!({ "match": { "path": "/{*rest}" }, "upstream": "orders" })),
    ];
    let stores = BTreeMap::from([("STATE".to_owned(), BTreeMap::new())]);
    let deployment = Deployment { bindings, stores, scheduled: true, ..Deployment::default() };
    match start::start(HostName::Workerd, &deployment, urls).await? {
        Running::Workerd(workerd) => Ok(workerd),
        Running::Spin(_) => bail!("it is no workerd"),
    }
}

fn answers(status: u16) -> Answer {
    Answer { status, ..Answer::default() }
}

/// What the target was asked for, and nothing else.
async fn seen(target: &Upstream, count: usize) -> Vec<String> {
    let seen = target.take_seen(count, PATIENCE).await;
    seen.into_iter().map(|request| format!("{} {}", request.method, request.target)).collect()
}

async fn events(gateway: &Workerd, mark: usize, count: usize) -> Result<Vec<String>> {
    let is_event = |line: &str| line.contains("\"kind\":\"upstream\"");
    if count > 0 {
        gateway.lines().wait_for(mark, PATIENCE, is_event).await?;
    }
    let lines = gateway.lines().since(mark);
    let events = lines.iter().filter(|line| is_event(line)).filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(events.map(|event| format!("{}: {}", event["target"], event["message"].as_str().unwrap_or_default())).collect())
}

#[test]
fn targets_are_asked_at_their_time_and_left_out_until_they_are_well() {
    run(async {
        let mut targets = [Upstream::start().await?, Upstream::start().await?];
        let gateway =
            gateway(&targets, json!({ "path": "/health?deep=1", "interval": "2m", "timeout": "500ms" })).await?;
        let mark = gateway.lines().count();
        targets[0].script(vec![answers(500), answers(404)]).await?;
        targets[1].script(vec![answers(204), answers(200), answers(200)]).await?;
        // The first event of all: nothing is loaded yet. Then one of another minute, and one that comes twice.
        for minute in [0, 1, 2, 2] {
            gateway.tick(BEGIN + minute * MINUTE + 999).await?;
        }
        let first = seen(&targets[0], 2).await;
        ensure!(first == ["GET /health?deep=1"; 2], "{first:?}; {:#?}", gateway.lines().since(mark));
        ensure!(seen(&targets[1], 2).await == ["GET /health?deep=1"; 2], "and so is the second");
        let said = events(&gateway, mark, 1).await?;
        ensure!(matches!(&*said, [one] if one == "1: it is not well: status 404"), "{said:?}");
        let Some(stored) = gateway.value("STATE", "edgate.health.edgate.orders") else {
            bail!("nothing is in the store")
        };
        let stored: Value = serde_json::from_slice(&stored)?;
        ensure!(stored["minute"] == BEGIN / MINUTE + 2, "{stored}");
        // These verdicts are of long ago, and nobody goes by them: the first target is asked.
        targets[0].script(vec![answers(201)]).await?;
        let response = edgate_kit::client::send(gateway.address(), &Request::new("GET", "/x")).await?;
        ensure!(response.status == 201, "{response:?}");
        Ok(())
    });
}

#[test]
fn requests_go_by_what_was_found_a_minute_ago() {
    run(async {
        let mut targets = [Upstream::start().await?, Upstream::start().await?];
        let gateway = gateway(&targets, json!({ "path": "/health", "unhealthy": 1 })).await?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis() as u64;
        targets[0]
            .script(vec![Answer { fault: Some(Fault::Hang), ..Answer::default() }, answers(204), answers(201)])
            .await?;
        targets[1].script(vec![answers(204), answers(202), answers(204)]).await?;
        // One that never answers is not waited for longer than was said, and the other one not behind it.
        let begun = std::time::Instant::now();
        gateway.tick(now - MINUTE).await?;
        ensure!(begun.elapsed() < Duration::from_secs(8), "it took {:?}", begun.elapsed());
        let send = async |path| edgate_kit::client::send(gateway.address(), &Request::new("GET", path)).await;
        let response = send("/x").await?;
        ensure!(response.status == 202, "{response:?}; {:#?}", gateway.lines().since(0));
        gateway.tick(now).await?;
        ensure!(send("/y").await?.status == 201, "the first one is well again");
        ensure!(seen(&targets[0], 3).await == ["GET /health", "GET /health", "GET /y"], "and only then it is asked");
        Ok(())
    });
}
