//! An issuer of tokens as a real server, for tests with many requests: a discovery document and a key set, both counted,
//! keys that change, and answers that go wrong when they are told to. It mints tokens for its own keys.

use crate::credentials::algorithm::Algorithm;
use crate::credentials::key::Key;
use crate::credentials::token;
use crate::seen::generated;
use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// An issuer that runs. It ends when it is dropped.
#[derive(Debug)]
pub struct Issuer {
    address: SocketAddr,
    state: Arc<State>,
    _serving: JoinSet<()>,
}

/// How it answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Behaviour {
    #[default]
    Fine,
    /// Every answer takes this long.
    Slow(Duration),
    /// Every answer is a 500.
    Fails,
    /// The connection is closed in place of an answer.
    Closes,
    /// The discovery document is another issuer's.
    WrongIssuer,
    /// Every answer is a page for people, with the status 200.
    WrongContent,
    /// The key set is JSON of this many bytes at least, and the keys are in it.
    Huge(usize),
    /// The key set has no keys.
    Empty,
}

#[derive(Debug, Default)]
struct State {
    behaviour: Mutex<Behaviour>,
    /// How many times the keys were changed.
    rotations: AtomicU64,
    discoveries: AtomicU64,
    fetches: AtomicU64,
}

/// The keys that take turns.
const KEYS: [&str; 2] = ["p256-1", "p256-2"];

const JWKS: &str = "/keys";
const DISCOVERY: [&str; 2] = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];

impl Issuer {
    /// Starts an issuer on a free port.
    pub async fn start() -> Result<Issuer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port for an issuer")?;
        let address = listener.local_addr().context("the listener has no address")?;
        let state = Arc::new(State::default());
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, address, Arc::clone(&state)));
        Ok(Issuer { address, state, _serving: serving })
    }

    /// Its identifier, below which its documents are.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A token with these claims, signed with ES256 and the key of now. `iss`, `iat` and `exp`, ten minutes from now,
    /// are there unless they are given.
    pub fn mint(&self, claims: &Value) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?.as_secs();
        let mut all = json!({ "iss": self.url(), "iat": now, "exp": now + 600 });
        if let (Some(all), Some(claims)) = (all.as_object_mut(), claims.as_object()) {
            all.extend(claims.clone());
        }
        let (kid, key) = self.state.key(self.state.rotations.load(Ordering::SeqCst))?;
        let header = json!({ "alg": Algorithm::Es256.name(), "kid": kid, "typ": "at+jwt" });
        token::mint(&key, Algorithm::Es256, &header.to_string(), &all.to_string())
    }

    /// Signs with another key from now on. The key set has that and the one before.
    pub fn rotate(&self) {
        self.state.rotations.fetch_add(1, Ordering::SeqCst);
    }

    /// Answers like this from now on.
    pub fn set(&self, behaviour: Behaviour) {
        *self.state.behaviour() = behaviour;
    }

    /// How many times its key set was asked for.
    pub fn fetches(&self) -> u64 {
        self.state.fetches.load(Ordering::SeqCst)
    }

    /// How many times its discovery document was asked for.
    pub fn discoveries(&self) -> u64 {
        self.state.discoveries.load(Ordering::SeqCst)
    }
}

impl State {
    fn key(&self, rotation: u64) -> Result<(String, Key)> {
        let name = KEYS[usize::try_from(rotation % 2)?];
        Ok((format!("key-{rotation}"), Key::shipped(name)?))
    }

    fn key_set(&self) -> Result<Value> {
        let newest = self.rotations.load(Ordering::SeqCst);
        let jwk = |rotation| {
            let (kid, key) = self.key(rotation)?;
            let mut jwk: Map<String, Value> = key.public_jwk();
            jwk.extend([("kid".to_owned(), json!(kid)), ("alg".to_owned(), json!("ES256"))]);
            Ok(Value::Object(jwk))
        };
        let keys: Result<Vec<Value>> = (newest.saturating_sub(1)..=newest).map(jwk).collect();
        Ok(json!({ "keys": keys? }))
    }

    /// Another task's panic leaves it as good as it was.
    fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn respond(&self, request: Request<Incoming>, address: SocketAddr) -> Result<Response<Full<Bytes>>, Error> {
        let path = request.uri().path();
        let (is_key_set, is_discovery) = (path == JWKS, DISCOVERY.contains(&path));
        self.fetches.fetch_add(u64::from(is_key_set), Ordering::SeqCst);
        self.discoveries.fetch_add(u64::from(is_discovery), Ordering::SeqCst);
        let behaviour = *self.behaviour();
        match behaviour {
            Behaviour::Slow(time) => tokio::time::sleep(time).await,
            Behaviour::Fails => return Ok(page(StatusCode::INTERNAL_SERVER_ERROR)),
            Behaviour::Closes => return Err(Error::from(ErrorKind::ConnectionReset)),
            Behaviour::WrongContent => return Ok(page(StatusCode::OK)),
            Behaviour::Fine | Behaviour::WrongIssuer | Behaviour::Huge(_) | Behaviour::Empty => {}
        }
        if is_discovery {
            let own = format!("http://{address}");
            let issuer = if behaviour == Behaviour::WrongIssuer { "https://elsewhere.example" } else { &own };
            return Ok(document(&json!({ "issuer": issuer, "jwks_uri": format!("{own}{JWKS}") })));
        }
        if !is_key_set {
            return Ok(page(StatusCode::NOT_FOUND));
        }
        let mut keys = self.key_set().map_err(Error::other)?;
        match behaviour {
            Behaviour::Huge(size) => keys["padding"] = json!(padding(size)),
            Behaviour::Empty => keys["keys"] = json!([]),
            _ => {}
        }
        Ok(document(&keys))
    }
}

async fn accept(listener: TcpListener, address: SocketAddr, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, address, Arc::clone(&state)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, address: SocketAddr, state: Arc<State>) {
    let respond = service_fn(|request| {
        let state = Arc::clone(&state);
        async move { state.respond(request, address).await }
    });
    // A connection that breaks is wanted, or the other end's to report.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), respond).await;
}

fn padding(size: usize) -> String {
    let pieces = (0..size.div_ceil(crate::seen::PIECE)).map(|_| generated(0, crate::seen::PIECE));
    let bytes: Vec<u8> = pieces.flatten().copied().take(size).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn document(json: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(json.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn page(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from("<!doctype html><title>Something is wrong</title>"));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}
