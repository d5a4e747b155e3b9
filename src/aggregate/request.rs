//! The request for a part. Of the client's, nothing is in it but what the configuration names; of edgate's own, what
//! tells which request it belongs to, and that it has been here.

use super::{Ask, TOLD};
use crate::body::Body;
use crate::config::aggregate::Decode;
use crate::exchange::Exchange;
use crate::headers::has;
use crate::path::is_one_spelling;
use crate::routing::condition::parameters;
use crate::template::Goal;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use sha2::{Digest, Sha256};

/// A request for a part.
#[derive(Debug)]
pub struct Request {
    pub method: Method,
    /// Path and query.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Body,
}

impl Ask {
    /// Makes the request. `None` where something that it needs is not there, or cannot stand where it should.
    pub fn request(&self, ex: &Exchange, decode: Option<Decode>) -> Option<Request> {
        let body = self.body.as_ref().map(|form| form.fill(ex));
        let headers = self.headers(ex, body.as_deref(), decode)?;
        let body = body.map_or(Body::Empty, Body::bytes);
        Some(Request { method: self.method.clone(), target: self.target(ex)?, headers, body })
    }

    fn target(&self, ex: &Exchange) -> Option<String> {
        let mut target = self.path.expand(ex, Goal::WholePath)?;
        // A value that would add a segment, or take one away, is refused.
        if !is_one_spelling(&target) {
            return None;
        }
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let replaced = |name: &str| self.query.iter().any(|(known, _)| known == name);
        for (name, value) in parameters(ex.query.as_deref()) {
            if self.forward_query.iter().any(|known| *known == name) && !replaced(&name) {
                query.append_pair(&name, &value);
            }
        }
        for (name, template) in &self.query {
            if let Some(value) = template.expand(ex, Goal::Text) {
                query.append_pair(name, &value);
            }
        }
        let query = query.finish();
        if !query.is_empty() {
            target.push('?');
            target.push_str(&query);
        }
        Some(target)
    }

    fn headers(&self, ex: &Exchange, body: Option<&str>, decode: Option<Decode>) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        // What is set takes the place of what is passed on, also where there is nothing to set.
        let set = |name: &HeaderName| self.headers.iter().any(|(known, _)| known == name);
        for name in TOLD.iter().chain(self.forward_headers.iter().filter(|name| !set(name))) {
            for value in ex.headers.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        if body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        } else if self.method != Method::GET && self.method != Method::HEAD {
            // RFC 9110, section 8.6: without it, a host that knows no length would announce a body that is not there.
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
        }
        for (name, value) in &self.headers {
            if let Some(value) = value.of(ex).ok()? {
                headers.insert(name.clone(), value);
            }
        }
        if !has(&headers, &header::ACCEPT) {
            headers.insert(header::ACCEPT, HeaderValue::from_static(accepted(decode)));
        }
        Some(headers)
    }
}

/// What an answer is asked to be written in (RFC 9110, section 12.5.1).
fn accepted(decode: Option<Decode>) -> &'static str {
    match decode {
        None | Some(Decode::Json) => "application/json",
        Some(Decode::Xml) => "application/xml, text/xml",
        Some(Decode::Text) => "text/plain",
    }
}

impl Request {
    /// The same for requests that mean the same: what tells one from the other is left out. `scope` is what else they
    /// depend on.
    pub fn key<'a>(&'a self, scope: impl Iterator<Item = &'a str>) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        scope.chain(["", self.method.as_str(), &self.target]).for_each(|text| add(text.as_bytes()));
        // A header map is in the order in which it was made, which is the configuration's.
        for (name, value) in self.headers.iter().filter(|(name, _)| !TOLD.contains(name)) {
            add(name.as_str().as_bytes());
            add(value.as_bytes());
        }
        if let Body::Bytes(bytes) = &self.body {
            add(bytes);
        }
        hash.finalize().into()
    }
}
