//! Limits that several hosts on Spin share: by one Redis, and by compare-and-swap in one key-value store. Each host has
//! several instances. However many clients ask at once, exactly as many requests as the limit says are let through, also
//! where the counters go away and come back.

#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "replay/start.rs"]
mod start;

use anyhow::{Context, Result, ensure};
use edgate_kit::crowd::together;
use edgate_kit::redis::Redis;
use edgate_kit::running::Deployment;
use edgate_kit::scenario::Request;
use edgate_kit::spin::Spin;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

const CLIENTS: usize = 64;

/// Gateways with one limit, `hot`, on their only route.
struct Hosts {
    spins: Vec<Spin>,
}

/// How many requests were answered how.
type Statuses = BTreeMap<u16, usize>;

impl Hosts {
    /// Starts some, whose counters are in a Redis.
    async fn on_redis(count: usize, redis: &Redis, limit: &Value) -> Result<Hosts> {
        let gateway = json!({ "redis": redis.url() });
        Hosts::start(count, &gateway, BTreeMap::new(), limit, vec![redis.url()], None).await
    }

    /// Starts some, whose counters are in a key-value store in a folder.
    async fn on_store(count: usize, label: &str, folder: &Path, limit: &Value) -> Result<Hosts> {
        let stores = BTreeMap::from([(label.to_owned(), BTreeMap::new())]);
        Hosts::start(count, &json!({ "counters": label }), stores, limit, Vec::new(), Some(folder)).await
    }

    async fn start(
        count: usize,
        gateway: &Value,
        stores: BTreeMap<String, BTreeMap<String, String>>,
        limit: &Value,
        allowed: Vec<String>,
        folder: Option<&Path>,
    ) -> Result<Hosts> {
        let bindings = vec![
            ("EDGATE".to_owned(), gateway.clone()),
            ("LIMIT_HOT".to_owned(), limit.clone()),
            ("ROUTE_ALL".to_owned(), json!({ "match": { "path": "/{*rest}" }, "limits": ["hot"], "respond": {} })),
        ];
        let deployment = Deployment { bindings, stores, ..Deployment::default() };
        let mut spins = Vec::new();
        for _ in 0..count {
            spins.push(start::spin(&deployment, allowed.clone(), folder).await?);
        }
        Ok(Hosts { spins })
    }

    /// Has clients send requests, all at once, each one after the other.
    async fn ask(&self, clients: usize, each: usize) -> Result<Statuses> {
        let clients = (0..clients).map(|client| {
            let address = self.spins[client % self.spins.len()].address();
            async move {
                let mut statuses = Statuses::new();
                for _ in 0..each {
                    let answer = edgate_kit::client::send(address, &Request::new("GET", "/hot")).await?;
                    *statuses.entry(answer.status).or_default() += 1;
                }
                Ok(statuses)
            }
        });
        let mut all = Statuses::new();
        for (status, count) in together(clients).await?.into_iter().flatten() {
            *all.entry(status).or_default() += count;
        }
        Ok(all)
    }
}

/// A limit of this many requests, which come back too slowly to be seen.
fn exactly(limit: u64) -> Value {
    json!({ "rate": format!("{limit}/1d"), "key": "global", "on_failure": "deny", "timeout": "10s" })
}

/// As many requests as pass a limit twice, and some.
async fn passes_exactly(hosts: &Hosts, limit: usize) -> Result<()> {
    let each = (2 * limit).div_ceil(CLIENTS) + 1;
    let statuses = hosts.ask(CLIENTS, each).await?;
    let admitted = statuses.get(&200).copied().unwrap_or_default();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let said = hosts.spins.iter().flat_map(|spin| spin.lines().since(0)).find(|line| !line.contains("\"access\""));
    ensure!(admitted == limit, "{admitted} of {limit}: {statuses:?}, {said:?}");
    ensure!(statuses.keys().all(|status| matches!(status, 200 | 429)), "{statuses:?}, {said:?}");
    Ok(())
}

#[tokio::test]
async fn hosts_on_one_redis_let_exactly_the_limit_through() -> Result<()> {
    for limit in [1, 100, 1_000] {
        let redis = Redis::start().await?;
        let hosts = Hosts::on_redis(3, &redis, &exactly(limit)).await?;
        passes_exactly(&hosts, usize::try_from(limit)?).await.context("on Redis")?;
    }
    Ok(())
}

#[tokio::test]
async fn hosts_on_one_store_let_exactly_the_limit_through() -> Result<()> {
    for limit in [1, 100, 1_000] {
        let folder = tempfile::tempdir()?;
        let hosts = Hosts::on_store(3, "default", folder.path(), &exactly(limit)).await?;
        passes_exactly(&hosts, usize::try_from(limit)?).await.context("in a store")?;
    }
    Ok(())
}
