//! What is seen from outside: one access record for each request, a JSON line. No secret and, unless the
//! configuration asks for it, no value of a query is ever in it.

mod parts;

use crate::body::Body;
use crate::config::words::Method as AuthMethod;
use crate::config::{LogAccess, LogQuery};
use crate::exchange::{Attempt, AuthNote, Exchange, LimitNote};
use crate::host::Timestamp;
use crate::routing::condition::parameters;
use http::{HeaderName, Method, Response};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::time::{Duration, SystemTime};

/// What the configuration says of the log.
#[derive(Debug)]
pub struct LogPolicy {
    pub access: LogAccess,
    pub query: LogQuery,
    /// Request fields to write, none of which carries credentials.
    pub headers: Vec<HeaderName>,
    /// Whether subjects are written.
    pub subject: bool,
    /// The query parameter that may hold an API key: its value is never written.
    pub key_query: Option<String>,
}

/// The record of a request whose answer is about to begin. `None` where the configuration wants none.
pub fn access_record(log: &LogPolicy, ex: &Exchange, response: &Response<Body>, now: Timestamp) -> Option<String> {
    let status = response.status().as_u16();
    let wanted = match log.access {
        LogAccess::All => true,
        LogAccess::Errors => status >= 500 || ex.notes.reject.is_some(),
        LogAccess::Off => false,
    };
    let record = Record { log, ex, status, response, now };
    wanted.then(|| serde_json::to_string(&record).ok()).flatten()
}

struct Record<'a> {
    log: &'a LogPolicy,
    ex: &'a Exchange,
    status: u16,
    response: &'a Response<Body>,
    now: Timestamp,
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Record { log, ex, response, .. } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", "access")?;
        map.serialize_entry("time", &rfc3339(ex.started))?;
        map.serialize_entry("request_id", &ex.id)?;
        map.serialize_entry("route", &ex.matched.as_ref().map(|matched| &*matched.name))?;
        map.serialize_entry("method", ex.method.as_str())?;
        map.serialize_entry("host", &ex.client.host)?;
        // The template, so that records of one route can be counted together.
        map.serialize_entry("path", &ex.matched.as_ref().map(|matched| matched.pattern.text.as_str()))?;
        map.serialize_entry("target", &target(ex, log))?;
        map.serialize_entry("status", &self.status)?;
        map.serialize_entry("duration_ms", &milliseconds(self.now.since(ex.started)))?;
        map.serialize_entry("client", &ex.client.address.map(|address| address.to_string()))?;
        if let Some(note) = &ex.notes.auth {
            map.serialize_entry("auth", &Auth { note, subject: self.subject() })?;
        }
        if let Some(list) = ex.notes.denied_by {
            map.serialize_entry("denied_by", list)?;
        }
        if !ex.notes.limits.is_empty() {
            map.serialize_entry("limits", &Limits(&ex.notes.limits))?;
        }
        if !ex.notes.would_refuse.is_empty() {
            map.serialize_entry("would_refuse", &WouldRefuse(&ex.notes.would_refuse))?;
        }
        map.serialize_entry("upstream", &Attempts(&ex.notes.attempts))?;
        if !ex.notes.parts.is_empty() {
            map.serialize_entry("parts", &parts::Parts(&ex.notes.parts))?;
        }
        if let Some(complete) = ex.notes.complete {
            map.serialize_entry("complete", &complete)?;
        }
        let words = [
            ("fallback", ex.notes.fallback),
            ("mirror", ex.notes.mirrored.as_deref()),
            ("idempotency", ex.notes.idempotency),
        ];
        for (name, word) in words {
            if let Some(word) = word {
                map.serialize_entry(name, word)?;
            }
        }
        if let Some(bytes) = ex.notes.request_bytes {
            map.serialize_entry("request_bytes", &bytes)?;
        }
        // RFC 9110, section 9.3.2: the length that an answer to HEAD declares is not sent.
        let sent = if ex.method == Method::HEAD { Some(0) } else { response.body().length() };
        if let Some(bytes) = sent {
            map.serialize_entry("response_bytes", &bytes)?;
        }
        if let Some(code) = ex.notes.reject {
            map.serialize_entry("reject", code)?;
        }
        if !log.headers.is_empty() {
            map.serialize_entry("headers", &Fields { ex, names: &log.headers })?;
        }
        map.end()
    }
}

impl Record<'_> {
    /// Who it is, where the configuration wants that written: it may name a person.
    fn subject(&self) -> Option<&str> {
        self.ex.identity.as_ref().filter(|_| self.log.subject).and_then(|identity| identity.subject.as_deref())
    }
}

/// How a client showed who it is, or why it is nobody.
struct Auth<'a> {
    note: &'a AuthNote,
    subject: Option<&'a str>,
}

impl Serialize for Auth<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Auth { note, subject } = self;
        let texts = [
            ("method", note.method.map(AuthMethod::name)),
            ("issuer", note.issuer.as_deref()),
            ("consumer", note.consumer.as_deref()),
            ("subject", *subject),
            ("reason", note.reason),
        ];
        let mut map = serializer.serialize_map(None)?;
        for (name, text) in texts {
            if let Some(text) = text {
                map.serialize_entry(name, text)?;
            }
        }
        map.end()
    }
}

/// What limits said.
struct Limits<'a>(&'a [LimitNote]);

impl Serialize for Limits<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for note in self.0 {
            list.serialize_element(&Said(note))?;
        }
        list.end()
    }
}

struct Said<'a>(&'a LimitNote);

impl Serialize for Said<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Said(note) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &*note.name)?;
        map.serialize_entry("outcome", note.outcome.name())?;
        if let Some(by) = note.by {
            map.serialize_entry("by", by)?;
        }
        for (name, number) in [("left", note.left), ("retry_ms", note.retry_ms)] {
            if let Some(number) = number {
                map.serialize_entry(name, &number)?;
            }
        }
        map.end()
    }
}

/// What policies would refuse that only try.
struct WouldRefuse<'a>(&'a [(&'static str, &'static str)]);

impl Serialize for WouldRefuse<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (policy, code) in self.0 {
            map.serialize_entry(policy, code)?;
        }
        map.end()
    }
}

struct Attempts<'a>(&'a [Attempt]);

impl Serialize for Attempts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for attempt in self.0 {
            list.serialize_element(&One(attempt))?;
        }
        list.end()
    }
}

struct One<'a>(&'a Attempt);

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &*self.0.upstream)?;
        if let Some(target) = self.0.target {
            map.serialize_entry("target", &target)?;
        }
        map.serialize_entry("duration_ms", &milliseconds(self.0.duration))?;
        match &self.0.outcome {
            Ok(status) => map.serialize_entry("status", status)?,
            Err(error) => map.serialize_entry("error", error)?,
        }
        for (name, word) in [("why", self.0.why), ("stopped", self.0.stopped)] {
            if let Some(word) = word {
                map.serialize_entry(name, word)?;
            }
        }
        map.end()
    }
}

struct Fields<'a> {
    ex: &'a Exchange,
    names: &'a [HeaderName],
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let values = &self.ex.notes.logged_fields;
        for (name, value) in self.names.iter().zip(values).filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            map.serialize_entry(name.as_str(), value)?;
        }
        map.end()
    }
}

/// Path and query, the query's values as the configuration wants them.
fn target(ex: &Exchange, log: &LogPolicy) -> String {
    let Some(query) = ex.query.as_ref().filter(|_| log.query != LogQuery::Drop) else { return ex.path.clone() };
    let written = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if log.query == LogQuery::Redact || log.is_key(pair) => format!("{name}=***"),
        // A name without `=` may itself be the secret.
        None if log.query == LogQuery::Redact => "***".to_owned(),
        _ => pair.to_owned(),
    });
    format!("{}?{}", ex.path, written.collect::<Vec<_>>().join("&"))
}

impl LogPolicy {
    /// Whether a pair of a query may hold an API key.
    fn is_key(&self, pair: &str) -> bool {
        self.key_query.as_ref().is_some_and(|name| parameters(Some(pair)).any(|(known, _)| known == *name))
    }
}

/// Milliseconds to a hundredth.
fn milliseconds(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// A point in time as RFC 3339 writes it, in UTC: `2026-11-24T08:00:00.000Z`.
fn rfc3339(time: Timestamp) -> String {
    let since_epoch = Duration::try_from_secs_f64(time.0 / 1000.0).unwrap_or_default();
    humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + since_epoch).to_string()
}
