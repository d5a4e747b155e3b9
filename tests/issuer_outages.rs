//! Issuers that fail in every way, on both platforms: where their keys are known, nobody notices; where they are not,
//! the answer is a 503 without delay, and all is well a moment after the issuer is.

#[path = "replay/instances.rs"]
mod instances;
#[path = "replay/start.rs"]
mod start;
#[path = "replay/tokens.rs"]
mod tokens;

use anyhow::{Result, ensure};
use edgate_kit::client::send;
use edgate_kit::crowd::{becomes, together};
use edgate_kit::issuer::{Behaviour, Issuer};
use edgate_kit::scenario::HostName;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokens::{Sharing, Traffic, ask, forged, gateway, tokens, with_token};
use tokio::time::sleep;

const COOLDOWN: Duration = Duration::from_secs(1);

/// How long the issuer may take to answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The shortest that a gateway may be told: after this time it asks again, behind the requests.
const REFRESH: Duration = Duration::from_secs(10);

/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// Longer than anybody waits.
const NEVER: Behaviour = Behaviour::Slow(Duration::from_secs(60));

const FAILURES: [Behaviour; 5] =
    [Behaviour::Fails, Behaviour::Closes, Behaviour::WrongContent, Behaviour::Huge(300_000), Behaviour::Empty];

/// The issuer fails in one way after the other while its keys are known. An unknown key has it asked each time; when the
/// set is old, that does.
async fn fails(host: HostName) -> Result<()> {
    let issuer = Issuer::start().await?;
    let more = json!({ "timeout": "3s", "refresh": "10s" });
    let gateway = gateway(host, &[&issuer], Sharing::Store, &more).await?;
    let good = tokens(&issuer, 8)?;
    let mut traffic = Traffic::start(gateway.address(), 8, good.clone());
    traffic.after(16, PATIENCE).await?.only(200)?;
    for (number, failure) in FAILURES.into_iter().enumerate() {
        sleep(COOLDOWN).await;
        issuer.set(failure);
        let before = issuer.fetches();
        ensure!(ask(gateway.address(), forged(number, &good[0])).await? == 401, "{failure:?}: a forged token");
        ensure!(issuer.fetches() > before, "{failure:?}: the issuer was not asked");
        let seen = traffic.after(16, PATIENCE).await?;
        seen.only(200)?;
        ensure!(seen.slowest < TIMEOUT, "{failure:?}: somebody waited for {:?}", seen.slowest);
    }
    issuer.set(NEVER);
    let before = issuer.fetches();
    ensure!(becomes(REFRESH + PATIENCE, || issuer.fetches() > before).await, "an old set is not fetched again");
    sleep(COOLDOWN).await;
    let seen = traffic.after(16, PATIENCE).await?;
    seen.only(200)?;
    // An instance that starts with an old set asks first, and waits for as long as the issuer may take.
    let most = if host == HostName::Workerd { TIMEOUT } else { TIMEOUT * 2 };
    ensure!(seen.slowest < most, "somebody waited for {:?}", seen.slowest);
    issuer.set(Behaviour::Fine);
    issuer.rotate();
    traffic.show(tokens(&issuer, 8)?, PATIENCE).await?;
    // The last fetch still hangs.
    traffic.comes_to(200, 32, PATIENCE).await.map(drop)
}

#[tokio::test]
async fn workerd_keys_that_are_known_outlive_every_failure_of_their_issuer() -> Result<()> {
    fails(HostName::Workerd).await
}

#[tokio::test]
async fn spin_keys_that_are_known_outlive_every_failure_of_their_issuer() -> Result<()> {
    fails(HostName::Spin).await
}

/// The issuer is down when the gateway starts. One request after the other, so that there is one instance.
async fn starts_without(host: HostName, failure: Behaviour) -> Result<()> {
    let issuer = Issuer::start().await?;
    let gateway = gateway(host, &[&issuer], Sharing::Nothing, &json!({ "timeout": "1s" })).await?;
    issuer.set(failure);
    let token = tokens(&issuer, 1)?.remove(0);
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(3) {
        let sent = Instant::now();
        let response = send(gateway.address(), &with_token(&token)).await?;
        ensure!(response.status == 503 && response.body.text().contains("identity-unavailable"), "{response:?}");
        ensure!(sent.elapsed() < TIMEOUT, "{failure:?}: the answer took {:?}", sent.elapsed());
        sleep(Duration::from_millis(25)).await;
    }
    let (down, fetches) = (begin.elapsed(), issuer.fetches());
    issuer.set(Behaviour::Fine);
    let back = Instant::now();
    while ask(gateway.address(), Arc::clone(&token)).await? != 200 {
        ensure!(back.elapsed() < PATIENCE, "{failure:?}: it does not recover");
        sleep(Duration::from_millis(25)).await;
    }
    ensure!(fetches <= 2 + down.as_secs(), "{failure:?}: {fetches} fetches in {down:?}");
    // A second until it is asked again, and the rest for a machine that is busy.
    ensure!(back.elapsed() < Duration::from_secs(3), "{failure:?}: it took {:?} to recover", back.elapsed());
    Ok(())
}

#[tokio::test]
async fn workerd_start_without_keys_is_refused_at_once_and_recovers() -> Result<()> {
    starts_without(HostName::Workerd, Behaviour::Fails).await?;
    starts_without(HostName::Workerd, NEVER).await
}

#[tokio::test]
async fn spin_start_without_keys_is_refused_at_once_and_recovers() -> Result<()> {
    starts_without(HostName::Spin, Behaviour::Fails).await?;
    starts_without(HostName::Spin, NEVER).await
}

/// Everybody at once, and the issuer is down: they wait for one fetch, not one after the other.
async fn herd_without(host: HostName) -> Result<()> {
    let issuer = Issuer::start().await?;
    let gateway = gateway(host, &[&issuer], Sharing::Nothing, &json!({ "timeout": "1s" })).await?;
    issuer.set(NEVER);
    let token = tokens(&issuer, 1)?.remove(0);
    let begin = Instant::now();
    let statuses = together((0..64).map(|_| ask(gateway.address(), Arc::clone(&token)))).await?;
    ensure!(statuses.iter().all(|status| *status == 503), "{statuses:?}");
    ensure!(begin.elapsed() < PATIENCE, "they took {:?}", begin.elapsed());
    ensure!(issuer.fetches() <= 2 * instances::count(&gateway).await, "{} fetches", issuer.fetches());
    Ok(())
}

#[tokio::test]
async fn workerd_herd_without_keys_waits_for_one_fetch() -> Result<()> {
    herd_without(HostName::Workerd).await
}

#[tokio::test]
async fn spin_herd_without_keys_waits_for_one_fetch() -> Result<()> {
    herd_without(HostName::Spin).await
}
