//! A host without a platform: scripted upstreams, a clock that moves when it is told to, randomness with a seed. Tests
//! and `edgate explain` run the gateway on it.

use crate::body::{Body, HostBody};
use crate::host::{Check, Counters, Host, HostError, Outgoing, Question, Swap, Task, Timestamp, Watch};
use crate::jose::key::SigningKey;
use crate::jose::native;
use crate::meter::Count;
use crate::zone;
use bytes::Bytes;
use http::Response;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub mod client;
pub mod clock;
pub mod counters;
mod records;

use client::Client;
use clock::Clock;
use counters::{Counting, Limiter, Shelf};
use records::Records;

/// A host in memory. Nobody on it really waits: time passes at once.
pub struct MemoryHost {
    clock: Clock,
    seed: Cell<u64>,
    upstream: RefCell<Box<Script>>,
    stores: RefCell<BTreeMap<String, BTreeMap<String, Kept>>>,
    /// How long it takes to read a value.
    pub stores_take: Cell<Duration>,
    secrets: BTreeMap<String, String>,
    /// Until when a key is claimed.
    claims: RefCell<BTreeMap<String, f64>>,
    records: RefCell<Records>,
    counters: RefCell<Shelf>,
    /// The platform's own rate limiters, by their bindings.
    limiters: RefCell<BTreeMap<String, Limiter>>,
    /// What clients do.
    pub client: Client,
    log: RefCell<Vec<String>>,
    later: RefCell<VecDeque<Task<'static, ()>>>,
    /// Whether it is what goes on after responses that runs.
    behind: Cell<bool>,
}

/// What answers in an upstream's place.
type Script = dyn FnMut(&Outgoing<'_>) -> Answer;

/// What a scripted upstream does.
pub struct Answer {
    /// How long it takes to begin.
    pub after: Duration,
    pub result: Result<Response<Body>, HostError>,
}

/// A body of this host: what its stream will yield.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    pub chunks: Vec<Bytes>,
    /// Whether it ends in an error instead of its end.
    pub fails: bool,
    /// How long each chunk takes.
    pub every: Duration,
}

struct Kept {
    value: Bytes,
    until: Option<f64>,
}

impl MemoryHost {
    /// A host whose upstreams answer as `upstream` says, at 2026-01-01T00:00:00Z.
    pub fn new(upstream: impl FnMut(&Outgoing<'_>) -> Answer + 'static) -> MemoryHost {
        MemoryHost {
            clock: Clock::new(1_767_225_600_000.0),
            seed: Cell::new(0x9E37_79B9_7F4A_7C15),
            upstream: RefCell::new(Box::new(upstream)),
            stores: RefCell::default(),
            stores_take: Cell::default(),
            secrets: BTreeMap::new(),
            claims: RefCell::default(),
            records: RefCell::default(),
            counters: RefCell::default(),
            limiters: RefCell::default(),
            client: Client::default(),
            log: RefCell::default(),
            later: RefCell::default(),
            behind: Cell::new(false),
        }
    }

    pub fn with_secrets(self, secrets: BTreeMap<String, String>) -> MemoryHost {
        MemoryHost { secrets, ..self }
    }

    /// The same host with rate limiters of its own.
    pub fn with_limiters(self, limiters: BTreeMap<String, Limiter>) -> MemoryHost {
        MemoryHost { limiters: limiters.into(), ..self }
    }

    /// The same host at another time.
    pub fn at(self, now: Timestamp) -> MemoryHost {
        self.clock.set(now.0);
        self
    }

    /// Moves the clock.
    pub fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    /// Writes into a store, as somebody else would.
    pub fn set_value(&self, store: &str, key: &str, value: impl Into<Bytes>) {
        let kept = Kept { value: value.into(), until: None };
        self.stores.borrow_mut().entry(store.to_owned()).or_default().insert(key.to_owned(), kept);
    }

    /// How counters answer from now on.
    pub fn set_counting(&self, counting: Counting) {
        self.counters.borrow_mut().counting = counting;
    }

    /// How many questions its counters were asked.
    pub fn questions(&self) -> u64 {
        self.counters.borrow().asked
    }

    /// Writes over the states of all counters, as somebody else would.
    pub fn corrupt_counters(&self) {
        self.counters.borrow_mut().corrupt();
    }

    /// The lines that were logged since the last call.
    pub fn take_log(&self) -> Vec<String> {
        self.log.take()
    }

    /// What would go on behind the requests so far, to be run by whoever takes it.
    #[cfg(test)]
    pub fn take_later(&self) -> Vec<Task<'static, ()>> {
        self.later.borrow_mut().drain(..).collect()
    }

    /// Something that takes time. In the background it is over at once, and the clock has moved.
    fn take<'a, T: 'a>(&'a self, time: Duration, result: T) -> Task<'a, T> {
        if self.behind.get() {
            self.advance(time);
            return Box::pin(std::future::ready(result));
        }
        let waited = self.clock.wait(time);
        Box::pin(async move {
            waited.await;
            result
        })
    }

    /// Goes on with what was to go on after responses. Whatever sleeps there goes on later, when its time has come: only
    /// who is waited for moves the clock.
    pub fn run_later(&self) {
        if self.behind.replace(true) {
            return;
        }
        let mut asleep = VecDeque::new();
        loop {
            let task = self.later.borrow_mut().pop_front();
            let Some(mut task) = task else { break };
            if task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                asleep.push_back(task);
            }
        }
        *self.later.borrow_mut() = asleep;
        self.behind.set(false);
    }
}

/// What a body's stream yields on this host; `Err` for one that ends in an error.
pub fn collect(body: Body) -> Result<Bytes, Bytes> {
    match body {
        Body::Empty => Ok(Bytes::new()),
        Body::Bytes(bytes) => Ok(bytes),
        Body::Host(HostBody { handle, .. }) => {
            let stream = handle.downcast::<Stream>().map(|stream| *stream).unwrap_or_default();
            let bytes = Bytes::from(stream.chunks.concat());
            if stream.fails { Err(bytes) } else { Ok(bytes) }
        }
    }
}

/// How long a body takes until its end.
fn duration(body: &Body) -> Duration {
    let Body::Host(HostBody { handle, .. }) = body else { return Duration::ZERO };
    let time = |stream: &Stream| stream.every.saturating_mul(u32::try_from(stream.chunks.len()).unwrap_or(u32::MAX));
    handle.downcast_ref().map(time).unwrap_or_default()
}

/// Whether more would come out of a body than may.
fn is_over_limit(body: &Body) -> bool {
    let Body::Host(HostBody { handle, limit: Some(limit), .. }) = body else { return false };
    let length: usize = handle.downcast_ref::<Stream>().map_or(0, |stream| stream.chunks.iter().map(Bytes::len).sum());
    length as u64 > *limit
}

impl Host for MemoryHost {
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.now())
    }

    /// xorshift64: repeatable, and only for this host.
    fn random(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let mut seed = self.seed.get();
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            self.seed.set(seed);
            *byte = seed.to_be_bytes()[0];
        }
    }

    /// What goes on in the background goes on while somebody waits.
    fn sleep(&self, duration: Duration) -> Task<'_, ()> {
        if self.behind.get() {
            let until = self.clock.after(duration);
            return Box::pin(poll_fn(move |_| if self.clock.now() < until { Poll::Pending } else { Poll::Ready(()) }));
        }
        self.run_later();
        Box::pin(self.clock.wait(duration))
    }

    fn fetch<'a>(&'a self, request: Outgoing<'a>) -> Task<'a, Result<Response<Body>, HostError>> {
        if is_over_limit(&request.body) {
            return Box::pin(std::future::ready(Err(HostError::BodyTooLarge)));
        }
        let Answer { after, result } = (self.upstream.borrow_mut())(&request);
        if self.client.leaves.take() {
            return Box::pin(std::future::pending());
        }
        let result = if after <= request.timeout { result } else { Err(HostError::Timeout) };
        self.take(after.min(request.timeout), result)
    }

    fn get<'a>(&'a self, store: &'a str, key: &'a str) -> Task<'a, Result<Option<Bytes>, HostError>> {
        let stores = self.stores.borrow();
        let result = match stores.get(store) {
            None => Err(HostError::Denied(format!("no store is called `{store}`"))),
            Some(keys) => {
                let kept = keys.get(key).filter(|kept| kept.until.is_none_or(|until| until > self.clock.now()));
                Ok(kept.map(|kept| kept.value.clone()))
            }
        };
        self.take(self.stores_take.get(), result)
    }

    fn put<'a>(
        &'a self,
        store: &'a str,
        key: &'a str,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Task<'a, Result<(), HostError>> {
        let until = ttl.map(|ttl| self.clock.after(ttl));
        let result = match self.stores.borrow_mut().get_mut(store) {
            None => Err(HostError::Denied(format!("no store is called `{store}`"))),
            Some(keys) => {
                keys.insert(key.to_owned(), Kept { value, until });
                Ok(())
            }
        };
        Box::pin(std::future::ready(result))
    }

    fn collect<'a>(&'a self, body: Body, most: u64, timeout: Duration) -> Task<'a, Result<Bytes, HostError>> {
        let time = duration(&body);
        let result = match collect(body) {
            _ if time > timeout => Err(HostError::Timeout),
            Ok(bytes) if bytes.len() as u64 <= most => Ok(bytes),
            Ok(_) => Err(HostError::BodyTooLarge),
            Err(_) => Err(HostError::Disconnected("the stream broke off".to_owned())),
        };
        self.take(time.min(timeout), result)
    }

    fn claim<'a>(&'a self, _: Option<&'a str>, key: &'a str, ttl: Duration) -> Task<'a, Result<bool, HostError>> {
        let now = self.clock.now();
        let mut claims = self.claims.borrow_mut();
        claims.retain(|_, until| *until > now);
        let first = !claims.contains_key(key);
        if first {
            claims.insert(key.to_owned(), self.clock.after(ttl));
        }
        Box::pin(std::future::ready(Ok(first)))
    }

    fn swap<'a>(
        &'a self,
        _: Option<&'a str>,
        key: &'a str,
        swap: Swap<'a>,
    ) -> Task<'a, Result<Option<String>, HostError>> {
        let result = match self.counters.borrow().counting {
            Counting::Down => Err(HostError::Unreachable("whoever decides claims is down".to_owned())),
            _ => Ok(self.records.borrow_mut().swap(key, &swap, self.now().0)),
        };
        Box::pin(std::future::ready(result))
    }

    fn count<'a>(
        &'a self,
        _: &'a Counters,
        questions: &'a [Question],
        timeout: Duration,
    ) -> Task<'a, Vec<Result<Count, HostError>>> {
        let now = self.clock.now() as u64;
        let mut counters = self.counters.borrow_mut();
        let slow = counters.counting == Counting::Slow;
        let answers = questions.iter().map(|question| {
            let answer = counters.count(question, now);
            if slow { Err(HostError::Timeout) } else { answer }
        });
        let answers = answers.collect();
        if slow {
            self.advance(timeout);
        }
        Box::pin(std::future::ready(answers))
    }

    fn admit<'a>(&'a self, binding: &'a str, key: &'a str, _: Duration) -> Task<'a, Result<bool, HostError>> {
        let result = match self.limiters.borrow_mut().get_mut(binding) {
            Some(limiter) => Ok(limiter.admit(key, self.clock.now() as u64)),
            None => Err(HostError::Denied(format!("no rate limiter is bound as `{binding}`"))),
        };
        Box::pin(std::future::ready(result))
    }

    fn offset(&self, zone: &str, at: Timestamp) -> Option<i64> {
        zone::offset(zone, at)
    }

    fn watch(&self, body: Body) -> (Body, Box<dyn Watch>) {
        (body, self.client.watch(self.clock.shared()))
    }

    fn verify<'a>(&'a self, check: Check<'a>) -> Task<'a, Result<bool, HostError>> {
        let holds = native::verify(check.algorithm, check.key, check.message.as_bytes(), check.signature);
        Box::pin(std::future::ready(Ok(holds)))
    }

    fn sign<'a>(&'a self, key: &'a SigningKey, message: &'a str) -> Task<'a, Result<Vec<u8>, HostError>> {
        let signature = native::sign(key, message.as_bytes());
        let result = signature.ok_or_else(|| HostError::Other("this key cannot sign".to_owned()));
        Box::pin(std::future::ready(result))
    }

    fn secret<'a>(&'a self, name: &'a str) -> Task<'a, Option<String>> {
        Box::pin(std::future::ready(self.secrets.get(name).cloned()))
    }

    fn wait_until(&self, task: Task<'static, ()>) {
        self.later.borrow_mut().push_back(task);
    }

    fn log(&self, line: &str) {
        self.log.borrow_mut().push(line.to_owned());
    }
}
