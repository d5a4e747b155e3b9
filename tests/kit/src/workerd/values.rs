//! The service behind workerd's key-value bindings. workerd turns each operation into an HTTP request to a service of
//! the configuration (`src/workerd/api/kv.c++`): `GET`, `PUT` and `DELETE` of `/KEY?urlencoded=true`, with `cache_ttl`
//! and `expiration_ttl` in seconds; metadata travels in `CF-KV-Metadata`. Listing is not there.

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The field that names the namespace.
pub(super) const STORE: &str = "kit-store";

const METADATA: &str = "cf-kv-metadata";

/// The shortest times that Cloudflare accepts, in seconds.
const SHORTEST_LIFE: u64 = 60;
const SHORTEST_CACHE: u64 = 30;

/// The running service. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Values {
    address: SocketAddr,
    content: Arc<Content>,
    _serving: JoinSet<()>,
}

/// Values by namespace and key.
#[derive(Debug, Default)]
struct Content(Mutex<HashMap<(String, String), Entry>>);

#[derive(Debug, Clone)]
struct Entry {
    value: Bytes,
    metadata: Option<String>,
    expires: Option<Instant>,
}

impl Values {
    pub(super) async fn start(stores: &BTreeMap<String, BTreeMap<String, String>>) -> Result<Values> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port for key-value stores")?;
        let address = listener.local_addr().context("the listener has no address")?;
        let mut serving = JoinSet::new();
        let content = Arc::new(Content::default());
        serving.spawn(accept(listener, Arc::clone(&content)));
        let values = Values { address, content, _serving: serving };
        for (store, entries) in stores {
            entries.iter().for_each(|(key, value)| values.set(store, key, value.as_bytes()));
        }
        Ok(values)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn set(&self, store: &str, key: &str, value: &[u8]) {
        let entry = Entry { value: Bytes::copy_from_slice(value), metadata: None, expires: None };
        self.content.lock().insert((store.to_owned(), key.to_owned()), entry);
    }

    pub(super) fn get(&self, store: &str, key: &str) -> Option<Vec<u8>> {
        self.content.find(store, key).map(|entry| entry.value.to_vec())
    }
}

impl Content {
    fn find(&self, store: &str, key: &str) -> Option<Entry> {
        let entry = self.lock().get(&(store.to_owned(), key.to_owned())).cloned();
        entry.filter(|entry| entry.expires.is_none_or(|expires| Instant::now() < expires))
    }

    /// Another task's panic leaves the values as good as they were.
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, content: Arc<Content>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let content = Arc::clone(&content);
        let service = service_fn(move |request| {
            let content = Arc::clone(&content);
            async move { Ok::<_, Infallible>(respond(request, &content).await) }
        });
        connections.spawn(async move {
            // A connection that breaks is workerd's to report.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn respond(request: Request<Incoming>, content: &Content) -> Response<Full<Bytes>> {
    let store = request.headers().get(STORE).and_then(|name| name.to_str().ok()).unwrap_or_default().to_owned();
    let key = percent_decode_str(request.uri().path().trim_start_matches('/')).decode_utf8_lossy().into_owned();
    match *request.method() {
        Method::GET => get(&request, content, &store, &key),
        Method::PUT => put(request, content, store, key).await,
        Method::DELETE => {
            content.lock().remove(&(store, key));
            status(StatusCode::OK)
        }
        _ => status(StatusCode::METHOD_NOT_ALLOWED),
    }
}

fn get(request: &Request<Incoming>, content: &Content, store: &str, key: &str) -> Response<Full<Bytes>> {
    if seconds(request, "cache_ttl").is_some_and(|ttl| ttl < SHORTEST_CACHE) {
        return status(StatusCode::BAD_REQUEST);
    }
    let Some(entry) = content.find(store, key) else { return status(StatusCode::NOT_FOUND) };
    let mut response = Response::new(Full::new(entry.value));
    if let Some(metadata) = entry.metadata.and_then(|text| text.parse().ok()) {
        response.headers_mut().insert(METADATA, metadata);
    }
    response
}

async fn put(request: Request<Incoming>, content: &Content, store: String, key: String) -> Response<Full<Bytes>> {
    let life = seconds(&request, "expiration_ttl");
    if life.is_some_and(|ttl| ttl < SHORTEST_LIFE) {
        return status(StatusCode::BAD_REQUEST);
    }
    let metadata = request.headers().get(METADATA).and_then(|text| text.to_str().ok()).map(str::to_owned);
    let Ok(body) = request.into_body().collect().await else { return status(StatusCode::BAD_REQUEST) };
    let expires = life.map(|ttl| Instant::now() + Duration::from_secs(ttl));
    content.lock().insert((store, key), Entry { value: body.to_bytes(), metadata, expires });
    status(StatusCode::OK)
}

fn seconds(request: &Request<Incoming>, name: &str) -> Option<u64> {
    let pairs = request.uri().query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name)?.1.parse().ok()
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
