//! A gateway for tokens of issuers that can be counted, and clients that never stop.

use crate::instances;
use anyhow::{Result, ensure};
use edgate_kit::client::Connection;
use edgate_kit::credentials::encoding::base64url;
use edgate_kit::issuer::Issuer;
use edgate_kit::running::Running;
use edgate_kit::scenario::{HostName, Request};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Whether instances share key sets in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    Store,
    Nothing,
}

/// A gateway with one route, `/`, for the tokens of these issuers. `more` goes into the section of each.
pub async fn gateway(host: HostName, issuers: &[&Issuer], sharing: Sharing, more: &Value) -> Result<Running> {
    let mut gateway = json!({ "log": { "access": "off" } });
    if sharing == Sharing::Store {
        gateway["store"] = json!(instances::STORE);
    }
    let mut sections = Map::new();
    for (number, issuer) in issuers.iter().enumerate() {
        let mut section = json!({
            "issuer": issuer.url(),
            "jwks_uri": format!("{}/keys", issuer.url()),
            "audience": "orders",
            "cooldown": "1s",
        });
        if let (Some(section), Some(more)) = (section.as_object_mut(), more.as_object()) {
            section.extend(more.clone());
        }
        sections.insert(format!("issuer-{number}"), section);
    }
    let names: Vec<&String> = sections.keys().collect();
    let route = json!({
        "match": { "path": "/" },
        "authenticate": { "issuers": names },
        "respond": { "body": "fine" },
    });
    let document = json!({ "gateway": gateway, "issuer": sections, "route": { "orders": route } });
    let allowed = issuers.iter().map(|issuer| issuer.url()).collect();
    instances::start(host, &document, Vec::new(), allowed).await
}

/// Distinct tokens, signed with the key of now.
pub fn tokens(issuer: &Issuer, count: usize) -> Result<Vec<Arc<str>>> {
    (0..count).map(|number| Ok(issuer.mint(&json!({ "aud": "orders", "jti": number }))?.into())).collect()
}

/// A token as anybody can write one: its key is none that the issuer ever had.
pub fn forged(number: usize, like: &str) -> Arc<str> {
    let header = json!({ "alg": "ES256", "kid": format!("forged-{number}"), "typ": "at+jwt" }).to_string();
    let rest = like.split_once('.').map_or("", |(_, rest)| rest);
    format!("{}.{rest}", base64url(header.as_bytes())).into()
}

/// A request for `/`, with a token.
pub fn with_token(token: &str) -> Request {
    let mut request = Request::new("GET", "/");
    request.headers.0.push(("authorization".to_owned(), format!("Bearer {token}")));
    request
}

/// Sends one request with a token on a connection of its own. Gives back the status.
pub async fn ask(gateway: SocketAddr, token: Arc<str>) -> Result<u16> {
    Ok(Connection::open(gateway).await?.send(&with_token(&token)).await?.status)
}

/// Clients that send one request after the other, each with the next token there is, until they are dropped.
pub struct Traffic {
    shared: Arc<Shared>,
    clients: JoinSet<Result<()>>,
}

struct Shared {
    tokens: Mutex<Vec<Arc<str>>>,
    /// Which clients have shown one of these tokens, and nothing else any more.
    turned: Mutex<BTreeSet<usize>>,
    seen: Mutex<Seen>,
}

/// What clients saw.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// The longest that an answer took.
    pub slowest: Duration,
}

impl Seen {
    pub fn all(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// Fails unless all answers have this status.
    pub fn only(&self, status: u16) -> Result<()> {
        ensure!(self.statuses.keys().eq([&status]), "not all answers are {status}: {:?}", self.statuses);
        Ok(())
    }
}

impl Traffic {
    pub fn start(gateway: SocketAddr, clients: usize, tokens: Vec<Arc<str>>) -> Traffic {
        let shared = Shared { tokens: Mutex::new(tokens), turned: Mutex::default(), seen: Mutex::default() };
        let shared = Arc::new(shared);
        let clients = (0..clients).map(|client| one(gateway, Arc::clone(&shared), client)).collect();
        Traffic { shared, clients }
    }

    /// Shows other tokens from now on. Comes back when all clients do.
    pub async fn show(&mut self, tokens: Vec<Arc<str>>, patience: Duration) -> Result<()> {
        {
            let mut shown = lock(&self.shared.tokens);
            lock(&self.shared.turned).clear();
            *shown = tokens;
        }
        self.wait(patience, |shared, clients| lock(&shared.turned).len() == clients).await
    }

    /// Waits until so many answers, one after the other, all have this status. Gives back how long it took.
    pub async fn comes_to(&mut self, status: u16, answers: u64, patience: Duration) -> Result<Duration> {
        let begin = Instant::now();
        loop {
            self.take();
            let seen = self.after(answers, patience).await?;
            if seen.only(status).is_ok() {
                return Ok(begin.elapsed());
            }
            ensure!(begin.elapsed() < patience, "not all answers become {status}: {:?}", seen.statuses);
        }
    }

    /// What was seen since the last call.
    pub fn take(&self) -> Seen {
        std::mem::take(&mut lock(&self.shared.seen))
    }

    /// What was seen until there were so many answers more. Fails where a client does, or none come.
    pub async fn after(&mut self, answers: u64, patience: Duration) -> Result<Seen> {
        let mark = lock(&self.shared.seen).all();
        self.wait(patience, |shared, _| lock(&shared.seen).all() >= mark + answers).await?;
        Ok(self.take())
    }

    async fn wait(&mut self, patience: Duration, is_enough: impl Fn(&Shared, usize) -> bool) -> Result<()> {
        let (begin, clients) = (Instant::now(), self.clients.len());
        while !is_enough(&self.shared, clients) {
            if let Some(ended) = self.clients.try_join_next() {
                ended??;
            }
            ensure!(begin.elapsed() < patience, "too few answers within {patience:?}: {:?}", lock(&self.shared.seen));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

async fn one(gateway: SocketAddr, shared: Arc<Shared>, client: usize) -> Result<()> {
    let mut connection = Connection::open(gateway).await?;
    for number in client.. {
        let token = {
            let tokens = lock(&shared.tokens);
            lock(&shared.turned).insert(client);
            Arc::clone(&tokens[number % tokens.len()])
        };
        let begin = Instant::now();
        let response = connection.send(&with_token(&token)).await?;
        let mut seen = lock(&shared.seen);
        *seen.statuses.entry(response.status).or_default() += 1;
        seen.slowest = seen.slowest.max(begin.elapsed());
    }
    Ok(())
}

/// Another task's panic leaves these values as good as they were.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
