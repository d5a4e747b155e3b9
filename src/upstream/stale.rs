//! The last good answer to a request, for when the upstream gives none (RFC 5861, section 4). Only answers that are for
//! everybody are kept, and only as long as the configuration says; this is no cache that answers in an upstream's place.
//!
//! They are kept in the instance, up to 8 MB of all upstreams together, and in a key-value store where there is one, so
//! that an instance that has just begun has them too.

use super::proxy::Passed;
use super::verdict::blame;
use crate::body::Body;
use crate::exchange::Exchange;
use crate::headers::{elements, has, remove_hop_by_hop};
use crate::host::{SharedHost, Timestamp};
use crate::race::{First, first};
use crate::reject::Reject;
use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Where the last good answers of an upstream are.
#[derive(Debug)]
pub struct Stale {
    /// The gateway's name, and the upstream's with its addresses: answers are no other one's.
    pub of: String,
    /// Whether answers that say nothing of caching are for everybody, too.
    pub unmarked: bool,
    /// How old they may be.
    pub most: Duration,
    /// The key-value store where instances share them.
    pub store: Option<Rc<str>>,
    /// The gateway's name, in `Cache-Status`.
    pub gateway: Rc<str>,
    pub shelf: Rc<RefCell<Shelf>>,
}

/// A request whose answer may be kept, or found: what it is known by, and whether it is somebody's own.
#[derive(Debug)]
pub struct Asked {
    key: [u8; 32],
    is_own: bool,
}

/// The answers of all upstreams that an instance has, the one that was used last at the end. There are few, so that they
/// are looked through.
#[derive(Debug, Default)]
pub struct Shelf {
    answers: Vec<Placed>,
    bytes: usize,
}

#[derive(Debug)]
struct Placed {
    key: [u8; 32],
    answer: Rc<Answer>,
    /// When it was last written into the store.
    written: f64,
}

/// An answer, when it came, and what of the request it depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    at: f64,
    headers: HeaderMap,
    body: Bytes,
    /// The fields that `Vary` names, as the request had them.
    vary: Vec<(HeaderName, Option<String>)>,
}

/// The largest body, in bytes.
const MOST_BODY: u64 = 128_000;

/// The most that is kept, in bytes, and in number.
const MOST_BYTES: usize = 8_000_000;
const MOST_ANSWERS: usize = 1_000;

/// How often an answer is written into the store by an instance, at most, in milliseconds: writing is dear, and one as old
/// as this is as good.
const WRITE_MS: f64 = 60_000.0;

/// How long a store may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// The fields of requests that an answer may depend on. Those alone are seen on every platform.
pub static VARY: [HeaderName; 4] = [header::ACCEPT, header::ACCEPT_ENCODING, header::ACCEPT_LANGUAGE, header::ORIGIN];

/// What requests say that makes their answers somebody's own.
pub static PRIVATE: [HeaderName; 3] = [header::AUTHORIZATION, header::COOKIE, header::CACHE_CONTROL];

/// What forbids to keep an answer, or to use it when it is stale (RFC 9111, sections 3 and 4.2.4).
const FORBIDDING: [&str; 6] = ["no-store", "no-cache", "private", "must-revalidate", "proxy-revalidate", "s-maxage"];

/// What says that an answer is not for one client alone, and may be kept for a while.
const MARKING: [&str; 3] = ["public", "max-age", "stale-if-error"];

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

impl Stale {
    /// What a request is known by: all of it that decides about its answer, but for what `Vary` names. `None` for one that is
    /// no plain GET. `fields` are those that its route sets.
    pub fn asked(&self, ex: &Exchange, passed: &Passed, fields: &[HeaderName]) -> Option<Asked> {
        if ex.method != Method::GET || !passed.content.is_empty() {
            return None;
        }
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        };
        add(&self.of);
        // What upstreams are told of the client's request, if they are.
        [ex.client.scheme, &ex.client.host, &ex.path].into_iter().for_each(&mut add);
        add(ex.query.as_deref().unwrap_or_default());
        add(&passed.target);
        add(ex.matched.as_ref().map_or("", |matched| &matched.name));
        for name in fields {
            add(&said(&ex.headers, name).unwrap_or_default());
        }
        let shows = |name: &HeaderName| has(&ex.headers, name) && !fields.contains(name);
        let is_own = ex.identity.is_some() || [header::AUTHORIZATION, header::COOKIE].iter().any(shows);
        Some(Asked { key: hash.finalize().into(), is_own })
    }

    /// Keeps a good answer, if it is one to keep, and passes it on.
    pub async fn keep(
        &self,
        host: &SharedHost,
        ex: &Exchange,
        asked: &Asked,
        result: Result<Response<Body>, Reject>,
    ) -> Result<Response<Body>, Reject> {
        let response = result?;
        let Some(vary) = varies(ex, &response).filter(|_| self.is_for_everybody(ex, asked, &response)) else {
            return Ok(response);
        };
        let (parts, body) = response.into_parts();
        let left = ex.time_left(host.now()).ok_or(Reject::DeadlineExceeded)?;
        let body = host.collect(body, MOST_BODY, left).await.map_err(|error| blame(&error))?;
        let mut headers = parts.headers.clone();
        remove_hop_by_hop(&mut headers);
        headers.remove(header::CONTENT_LENGTH);
        let answer = Rc::new(Answer { at: host.now().0, headers, body: body.clone(), vary });
        if self.shelf.borrow_mut().put(asked.key, Rc::clone(&answer)) {
            self.write(host, asked.key, &answer);
        }
        Ok(Response::from_parts(parts, Body::bytes(body)))
    }

    /// The last good answer to a request, if it is not too old.
    pub async fn find(
        &self,
        host: &SharedHost,
        ex: &Exchange,
        asked: &Asked,
        failed: &Result<Response<Body>, Reject>,
    ) -> Option<Response<Body>> {
        let Asked { key, is_own } = *asked;
        let known = self.shelf.borrow_mut().get(&key).filter(|answer| self.fits(answer, ex, host.now()));
        let answer = match (known, &self.store) {
            (Some(answer), _) => answer,
            (None, Some(store)) => {
                let name = name(&key);
                let First::One(stored, _) = first(host.get(store, &name), host.sleep(PATIENCE)).await else {
                    return None;
                };
                let stored = stored.ok()??;
                let answer = Rc::new(Answer::read(&stored).filter(|answer| self.fits(answer, ex, host.now()))?);
                self.shelf.borrow_mut().put(key, Rc::clone(&answer));
                answer
            }
            (None, None) => return None,
        };
        // What was for somebody whom nobody knows is not for somebody else, unless it says so.
        (!is_own || says(&answer.headers, "public")).then(|| self.response(&answer, host.now(), failed))
    }

    /// Whether an answer can be kept for everybody who asks the same.
    fn is_for_everybody(&self, ex: &Exchange, asked: &Asked, response: &Response<Body>) -> bool {
        let fields = response.headers();
        let marked = || MARKING.iter().any(|word| says(fields, word));
        response.status() == StatusCode::OK
            && response.body().length().is_some_and(|length| length <= MOST_BODY)
            && !has(fields, &header::SET_COOKIE)
            // Workers decodes what is read, and Spin does not.
            && !has(fields, &header::CONTENT_ENCODING)
            && !FORBIDDING.iter().any(|word| says(fields, word))
            && !says(&ex.headers, "no-store")
            // RFC 9111, section 3.5.
            && if asked.is_own { says(fields, "public") } else { self.unmarked || marked() }
    }

    fn fits(&self, answer: &Answer, ex: &Exchange, now: Timestamp) -> bool {
        let same = |(name, value): &(HeaderName, Option<String>)| said(&ex.headers, name) == *value;
        // Clocks are not quite alike, and nothing is from the future.
        let age = now.0 - answer.at;
        (-60_000.0..=self.most.as_secs_f64() * 1000.0).contains(&age) && answer.vary.iter().all(same)
    }

    fn write(&self, host: &SharedHost, key: [u8; 32], answer: &Rc<Answer>) {
        let Some(store) = self.store.clone() else { return };
        let (host_then, answer, ttl) = (Rc::clone(host), Rc::clone(answer), self.most.max(Duration::from_secs(60)));
        host.wait_until(Box::pin(async move {
            // What cannot be written is in this instance all the same.
            drop(host_then.put(&store, &name(&key), answer.text().into(), Some(ttl)).await);
        }));
    }

    /// An answer with its age (RFC 9111, section 5.1), and where it comes from (RFC 9211).
    fn response(&self, answer: &Answer, now: Timestamp, failed: &Result<Response<Body>, Reject>) -> Response<Body> {
        let mut response = Response::new(Body::bytes(answer.body.clone()));
        let fields = response.headers_mut();
        fields.clone_from(&answer.headers);
        let before = fields.get(header::AGE).and_then(|age| age.to_str().ok()?.parse::<u64>().ok()).unwrap_or_default();
        let since = (now.since(Timestamp(answer.at)) / 1000.0) as u64;
        fields.insert(header::AGE, HeaderValue::from(before.saturating_add(since)));
        let how = match failed {
            Ok(response) => format!("fwd=stale; fwd-status={}", response.status().as_u16()),
            Err(Reject::UpstreamUnavailable { .. }) => "hit".to_owned(),
            Err(_) => "fwd=stale".to_owned(),
        };
        if let Ok(status) = HeaderValue::try_from(format!("{}; {how}; detail=stale-if-error", self.gateway)) {
            fields.append(CACHE_STATUS, status);
        }
        response
    }
}

/// Whether `Cache-Control` has a directive. One for no time at all marks nothing, and forbids as well as any.
fn says(fields: &HeaderMap, word: &str) -> bool {
    elements(fields, &header::CACHE_CONTROL).any(|directive| {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let nothing = MARKING.contains(&word) && value.trim().trim_matches('"') == "0";
        name.trim().eq_ignore_ascii_case(word) && !nothing
    })
}

/// What of the request the answer depends on. `None` where that is more than is seen.
fn varies(ex: &Exchange, response: &Response<Body>) -> Option<Vec<(HeaderName, Option<String>)>> {
    let names = elements(response.headers(), &header::VARY).map(|name| name.parse::<HeaderName>().ok());
    let seen = |name: Option<HeaderName>| {
        let name = name.filter(|name| VARY.contains(name))?;
        let value = said(&ex.headers, &name);
        Some((name, value))
    };
    names.map(seen).collect()
}

fn said(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    has(headers, name).then(|| crate::headers::joined(headers, name))
}

/// Under which key of a store an answer is.
fn name(key: &[u8; 32]) -> String {
    ["edgate.stale.", &Base64UrlUnpadded::encode_string(key)].concat()
}

impl Answer {
    fn size(&self) -> usize {
        let fields: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 64).sum();
        self.body.len() + fields + 256
    }

    /// As it is written into a store, which holds text.
    fn text(&self) -> String {
        let fields: Vec<Value> = self
            .headers
            .iter()
            .filter_map(|(name, value)| Some(json!([name.as_str(), value.to_str().ok()?])))
            .collect();
        let vary: Vec<Value> = self.vary.iter().map(|(name, value)| json!([name.as_str(), value])).collect();
        let body = Base64::encode_string(&self.body);
        json!({ "at": self.at, "fields": fields, "vary": vary, "body": body }).to_string()
    }

    /// From what a store holds. `None` for what nobody of this version has written.
    fn read(text: &[u8]) -> Option<Answer> {
        let value: Value = serde_json::from_slice(text).ok()?;
        let pairs = |key: &str| value.get(key)?.as_array().map(Vec::as_slice);
        let mut headers = HeaderMap::new();
        for pair in pairs("fields")? {
            let (name, value) = (pair.get(0)?.as_str()?, pair.get(1)?.as_str()?);
            headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?);
        }
        // Nobody of this version writes these.
        remove_hop_by_hop(&mut headers);
        [header::SET_COOKIE, header::CONTENT_LENGTH].iter().for_each(|name| drop(headers.remove(name)));
        let vary = pairs("vary")?.iter().map(|pair| {
            let name = pair.get(0)?.as_str()?.parse::<HeaderName>().ok()?;
            Some((name, pair.get(1)?.as_str().map(str::to_owned)))
        });
        let body = Base64::decode_vec(value.get("body")?.as_str()?).ok()?;
        Some(Answer { at: value.get("at")?.as_f64()?, headers, body: body.into(), vary: vary.collect::<Option<_>>()? })
    }
}

impl Shelf {
    fn get(&mut self, key: &[u8; 32]) -> Option<Rc<Answer>> {
        let placed = self.take(key)?;
        let answer = Rc::clone(&placed.answer);
        self.place(placed);
        Some(answer)
    }

    /// Puts an answer in the place of the one before. Whether it should be written into the store.
    fn put(&mut self, key: [u8; 32], answer: Rc<Answer>) -> bool {
        let written = self.take(&key).map_or(f64::NEG_INFINITY, |placed| placed.written);
        let is_due = answer.at - written >= WRITE_MS;
        let written = if is_due { answer.at } else { written };
        self.place(Placed { key, answer, written });
        while (self.bytes > MOST_BYTES || self.answers.len() > MOST_ANSWERS) && !self.answers.is_empty() {
            let gone = self.answers.remove(0);
            self.bytes = self.bytes.saturating_sub(gone.answer.size());
        }
        is_due
    }

    fn take(&mut self, key: &[u8; 32]) -> Option<Placed> {
        let position = self.answers.iter().position(|placed| placed.key == *key)?;
        let placed = self.answers.remove(position);
        self.bytes = self.bytes.saturating_sub(placed.answer.size());
        Some(placed)
    }

    fn place(&mut self, placed: Placed) {
        self.bytes += placed.answer.size();
        self.answers.push(placed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(length: usize) -> Rc<Answer> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        let vary = vec![(header::ACCEPT, Some("a, b".to_owned())), (header::ORIGIN, None)];
        Rc::new(Answer { at: 12.5, headers, body: vec![7; length].into(), vary })
    }

    #[test]
    fn what_is_written_is_read() {
        let answer = answer(5);
        assert_eq!(Answer::read(answer.text().as_bytes()).as_ref(), Some(&*answer));
        for text in ["", "{}", "[]", r#"{"at":1,"fields":[["a b","c"]],"vary":[],"body":""}"#] {
            assert_eq!(Answer::read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_was_used_least_goes_first_and_there_is_never_too_much() {
        let mut shelf = Shelf::default();
        let key = |number: u8| [number; 32];
        for number in 0..100 {
            shelf.put(key(number), answer(120_000));
            assert!(shelf.get(&key(0)).is_some(), "it is in use");
            assert!(shelf.bytes <= MOST_BYTES);
        }
        assert!(shelf.get(&key(99)).is_some() && shelf.get(&key(1)).is_none());
        let kept: usize = shelf.answers.iter().map(|placed| placed.answer.size()).sum();
        assert_eq!(kept, shelf.bytes);
        for number in 0..2_000u32 {
            let mut key = key(200);
            key[..4].copy_from_slice(&number.to_be_bytes());
            shelf.put(key, answer(0));
        }
        assert_eq!(shelf.answers.len(), MOST_ANSWERS);
    }

    #[test]
    fn an_answer_is_written_once_in_a_while() {
        let mut shelf = Shelf::default();
        let at = |at| Rc::new(Answer { at, ..(*answer(1)).clone() });
        let due: Vec<bool> = [0.0, 30_000.0, 59_999.0, 60_000.0, 70_000.0]
            .into_iter()
            .map(|time| shelf.put([1; 32], at(time)))
            .collect();
        assert_eq!(due, [true, false, false, true, false]);
    }
}
