//! What the core needs, on Workers. A future of this host says once what it wants, waits, and takes the reply.

use super::fields::Received;
use super::handle::Handle;
use super::talk::Talk;
use super::wire::{self, Reply, Wanted};
use super::zones::Zones;
use crate::body::{Body, HostBody};
use crate::host::{Check, Counters, Host, HostError, MadeOf, Outgoing, Question, Swap, Task, Timestamp, Watch};
use crate::jose::key::SigningKey;
use crate::meter::Count;
use bytes::Bytes;
use http::Response;
use sha2::{Digest, Sha256};
use std::cell::{Cell, RefCell};
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;
use wasm_bindgen::prelude::*;
use worker::Env;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = log)]
    fn console_log(line: &str);

    #[wasm_bindgen(catch, js_namespace = crypto, js_name = getRandomValues)]
    fn fill_random(bytes: &mut [u8]) -> Result<JsValue, JsValue>;
}

/// The platform, as the task that is being polled sees it.
#[derive(Default)]
pub struct WorkersHost {
    env: RefCell<Option<Env>>,
    now: Cell<f64>,
    received: RefCell<Received>,
    pub talk: Talk,
    later: RefCell<Vec<Task<'static, ()>>>,
    random: RefCell<VecDeque<u8>>,
    /// The names of keys whose JWK the entry has been told, and has kept unless others took their place.
    told: RefCell<HashSet<String>>,
    zones: RefCell<Zones>,
}

/// Random bytes are fetched this many at a time: a crossing costs more than the bytes.
const RANDOM_BYTES: usize = 512;

/// How long a store, a key or a claim may take before its request is taken for forgotten.
const STORE_MS: f64 = 60_000.0;

/// Among how many Durable Objects claims are shared out. One object decides about 1,000 of them a second, one after the
/// other, so it is never one for all. Nor is it one for each key: a new object takes long to make, and stays when the
/// claim has run out. With 64, a busy gateway has room, and those of a quiet one are awake more often than not.
const SHARDS: u8 = 64;

/// How many keys the entry is thought to have. It keeps as many, not quite the same ones.
const MOST_KEYS: usize = 256;

impl WorkersHost {
    pub fn bind(&self, env: Env) {
        *self.env.borrow_mut() = Some(env);
    }

    /// The time of the last message from the platform: it stands still in between.
    pub fn time(&self) -> Timestamp {
        Timestamp(self.now.get())
    }

    /// Sets up what a task sees while it is polled.
    pub fn enter(&self, received: Received) {
        *self.received.borrow_mut() = received;
    }

    /// The clock moves with each message.
    pub fn set_time(&self, now: f64) {
        self.now.set(now);
    }

    /// Takes back what a task saw, with what goes on after it.
    pub fn leave(&self) -> (Received, Vec<Task<'static, ()>>) {
        (self.received.take(), self.later.take())
    }

    /// Says what is wanted, and waits for the reply.
    async fn ask(&self, kind: &str, lines: &[&str], longest_ms: f64) -> Reply {
        self.talk.ask(self.wanted(kind, lines, longest_ms)).await
    }

    fn wanted(&self, kind: &str, lines: &[&str], longest_ms: f64) -> Wanted {
        Wanted::new(self.talk.number(), kind, lines, longest_ms)
    }

    /// Asks for something that is done with a key, whose JWK is sent where the entry does not have it.
    async fn ask_with_key(&self, key: &str, jwk: &dyn Fn() -> String, wanted: &dyn Fn(&str) -> Wanted) -> Reply {
        if !key.is_empty() && self.told.borrow().contains(key) {
            match self.talk.ask(wanted("")).await {
                Reply::UnknownKey => {}
                reply => return reply,
            }
        }
        if !key.is_empty() {
            let mut told = self.told.borrow_mut();
            if told.len() >= MOST_KEYS {
                told.clear();
            }
            told.insert(key.to_owned());
        }
        self.talk.ask(wanted(&jwk())).await
    }
}

/// A reply of another kind than what was asked for.
fn unexpected<T>(reply: Reply) -> Result<T, HostError> {
    Err(match reply {
        Reply::Failed(error) => error,
        Reply::Response(..) | Reply::Value(_) | Reply::Bytes(_) | Reply::Counts(_) | Reply::UnknownKey => {
            HostError::Other("a reply to something else".to_owned())
        }
    })
}

/// The object that decides about a key.
fn shard(key: &str) -> u8 {
    Sha256::digest(key)[0] % SHARDS
}

/// Milliseconds that are not zero.
fn milliseconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1000).saturating_add(u64::from(duration.subsec_millis())).max(1)
}

/// The end of the answer of the request that it was made in: the entry knows which that is, since only a task that goes
/// on behind the same request waits for it.
struct End;

impl Watch for End {
    fn ended(&self, longest: Duration) -> Task<'_, bool> {
        let host = super::HOST.with(Rc::clone);
        Box::pin(async move {
            let ms = milliseconds(longest);
            let reply = host.ask("E", &[itoa::Buffer::new().format(ms)], ms as f64).await;
            matches!(reply, Reply::Value(Some(_)))
        })
    }
}

impl Host for WorkersHost {
    fn now(&self) -> Timestamp {
        self.time()
    }

    fn random(&self, bytes: &mut [u8]) {
        let mut pool = self.random.borrow_mut();
        if pool.len() < bytes.len() {
            let mut fresh = vec![0; RANDOM_BYTES.max(bytes.len())];
            // It fails outside of requests only, where nothing is random.
            if fill_random(&mut fresh).is_ok() {
                pool.extend(fresh);
            }
        }
        for byte in bytes {
            *byte = pool.pop_front().unwrap_or_default();
        }
    }

    fn sleep(&self, duration: Duration) -> Task<'_, ()> {
        Box::pin(async move {
            let ms = duration.as_secs_f64() * 1000.0;
            let whole = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            self.ask("S", &[itoa::Buffer::new().format(whole)], ms).await;
        })
    }

    fn fetch<'a>(&'a self, request: Outgoing<'a>) -> Task<'a, Result<Response<Body>, HostError>> {
        Box::pin(async move {
            let Outgoing { method, url, headers, made_of, body, timeout, upgrade, reads } = request;
            let mut bytes = None;
            let (kind, limit) = match body {
                Body::Empty => ("none", String::new()),
                Body::Bytes(content) => {
                    bytes = Some(Vec::from(content));
                    ("bytes", String::new())
                }
                Body::Host(HostBody { handle, limit, .. })
                    if matches!(handle.downcast_ref(), Some(Handle::Request)) =>
                {
                    ("client", limit.map(|limit| itoa::Buffer::new().format(limit).to_owned()).unwrap_or_default())
                }
                Body::Host(_) => return Err(HostError::Other("a request body that is not the client's".to_owned())),
            };
            let ms = milliseconds(timeout);
            let upgrade = if upgrade { "1" } else { "0" };
            let (mut digits, mut most) = (itoa::Buffer::new(), itoa::Buffer::new());
            let reads = reads.map_or("", |bytes| most.format(bytes));
            let lines = [method.as_str(), &url, kind, &limit, digits.format(ms), upgrade, reads];
            let mut wanted = Wanted { bytes, ..self.wanted("F", &lines, ms as f64) };
            self.received.borrow().fields.changes(headers, made_of, &mut wanted.text);
            match self.talk.ask(wanted).await {
                Reply::Response(mut response, fields) => {
                    if made_of == MadeOf::Client
                        && let Body::Host(body) = response.body_mut()
                        && let Some(Handle::Response(held)) = body.handle.downcast_mut()
                    {
                        held.fields = Some(fields);
                    }
                    Ok(response)
                }
                reply => unexpected(reply),
            }
        })
    }

    fn get<'a>(&'a self, store: &'a str, key: &'a str) -> Task<'a, Result<Option<Bytes>, HostError>> {
        Box::pin(async move {
            match self.ask("G", &[store, key], STORE_MS).await {
                Reply::Value(value) => Ok(value.map(Bytes::from)),
                reply => unexpected(reply),
            }
        })
    }

    fn put<'a>(
        &'a self,
        store: &'a str,
        key: &'a str,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Task<'a, Result<(), HostError>> {
        Box::pin(async move {
            let seconds = ttl.map(|ttl| ttl.as_secs().max(60).to_string()).unwrap_or_default();
            let value = String::from_utf8_lossy(&value);
            match self.ask("P", &[store, key, &seconds, &value], STORE_MS).await {
                Reply::Value(_) => Ok(()),
                reply => unexpected(reply),
            }
        })
    }

    fn collect<'a>(&'a self, body: Body, most: u64, timeout: Duration) -> Task<'a, Result<Bytes, HostError>> {
        Box::pin(async move {
            let body = match body {
                Body::Host(body) if body.length != Some(0) => body,
                Body::Bytes(bytes) if bytes.len() as u64 > most => return Err(HostError::BodyTooLarge),
                Body::Bytes(bytes) => return Ok(bytes),
                Body::Empty | Body::Host(_) => return Ok(Bytes::new()),
            };
            let most = body.limit.map_or(most, |limit| limit.min(most));
            if body.length.is_some_and(|length| length > most) {
                return Err(HostError::BodyTooLarge);
            }
            let mut digits = [itoa::Buffer::new(), itoa::Buffer::new(), itoa::Buffer::new()];
            let [whose, most_digits, ms_digits] = &mut digits;
            let whose = match Handle::of(body) {
                Some(Handle::Request) => "request",
                Some(Handle::Response(held)) => whose.format(held.take().0),
                None => return Err(HostError::Other("a body of another host".to_owned())),
            };
            let ms = milliseconds(timeout);
            match self.ask("B", &[whose, most_digits.format(most), ms_digits.format(ms)], ms as f64).await {
                Reply::Bytes(bytes) => Ok(bytes),
                reply => unexpected(reply),
            }
        })
    }

    fn claim<'a>(&'a self, _: Option<&'a str>, key: &'a str, ttl: Duration) -> Task<'a, Result<bool, HostError>> {
        Box::pin(async move {
            let (mut digits, mut shard_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
            let lines = [shard_digits.format(shard(key)), digits.format(milliseconds(ttl)), key];
            match self.ask("L", &lines, STORE_MS).await {
                Reply::Value(Some(first)) => Ok(first == "1"),
                reply => unexpected(reply),
            }
        })
    }

    fn swap<'a>(
        &'a self,
        _: Option<&'a str>,
        key: &'a str,
        swap: Swap<'a>,
    ) -> Task<'a, Result<Option<String>, HostError>> {
        Box::pin(async move {
            let (mut digits, mut shard_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
            let ms = digits.format(milliseconds(swap.ttl));
            let lines = [shard_digits.format(shard(key)), ms, key, swap.expected, swap.value];
            match self.ask("H", &lines, STORE_MS).await {
                Reply::Value(held) => Ok(held),
                reply => unexpected(reply),
            }
        })
    }

    fn count<'a>(
        &'a self,
        _: &'a Counters,
        questions: &'a [Question],
        timeout: Duration,
    ) -> Task<'a, Vec<Result<Count, HostError>>> {
        Box::pin(async move {
            if questions.is_empty() {
                return Vec::new();
            }
            let ms = milliseconds(timeout);
            let mut wanted = self.wanted("N", &[itoa::Buffer::new().format(ms)], ms as f64);
            for Question { counter, ask } in questions {
                wire::push(&mut wanted.text, counter);
                wire::push(&mut wanted.text, &ask.line());
            }
            match self.talk.ask(wanted).await {
                Reply::Counts(answers) if answers.len() == questions.len() => answers,
                reply => {
                    let error = unexpected::<Count>(reply);
                    questions.iter().map(|_| error.clone()).collect()
                }
            }
        })
    }

    fn admit<'a>(&'a self, binding: &'a str, key: &'a str, timeout: Duration) -> Task<'a, Result<bool, HostError>> {
        Box::pin(async move {
            let ms = milliseconds(timeout);
            let mut digits = itoa::Buffer::new();
            let lines = [binding, digits.format(ms), key];
            match self.ask("U", &lines, ms as f64).await {
                Reply::Value(Some(passes)) => Ok(passes == "1"),
                reply => unexpected(reply),
            }
        })
    }

    fn offset(&self, zone: &str, at: Timestamp) -> Option<i64> {
        self.zones.borrow_mut().offset(zone, at)
    }

    fn watch(&self, body: Body) -> (Body, Box<dyn Watch>) {
        self.received.borrow_mut().watched = true;
        (body, Box::new(End))
    }

    fn verify<'a>(&'a self, check: Check<'a>) -> Task<'a, Result<bool, HostError>> {
        Box::pin(async move {
            let Check { algorithm, key, message, signature, lasting } = check;
            let algorithm = algorithm.name();
            let name = if lasting { [algorithm, " ", &key.thumbprint].concat() } else { String::new() };
            let mut digits = itoa::Buffer::new();
            let length = digits.format(signature.len());
            let wanted = |jwk: &str| {
                let lines = [algorithm, &name, jwk, length];
                self.wanted("C", &lines, STORE_MS).with([signature, message.as_bytes()].concat())
            };
            match self.ask_with_key(&name, &|| key.jwk.to_string(), &wanted).await {
                Reply::Value(Some(holds)) => Ok(holds == "1"),
                reply => unexpected(reply),
            }
        })
    }

    fn sign<'a>(&'a self, key: &'a SigningKey, message: &'a str) -> Task<'a, Result<Vec<u8>, HostError>> {
        Box::pin(async move {
            let algorithm = key.algorithm.name();
            let name = ["sign ", algorithm, " ", &key.thumbprint].concat();
            let wanted = |jwk: &str| self.wanted("K", &[algorithm, &name, jwk], STORE_MS).with(message.as_bytes());
            match self.ask_with_key(&name, &|| key.jwk.to_string(), &wanted).await {
                Reply::Bytes(signature) => Ok(signature.into()),
                reply => unexpected(reply),
            }
        })
    }

    fn secret<'a>(&'a self, name: &'a str) -> Task<'a, Option<String>> {
        let secret = self.env.borrow().as_ref().and_then(|env| env.secret(name).ok()).map(|secret| secret.to_string());
        Box::pin(std::future::ready(secret))
    }

    fn wait_until(&self, task: Task<'static, ()>) {
        self.later.borrow_mut().push(task);
    }

    fn log(&self, line: &str) {
        console_log(line);
    }
}
