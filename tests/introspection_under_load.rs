//! Many clients with the same opaque token at once, on both platforms: its issuer is asked once, whatever it answers,
//! and whoever goes away while it is asked.

#[path = "replay/instances.rs"]
mod instances;
#[path = "replay/start.rs"]
mod start;

use anyhow::{Result, ensure};
use edgate_kit::client::send;
use edgate_kit::crowd::together;
use edgate_kit::running::Running;
use edgate_kit::scenario::answer::{Answer, AnswerBody, Fault};
use edgate_kit::scenario::content::Content;
use edgate_kit::scenario::{HostName, Request};
use edgate_kit::upstream::Upstream;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// As many at once.
const HERD: usize = 100;

/// How long the issuer takes to answer.
const SLOW: Duration = Duration::from_millis(400);

/// How long it may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What a busy machine may take on top of that.
const BUSY: Duration = Duration::from_secs(4);

/// A gateway that asks about tokens. `more` goes into the issuer's `introspection`.
async fn gateway(host: HostName, issuer: &Upstream, more: Value) -> Result<Running> {
    let mut asks = json!({
        "url": format!("http://{}/introspect", issuer.address()),
        "client_id": "edgate",
        "client_secret": { "secret": "INTROSPECTION" },
    });
    if let (Some(asks), Value::Object(more)) = (asks.as_object_mut(), more) {
        asks.extend(more);
    }
    let section = json!({
        "issuer": "https://issuer.example",
        "any_audience": true,
        "allow_missing_exp": true,
        "timeout": "2s",
        "introspection": asks,
    });
    let route =
        json!({ "match": { "path": "/" }, "authenticate": { "issuers": "opaque" }, "respond": { "body": "fine" } });
    let document = json!({
        "gateway": { "log": { "access": "off" } },
        "issuer": { "opaque": section },
        "route": { "orders": route },
    });
    let secrets = vec![("INTROSPECTION".to_owned(), "secret".to_owned())];
    instances::start(host, &document, secrets, vec![format!("http://{}", issuer.address())]).await
}

/// Says of every token, after a while, whether it is active.
async fn says(issuer: &mut Upstream, active: bool) -> Result<()> {
    let text = json!({ "active": active, "sub": "alice" }).to_string();
    let body = AnswerBody::Whole(Content::Bytes(text.into_bytes()));
    issuer.script(vec![Answer { body, delay: Some(SLOW), ..Answer::default() }; HERD]).await
}

/// Statuses of so many requests with one token, all at once, and when the last came.
async fn herd(gateway: SocketAddr, count: usize, token: &'static str) -> Result<(Vec<u16>, Duration)> {
    let begin = Instant::now();
    let clients = (0..count).map(|_| async move { Ok(send(gateway, &with_token(token)).await?.status) });
    Ok((together(clients).await?, begin.elapsed()))
}

/// A request for `/`, with a token.
fn with_token(token: &str) -> Request {
    let mut request = Request::new("GET", "/");
    request.headers.0.push(("authorization".to_owned(), format!("Bearer {token}")));
    request
}

/// How many calls there were since the last time.
async fn calls(issuer: &Upstream) -> u64 {
    issuer.take_seen(1, BUSY).await.len() as u64
}

/// 100 clients with one token: one call, or one for each instance at most.
async fn asks_once(host: HostName, remembers: Value) -> Result<()> {
    let mut issuer = Upstream::start().await?;
    let gateway = gateway(host, &issuer, remembers).await?;
    for (active, token, expected) in [(true, "opaque-token-of-alice", 200), (false, "opaque-token-of-mallory", 401)] {
        says(&mut issuer, active).await?;
        let (statuses, took) = herd(gateway.address(), HERD, token).await?;
        let calls = calls(&issuer).await;
        ensure!(statuses.iter().all(|status| *status == expected), "active: {active}: {statuses:?}");
        let instances = instances::count(&gateway).await;
        ensure!((1..=instances).contains(&calls), "active: {active}: {calls} calls by {instances} instances");
        ensure!(took < SLOW + BUSY, "active: {active}: they took {took:?}");
    }
    Ok(())
}

#[tokio::test]
async fn workerd_herd_with_one_token_asks_once() -> Result<()> {
    asks_once(HostName::Workerd, json!({})).await
}

#[tokio::test]
async fn workerd_herd_with_one_token_asks_once_also_where_nothing_is_remembered() -> Result<()> {
    asks_once(HostName::Workerd, json!({ "cache": "0s", "negative_cache": "0s" })).await
}

#[tokio::test]
async fn spin_herd_with_one_token_asks_once_in_each_instance() -> Result<()> {
    asks_once(HostName::Spin, json!({ "cache": "0s", "negative_cache": "0s" })).await
}

/// An issuer that does not answer: the clients wait for one call, not one after the other.
async fn hangs(host: HostName) -> Result<()> {
    let mut issuer = Upstream::start().await?;
    let gateway = gateway(host, &issuer, json!({})).await?;
    issuer.script(vec![Answer { fault: Some(Fault::Hang), ..Answer::default() }; HERD]).await?;
    let (statuses, took) = herd(gateway.address(), HERD, "opaque-token-of-alice").await?;
    ensure!(statuses.iter().all(|status| *status == 503), "{statuses:?}");
    ensure!(took < TIMEOUT + BUSY, "they took {took:?}");
    let (calls, instances) = (calls(&issuer).await, instances::count(&gateway).await);
    ensure!((1..=instances).contains(&calls), "{calls} calls by {instances} instances");
    Ok(())
}

#[tokio::test]
async fn workerd_herd_waits_once_for_an_issuer_that_does_not_answer() -> Result<()> {
    hangs(HostName::Workerd).await
}

#[tokio::test]
async fn spin_herd_waits_once_for_an_issuer_that_does_not_answer() -> Result<()> {
    hangs(HostName::Spin).await
}

/// The client for whom the call was begun goes away.
async fn abandoned(host: HostName) -> Result<()> {
    let mut issuer = Upstream::start().await?;
    let gateway = gateway(host, &issuer, json!({})).await?;
    says(&mut issuer, true).await?;
    let gone = timeout(SLOW / 2, herd(gateway.address(), 1, "opaque-token-of-alice")).await;
    ensure!(gone.is_err(), "it did not wait");
    let (statuses, took) = herd(gateway.address(), 10, "opaque-token-of-alice").await?;
    ensure!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    // A call that nobody goes on with is given up after twice the time-out.
    ensure!(took < TIMEOUT, "they took {took:?}");
    Ok(())
}

#[tokio::test]
async fn workerd_client_that_goes_away_leaves_the_call_to_the_others() -> Result<()> {
    abandoned(HostName::Workerd).await
}

#[tokio::test]
async fn spin_client_that_goes_away_leaves_the_call_to_the_others() -> Result<()> {
    abandoned(HostName::Spin).await
}
