//! Several hosts on Spin with one gateway, whose counters are the same: a route `/hot` with the limit `hot`.

use crate::start;
use anyhow::{Result, ensure};
use edgate_kit::crowd::together;
use edgate_kit::redis::Redis;
use edgate_kit::running::Deployment;
use edgate_kit::scenario::Request;
use edgate_kit::spin::Spin;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::time::sleep;

/// How many requests were answered how.
pub type Statuses = BTreeMap<u16, usize>;

/// The hosts, each of which has several instances.
pub struct Hosts(Vec<Spin>);

/// What is logged is read from a file, now and then.
const FOLLOWED: Duration = Duration::from_millis(200);

impl Hosts {
    /// Starts some whose counters are in a Redis.
    pub async fn on_redis(count: usize, redis: &Redis, limit: &Value) -> Result<Hosts> {
        let deployment = deployment(&json!({ "redis": redis.url() }), limit);
        Hosts::start(count, &deployment, &[redis.url()], None).await
    }

    /// Starts some whose counters are in a key-value store, in a folder.
    pub async fn on_store(count: usize, folder: &Path, limit: &Value) -> Result<Hosts> {
        let mut deployment = deployment(&json!({}), limit);
        deployment.stores = BTreeMap::from([("default".to_owned(), BTreeMap::new())]);
        Hosts::start(count, &deployment, &[], Some(folder)).await
    }

    async fn start(count: usize, deployment: &Deployment, allowed: &[String], folder: Option<&Path>) -> Result<Hosts> {
        let mut spins = Vec::new();
        for _ in 0..count {
            spins.push(start::spin(deployment, allowed.to_vec(), folder).await?);
        }
        Ok(Hosts(spins))
    }

    fn address(&self, client: usize) -> SocketAddr {
        self.0[client % self.0.len()].address()
    }

    /// Has clients send requests, all at once, each one after the other.
    pub async fn ask(&self, clients: usize, each: usize) -> Result<Statuses> {
        let clients = (0..clients).map(|client| {
            let address = self.address(client);
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

    /// The first line that is no record of a request.
    pub async fn complaint(&self) -> Option<String> {
        sleep(FOLLOWED).await;
        let lines = self.0.iter().flat_map(|spin| spin.lines().since(0));
        lines.into_iter().find(|line| !line.contains("\"kind\":\"access\""))
    }

    /// That so many requests of very many were let through, and the others refused, without a word.
    pub async fn let_through(&self, statuses: &Statuses, limit: usize) -> Result<()> {
        let admitted = statuses.get(&200).copied().unwrap_or_default();
        let complaint = self.complaint().await;
        ensure!(admitted == limit, "{admitted} of {limit}: {statuses:?}, {complaint:?}");
        ensure!(statuses.keys().all(|status| matches!(status, 200 | 429)), "{statuses:?}, {complaint:?}");
        ensure!(complaint.is_none(), "{complaint:?}");
        Ok(())
    }
}

fn deployment(gateway: &Value, limit: &Value) -> Deployment {
    let bindings = vec![
        ("EDGATE".to_owned(), gateway.clone()),
        ("LIMIT_HOT".to_owned(), limit.clone()),
        ("ROUTE_HOT".to_owned(), json!({ "match": { "path": "/hot" }, "limits": ["hot"], "respond": {} })),
    ];
    Deployment { bindings, ..Deployment::default() }
}
