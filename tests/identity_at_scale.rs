//! Very many tokens and API keys: what an instance remembers has an end, and a store with a hundred thousand keys is
//! looked up as one with three.

#[path = "replay/start.rs"]
mod start;

use anyhow::{Context, Result, bail, ensure};
use edgate::api_key;
use edgate_kit::client::Connection;
use edgate_kit::credentials::algorithm::Algorithm;
use edgate_kit::credentials::encoding::sha256;
use edgate_kit::credentials::key::Key;
use edgate_kit::credentials::token;
use edgate_kit::crowd::together;
use edgate_kit::running::{Deployment, Running};
use edgate_kit::scenario::{HostName, Request};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// As many at once.
const CLIENTS: usize = 8;

const SECRET: &str = "a secret of tests, of thirty-two bytes and more";

/// The store that has API keys.
const STORE: &str = "keys";

/// A gateway with a route for tokens and one for API keys, and what is in the store.
async fn gateway(host: HostName, entries: BTreeMap<String, String>) -> Result<Running> {
    let issuer = json!({ "issuer": "https://issuer.example", "secret": { "secret": "SIGNING" }, "any_audience": true });
    let tokens = json!({
        "match": { "path": "/token" },
        "authenticate": { "issuers": "shared" },
        "respond": { "body": "fine" },
    });
    let keys = json!({
        "match": { "path": "/key" },
        "authenticate": { "methods": ["api_key"] },
        "authorize": { "rules": "identity.consumer == query.is" },
        "respond": { "body": "fine" },
    });
    let bindings = vec![
        ("EDGATE".to_owned(), json!({ "log": { "access": "off" }, "api_key": { "store": STORE } })),
        ("ISSUER_SHARED".to_owned(), issuer),
        ("ROUTE_TOKENS".to_owned(), tokens),
        ("ROUTE_KEYS".to_owned(), keys),
    ];
    let secrets = vec![("SIGNING".to_owned(), SECRET.to_owned())];
    let stores = BTreeMap::from([(STORE.to_owned(), entries)]);
    start::start(host, &Deployment { bindings, secrets, stores, ..Deployment::default() }, Vec::new()).await
}

/// Sends `count` requests with all clients together. Every answer has the status.
async fn send_all(
    gateway: SocketAddr,
    count: usize,
    status: u16,
    request: impl Fn(usize) -> Result<Request> + Clone + Send + 'static,
) -> Result<()> {
    let clients = (0..CLIENTS).map(|client| {
        let request = request.clone();
        async move {
            let mut connection = Connection::open(gateway).await?;
            for number in (client..count).step_by(CLIENTS) {
                let response = connection.send(&request(number)?).await?;
                ensure!(response.status == status, "request {number}: {} {}", response.status, response.body.text());
            }
            Ok(())
        }
    });
    together(clients).await.map(drop)
}

/// A request with a token that nobody has shown before.
fn with_token(key: &Key, number: usize) -> Result<Request> {
    let claims = json!({ "iss": "https://issuer.example", "sub": "alice", "jti": number, "exp": 4_000_000_000_u64 });
    let token = token::mint(key, Algorithm::Hs256, r#"{"alg":"HS256"}"#, &claims.to_string())?;
    let mut request = Request::new("GET", "/token");
    request.headers.0.push(("authorization".to_owned(), format!("Bearer {token}")));
    Ok(request)
}

/// The API key of a number.
fn key_of(number: usize) -> String {
    api_key::make(digest(number))
}

/// 32 bytes that are no other number's.
fn digest(number: usize) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(&sha256(&number.to_be_bytes()));
    bytes
}

fn with_key(number: usize, consumer: &str) -> Request {
    let mut request = Request::new("GET", &format!("/key?is={consumer}"));
    request.headers.0.push(("x-api-key".to_owned(), key_of(number)));
    request
}

/// So many of each kind in a round: as many as an instance remembers at most, and for tokens five times that.
const ROUND: usize = 10_000;

/// How much the wasm may grow in the second round, when it remembers as much as it ever will. If it kept all tokens, it
/// would be 20 MB at least, and some for the keys.
const MOST_GROWTH: u64 = 4_000_000;

/// V8's own heap grows on for some hundred thousand requests, by up to 35 MB in as many as these, whatever the wasm does.
const MOST_GROWTH_OF_ALL: u64 = 60_000_000;

/// The memory of a process and that of its wasm, in bytes.
#[derive(Debug)]
struct Memory {
    resident: u64,
    wasm: u64,
}

impl Memory {
    fn of(gateway: &Running) -> Result<Memory> {
        let id = gateway.process_id().context("the gateway has ended")?;
        let read = |name: &str| {
            std::fs::read_to_string(format!("/proc/{id}/{name}")).context("memory is read from /proc, on Linux")
        };
        let status = read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let resident = 1_000 * line.trim().trim_end_matches(" kB").parse::<u64>().context("VmRSS is no number")?;
        Ok(Memory { resident, wasm: wasm_memory(&read("maps")?)? })
    }
}

/// V8 reserves more than 4 GB for the memory of a wasm, of which only the beginning can be used: no other mappings, one
/// after the other, are as large together. What cannot be used may be several mappings.
fn wasm_memory(maps: &str) -> Result<u64> {
    // Where what can be used begins and ends, and where all of it ends.
    let mut found: Option<(u64, u64, u64)> = None;
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (range, access) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (start, end) = range.split_once('-').context("no range")?;
        let (start, end) = (u64::from_str_radix(start, 16)?, u64::from_str_radix(end, 16)?);
        found = match found {
            Some((begin, used, until)) if access == "---p" && until == start => Some((begin, used, end)),
            _ => (access == "rw-p").then_some((start, end, end)),
        };
        if let Some((begin, used, _)) = found.filter(|(begin, _, end)| end - begin > 1 << 32) {
            return Ok(used - begin);
        }
    }
    bail!("there is no memory of a wasm in\n{maps}")
}

/// Tokens that hold, tokens that do not, and API keys that nobody has: all of them new.
async fn one_round(gateway: SocketAddr, number: usize) -> Result<()> {
    let first = number * ROUND;
    let (good, other) = (Key::secret(SECRET.as_bytes()), Key::secret(b"another secret, as long as the first one is"));
    send_all(gateway, ROUND, 200, move |number| with_token(&good, first + number)).await?;
    send_all(gateway, ROUND, 401, move |number| with_token(&other, first + number)).await?;
    send_all(gateway, ROUND, 401, move |number| Ok(with_key(first + number, "nobody"))).await
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn workerd_remembers_no_more_however_many_tokens_and_keys_come() -> Result<()> {
    let gateway = gateway(HostName::Workerd, BTreeMap::new()).await?;
    one_round(gateway.address(), 0).await?;
    let before = Memory::of(&gateway)?;
    one_round(gateway.address(), 1).await?;
    let after = Memory::of(&gateway)?;
    ensure!(after.wasm < before.wasm + MOST_GROWTH, "the wasm grew: {before:?}, {after:?}");
    ensure!(after.resident < before.resident + MOST_GROWTH_OF_ALL, "it grew: {before:?}, {after:?}");
    Ok(())
}

const STORED: usize = 100_000;

/// Among how many of them one is asked for.
const EVERY: usize = 500;

/// More than 200 look-ups take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A store with a hundred thousand keys. Only those that are asked for need to be keys.
async fn finds_its_own(host: HostName) -> Result<()> {
    let entries = (0..STORED).map(|number| {
        let entry = match number % EVERY {
            0 => api_key::entry::key(&api_key::hash(&key_of(number)).unwrap_or_default()),
            _ => api_key::entry::key(&digest(number)),
        };
        (entry, json!({ "consumer": format!("consumer-{number}") }).to_string())
    });
    let gateway = gateway(host, entries.collect()).await?;
    let begin = Instant::now();
    let known = |number| Ok(with_key(EVERY * number, &format!("consumer-{}", EVERY * number)));
    send_all(gateway.address(), STORED / EVERY, 200, known).await?;
    ensure!(begin.elapsed() < PATIENCE, "{} look-ups took {:?}", STORED / EVERY, begin.elapsed());
    send_all(gateway.address(), 20, 401, |number| Ok(with_key(STORED + number, "nobody"))).await
}

#[tokio::test]
async fn workerd_finds_its_own_among_a_hundred_thousand_keys() -> Result<()> {
    finds_its_own(HostName::Workerd).await
}

#[tokio::test]
async fn spin_finds_its_own_among_a_hundred_thousand_keys() -> Result<()> {
    finds_its_own(HostName::Spin).await
}
