//! Many requests with one key at the same time, on both platforms: one of them is done.

#[path = "replay/start.rs"]
mod start;

use anyhow::{Result, ensure};
use edgate_kit::redis::Redis;
use edgate_kit::running::{Deployment, Running};
use edgate_kit::scenario::{HostName, Request};
use serde_json::json;
use std::cell::Cell;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::{LocalSet, spawn_local};

/// An upstream that takes 300 ms, and how many requests have come.
struct Slow {
    url: String,
    count: Rc<Cell<usize>>,
}

impl Slow {
    async fn start() -> Result<Slow> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let count = Rc::new(Cell::new(0));
        let counted = Rc::clone(&count);
        spawn_local(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let counted = Rc::clone(&counted);
                spawn_local(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await?);
                    }
                    counted.set(counted.get() + 1);
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\ndone").await?;
                    stream.shutdown().await
                });
            }
        });
        Ok(Slow { url, count })
    }
}

fn run(test: impl Future<Output = Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if let Err(error) = LocalSet::new().block_on(&runtime, test) {
        panic!("{error:#}");
    }
}

async fn gateway(host: HostName, slow: &Slow, redis: &Redis) -> Result<Running> {
    let route = json!({
        "match": { "path": "/{*rest}" }, "upstream": "orders",
        "idempotency": { "key": "client.address", "unquoted": true },
    });
    let bindings = vec![
        ("EDGATE".to_owned(), json!({ "redis": redis.url() })),
        ("UPSTREAM_ORDERS".to_owned(), json!({ "url": slow.url.clone() })),
        ("ROUTE_ALL".to_owned(), route),
    ];
    let deployment = Deployment { bindings, ..Deployment::default() };
    start::start(host, &deployment, vec![slow.url.clone(), redis.url()]).await
}

/// The status of an answer, and whether it was given before.
async fn status(gateway: &Running, key: &str) -> Result<(u16, bool)> {
    let mut request = Request::new("POST", "/pay");
    request.headers.0.push(("idempotency-key".to_owned(), key.to_owned()));
    let answer = gateway.send(&request).await?;
    let replayed = answer.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("idempotent-replayed"));
    Ok((answer.status, replayed))
}

async fn one_is_done(host: HostName) -> Result<()> {
    let (slow, redis) = (Slow::start().await?, Redis::start().await?);
    let gateway = &gateway(host, &slow, &redis).await?;
    for round in 1..=4 {
        let key = format!("key-{round}");
        let statuses = together((0..24).map(|_| status(gateway, &key)).collect()).await?;
        let (done, rest): (Vec<_>, Vec<_>) = statuses.into_iter().partition(|answer| *answer == (200, false));
        ensure!(done.len() == 1, "{} were done", done.len());
        ensure!(rest.iter().all(|answer| *answer == (409, false) || *answer == (200, true)), "{rest:?}");
        ensure!(rest.contains(&(409, false)), "none was there at the same time: {rest:?}");
        ensure!(slow.count.get() == round, "{} requests came", slow.count.get());
        let again = status(gateway, &key).await?;
        ensure!(again == (200, true), "{again:?}");
    }
    Ok(())
}

async fn together<T>(clients: Vec<impl Future<Output = Result<T>>>) -> Result<Vec<T>> {
    let mut waiting: Vec<_> = clients.into_iter().map(|client| (Box::pin(client), None)).collect();
    std::future::poll_fn(|cx| {
        for (client, done) in waiting.iter_mut().filter(|(_, done)| done.is_none()) {
            if let Poll::Ready(result) = client.as_mut().poll(cx) {
                *done = Some(result);
            }
        }
        match waiting.iter().all(|(_, done)| done.is_some()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

#[test]
fn workerd_does_one() {
    run(one_is_done(HostName::Workerd));
}

#[test]
fn spin_does_one() {
    run(one_is_done(HostName::Spin));
}
