//! The strings between `entry.js` and the core: lines, one fact on each. Of header sections, the fields that the
//! gateway has to see go in, and changes to what came in come out.
//!
//! This runs twice for every request, with cold caches: it is written so that little code is touched, without
//! `core::fmt`.
//!
//! | direction | lines |
//! |---|---|
//! | in, a request | method, URL, protocol version, what is known of the client, fields |
//! | in, a response | `R`, status, `0` without a body, `1` with one, `2` with all of it handed to `deliver()`, fields |
//! | in, a value | `V`, then `1` and the value, or `0` |
//! | in, bytes | `B`; they were handed to `deliver()` right before, piece by piece |
//! | in, answers of counters | `N`, then for each question, in their order, the answer's line, or a failure |
//! | in, a failure | `E`, kind, message |
//! | out, a request | `F`, id, method, URL, body, limit, time-out in ms, `1` to upgrade, the most bytes to read along, the changes |
//! | out, a body to read | `B`, id, whose, the most bytes, time-out in ms |
//! | out, a store | `G`, id, store, key; `P`, id, store, key, seconds to live, value |
//! | out, a signature to check | `C`, id, algorithm, key, JWK, length of the signature; bytes: signature, message |
//! | out, something to sign | `K`, id, algorithm, key, JWK; bytes: the message |
//! | out, a claim | `L`, id, shard, ms to live, key |
//! | out, something for what a key holds | `H`, id, shard, ms to live, key, what is expected, what takes its place |
//! | out, questions to counters | `N`, id, time-out in ms, counters and questions in turn |
//! | out, a question to the platform's rate limiter | `U`, id, binding, time-out in ms, key |
//! | out, a wait | `S`, id, ms |
//! | out, the end of the answer's body to wait for | `E`, id, the most ms |
//! | out, an answer | `A`, status, body, the changes, then the body where it is text |
//! | out, an answer whose end is waited for | `O`, and the same |
//! | out, nothing more | `D` |
//! | out, several of the above at once | `M`, their number, then for each the number of its lines, and those |
//! | before any of them | `X`, number, the ids of what is let go: operations, and responses |
//! | before any of them | `W`, number of lines that follow for a step of its own, which goes on after the answer |
//! | before any of them | `I`, number of names, the fields of requests, number of names, the fields of responses, wishes |
//!
//! Questions to counters and their answers are lines of [`crate::meter`]. A failure among the answers is one line: `E`, kind
//! and message, with spaces between them.
//!
//! Fields are names and values in turn: those of the last `I`, or all before there was one. Changes are: `1` to begin
//! with what came in or `0` with nothing, the number of names to remove, those names, the number of fields to add, and
//! their names and values.
//!
//! An id is that of an operation, and no other one of this instance has it. A response has the id of its request, and
//! `entry.js` keeps it until a step takes it, as the body to read (`B`, where `request` is the client's) or to answer
//! with, or lets it go. What else an answer's body may be: `none`, `text`, `binary`.
//!
//! A task that waits for one operation alone says so with its step. Where there are others, or are to be, `M` has those
//! that begin, if any, and each has a reply of its own, for which the task goes on.
//!
//! A request whose changes begin with nothing is the gateway's own: all fields of its response come in, unless its body is
//! read along.
//!
//! Wishes are words on one line: `country`, `certificate`, `fields` for all fields of requests, and `answers` for all of
//! responses. What is known of a
//! client is an empty line where nothing of what is wished is there, else a JSON list: the country, then what
//! `request.cf.tlsClientAuth` says of the certificate (presented, verified, revoked, SHA-256, subject, issuer, serial
//! number, end). JSON, because a client chooses what is in a certificate, line feeds too.
//!
//! Bytes that go out are taken with `body(id)` right after the step; an answer's with `body(0)`. A key has a name where
//! it is worth keeping, and its JWK comes with the first step that names it. `entry.js` may have forgotten it: the reply
//! is the failure `unknown-key` then, and the step comes again with the JWK.

use super::fields::Fields;
use super::handle::{Handle, Held};
use super::talk::Arrived;
use crate::body::Body;
use crate::headers::content_length;
use crate::host::{Certificate, ClientFacts, HostError, Incoming, MadeOf};
use crate::interest::Interest;
use crate::meter::Count;
use bytes::Bytes;
use http::{Method, Response, StatusCode};

/// A task is at its end.
pub const DONE: &str = "D";

/// Where a task has come to.
pub enum Step {
    Answer(Response<Body>),
    /// What went on after a response.
    Done,
}

/// A request, and the fields as they came in.
pub fn incoming(text: String, has_body: bool, headers_size: usize) -> Option<(Incoming, Fields)> {
    let mut position = 0;
    let (method, url, version) = (line(&text, &mut position), line(&text, &mut position), line(&text, &mut position));
    let facts = line(&text, &mut position);
    let method = Method::from_bytes(&text.as_bytes()[method]).ok()?;
    let (scheme, rest) = text[url].split_once("://")?;
    let scheme = if scheme == "https" { "https" } else { "http" };
    // `OPTIONS *` comes as `http://host*`.
    let (authority, target) = rest.split_at(rest.find(['/', '?', '*']).unwrap_or(rest.len()));
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (target.to_owned(), None),
    };
    let authority = authority.to_owned();
    let version = match &text[version] {
        "HTTP/1.0" => "1.0",
        "HTTP/2" => "2",
        "HTTP/3" => "3",
        _ => "1.1",
    };
    let facts = if facts.is_empty() { ClientFacts::default() } else { client(&text[facts]) };
    let (fields, headers) = Fields::read(text, position);
    let body = match has_body {
        true => Body::host(Handle::Request, content_length(&headers).ok().flatten()),
        false => Body::Empty,
    };
    // Cloudflare writes this field itself, over whatever the client sent.
    let peer = headers.get("cf-connecting-ip").and_then(|value| value.to_str().ok()?.parse().ok());
    let incoming =
        Incoming { method, scheme, authority, path, query, headers, headers_size, body, peer, facts, version };
    Some((incoming, fields))
}

/// What the platform knows of a client.
fn client(json: &str) -> ClientFacts {
    let mut values = serde_json::from_str::<Vec<Option<String>>>(json).unwrap_or_default().into_iter();
    let country = values.next().flatten();
    let mut next = || values.next().flatten().unwrap_or_default();
    let (presented, verified, revoked) = (next(), next(), next());
    let certificate = (presented == "1").then(|| Certificate {
        verified: verified == "SUCCESS" && revoked == "0",
        sha256: next().to_ascii_lowercase(),
        subject: next(),
        issuer: next(),
        serial: next(),
        not_after: next(),
    });
    ClientFacts { country, certificate }
}

/// What the platform said to a task that waited.
pub enum Reply {
    Response(Response<Body>, Fields),
    Value(Option<String>),
    Bytes(Bytes),
    Counts(Vec<Result<Count, HostError>>),
    UnknownKey,
    Failed(HostError),
}

/// Reads a reply.
pub fn reply(Arrived { id, text, bytes }: Arrived) -> Option<Reply> {
    let mut position = 0;
    let kind = line(&text, &mut position);
    let reply = match &text[kind] {
        "R" => {
            let status = line(&text, &mut position);
            let status = StatusCode::from_bytes(&text.as_bytes()[status]).ok()?;
            let has_body = line(&text, &mut position);
            let has_body = text.as_bytes().get(has_body.start).copied();
            let (fields, headers) = Fields::read(text, position);
            let body = match has_body {
                Some(b'2') => Body::bytes(bytes),
                Some(b'1') => Body::host(Handle::Response(Held::new(id)), content_length(&headers).ok().flatten()),
                _ => Body::host(Handle::Response(Held::new(id)), Some(0)),
            };
            let mut response = Response::new(body);
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Reply::Response(response, fields)
        }
        "V" => {
            let found = line(&text, &mut position);
            Reply::Value((&text[found] == "1").then(|| text[position..].to_owned()))
        }
        "B" => Reply::Bytes(bytes.into()),
        "N" => Reply::Counts(text[position..].split('\n').map(counted).collect()),
        _ => {
            let kind = line(&text, &mut position);
            match &text[kind] {
                "unknown-key" => Reply::UnknownKey,
                kind => Reply::Failed(failure(kind, text[position..].to_owned())),
            }
        }
    };
    Some(reply)
}

/// What a counter answered.
fn counted(line: &str) -> Result<Count, HostError> {
    match line.strip_prefix("E ") {
        Some(failed) => {
            let (kind, message) = failed.split_once(' ').unwrap_or((failed, ""));
            Err(failure(kind, message.to_owned()))
        }
        None => Count::parse(line).ok_or_else(|| HostError::Other("an answer that cannot be read".to_owned())),
    }
}

/// What `entry.js` calls the ways to fail.
fn failure(kind: &str, message: String) -> HostError {
    match kind {
        "timeout" => HostError::Timeout,
        "disconnected" => HostError::Disconnected(message),
        "body-too-large" => HostError::BodyTooLarge,
        "unsendable" => HostError::Unsendable(message),
        "denied" => HostError::Denied(message),
        _ => HostError::Other(message),
    }
}

/// The longest body, in bytes, that goes out as text.
const LONG: usize = 16 * 1024;

/// An answer. A body that is no text is left for `body()`. `watched` says whether somebody waits for its end.
pub fn answer(response: Response<Body>, watched: bool) -> (String, Option<Vec<u8>>) {
    let (parts, body) = response.into_parts();
    let mut text = String::with_capacity(256);
    text.push(if watched { 'O' } else { 'A' });
    push(&mut text, parts.status.as_str());
    let (mut fields, mut binary, mut content) = (None, None, None);
    match body {
        Body::Host(body) => match Handle::of(body) {
            Some(Handle::Response(held)) => {
                let (id, came) = held.take();
                push_number(&mut text, u64::from(id));
                fields = came;
            }
            // What the client sent does not go back to it.
            Some(Handle::Request) | None => push(&mut text, "none"),
        },
        Body::Empty => push(&mut text, "none"),
        // A long text would be taken apart and put together again.
        Body::Bytes(bytes) if bytes.len() > LONG => {
            push(&mut text, "binary");
            binary = Some(bytes.into());
        }
        Body::Bytes(bytes) => match String::from_utf8(bytes.into()) {
            Ok(body) => {
                push(&mut text, "text");
                content = Some(body);
            }
            Err(bytes) => {
                push(&mut text, "binary");
                binary = Some(bytes.into_bytes());
            }
        },
    }
    let made_of = if fields.is_some() { MadeOf::Client } else { MadeOf::Nothing };
    fields.unwrap_or_default().changes(&parts.headers, made_of, &mut text);
    if let Some(content) = content {
        push(&mut text, &content);
    }
    (text, binary)
}

/// An operation that a task waits for, as a step.
pub struct Wanted {
    pub id: u32,
    pub text: String,
    /// What `entry.js` takes beside it.
    pub bytes: Option<Vec<u8>>,
    /// The longest it can take.
    pub longest_ms: f64,
}

impl Wanted {
    /// A step of a kind, with its lines.
    pub fn new(id: u32, kind: &str, lines: &[&str], longest_ms: f64) -> Wanted {
        let mut text = String::with_capacity(256);
        text.push_str(kind);
        push_number(&mut text, u64::from(id));
        for line in lines {
            push(&mut text, line);
        }
        Wanted { id, text, bytes: None, longest_ms }
    }

    pub fn with(self, bytes: impl Into<Vec<u8>>) -> Wanted {
        Wanted { bytes: Some(bytes.into()), ..self }
    }
}

/// Operations beside those that are under way, or beside each other.
pub fn several(wanted: &mut Vec<Wanted>) -> String {
    let mut text = "M".to_owned();
    push_number(&mut text, wanted.len() as u64);
    for Wanted { text: step, .. } in wanted.drain(..) {
        push_number(&mut text, step.split('\n').count() as u64);
        push(&mut text, &step);
    }
    text
}

/// What is let go, in front of a step.
pub fn gone(ids: &[u32], step: &str) -> String {
    let mut text = "X".to_owned();
    push_number(&mut text, ids.len() as u64);
    for id in ids {
        push_number(&mut text, u64::from(*id));
    }
    push(&mut text, step);
    text
}

/// A step that goes on after the answer, in front of another step.
pub fn later(step: &str) -> String {
    format!("W\n{}\n{step}\n", step.split('\n').count())
}

/// What the entry has to send of header sections from now on, in front of a step.
pub fn interest(interest: &Interest) -> String {
    let mut text = "I".to_owned();
    for names in [&interest.request, &interest.response] {
        push_number(&mut text, names.len() as u64);
        for name in names {
            push(&mut text, name.as_str());
        }
    }
    let Interest { country, certificate, all_request_fields, all_response_fields, .. } = interest;
    let wishes = [
        (country, "country"),
        (certificate, "certificate"),
        (all_request_fields, "fields"),
        (all_response_fields, "answers"),
    ];
    let wishes: Vec<&str> = wishes.into_iter().filter(|(wished, _)| **wished).map(|(_, word)| word).collect();
    push(&mut text, &wishes.join(" "));
    text.push('\n');
    text
}

/// What cannot happen still gets an answer.
pub fn unavailable() -> String {
    "A\n503\nnone\n0\n0\n0".to_owned()
}

/// The next line from `position`, which moves behind it.
pub fn line(text: &str, position: &mut usize) -> std::ops::Range<usize> {
    let start = *position;
    let rest = text.get(start..).unwrap_or_default();
    let end = start + rest.find('\n').unwrap_or(rest.len());
    *position = (end + 1).min(text.len().max(end));
    start..end
}

pub fn push(text: &mut String, line: &str) {
    text.push('\n');
    text.push_str(line);
}

pub fn push_number(text: &mut String, number: u64) {
    push(text, itoa::Buffer::new().format(number));
}
