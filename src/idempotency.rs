//! Requests that are done once (draft-ietf-httpapi-idempotency-key-header-07): a client that does not know what came of a
//! request sends it again with the same `Idempotency-Key`, and gets the answer of the first one.
//!
//! What a key holds is decided at the place where claims are: the first request puts down that it is under way, and in its
//! end the answer takes the place of that. It is each time put there only if nothing else has come in between
//! ([`crate::host::Host::swap`]). An answer is there for others before the client gets it.

pub mod key;
pub mod record;

use crate::body::Body;
use crate::event::{Level, Subject, event};
use crate::exchange::Exchange;
use crate::headers::IDEMPOTENCY_KEY;
use crate::host::{Host, HostError, SharedHost, Swap};
use crate::interest::Interest;
use crate::reject::{KeyFault, Reject};
use crate::routing::condition::Methods;
use base64ct::{Base64UrlUnpadded, Encoding};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use key::{Found, Whose};
use record::{Record, Reply};
use std::rc::Rc;
use std::time::Duration;

/// What a route asks of requests that must be done once.
#[derive(Debug)]
pub struct Idempotency {
    pub methods: Methods,
    pub optional: bool,
    pub unquoted: bool,
    pub whose: Whose,
    pub ttl: Duration,
    /// In bytes.
    pub max_body: u64,
    pub max_reply: u64,
    /// What the names of keys begin with: those of another gateway are others.
    pub gateway: Rc<str>,
    pub redis: Option<Rc<str>>,
}

/// What a request with a key begins with.
pub enum Begun {
    /// It is none that has a key.
    Free,
    /// Nobody has done it. What it puts in the place of `Turn::own` is what came of it.
    Mine(Turn),
    /// It was done.
    Done(Response<Body>),
}

/// The turn of a request that is under way.
pub struct Turn {
    /// What the place is called.
    name: String,
    fingerprint: String,
    /// What it holds meanwhile.
    own: String,
}

/// What tells a client that an answer is not new.
pub static REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Beyond its deadline, for what has to be read and written after the answer has begun. A request whose instance ended
/// is under way for so long.
const MARGIN: Duration = Duration::from_secs(60);

/// How long the body of an answer may take.
const READ: Duration = Duration::from_secs(30);

impl Idempotency {
    pub fn describe(&self) -> String {
        let needed = if self.optional { "may have" } else { "must have" };
        let ttl = crate::config::units::Duration(self.ttl);
        format!("{} {needed} an Idempotency-Key, {}; answers are kept for {ttl}", self.methods, self.whose.describe())
    }

    pub fn interest(&self, interest: &mut Interest) {
        interest.request.insert(IDEMPOTENCY_KEY.clone());
        self.whose.interest(interest);
        // An answer that is read is made anew, of what was seen alone.
        interest.all_response_fields = true;
        interest.response.insert(REPLAYED.clone());
    }

    /// Looks whether a request was done, or is under way, and else begins it.
    pub async fn begin(&self, host: &SharedHost, ex: &mut Exchange) -> Result<Begun, Reject> {
        if !self.methods.contains(&ex.method) {
            return Ok(Begun::Free);
        }
        let key = match key::find(&ex.headers, self.unquoted) {
            Found::Key(key) => key,
            Found::Nothing if self.optional => return Ok(Begun::Free),
            Found::Nothing => return Err(Reject::IdempotencyKey(KeyFault::Missing)),
            Found::Malformed => return Err(Reject::IdempotencyKey(KeyFault::Malformed)),
        };
        // It is a part of what tells a request from others.
        let content = ex.content(host, self.max_body).await.map_err(Reject::of_content)?;
        let name = self.whose.name(&self.gateway, ex, &key);
        let fingerprint = record::fingerprint(ex, &content);
        ex.body = Body::bytes(content);
        let own = Record::UnderWay { fingerprint: &fingerprint, by: &name_of_turn(&**host) }.write();
        let lease = ex.matched.as_ref().map_or(Duration::ZERO, |matched| matched.deadline) + MARGIN;
        let held = self.swap(host, &name, Swap { expected: "", value: &own, ttl: lease }).await.map_err(|error| {
            let message = format!("what keys of requests hold cannot be read: {error}");
            event(host, Level::Warning, Subject::Claims, &message);
            Reject::IdempotencyUnavailable
        })?;
        let Some(held) = held else { return Ok(Begun::Mine(Turn { name, fingerprint, own })) };
        match Record::read(&held) {
            Some(record) if record.fingerprint() != fingerprint => Err(Reject::IdempotencyKey(KeyFault::Reused)),
            Some(Record::UnderWay { .. }) => Err(Reject::IdempotencyKey(KeyFault::UnderWay)),
            Some(Record::Lost { .. }) => Err(Reject::ReplyTooLarge),
            Some(Record::Done { reply, .. }) => {
                ex.notes.idempotency = Some("replayed");
                let mut response = reply.response().ok_or(Reject::IdempotencyUnavailable)?;
                response.headers_mut().insert(REPLAYED.clone(), HeaderValue::from_static("true"));
                Ok(Begun::Done(response))
            }
            None => Err(Reject::IdempotencyUnavailable),
        }
    }

    /// Keeps what came of a request, where that is final, and lets it be done again where it is not.
    pub async fn end(
        &self,
        host: &SharedHost,
        ex: &mut Exchange,
        turn: Turn,
        acted: Result<Response<Body>, Reject>,
    ) -> Result<Response<Body>, Reject> {
        let fingerprint = turn.fingerprint.as_str();
        let (acted, record) = match acted {
            Ok(response) if is_final(response.status()) => self.kept(host, response, fingerprint).await,
            acted => (acted, None),
        };
        ex.notes.idempotency = Some(match &record {
            Some(Record::Done { .. }) => "stored",
            Some(_) => "too-large",
            None => "released",
        });
        let value = record.map(|record| record.write()).unwrap_or_default();
        let swap = Swap { expected: &turn.own, value: &value, ttl: self.ttl };
        let why = match self.swap(host, &turn.name, swap).await {
            Ok(None) => return acted,
            Ok(Some(_)) => "it took longer than it may, and another one may have begun".to_owned(),
            Err(error) => error.to_string(),
        };
        ex.notes.idempotency = Some("lost");
        let message = format!("what came of a request with a key could not be kept: {why}");
        event(host, Level::Warning, Subject::Claims, &message);
        acted
    }

    /// An answer, and what is kept of it.
    async fn kept<'a>(
        &self,
        host: &SharedHost,
        response: Response<Body>,
        fingerprint: &'a str,
    ) -> (Result<Response<Body>, Reject>, Option<Record<'a>>) {
        // What is known to be too large can still go to this client.
        if response.body().length().is_some_and(|length| length > self.max_reply) {
            return (Ok(response), Some(Record::Lost { fingerprint }));
        }
        let (mut parts, body) = response.into_parts();
        match host.collect(body, self.max_reply, READ).await {
            Ok(bytes) => {
                // A host may have decoded it: its length is that of what is sent.
                parts.headers.remove(header::CONTENT_LENGTH);
                let response = Response::from_parts(parts, Body::bytes(bytes.clone()));
                let reply = Reply::of(&response, &bytes);
                (Ok(response), Some(Record::Done { fingerprint, reply }))
            }
            Err(HostError::BodyTooLarge) => (Err(Reject::ReplyTooLarge), Some(Record::Lost { fingerprint })),
            Err(HostError::Timeout) => (Err(Reject::UpstreamTimeout), None),
            Err(_) => (Err(Reject::UpstreamFailed), None),
        }
    }

    async fn swap(&self, host: &SharedHost, name: &str, swap: Swap<'_>) -> Result<Option<String>, HostError> {
        host.swap(self.redis.as_deref(), name, swap).await
    }
}

/// A name that no other turn has.
fn name_of_turn(host: &dyn Host) -> String {
    let mut bytes = [0; 12];
    host.random(&mut bytes);
    Base64UrlUnpadded::encode_string(&bytes)
}

/// Whether an answer says what came of a request, once and for all: not that it could not be done at the moment, or that
/// the client has to show something else.
fn is_final(status: StatusCode) -> bool {
    const LATER: [StatusCode; 5] = [
        StatusCode::UNAUTHORIZED,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::MISDIRECTED_REQUEST,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    (200..500).contains(&status.as_u16()) && !LATER.contains(&status)
}
