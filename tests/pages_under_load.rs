//! The page of five parts of the example configuration, on both platforms, with many clients at once, while the services
//! that it is made of are killed one after the other and come back: each answer is the documented one for what is alive
//! at that time, nothing hangs, and afterwards all is well.

#[path = "pages/judge.rs"]
mod judge;
#[path = "pages/phases.rs"]
mod phases;
#[path = "replay/start.rs"]
mod start;

use anyhow::{Context, Result, ensure};
use edgate_kit::running::{Deployment, Running};
use edgate_kit::scenario::{HostName, Request};
use edgate_kit::seen::SeenResponse;
use edgate_kit::upstream::Upstream;
use judge::{Kind, judge};
use phases::{PHASES, Past, Services};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::task::JoinSet;

/// Each client waits for its answer, so this many requests are under way at once.
const CLIENTS: usize = 16;

/// What is asked for.
const PAGE: &str = "/pages/7";

fn run(test: impl Future<Output = Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if let Err(error) = runtime.block_on(test) {
        panic!("{error:#}");
    }
}

/// The example's page and upstreams as spin.toml has them, with services that listen elsewhere.
fn bindings(services: &Services) -> Result<Vec<(String, Value)>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("spin.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let manifest: toml_edit::DocumentMut = text.parse().context("spin.toml is no TOML")?;
    let moved = |text: &str| {
        let text = text.replace("127.0.0.1:9101", &services.orders.address().to_string());
        text.replace("127.0.0.1:9102", &services.users.address().to_string())
    };
    let mut bindings = Vec::new();
    for name in ["UPSTREAM_ORDERS", "UPSTREAM_USERS", "ROUTE_PAGE"] {
        let section = manifest["component"]["edgate"]["environment"][name].as_str();
        let section = section.with_context(|| format!("spin.toml has no {name}"))?;
        bindings.push((name.to_owned(), serde_json::from_str(&moved(section)).context(name)?));
    }
    Ok(bindings)
}

async fn gateway(host: HostName, services: &Services) -> Result<Running> {
    let allowed = [&services.orders, &services.users].map(|one: &Upstream| format!("http://{}", one.address()));
    let deployment = Deployment { bindings: bindings(services)?, ..Deployment::default() };
    start::start(host, &deployment, allowed.into()).await
}

/// How often each kind of answer came, by the phase in which it was asked for.
type Seen = BTreeMap<(usize, Kind), usize>;

/// Asks until it is told to stop.
async fn client(address: SocketAddr, past: Arc<Past>, stop: Arc<AtomicBool>) -> Result<Seen> {
    let mut seen = Seen::new();
    while !stop.load(Ordering::Relaxed) {
        let (phase, asked) = (past.now(), Instant::now());
        let response = edgate_kit::client::send(address, &Request::new("GET", PAGE)).await?;
        let kind = known(&response, &past, asked)?;
        *seen.entry((phase, kind)).or_default() += 1;
    }
    Ok(seen)
}

/// What kind of answer it is, which must be one that is documented for what was alive while it was made.
fn known(response: &SeenResponse, past: &Past, asked: Instant) -> Result<Kind> {
    let (phases, took) = (past.during(asked, Instant::now()), asked.elapsed());
    let names: Vec<&str> = phases.iter().map(|phase| phase.name).collect();
    judge(response, &phases, took).with_context(|| format!("{names:?}, after {took:?}: {response:?}"))
}

async fn answers_as_documented(host: HostName) -> Result<()> {
    let mut services = Services::start().await?;
    let gateway = gateway(host, &services).await?;
    let (past, stop) = (Arc::new(Past::default()), Arc::new(AtomicBool::new(false)));
    past.enter(0, &mut services).await?;
    // The first request of an instance has to wait for the instance.
    ensure!(gateway.send(&Request::new("GET", PAGE)).await?.status == 200, "before the load");
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(client(gateway.address(), Arc::clone(&past), Arc::clone(&stop)));
    }
    for (number, phase) in PHASES.iter().enumerate() {
        past.enter(number, &mut services).await?;
        tokio::time::sleep(phase.time).await;
        // None ends before it is told to, but with an error.
        if let Some(client) = clients.try_join_next() {
            client.context("a client")??;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let mut seen = Seen::new();
    while let Some(client) = clients.join_next().await {
        for (key, count) in client.context("a client")?? {
            *seen.entry(key).or_default() += count;
        }
    }
    for (number, phase) in PHASES.iter().enumerate() {
        ensure!(seen.contains_key(&(number, phase.expected)), "{}: no {:?} in {seen:?}", phase.name, phase.expected);
    }
    for _ in 0..CLIENTS {
        let asked = Instant::now();
        let response = gateway.send(&Request::new("GET", PAGE)).await?;
        let kind = known(&response, &past, asked)?;
        ensure!(kind == Kind::Whole, "afterwards: {kind:?}");
    }
    let lines = gateway.lines().since(0);
    let cry = lines.iter().find(|line| line.contains("panicked") || line.contains("RuntimeError"));
    ensure!(cry.is_none(), "the log says: {cry:?}");
    Ok(())
}

#[test]
fn workerd_answers_a_page_as_documented_while_its_services_are_killed() {
    run(answers_as_documented(HostName::Workerd));
}

#[test]
fn spin_answers_a_page_as_documented_while_its_services_are_killed() {
    run(answers_as_documented(HostName::Spin));
}
