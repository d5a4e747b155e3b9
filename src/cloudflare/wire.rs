//! The strings between `entry.js` and the core: lines, one fact on each. Of header sections, the fields that the
//! gateway has to see go in, and changes to what came in come out.
//!
//! This runs twice for every request, with cold caches: it is written so that little code is touched, without
//! `core::fmt`.
//!
//! | direction | lines |
//! |---|---|
//! | in, a request | method, URL, protocol version, fields |
//! | in, a response | `R`, status, `1` if there is a body, fields |
//! | in, a value | `V`, then `1` and the value, or `0` |
//! | in, a failure | `E`, kind, message |
//! | out, a request | `F`, id, method, URL, body, limit, time-out in ms, `1` to upgrade, the changes |
//! | out, a store | `G`, id, store, key; `P`, id, store, key, seconds to live, value |
//! | out, a wait | `S`, id, ms |
//! | out, an answer | `A`, status, kind of body, the changes, then the body where it is text |
//! | out, nothing more | `D` |
//! | before any of them | `W`, number of lines that follow for a step of its own, which goes on after the answer |
//! | before any of them | `I`, number of names, the fields of requests, number of names, the fields of responses |
//!
//! Fields are names and values in turn: those of the last `I`, or all before there was one. Changes are: `1` to begin
//! with what came in or `0` with nothing, the number of names to remove, those names, the number of fields to add, and
//! their names and values.

use crate::body::Body;
use crate::headers::content_length;
use crate::host::{HostError, Incoming, MadeOf};
use crate::interest::Interest;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

/// A task is at its end.
pub const DONE: &str = "D";

/// Where a task has come to.
pub enum Step {
    Answer(Response<Body>),
    /// What went on after a response.
    Done,
}

/// A header section as it came in: a text, and where the name and value of each field are.
#[derive(Debug, Default, Clone)]
pub struct Fields {
    text: String,
    at: Vec<[u32; 4]>,
}

/// What came in last on each side of a request.
#[derive(Debug, Default)]
pub struct Received {
    /// From the client.
    pub request: Fields,
    /// From the upstream that was called last.
    pub response: Fields,
}

/// A stream that `entry.js` holds for the request it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handle {
    /// The client's body.
    Request,
    /// The body of the response that came last.
    Response,
}

impl Received {
    pub fn new(request: Fields) -> Received {
        Received { request, response: Fields::default() }
    }
}

impl Fields {
    /// Reads names and values from `start` of a text to its end.
    fn read(text: String, start: usize) -> (Fields, HeaderMap) {
        let mut at = Vec::with_capacity(16);
        let mut map = HeaderMap::with_capacity(24);
        let mut position = start;
        while position < text.len() {
            let name = line(&text, &mut position);
            let value = line(&text, &mut position);
            let (Ok(field), Ok(content)) = (
                HeaderName::from_bytes(&text.as_bytes()[name.clone()]),
                HeaderValue::from_bytes(&text.as_bytes()[value.clone()]),
            ) else {
                continue;
            };
            map.append(field, content);
            // A text of 4 GB does not fit into the memory of wasm.
            at.push([name.start as u32, name.end as u32, value.start as u32, value.end as u32]);
        }
        (Fields { text, at }, map)
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let part = |from: u32, to: u32| self.text.get(from as usize..to as usize).unwrap_or_default();
        self.at.iter().map(move |[a, b, c, d]| (part(*a, *b), part(*c, *d)))
    }

    /// Whether a field came in just as it goes out.
    fn same(&self, name: &str, map: &HeaderMap) -> bool {
        let mut out = map.get_all(name).into_iter();
        let came_in = self.iter().filter(|(known, _)| *known == name);
        for (_, value) in came_in {
            if out.next().is_none_or(|out| out.as_bytes() != value.as_bytes()) {
                return false;
            }
        }
        out.next().is_none()
    }

    /// Appends the changes that make `map` of this section.
    fn changes(&self, map: &HeaderMap, made_of: MadeOf, text: &mut String) {
        if made_of == MadeOf::Nothing {
            push(text, "0\n0");
            return add(map.iter(), map.len(), text);
        }
        let mut removed = Vec::new();
        let mut kept: Vec<&str> = Vec::with_capacity(self.at.len());
        for (name, _) in self.iter() {
            if kept.contains(&name) || removed.contains(&name) {
                continue;
            }
            if self.same(name, map) { kept.push(name) } else { removed.push(name) }
        }
        push(text, "1");
        push_number(text, removed.len() as u64);
        for name in removed {
            push(text, name);
        }
        let changed = || map.iter().filter(|(name, _)| !kept.contains(&name.as_str()));
        add(changed(), changed().count(), text);
    }
}

/// Appends fields to add, their number first.
fn add<'a>(fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>, count: usize, text: &mut String) {
    push_number(text, count as u64);
    for (name, value) in fields {
        push(text, name.as_str());
        push(text, &String::from_utf8_lossy(value.as_bytes()));
    }
}

/// The next line from `position`, which moves behind it.
fn line(text: &str, position: &mut usize) -> std::ops::Range<usize> {
    let start = *position;
    let rest = text.get(start..).unwrap_or_default();
    let end = start + rest.find('\n').unwrap_or(rest.len());
    *position = (end + 1).min(text.len().max(end));
    start..end
}

fn push(text: &mut String, line: &str) {
    text.push('\n');
    text.push_str(line);
}

fn push_number(text: &mut String, number: u64) {
    push(text, itoa::Buffer::new().format(number));
}

/// A request, and the fields as they came in.
pub fn incoming(text: String, has_body: bool, headers_size: usize) -> Option<(Incoming, Fields)> {
    let mut position = 0;
    let (method, url, version) = (line(&text, &mut position), line(&text, &mut position), line(&text, &mut position));
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
    let (fields, headers) = Fields::read(text, position);
    let body = match has_body {
        true => Body::host(Handle::Request, content_length(&headers).ok().flatten()),
        false => Body::Empty,
    };
    // Cloudflare writes this field itself, over whatever the client sent.
    let peer = headers.get("cf-connecting-ip").and_then(|value| value.to_str().ok()?.parse().ok());
    let incoming = Incoming { method, scheme, authority, path, query, headers, headers_size, body, peer, version };
    Some((incoming, fields))
}

/// What the platform said to a task that waited.
pub enum Reply {
    Response(Response<Body>, Fields),
    Value(Option<String>),
    Failed(HostError),
}

/// Reads a reply.
pub fn reply(text: String) -> Option<Reply> {
    let mut position = 0;
    let kind = line(&text, &mut position);
    let reply = match &text[kind] {
        "R" => {
            let status = line(&text, &mut position);
            let status = StatusCode::from_bytes(&text.as_bytes()[status]).ok()?;
            let has_body = line(&text, &mut position);
            let has_body = &text[has_body] == "1";
            let (fields, headers) = Fields::read(text, position);
            let length = if has_body { content_length(&headers).ok().flatten() } else { Some(0) };
            let mut response = Response::new(Body::host(Handle::Response, length));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Reply::Response(response, fields)
        }
        "V" => {
            let found = line(&text, &mut position);
            Reply::Value((&text[found] == "1").then(|| text[position..].to_owned()))
        }
        _ => {
            let kind = line(&text, &mut position);
            Reply::Failed(failure(&text[kind], text[position..].to_owned()))
        }
    };
    Some(reply)
}

/// What `entry.js` calls the ways to fail.
fn failure(kind: &str, message: String) -> HostError {
    match kind {
        "timeout" => HostError::Timeout,
        "disconnected" => HostError::Disconnected(message),
        "body-too-large" => HostError::BodyTooLarge,
        "denied" => HostError::Denied(message),
        _ => HostError::Other(message),
    }
}

/// An answer. A body that is no text is left for `body()`.
pub fn answer(response: Response<Body>, received: &Received) -> (String, Option<Vec<u8>>) {
    let (parts, body) = response.into_parts();
    let mut text = String::with_capacity(256);
    text.push('A');
    push(&mut text, parts.status.as_str());
    let mut binary = None;
    let mut content = None;
    let (kind, made_of) = match body {
        Body::Host(_) if parts.status == StatusCode::SWITCHING_PROTOCOLS => ("upgrade", MadeOf::Client),
        Body::Host(_) => ("stream", MadeOf::Client),
        Body::Empty => ("none", MadeOf::Nothing),
        Body::Bytes(bytes) => match String::from_utf8(bytes.into()) {
            Ok(body) => {
                content = Some(body);
                ("text", MadeOf::Nothing)
            }
            Err(bytes) => {
                binary = Some(bytes.into_bytes());
                ("binary", MadeOf::Nothing)
            }
        },
    };
    push(&mut text, kind);
    received.response.changes(&parts.headers, made_of, &mut text);
    if let Some(content) = content {
        push(&mut text, &content);
    }
    (text, binary)
}

/// What a task waits for, as a step.
pub struct Wanted {
    pub text: String,
    /// The longest it can take.
    pub longest_ms: f64,
}

impl Wanted {
    /// A step of a kind, whose identifier is filled in later, with its lines.
    pub fn new(kind: &str, lines: &[&str], longest_ms: f64) -> Wanted {
        let mut text = String::with_capacity(256);
        text.push_str(kind);
        for line in lines {
            push(&mut text, line);
        }
        Wanted { text, longest_ms }
    }

    /// Appends the changes that make a header section of what the client sent.
    pub fn changes(mut self, request: &Fields, headers: &HeaderMap, made_of: MadeOf) -> Wanted {
        request.changes(headers, made_of, &mut self.text);
        self
    }
}

/// A step with the identifier of its task after its kind.
pub fn with_id(id: u32, step: &str) -> String {
    let (kind, rest) = step.split_at(step.find('\n').unwrap_or(step.len()));
    let mut text = String::with_capacity(step.len() + 12);
    text.push_str(kind);
    push_number(&mut text, u64::from(id));
    text.push_str(rest);
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
    text.push('\n');
    text
}

/// What cannot happen still gets an answer.
pub fn unavailable() -> String {
    "A\n503\nnone\n0\n0\n0".to_owned()
}
