//! What one request carries from its first byte to its log record.

use crate::body::Body;
use crate::config::words::Method as AuthMethod;
use crate::headers::forwarded::Client;
use crate::host::{ClientFacts, HostError, MadeOf, SharedHost, Task, Timestamp};
use crate::identity::Identity;
use crate::part::Parts;
use crate::routing::RouteId;
use crate::routing::condition::parameters;
use crate::routing::pattern::Pattern;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

/// One request and what is known of it so far.
pub struct Exchange {
    /// The request's identifier, ours or one that was kept.
    pub id: String,
    pub started: Timestamp,
    pub method: Method,
    /// `http` or `https`, as received.
    pub scheme: &'static str,
    /// Host and port, as received.
    pub authority: String,
    /// The protocol version as `Via` writes it.
    pub version: &'static str,
    /// The normalized path.
    pub path: String,
    pub query: Option<String>,
    /// The path and the query as received, where they were spelt in another way.
    pub received: Received,
    /// The client's header fields; once a route is found, as the upstream will see them.
    pub headers: HeaderMap,
    /// The size of the whole header section as received, in bytes.
    pub headers_size: usize,
    pub body: Body,
    /// Who sent the request to the gateway.
    pub peer: Option<IpAddr>,
    /// Who sent it first, as far as proxies are trusted.
    pub client: Client,
    /// What else the platform knows of the client.
    pub facts: ClientFacts,
    /// Who the client is, once it has shown it.
    pub identity: Option<Rc<Identity>>,
    /// What the client said of itself before its header section was changed for the next hop.
    pub hop: Hop,
    pub matched: Option<Matched>,
    /// Where it is one of many that came in one: how long it may take at most.
    pub within: Option<Duration>,
    /// Where it is one of many: what is to be done once its answer has been read, for there is no end of it to be watched.
    pub afterwards: Vec<Task<'static, ()>>,
    /// Where many come in one: the fields that each of them gets.
    pub inherited: HeaderMap,
    /// What the parts of an aggregate have answered so far.
    pub parts: Parts,
    pub notes: Notes,
}

/// What is compared byte by byte, before it was given its one spelling: `None` where that is what was received.
#[derive(Debug, Default)]
pub struct Received {
    pub path: Option<String>,
    pub query: Option<String>,
}

/// What a client said of itself and its connection to the gateway.
#[derive(Debug, Default, Clone, Copy)]
pub struct Hop {
    /// It asks for a WebSocket.
    pub websocket: bool,
    /// It can take trailers.
    pub trailers: bool,
    /// It can take a problem document in JSON.
    pub json: bool,
}

/// The route that takes the request.
#[derive(Debug)]
pub struct Matched {
    pub route: RouteId,
    /// The route's name.
    pub name: Rc<str>,
    pub pattern: Rc<Pattern>,
    /// The values of the pattern's parameters, as ranges of the path.
    pub captured: Vec<Range<usize>>,
    /// How long the request may take until its answer begins.
    pub deadline: Duration,
}

/// What the log record tells of the way through the gateway.
#[derive(Debug, Default)]
pub struct Notes {
    pub attempts: Vec<Attempt>,
    /// The code of the answer that the gateway gave by itself.
    pub reject: Option<&'static str>,
    /// The request body's length, where it is known.
    pub request_bytes: Option<u64>,
    /// The client's fields that the log wants, as it sent them.
    pub logged_fields: Vec<Option<String>>,
    /// Who the client is, or why it is nobody.
    pub auth: Option<AuthNote>,
    /// Which list of `access` speaks against the client.
    pub denied_by: Option<&'static str>,
    /// The upstream that got a copy.
    pub mirrored: Option<Rc<str>>,
    /// What the answer is, where it is not the upstream's.
    pub fallback: Option<&'static str>,
    /// What became of the answer to a request with a key.
    pub idempotency: Option<&'static str>,
    /// Policies that only try whether they would refuse, and would: the policy's name and the code.
    pub would_refuse: Vec<(&'static str, &'static str)>,
    /// For the client's next proof (RFC 9449, section 8.2).
    pub next_nonce: Option<HeaderValue>,
    /// What limits said, in the order in which they were asked.
    pub limits: Vec<LimitNote>,
    /// What fields of the answer say that it cost.
    pub said: Vec<(HeaderName, Option<u64>)>,
    /// What came of the parts of an aggregate, in the order of the answer.
    pub parts: Vec<PartNote>,
    /// Whether each part of an aggregate that was to be asked has answered.
    pub complete: Option<bool>,
}

/// What came of a part of an aggregate.
#[derive(Debug, Clone, PartialEq)]
pub struct PartNote {
    pub name: Rc<str>,
    /// In a word.
    pub outcome: &'static str,
    /// Why it has no answer of its own.
    pub code: Option<&'static str>,
    /// The status of its last answer.
    pub status: Option<u16>,
    /// How many requests it made.
    pub calls: u64,
    /// Milliseconds from its first request to the end of its last answer.
    pub duration: Option<f64>,
}

/// Which of a route's limits count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Those that count before it is known who the client is.
    Client,
    /// Those that count after.
    Identity,
}

/// What a limit said of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitNote {
    pub name: Rc<str>,
    pub stage: Stage,
    /// Its position among the limits of its stage.
    pub position: usize,
    pub outcome: LimitOutcome,
    /// Who decided: a shared `counter`, a `lease` of it, `memory` of what it said, this `instance`, or the `platform`.
    pub by: Option<&'static str>,
    /// Whether it refuses nobody, and only tells.
    pub dry_run: bool,
    /// How much may be asked for, and in how many seconds, where they are whole.
    pub quota: u64,
    pub window_s: Option<u64>,
    /// Whether it limits what happens at the same time.
    pub at_once: bool,
    /// How much is left, where that is known.
    pub left: Option<u64>,
    /// In how many milliseconds all is there again, where that is known.
    pub reset_ms: Option<u64>,
    /// In how many milliseconds this much would be there, where that is known.
    pub retry_ms: Option<u64>,
    /// What was taken from a counter.
    pub taken: Option<Taken>,
}

/// What came of asking a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitOutcome {
    Admitted,
    Denied,
    /// It does not count for this client.
    Exempt,
    /// Its counter could not be asked.
    Unavailable,
}

/// What was taken from a counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub counter: String,
    /// By what the instance knows its key.
    pub key: [u8; 32],
    /// The tier whose numbers these are; the limit's own where there is none.
    pub numbers: Option<usize>,
    pub stamp: u64,
    pub amount: u64,
}

impl LimitOutcome {
    /// Its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            LimitOutcome::Admitted => "admitted",
            LimitOutcome::Denied => "denied",
            LimitOutcome::Exempt => "exempt",
            LimitOutcome::Unavailable => "unavailable",
        }
    }
}

/// What came of looking for an identity. Nothing of it is secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthNote {
    pub method: Option<AuthMethod>,
    pub issuer: Option<Rc<str>>,
    pub consumer: Option<String>,
    /// Why there is none, in a word.
    pub reason: Option<&'static str>,
    /// The same in a sentence, for `edgate explain`.
    pub detail: Option<String>,
}

impl AuthNote {
    pub fn accepted(identity: &Identity) -> AuthNote {
        AuthNote {
            method: Some(identity.method),
            issuer: identity.issuer.clone(),
            consumer: identity.consumer.as_ref().map(|consumer| consumer.name.clone()),
            reason: None,
            detail: None,
        }
    }
}

/// One call to an upstream.
#[derive(Debug)]
pub struct Attempt {
    pub upstream: Rc<str>,
    /// Which of its targets, counted from 1, where it has several.
    pub target: Option<usize>,
    /// Milliseconds until its answer began, or until it failed.
    pub duration: f64,
    /// Its status, or what went wrong.
    pub outcome: Result<u16, String>,
    /// Why it was made, where it was not the first.
    pub why: Option<&'static str>,
    /// Why there was no other one, though it was no success, where there might have been.
    pub stopped: Option<&'static str>,
}

impl Exchange {
    /// The value of a path parameter, escaped as it is in the path.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let matched = self.matched.as_ref()?;
        let position = matched.pattern.names.iter().position(|known| known == name)?;
        self.path.get(matched.captured.get(position)?.clone())
    }

    /// The first value of a query parameter, decoded.
    pub fn query_parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        parameters(self.query.as_deref()).find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// What its header section began as, for the host: what the host has kept of the client's is that of the whole, not of
    /// one of many.
    pub fn made_of(&self) -> MadeOf {
        if self.within.is_some() { MadeOf::Nothing } else { MadeOf::Client }
    }

    /// How much of the deadline is left; `None` when it has passed.
    pub fn time_left(&self, now: Timestamp) -> Option<Duration> {
        let deadline = self.matched.as_ref().map(|_| self.deadline())?;
        let spent = Duration::try_from_secs_f64(now.since(self.started) / 1000.0).unwrap_or(Duration::MAX);
        deadline.checked_sub(spent).filter(|left| !left.is_zero())
    }

    /// Reads the body, within what is left of the deadline. `most` in bytes.
    pub async fn content(&mut self, host: &SharedHost, most: u64) -> Result<Bytes, HostError> {
        let body = std::mem::take(&mut self.body);
        let left = self.time_left(host.now()).ok_or(HostError::Timeout)?;
        host.collect(body, most, left).await
    }

    /// When the answer must have begun; at once where there is no route.
    pub fn until(&self) -> Timestamp {
        Timestamp(self.started.0 + self.deadline().as_secs_f64() * 1000.0)
    }

    /// How long that is, from the beginning on.
    pub fn deadline(&self) -> Duration {
        let deadline = self.matched.as_ref().map_or(Duration::ZERO, |matched| matched.deadline);
        deadline.min(self.within.unwrap_or(Duration::MAX))
    }
}

/// Requests for the tests of what looks at them.
#[cfg(test)]
pub mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    /// A request of 192.0.2.1 for `https://gate.test`, with a route whose pattern is `pattern`.
    pub fn request(method: Method, target: &str, pattern: &str, fields: &[(&str, &str)]) -> Exchange {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name = name.parse::<HeaderName>().expect("it is a name");
            headers.append(name, HeaderValue::try_from(*value).expect("it is a value"));
        }
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let pattern = Rc::new(Pattern::parse(pattern).expect("it is a pattern"));
        let captured = pattern.capture(path).expect("the pattern matches");
        let address = "192.0.2.1".parse().ok();
        Exchange {
            id: "1".to_owned(),
            started: Timestamp(0.0),
            method,
            scheme: "https",
            authority: "gate.test".to_owned(),
            version: "1.1",
            path: path.to_owned(),
            query: query.map(str::to_owned),
            received: Received::default(),
            headers,
            headers_size: 0,
            body: Body::Empty,
            peer: address,
            client: Client { address, scheme: "https", host: "gate.test".to_owned(), trusted: false },
            facts: ClientFacts::default(),
            identity: None,
            hop: Hop { json: true, ..Hop::default() },
            matched: Some(Matched {
                route: RouteId(0),
                name: Rc::from("r"),
                pattern,
                captured,
                deadline: Duration::from_secs(1),
            }),
            within: None,
            afterwards: Vec::new(),
            inherited: HeaderMap::new(),
            parts: Parts::default(),
            notes: Notes::default(),
        }
    }
}
