//! What the gateway needs from the place it runs in. [`Host`] is the complete list; an adapter implements it,
//! converts requests and responses, and decides nothing.

use crate::body::Body;
use crate::config::Platform;
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

    /// The value of a secret.
    fn secret<'a>(&'a self, name: &'a str) -> Task<'a, Option<String>>;

    /// Goes on with `task` after the response, without delaying it.
    fn wait_until(&self, task: Task<'static, ()>);

    /// Writes one line to the platform's log.
    fn log(&self, line: &str);
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
    /// The protocol version as `Via` writes it: `1.1`, `2`, `3` (RFC 9110, 7.6.3).
    pub version: &'static str,
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
            HostError::Other(why) => f.write_str(why),
        }
    }
}

/// What a platform can do, as data that a configuration is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    pub platform: Platform,
    /// Whether a WebSocket can pass.
    pub websocket: bool,
}

impl Capabilities {
    /// What the platform can do.
    pub fn of(platform: Platform) -> Capabilities {
        match platform {
            Platform::Cloudflare => Capabilities { platform, websocket: true },
            Platform::Spin => Capabilities { platform, websocket: false },
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
