//! Many clients at once, and waiting for what they bring about.

use anyhow::{Context, Result};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// What all clients come to, in the order in which they end. The first that fails ends all.
pub async fn together<T, F>(clients: impl IntoIterator<Item = F>) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut under_way: JoinSet<Result<T>> = clients.into_iter().collect();
    let mut all = Vec::with_capacity(under_way.len());
    while let Some(client) = under_way.join_next().await {
        all.push(client.context("a client")??);
    }
    Ok(all)
}

/// Waits until something is so, up to `patience`. Gives back whether it is.
pub async fn becomes(patience: Duration, is_so: impl Fn() -> bool) -> bool {
    let begin = Instant::now();
    while !is_so() {
        if begin.elapsed() > patience {
            return false;
        }
        sleep(PAUSE).await;
    }
    true
}
