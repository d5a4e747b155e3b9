//! Two requests at once for one of a client's, on both platforms: the one that nobody waits for any more is broken off.

#[path = "replay/start.rs"]
mod start;
#[path = "entry/talker.rs"]
mod talker;

use anyhow::{Result, bail, ensure};
use edgate_kit::running::{Deployment, Running};
use edgate_kit::scenario::{HostName, Request};
use serde_json::json;
use std::pin::pin;
use std::time::{Duration, Instant};
use talker::Talker;
use tokio::task::LocalSet;

fn run(test: impl Future<Output = Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if let Err(error) = LocalSet::new().block_on(&runtime, test) {
        panic!("{error:#}");
    }
}

/// A gateway before these targets of a talker, the first of which is asked first.
async fn gateway(host: HostName, talker: &Talker, targets: [&str; 2]) -> Result<Running> {
    let targets = targets.map(|path| talker.url(path));
    let upstream = json!({
        "targets": targets, "balance": "in_order", "timeout": "10s", "hedge": { "after": "100ms" },
        "retry": { "budget": "100%" },
    });
    let bindings = vec![
        ("UPSTREAM_ORDERS".to_owned(), upstream),
        ("ROUTE_ALL".to_owned(), json!({ "match": { "path": "/{*rest}" }, "upstream": "orders" })),
    ];
    let deployment = Deployment { bindings, ..Deployment::default() };
    start::start(host, &deployment, vec![talker.url("")]).await
}

async fn loser_is_broken_off(host: HostName) -> Result<()> {
    let talker = Talker::start().await?;
    let gateway = gateway(host, &talker, ["/20000/slow", "/50/quick"]).await?;
    for path in ["/1000", "/1001"] {
        let request = Request::new("GET", path);
        let begun = Instant::now();
        // The answer's second half comes after a second.
        let mut answer = pin!(gateway.send(&request));
        let lost = format!("/20000/slow{path}");
        tokio::select! {
            answer = &mut answer => bail!("it is answered before the other is broken off: {:?}", answer?),
            ended = talker.ended(&lost) => ended?,
        }
        let answer = answer.await?;
        ensure!(answer.status == 200 && answer.body.text() == "quick", "{answer:?}");
        ensure!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
    }
    Ok(())
}

/// Many clients, each of whose requests is asked of two targets, of which now the one wins, now the other.
async fn nothing_is_mixed_up(host: HostName) -> Result<()> {
    let talker = Talker::start().await?;
    let gateway = gateway(host, &talker, ["/130/first", "/30/second"]).await?;
    let (gateway, mut won) = (&gateway, Vec::new());
    for round in 0..10 {
        let client = |number: u32| async move {
            let path = format!("?{round}-{number}");
            let answer = gateway.send(&Request::new("GET", &format!("/{}{path}", number % 40))).await?;
            ensure!(answer.status == 200, "{answer:?}");
            Ok(answer.body.text().into_owned())
        };
        won.extend(together((0..16).map(client).collect()).await?);
    }
    ensure!(won.iter().all(|text| text == "first" || text == "second"), "{won:?}");
    ensure!(won.iter().any(|text| text == "first") && won.iter().any(|text| text == "second"), "{won:?}");
    ensure!(talker.most_open() > 16, "no more than {} at once", talker.most_open());
    talker.is_quiet().await?;
    let lines = gateway.lines().since(0);
    let cry = lines.iter().find(|line| line.contains("panicked") || line.contains("Error"));
    ensure!(cry.is_none(), "the log says: {cry:?}");
    Ok(())
}

async fn together<T>(clients: Vec<impl Future<Output = Result<T>>>) -> Result<Vec<T>> {
    let mut waiting: Vec<_> = clients.into_iter().map(|client| (Box::pin(client), None)).collect();
    std::future::poll_fn(|cx| {
        for (client, done) in waiting.iter_mut().filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(result) = client.as_mut().poll(cx) {
                *done = Some(result);
            }
        }
        match waiting.iter().all(|(_, done)| done.is_some()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

#[test]
fn workerd_breaks_the_loser_off() {
    run(loser_is_broken_off(HostName::Workerd));
}

#[test]
fn spin_breaks_the_loser_off() {
    run(loser_is_broken_off(HostName::Spin));
}

#[test]
fn workerd_mixes_nothing_up() {
    run(nothing_is_mixed_up(HostName::Workerd));
}

#[test]
fn spin_mixes_nothing_up() {
    run(nothing_is_mixed_up(HostName::Spin));
}
