//! A request on its way to an upstream, for as many tries as it takes.

use crate::body::{Body, HostBody};
use crate::exchange::Attempt;
use crate::host::{MadeOf, Timestamp};
use bytes::Bytes;
use http::{HeaderMap, Method};
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// A request, whoever makes it.
#[derive(Debug)]
pub struct Request<'a> {
    pub method: &'a Method,
    /// Path and query. The target's own path stands before it.
    pub target: &'a str,
    pub headers: &'a HeaderMap,
    pub made_of: MadeOf,
    pub content: &'a Content,
    /// Whether the answer may be a WebSocket.
    pub upgrade: bool,
    /// The most bytes of an answer of success that are read to its end, within the same time.
    pub reads: Option<u64>,
    /// How long each try may take until its answer begins.
    pub timeout: Duration,
    /// When its answer must have begun, whichever try that is of.
    pub until: Timestamp,
    /// How long that was when it was received.
    pub whole: Duration,
    /// What decides which target it belongs to, where something does.
    pub key: Option<u64>,
    /// Whether doing it twice does no harm.
    pub repeatable: bool,
    /// Why it is made, where it is not the client's first: a word for the log.
    pub why: Option<&'static str>,
    pub attempts: RefCell<Vec<Attempt>>,
    /// Whether a target may have done it, though no answer says so.
    pub may_be_done: Cell<bool>,
}

impl Request<'_> {
    /// How much time is left; `None` when it is over.
    pub fn time_left(&self, now: Timestamp) -> Option<Duration> {
        Duration::try_from_secs_f64((self.until.0 - now.0) / 1000.0).ok().filter(|left| !left.is_zero())
    }

    /// Whether it only reads, and can be asked of two at once.
    pub fn only_reads(&self) -> bool {
        (*self.method == Method::GET || *self.method == Method::HEAD) && self.content.is_kept() && !self.upgrade
    }
}

/// A request's content: bytes that can be sent again, or a stream that goes once.
#[derive(Debug)]
pub enum Content {
    Kept(Bytes),
    Once { body: RefCell<Option<HostBody>> },
}

impl Content {
    pub fn of(body: Body) -> Content {
        match body {
            Body::Empty => Content::Kept(Bytes::new()),
            Body::Bytes(bytes) => Content::Kept(bytes),
            Body::Host(body) => Content::Once { body: RefCell::new(Some(body)) },
        }
    }

    /// The body for the next try: of a stream, nothing is left after the first.
    pub fn take(&self) -> Body {
        match self {
            Content::Kept(bytes) => Body::bytes(bytes.clone()),
            Content::Once { body } => body.borrow_mut().take().map_or(Body::Empty, Body::Host),
        }
    }

    /// Whether there are bytes, or nothing, that can be sent again.
    pub fn is_kept(&self) -> bool {
        matches!(self, Content::Kept(_))
    }

    /// Whether it can be sent, for the first time or again.
    pub fn is_there(&self) -> bool {
        match self {
            Content::Kept(_) => true,
            Content::Once { body } => body.borrow().is_some(),
        }
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, Content::Kept(bytes) if bytes.is_empty())
    }
}
