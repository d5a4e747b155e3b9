//! What the core needs, on Workers. A future of this host says once what it wants, waits, and takes the reply.

use super::wire::{self, Fields, Handle, Received, Reply, Wanted};
use crate::body::{Body, HostBody};
use crate::host::{Host, HostError, Outgoing, Task, Timestamp};
use bytes::Bytes;
use http::Response;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;
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
    reply: RefCell<Option<String>>,
    wanted: RefCell<Option<Wanted>>,
    later: RefCell<Vec<Task<'static, ()>>>,
    random: RefCell<VecDeque<u8>>,
    binary: RefCell<Vec<u8>>,
}

/// Random bytes are fetched this many at a time: a crossing costs more than the bytes.
const RANDOM_BYTES: usize = 512;

/// How long a store may take before its request is taken for forgotten.
const STORE_MS: f64 = 60_000.0;

impl WorkersHost {
    pub fn bind(&self, env: Env) {
        *self.env.borrow_mut() = Some(env);
    }

    /// The time of the last message from the platform: it stands still in between.
    pub fn time(&self) -> Timestamp {
        Timestamp(self.now.get())
    }

    /// Sets up what a task sees while it is polled.
    pub fn enter(&self, received: Received, reply: Option<String>) {
        *self.received.borrow_mut() = received;
        *self.reply.borrow_mut() = reply;
    }

    /// The clock moves with each message.
    pub fn set_time(&self, now: f64) {
        self.now.set(now);
    }

    /// Takes back what a task saw, with what it wants now and what goes on after it.
    pub fn leave(&self) -> (Received, Option<Wanted>, Vec<Task<'static, ()>>) {
        (self.received.take(), self.wanted.take(), self.later.take())
    }

    /// An answer as a step.
    pub fn answer(&self, response: Response<Body>, received: &Received) -> String {
        let (text, binary) = wire::answer(response, received);
        *self.binary.borrow_mut() = binary.unwrap_or_default();
        text
    }

    pub fn take_binary(&self) -> Vec<u8> {
        self.binary.take()
    }

    /// Says what is wanted, and waits for the reply.
    async fn ask(&self, wanted: impl FnOnce(&Fields) -> Wanted) -> Reply {
        let mut wanted = Some(wanted);
        poll_fn(|_| {
            if let Some(wanted) = wanted.take() {
                let wanted = wanted(&self.received.borrow().request);
                *self.wanted.borrow_mut() = Some(wanted);
                return Poll::Pending;
            }
            match self.reply.take() {
                Some(text) => Poll::Ready(self.take(text)),
                None => Poll::Pending,
            }
        })
        .await
    }

    fn take(&self, text: String) -> Reply {
        wire::reply(text).unwrap_or_else(|| Reply::Failed(HostError::Other("a reply that cannot be read".to_owned())))
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
            self.ask(|_| Wanted::new("S", &[itoa::Buffer::new().format(whole)], ms)).await;
        })
    }

    fn fetch<'a>(&'a self, request: Outgoing<'a>) -> Task<'a, Result<Response<Body>, HostError>> {
        Box::pin(async move {
            let Outgoing { method, url, headers, made_of, body, timeout, upgrade } = request;
            let (kind, limit) = match &body {
                Body::Empty => ("none", String::new()),
                Body::Host(HostBody { handle, limit, .. }) if handle.downcast_ref() == Some(&Handle::Request) => {
                    ("client", limit.map(|limit| itoa::Buffer::new().format(limit).to_owned()).unwrap_or_default())
                }
                Body::Host(_) | Body::Bytes(_) => {
                    return Err(HostError::Other("a request body that is not the client's".to_owned()));
                }
            };
            let ms = timeout.as_secs().saturating_mul(1000).saturating_add(u64::from(timeout.subsec_millis())).max(1);
            let upgrade = if upgrade { "1" } else { "0" };
            let mut digits = itoa::Buffer::new();
            let lines = [method.as_str(), &url, kind, &limit, digits.format(ms), upgrade];
            let longest = ms as f64;
            match self.ask(|received| Wanted::new("F", &lines, longest).changes(received, headers, made_of)).await {
                Reply::Response(response, fields) => {
                    self.received.borrow_mut().response = fields;
                    Ok(response)
                }
                Reply::Failed(error) => Err(error),
                Reply::Value(_) => Err(HostError::Other("a value where a response was asked for".to_owned())),
            }
        })
    }

    fn get<'a>(&'a self, store: &'a str, key: &'a str) -> Task<'a, Result<Option<Bytes>, HostError>> {
        Box::pin(async move {
            match self.ask(|_| Wanted::new("G", &[store, key], STORE_MS)).await {
                Reply::Value(value) => Ok(value.map(Bytes::from)),
                Reply::Failed(error) => Err(error),
                Reply::Response(..) => Err(HostError::Other("a response where a value was asked for".to_owned())),
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
            match self.ask(|_| Wanted::new("P", &[store, key, &seconds, &value], STORE_MS)).await {
                Reply::Failed(error) => Err(error),
                Reply::Value(_) | Reply::Response(..) => Ok(()),
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
