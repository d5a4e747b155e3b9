//! What the gateway needs from the place it runs in. [`Host`] is the complete list; an adapter implements it,
//! converts requests and responses, and decides nothing.

use crate::body::Body;
use crate::config::Platform;
use crate::jose::algorithm::Algorithm;
use crate::jose::key::{PublicKey, SigningKey};
use crate::meter::{Ask, Count};
use base64ct::{Base64UrlUnpadded, Encoding};
use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

/// A future of this thread.
pub type Task<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// What the gateway needs from the place it runs in.
pub trait Host {
    /// The time. It may stand still between I/O (Workers).
    fn now(&self) -> Timestamp;

    /// Fills `bytes` from a cryptographically secure source.
    fn random(&self, bytes: &mut [u8]);

    /// Waits.
    fn sleep(&self, duration: Duration) -> Task<'_, ()>;

    /// Sends a request and waits until the answer's header section is there. Redirections are not followed, and the
    /// body is not read.
    fn fetch<'a>(&'a self, request: Outgoing<'a>) -> Task<'a, Result<Response<Body>, HostError>>;

    /// Reads a value from a key-value store. `None` where there is none, or its time to live has passed.
    fn get<'a>(&'a self, store: &'a str, key: &'a str) -> Task<'a, Result<Option<Bytes>, HostError>>;

    /// Writes a value into a key-value store. It is gone after `ttl`, which is at least 60 s, where one is given.
    fn put<'a>(
        &'a self,
        store: &'a str,
        key: &'a str,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Task<'a, Result<(), HostError>>;

    /// Reads a body to its end. [`HostError::BodyTooLarge`] where it is longer than `most` bytes, and
    /// [`HostError::Timeout`] where it takes longer than `timeout`.
    fn collect<'a>(&'a self, body: Body, most: u64, timeout: Duration) -> Task<'a, Result<Bytes, HostError>>;

    /// Claims a key for `ttl`, at a place that all instances share and that decides one claim after the other: `true`
    /// for whoever comes first, `false` for everybody else until the claim has run out. `redis` is the address of that
    /// place where the platform has none of its own (Spin).
    fn claim<'a>(&'a self, redis: Option<&'a str>, key: &'a str, ttl: Duration) -> Task<'a, Result<bool, HostError>>;

    /// Puts something in the place of what a key holds, at the place where claims are decided, if that is what is expected:
    /// `None` where it was, else what the key holds, which stays. A key that holds nothing holds the empty text, and so does
    /// one whose time is over.
    fn swap<'a>(
        &'a self,
        redis: Option<&'a str>,
        key: &'a str,
        swap: Swap<'a>,
    ) -> Task<'a, Result<Option<String>, HostError>>;

    /// Asks counters that all instances share, each of which decides one question after the other, and gives an answer
    /// to each question, in their order: in one round trip where the platform can. Questions are those of [`crate::meter`].
    fn count<'a>(
        &'a self,
        place: &'a Counters,
        questions: &'a [Question],
        timeout: Duration,
    ) -> Task<'a, Vec<Result<Count, HostError>>>;

    /// Asks the platform's own rate limiter, bound under this name, whether one more request of a key may pass (Workers).
    fn admit<'a>(&'a self, binding: &'a str, key: &'a str, timeout: Duration) -> Task<'a, Result<bool, HostError>>;

    /// How far a time zone of the IANA database is ahead of UTC at a time, in milliseconds. `None` where there is no such
    /// zone.
    fn offset(&self, zone: &str, at: Timestamp) -> Option<i64>;

    /// Has the end of a body seen: whether it has been sent, or broken off. The answer that has it must be sent.
    fn watch(&self, body: Body) -> (Body, Box<dyn Watch>);

    /// Whether a signature of a public key over a message holds. A signature that cannot be one (its length, its
    /// numbers) does not hold; `Err` means that the platform could not say.
    fn verify<'a>(&'a self, check: Check<'a>) -> Task<'a, Result<bool, HostError>>;

    /// Signs a message with a private key.
    fn sign<'a>(&'a self, key: &'a SigningKey, message: &'a str) -> Task<'a, Result<Vec<u8>, HostError>>;

    /// The value of a secret.
    fn secret<'a>(&'a self, name: &'a str) -> Task<'a, Option<String>>;

    /// Goes on with `task` after the response, without delaying it.
    fn wait_until(&self, task: Task<'static, ()>);

    /// Writes one line to the platform's log.
    fn log(&self, line: &str);
}

/// What takes the place of what a key holds.
#[derive(Debug, Clone, Copy)]
pub struct Swap<'a> {
    pub expected: &'a str,
    /// One line, of 2 MB at most. Nothing, where it is empty.
    pub value: &'a str,
    /// How long it is held.
    pub ttl: Duration,
}

/// The end of a body that is on its way to a client.
pub trait Watch {
    /// Waits for the end, but no longer than `longest`: `true` where it was seen.
    fn ended(&self, longest: Duration) -> Task<'_, bool>;
}

/// Where a platform without counters of its own has them (Spin).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters {
    /// The address of a Redis.
    pub redis: Option<Rc<str>>,
    /// The label of a key-value store, where there is no Redis.
    pub store: Rc<str>,
}

/// A question to a counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Which counter: visible ASCII without spaces, at most 200 characters.
    pub counter: String,
    pub ask: Ask,
}

/// A signature to check. What is signed is text in every format that edgate reads.
#[derive(Debug, Clone, Copy)]
pub struct Check<'a> {
    /// One whose keys are public.
    pub algorithm: Algorithm,
    pub key: &'a PublicKey,
    pub message: &'a str,
    pub signature: &'a [u8],
    /// Whether the key will be seen again, so that it is worth keeping in the platform's own form.
    pub lasting: bool,
}

/// A host that requests share.
pub type SharedHost = Rc<dyn Host>;

/// Milliseconds since 1970-01-01T00:00:00Z, with the fraction the platform gives.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Timestamp(pub f64);

impl Timestamp {
    /// Milliseconds since `earlier`; never negative, even where the clock went back.
    pub fn since(self, earlier: Timestamp) -> f64 {
        (self.0 - earlier.0).max(0.0)
    }

    /// Whole milliseconds since 1970.
    pub fn whole_ms(self) -> u64 {
        // The cast saturates.
        self.0 as u64
    }
}

/// A request as it came from the client, or from the proxy before the gateway.
#[derive(Debug)]
pub struct Incoming {
    pub method: Method,
    /// `http` or `https`, as the platform knows it.
    pub scheme: &'static str,
    /// Host and, where it is not the scheme's own, port.
    pub authority: String,
    /// The path as received.
    pub path: String,
    /// What follows the `?`, as received.
    pub query: Option<String>,
    /// The header section, or what the gateway says it reads of it ([`crate::interest::Interest`]): a host may keep the
    /// rest, and pass it on unseen.
    pub headers: HeaderMap,
    /// The size of the whole header section: names and values, and 4 bytes for each field.
    pub headers_size: usize,
    pub body: Body,
    /// Who sent it, as the platform knows it: never what a header field says.
    pub peer: Option<IpAddr>,
    /// What else the platform knows of the client.
    pub facts: ClientFacts,
    /// The protocol version as `Via` writes it: `1.1`, `2`, `3` (RFC 9110, 7.6.3).
    pub version: &'static str,
}

/// What a platform knows of a client beside its address. Nothing of it comes from a header field that a client can
/// send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientFacts {
    /// The country, as ISO 3166-1 has it: `NO`. Workers alone knows it.
    pub country: Option<String>,
    /// The certificate that the client showed in its TLS handshake. Workers alone knows it.
    pub certificate: Option<Certificate>,
}

/// A client's certificate, as the platform has checked it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificate {
    /// Whether it is signed by an authority that the platform was told to trust, and neither expired nor revoked.
    pub verified: bool,
    /// The SHA-256 of its DER form, in lower-case hexadecimal.
    pub sha256: String,
    /// The subject's distinguished name (RFC 2253).
    pub subject: String,
    /// The issuer's distinguished name.
    pub issuer: String,
    pub serial: String,
    /// When it ends, as the platform writes it.
    pub not_after: String,
}

impl Certificate {
    /// Whether it is the one that a token names (RFC 8705, section 3.1: the SHA-256 in base64url).
    pub fn is(&self, hash: &str) -> bool {
        let digits: Option<Vec<u8>> = (0..self.sha256.len() / 2)
            .map(|at| u8::from_str_radix(self.sha256.get(2 * at..2 * at + 2)?, 16).ok())
            .collect();
        digits.is_some_and(|bytes| bytes.len() == 32 && Base64UrlUnpadded::encode_string(&bytes) == hash)
    }
}

/// A request to an upstream.
#[derive(Debug)]
pub struct Outgoing<'a> {
    pub method: Method,
    /// An absolute URL.
    pub url: String,
    /// The header section, lent: policies look at it again when the response is there. Where it is made of the client's,
    /// a host that kept a part of that adds it.
    pub headers: &'a HeaderMap,
    pub made_of: MadeOf,
    pub body: Body,
    /// How long the answer may take to begin.
    pub timeout: Duration,
    /// Whether the answer may be a WebSocket.
    pub upgrade: bool,
    /// The most bytes of an answer of success that are read to its end right after it has come, within the same time. A
    /// host may give such a body as bytes, once all of it is there: that saves a step. Of the answer's fields, it gives
    /// those that the gateway reads.
    pub reads: Option<u64>,
}

/// What a header section began as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeOf {
    /// The client's.
    Client,
    /// Nothing.
    Nothing,
}

/// Why the host could not do it. For the operator's log only: never shown to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostError {
    /// The answer did not begin in time.
    Timeout,
    /// No connection: refused, unreachable, unknown name.
    Unreachable(String),
    /// The connection ended before an answer was there.
    Disconnected(String),
    /// What came is no HTTP response.
    Protocol(String),
    /// The request's body is larger than it may be.
    BodyTooLarge,
    /// The platform does not allow it: an address that is not listed, a store that is not bound.
    Denied(String),
    /// The platform sends no such request: a GET with content (Workers), a method that it does not know, or one more than
    /// it lets a request make. It would not send it to anybody else.
    Unsendable(String),
    /// Anything else.
    Other(String),
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostError::Timeout => f.write_str("no answer in time"),
            HostError::Unreachable(why) => write!(f, "unreachable: {why}"),
            HostError::Disconnected(why) => write!(f, "disconnected: {why}"),
            HostError::Protocol(why) => write!(f, "no valid response: {why}"),
            HostError::BodyTooLarge => f.write_str("the request body is too large"),
            HostError::Denied(why) => write!(f, "denied: {why}"),
            HostError::Unsendable(why) => write!(f, "not sent: {why}"),
            HostError::Other(why) => f.write_str(why),
        }
    }
}

/// What a platform can do, as data that a configuration is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "facts of a platform, of which none follows from another")]
pub struct Capabilities {
    pub platform: Platform,
    /// Whether a WebSocket can pass.
    pub websocket: bool,
    /// Whether the country of a client is known.
    pub country: bool,
    /// Whether client certificates are known.
    pub certificates: bool,
    /// Whether instances need a Redis to agree on what happens once.
    pub claims_need_redis: bool,
    /// Whether they need one to count together.
    pub counters_need_redis: bool,
    /// Whether the platform has a rate limiter of its own.
    pub rate_limiter: bool,
    /// How many requests the gateway may make for one of a client's, where there is a limit.
    pub most_calls: Option<u64>,
    /// How many of them may be under way at the same time, where there is a limit.
    pub most_at_once: Option<u64>,
}

impl Capabilities {
    /// Whether it tells where no connection to an upstream came about: nothing was sent then. Workers has the same words
    /// for every way in which an upstream gives no answer.
    pub fn tells_unsent(&self) -> bool {
        self.platform == Platform::Spin
    }

    /// Whether it does something on a schedule.
    pub fn has_schedule(&self) -> bool {
        self.platform == Platform::Cloudflare
    }

    /// What the platform can do.
    pub fn of(platform: Platform) -> Capabilities {
        match platform {
            Platform::Cloudflare => Capabilities {
                platform,
                websocket: true,
                country: true,
                certificates: true,
                claims_need_redis: false,
                counters_need_redis: false,
                rate_limiter: true,
                most_calls: Some(50),
                most_at_once: Some(6),
            },
            Platform::Spin => Capabilities {
                platform,
                websocket: false,
                country: false,
                certificates: false,
                claims_need_redis: true,
                counters_need_redis: cfg!(feature = "without-atomics"),
                rate_limiter: false,
                most_calls: None,
                most_at_once: None,
            },
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Platform::Cloudflare => "Cloudflare Workers",
            Platform::Spin => "Spin",
        })
    }
}
