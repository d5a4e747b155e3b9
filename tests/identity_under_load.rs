//! Many clients with tokens at once, on both platforms, while their issuers rotate keys, are slow, fail and come back:
//! who has a good token is let in, nobody waits for what is not needed, and no issuer is asked more often than promised.
//!
//! workerd has one instance. Spin has several, which end soon: each asks the issuers for itself, unless they share what
//! they fetched in a store. Then, after a rotation, those ask that notice it before the first has its answer.

#[path = "replay/instances.rs"]
mod instances;
#[path = "replay/start.rs"]
mod start;
#[path = "replay/tokens.rs"]
mod tokens;

use anyhow::{Result, ensure};
use edgate_kit::crowd::{becomes, together};
use edgate_kit::issuer::{Behaviour, Issuer};
use edgate_kit::scenario::HostName;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokens::{Sharing, Traffic, ask, forged, gateway, tokens};
use tokio::time::sleep;

/// How soon after one fetch of a key set the next one may come.
const COOLDOWN: Duration = Duration::from_secs(1);

/// What a busy machine may take on top of something.
const BUSY: Duration = Duration::from_secs(4);

/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(15);

const ROTATIONS: u64 = 3;

/// Waits until nobody has asked an issuer for a cooldown, and some time on top in which the last answer arrives.
async fn quiet(issuers: &[Issuer]) -> Result<()> {
    let count = || issuers.iter().map(Issuer::fetches).sum::<u64>();
    let begin = Instant::now();
    let (mut before, mut since) = (count(), Instant::now());
    while since.elapsed() < COOLDOWN + Duration::from_millis(700) {
        ensure!(begin.elapsed() < PATIENCE, "the issuers are asked again and again");
        sleep(Duration::from_millis(20)).await;
        if count() != before {
            (before, since) = (count(), Instant::now());
        }
    }
    Ok(())
}

/// 64 clients with tokens of two issuers, which rotate. Tokens of the key before are shown on: it is published still.
async fn rotates(host: HostName, sharing: Sharing) -> Result<()> {
    let issuers = [Issuer::start().await?, Issuer::start().await?];
    let gateway = gateway(host, &[&issuers[0], &issuers[1]], sharing, &json!({})).await?;
    let fresh = || -> Result<Vec<Arc<str>>> { Ok([tokens(&issuers[0], 8)?, tokens(&issuers[1], 8)?].concat()) };
    let first = fresh()?;
    let mut shown = first.clone();
    let mut traffic = Traffic::start(gateway.address(), 64, shown.clone());
    for rotation in 0..=ROTATIONS {
        // Those that the next rotation ends are on their way no more.
        traffic.show(shown.clone(), PATIENCE).await?;
        if (host, sharing) == (HostName::Spin, Sharing::Nothing) {
            // Instances come and go, and each asks. One that began a moment before the rotation has to wait until it
            // may ask again, and the answers that it gave until then are on their way.
            sleep(COOLDOWN * 2).await;
            traffic.take();
        } else {
            quiet(&issuers).await?;
        }
        traffic.after(128, PATIENCE).await?.only(200)?;
        if rotation < ROTATIONS {
            issuers.iter().for_each(Issuer::rotate);
            let before = std::mem::replace(&mut shown, fresh()?);
            traffic.show([before, shown.clone()].concat(), PATIENCE).await?;
        }
    }
    drop(traffic);
    let fetches = issuers.each_ref().map(Issuer::fetches);
    let instances = instances::count(&gateway).await;
    let most = if host == HostName::Workerd { 1 + ROTATIONS } else { instances * (1 + ROTATIONS) };
    ensure!(fetches.iter().all(|fetches| (1 + ROTATIONS..=most).contains(fetches)), "{fetches:?} fetches");
    // The set has two keys, and the first is none of them any more.
    if host == HostName::Workerd {
        ensure!(ask(gateway.address(), Arc::clone(&first[0])).await? == 401, "a key outlives its rotation");
    }
    Ok(())
}

#[tokio::test]
async fn workerd_rotations_refuse_nobody_and_cost_one_fetch_each() -> Result<()> {
    rotates(HostName::Workerd, Sharing::Nothing).await
}

#[tokio::test]
async fn spin_rotations_refuse_nobody_where_instances_share_keys() -> Result<()> {
    rotates(HostName::Spin, Sharing::Store).await
}

#[tokio::test]
async fn spin_rotations_refuse_nobody_after_the_cooldown() -> Result<()> {
    rotates(HostName::Spin, Sharing::Nothing).await
}

/// Clients that send names of keys at random, beside good ones, while the issuer rotates.
async fn attacked(host: HostName) -> Result<()> {
    let issuer = Issuer::start().await?;
    let gateway = gateway(host, &[&issuer], Sharing::Store, &json!({})).await?;
    let good = tokens(&issuer, 8)?;
    let wrong = (0..1_000).map(|number| forged(number, &good[0])).collect();
    let begin = Instant::now();
    let mut honest = Traffic::start(gateway.address(), 16, good);
    let mut attack = Traffic::start(gateway.address(), 16, wrong);
    sleep(COOLDOWN * 3).await;
    honest.after(16, PATIENCE).await?.only(200)?;
    issuer.rotate();
    honest.show(tokens(&issuer, 8)?, PATIENCE).await?;
    // The attack may have used up the fetch of this moment. The new key is known when the cooldown is over.
    let until_known = honest.comes_to(200, 32, PATIENCE).await?;
    ensure!(until_known < COOLDOWN + BUSY, "the new key was not known for {until_known:?}");
    attack.after(16, PATIENCE).await?.only(401)?;
    let (fetches, instances) = (issuer.fetches(), instances::count(&gateway).await);
    let cooldowns = begin.elapsed().as_secs() / COOLDOWN.as_secs();
    let each = 2 + cooldowns;
    let most = if host == HostName::Workerd { each } else { each * instances };
    ensure!(fetches <= most, "{fetches} fetches in {:?}", begin.elapsed());
    Ok(())
}

#[tokio::test]
async fn workerd_asks_once_in_a_cooldown_whatever_keys_are_named() -> Result<()> {
    attacked(HostName::Workerd).await
}

#[tokio::test]
async fn spin_asks_once_in_a_cooldown_whatever_keys_are_named() -> Result<()> {
    attacked(HostName::Spin).await
}

/// An instance that finds an old set in the store, and a token with a newer key.
async fn starts_late() -> Result<()> {
    let issuer = Issuer::start().await?;
    let gateway = gateway(HostName::Spin, &[&issuer], Sharing::Store, &json!({})).await?;
    let before = tokens(&issuer, 1)?.remove(0);
    ensure!(ask(gateway.address(), before).await? == 200, "the first");
    issuer.rotate();
    let after = tokens(&issuer, 1)?.remove(0);
    // An instance ends after a second without requests.
    sleep(COOLDOWN * 2).await;
    ensure!(ask(gateway.address(), after).await? == 200, "the new key was not asked for");
    ensure!(issuer.fetches() == 2, "{} fetches", issuer.fetches());
    Ok(())
}

#[tokio::test]
async fn spin_instance_asks_for_a_key_that_is_newer_than_the_store() -> Result<()> {
    starts_late().await
}

/// A cold gateway, a slow issuer, and everybody at once.
async fn herd(host: HostName) -> Result<()> {
    let issuer = Issuer::start().await?;
    let gateway = gateway(host, &[&issuer], Sharing::Nothing, &json!({})).await?;
    issuer.set(Behaviour::Slow(Duration::from_millis(300)));
    let tokens = tokens(&issuer, 10)?;
    let clients = (0..200).map(|client| ask(gateway.address(), Arc::clone(&tokens[client % tokens.len()])));
    let statuses = together(clients).await?;
    let (fetches, instances) = (issuer.fetches(), instances::count(&gateway).await);
    ensure!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let most = if host == HostName::Workerd { 1 } else { instances };
    ensure!((1..=most).contains(&fetches), "{fetches} fetches by {instances} instances");
    Ok(())
}

#[tokio::test]
async fn workerd_herd_at_a_cold_start_makes_one_fetch() -> Result<()> {
    herd(HostName::Workerd).await
}

#[tokio::test]
async fn spin_herd_at_a_cold_start_makes_one_fetch_for_each_instance() -> Result<()> {
    herd(HostName::Spin).await
}

/// The client for whom the fetch was begun goes away. Nobody else waits for longer than it takes.
async fn abandoned(host: HostName, clients: usize) -> Result<()> {
    let issuer = Issuer::start().await?;
    let gateway = gateway(host, &[&issuer], Sharing::Nothing, &json!({ "timeout": "10s" })).await?;
    issuer.set(Behaviour::Slow(Duration::from_millis(800)));
    let tokens = tokens(&issuer, 10)?;
    let everybody = |count| (0..count).map(|client| ask(gateway.address(), Arc::clone(&tokens[client])));
    let first = together(everybody(clients));
    tokio::select! {
        _ = first => anyhow::bail!("they did not wait"),
        is_asked = becomes(PATIENCE, || issuer.fetches() > 0) => ensure!(is_asked, "nobody asked"),
    }
    let begin = Instant::now();
    let statuses = together(everybody(10)).await?;
    ensure!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    // The time-out is far off, and a fetch that nobody is waiting for is given up later still.
    ensure!(begin.elapsed() < Duration::from_secs(8), "they took {:?}", begin.elapsed());
    ensure!(host == HostName::Spin || issuer.fetches() == 1, "{} fetches", issuer.fetches());
    Ok(())
}

#[tokio::test]
async fn workerd_clients_that_go_away_leave_the_fetch_to_the_others() -> Result<()> {
    abandoned(HostName::Workerd, 1).await?;
    abandoned(HostName::Workerd, 10).await
}

#[tokio::test]
async fn spin_clients_that_go_away_leave_the_fetch_to_the_others() -> Result<()> {
    abandoned(HostName::Spin, 1).await?;
    abandoned(HostName::Spin, 10).await
}
