//! The strings between `entry.js` and the core: lines, one fact on each. Header sections go in whole, and come out as
//! changes to what came in.
//!
//! | direction | lines |
//! |---|---|
//! | in, a request | now, method, URL, protocol version, `1` if there is a body, then name and value of each field |
//! | in, a response | `R`, now, status, `1` if there is a body, then name and value of each field |
//! | in, a value | `V`, now, then `1` and the value, or `0` |
//! | in, a failure | `E`, now, kind, message |
//! | out, a request | `F`, id, method, URL, body, limit, time-out in ms, `1` to upgrade, the changes |
//! | out, a store | `G`, id, store, key; `P`, id, store, key, seconds to live, value |
//! | out, a wait | `S`, id, ms |
//! | out, an answer | `A`, status, kind of body, the changes, then the body where it is text |
//! | out, nothing more | `D` |
//! | before any of them | `W`, number of lines that follow for a step of its own, which goes on after the answer |
//!
//! Changes are: `1` to begin with what came in or `0` with nothing, the number of names to remove, those names, the
//! number of fields to add, and their names and values.

use crate::body::Body;
use crate::host::{HostError, Incoming, Timestamp};
use crate::headers::content_length;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use std::fmt::Write;

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
            let (Ok(field), Ok(content)) =
                (HeaderName::from_bytes(&text.as_bytes()[name.clone()]), HeaderValue::from_bytes(&text.as_bytes()[value.clone()]))
            else {
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
    fn changes(&self, map: &HeaderMap, text: &mut String) {
        let mut removed = Vec::new();
        let mut kept: Vec<&str> = Vec::with_capacity(self.at.len());
        for (name, _) in self.iter() {
            if kept.contains(&name) || removed.contains(&name) {
                continue;
            }
            if self.same(name, map) { kept.push(name) } else { removed.push(name) }
        }
        let base = !kept.is_empty();
        let added = || map.iter().filter(|(name, _)| !kept.contains(&name.as_str()));
        push(text, if base { "1" } else { "0" });
        let removed = if base { removed } else { Vec::new() };
        push(text, removed.len());
        for name in removed {
            push(text, name);
        }
        push(text, added().count());
        for (name, value) in added() {
            push(text, name.as_str());
            push(text, String::from_utf8_lossy(value.as_bytes()));
        }
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

fn push(text: &mut String, line: impl std::fmt::Display) {
    // Writing to a string does not fail.
    let _ = write!(text, "\n{line}");
}

/// A request, the time, and the header section as it came in.
pub fn incoming(text: String) -> Option<(f64, Incoming, Fields)> {
    let mut position = 0;
    let lines: [std::ops::Range<usize>; 5] = std::array::from_fn(|_| line(&text, &mut position));
    let [now, method, url, version, has_body] = lines.map(|range| text[range].to_owned());
    let now = Timestamp::parse(&now)?;
    let (scheme, rest) = url.split_once("://")?;
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let (fields, headers) = Fields::read(text, position);
    let body = match has_body == "1" {
        true => Body::host(Handle::Request, content_length(&headers).ok().flatten()),
        false => Body::Empty,
    };
    // Cloudflare writes this field itself, over whatever the client sent.
    let peer = headers.get("cf-connecting-ip").and_then(|value| value.to_str().ok()?.parse().ok());
    let incoming = Incoming {
        method: method.parse::<Method>().ok()?,
        scheme: if scheme == "https" { "https" } else { "http" },
        authority: authority.to_owned(),
        path: path.to_owned(),
        query,
        headers,
        body,
        peer,
        version: match version.as_str() {
            "HTTP/1.0" => "1.0",
            "HTTP/2" => "2",
            "HTTP/3" => "3",
            _ => "1.1",
        },
    };
    Some((now, incoming, fields))
}

/// What the platform said to a task that waited.
pub enum Reply {
    Response(Response<Body>, Fields),
    Value(Option<String>),
    Failed(HostError),
}

/// A reply, and the time.
pub fn reply(text: String) -> Option<(f64, Reply)> {
    let mut position = 0;
    let kind = line(&text, &mut position);
    let now = line(&text, &mut position);
    let now = Timestamp::parse(&text[now])?;
    let reply = match &text[kind] {
        "R" => {
            let status = line(&text, &mut position);
            let status = StatusCode::from_bytes(&text.as_bytes()[status]).ok()?;
            let has_body = line(&text, &mut position);
            let has_body = &text[has_body] == "1";
            let (fields, headers) = Fields::read(text, position);
            let body = match has_body {
                true => Body::host(Handle::Response, content_length(&headers).ok().flatten()),
                false => Body::Empty,
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
        _ => {
            let kind = line(&text, &mut position);
            Reply::Failed(failure(&text[kind], text[position..].to_owned()))
        }
    };
    Some((now, reply))
}

/// What `entry.js` calls the ways to fail.
fn failure(kind: &str, message: String) -> HostError {
    match kind {
        "timeout" => HostError::Timeout,
        "unreachable" => HostError::Unreachable(message),
        "disconnected" => HostError::Disconnected(message),
        "protocol" => HostError::Protocol(message),
        "body-too-large" => HostError::BodyTooLarge,
        "client-gone" => HostError::ClientGone,
        "denied" => HostError::Denied(message),
        _ => HostError::Other(message),
    }
}

/// An answer. A body that is no text is left for `body()`.
pub fn answer(response: Response<Body>, received: &Received) -> (String, Option<Vec<u8>>) {
    let (parts, body) = response.into_parts();
    let mut text = String::with_capacity(256);
    text.push('A');
    push(&mut text, parts.status.as_u16());
    let passed = matches!(&body, Body::Host(host) if host.handle.downcast_ref() == Some(&Handle::Response));
    let mut binary = None;
    let mut content = None;
    let kind = match body {
        Body::Host(_) if parts.status == StatusCode::SWITCHING_PROTOCOLS => "upgrade",
        Body::Host(_) => "stream",
        Body::Empty if parts.status == StatusCode::SWITCHING_PROTOCOLS => "upgrade",
        Body::Empty => "none",
        Body::Bytes(bytes) => match String::from_utf8(bytes.into()) {
            Ok(body) => {
                content = Some(body);
                "text"
            }
            Err(bytes) => {
                binary = Some(bytes.into_bytes());
                "binary"
            }
        },
    };
    push(&mut text, kind);
    // An answer that is not the upstream's shares nothing with it, not even by chance.
    let nothing = Fields::default();
    let upgraded = kind == "upgrade";
    let base = if passed || upgraded || kind == "none" { &received.response } else { &nothing };
    base.changes(&parts.headers, &mut text);
    if let Some(content) = content {
        push(&mut text, content);
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
    pub fn new(kind: &str, lines: &[&dyn std::fmt::Display], longest_ms: f64) -> Wanted {
        let mut text = String::with_capacity(256);
        text.push_str(kind);
        for line in lines {
            push(&mut text, line);
        }
        Wanted { text, longest_ms }
    }

    /// Appends the changes that make a header section of what the client sent.
    pub fn changes(mut self, request: &Fields, headers: &HeaderMap) -> Wanted {
        request.changes(headers, &mut self.text);
        self
    }
}

/// A step with the identifier of its task after its kind.
pub fn with_id(id: u32, step: &str) -> String {
    let (kind, rest) = step.split_at(step.find('\n').unwrap_or(step.len()));
    format!("{kind}\n{id}{rest}")
}

/// A step that goes on after the answer, in front of another step.
pub fn later(step: &str) -> String {
    format!("W\n{}\n{step}\n", step.split('\n').count())
}

/// What cannot happen still gets an answer.
pub fn unavailable() -> String {
    "A\n503\nnone\n0\n0\n0".to_owned()
}
