//! A gateway whose instances say when they begin: its configuration is in a store, from which each loads it.

use crate::start;
use anyhow::Result;
use edgate_kit::running::{Deployment, Running};
use edgate_kit::scenario::HostName;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::sleep;

/// The store that has the configuration.
pub const STORE: &str = "shared";

const KEY: &str = "configuration";

/// What is logged on Spin is read from a file, now and then.
const FOLLOWED: Duration = Duration::from_millis(200);

/// Starts a gateway with this document; it may call the addresses in `allowed`.
pub async fn start(
    host: HostName,
    document: &Value,
    secrets: Vec<(String, String)>,
    allowed: Vec<String>,
) -> Result<Running> {
    let source = json!({ "source": { "store": STORE, "key": KEY } });
    let values = BTreeMap::from([(KEY.to_owned(), document.to_string())]);
    let deployment = Deployment {
        bindings: vec![("EDGATE".to_owned(), source)],
        secrets,
        stores: BTreeMap::from([(STORE.to_owned(), values)]),
        ..Deployment::default()
    };
    start::start(host, &deployment, allowed).await
}

/// How many instances have begun: one on workerd.
pub async fn count(gateway: &Running) -> u64 {
    sleep(FOLLOWED).await;
    gateway.lines().since(0).iter().filter(|line| line.contains("a configuration was loaded")).count() as u64
}
