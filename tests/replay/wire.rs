//! The two ends of the wire in memory: requests of clients, and what upstreams see and answer.

use anyhow::Result;
use bytes::Bytes;
use edgate::body::Body;
use edgate::headers::{self, content_length, is_spelling};
use edgate::host::{Certificate, ClientFacts, HostError, Incoming, MadeOf, Outgoing};
use edgate::interest::Interest;
use edgate::memory::{Answer, Stream};
use edgate_kit::scenario::Request;
use edgate_kit::scenario::answer::{Answer as Scripted, AnswerBody, Fault};
use edgate_kit::scenario::content::Content;
use edgate_kit::scenario::service::Script;
use edgate_kit::seen::{AnsweredBy, End, SeenBody, SeenRequest, SeenResponse};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::time::Duration;

/// What one exchange leaves behind at the upstreams.
#[derive(Default)]
pub struct Wire {
    /// Upstreams by authority.
    pub names: BTreeMap<String, String>,
    pub scripts: BTreeMap<String, Script>,
    pub seen: BTreeMap<String, Vec<SeenRequest>>,
    /// Fields that the gateway did not want to see.
    pub request_rest: HeaderMap,
    /// Of the answer to what was passed on.
    pub response_rest: HeaderMap,
    pub interest: Option<Rc<Interest>>,
}

/// The fields of requests that the gateway must see: all of them where this is `None`.
pub fn request_fields(interest: &Interest) -> Option<&HashSet<HeaderName>> {
    (!interest.all_request_fields).then_some(&interest.request)
}

/// As `src/cloudflare/entry.js` has it.
fn is_wanted(name: &HeaderName, interest: &HashSet<HeaderName>) -> bool {
    interest.contains(name) || interest.iter().any(|wanted| is_spelling(name, wanted))
}

/// Takes away what the gateway does not want to see, unless `Connection` names fields.
pub fn withhold(fields: &mut HeaderMap, interest: Option<&HashSet<HeaderName>>) -> HeaderMap {
    let mut rest = HeaderMap::new();
    let Some(interest) = interest.filter(|_| !fields.contains_key(http::header::CONNECTION)) else { return rest };
    let names: Vec<HeaderName> = fields.keys().filter(|name| !is_wanted(name, interest)).cloned().collect();
    for name in names {
        for value in fields.get_all(&name) {
            rest.append(name.clone(), value.clone());
        }
        fields.remove(&name);
    }
    rest
}

pub fn incoming(request: &Request) -> Result<Incoming> {
    let mut headers = HeaderMap::new();
    for (name, value) in request.fields() {
        headers.append(name.parse::<HeaderName>()?, HeaderValue::from_bytes(value.as_bytes())?);
    }
    let (path, query) = match request.target.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (request.target.clone(), None),
    };
    let body = match &request.body {
        Some(body) => Body::host(stream(&body.content, false), content_length(&headers).ok().flatten()),
        None => Body::Empty,
    };
    Ok(Incoming {
        method: request.method.parse()?,
        scheme: "http",
        authority: request.host.clone(),
        path,
        query,
        headers_size: headers::section_size(&headers),
        headers,
        body,
        peer: Some(request.peer),
        facts: facts(request),
        version: "1.1",
    })
}

fn facts(request: &Request) -> ClientFacts {
    let certificate = request.certificate.as_ref().map(|certificate| Certificate {
        verified: certificate.verified,
        sha256: certificate.sha256.clone(),
        subject: certificate.subject.clone(),
        issuer: certificate.issuer.clone(),
        serial: certificate.serial.clone(),
        not_after: certificate.not_after.clone(),
    });
    ClientFacts { country: request.country.clone(), certificate }
}

fn stream(content: &Content, fails: bool) -> Stream {
    let mut chunks = Vec::new();
    let mut offset = 0;
    while let Some(block) = content.block(offset) {
        offset += block.len() as u64;
        chunks.push(Bytes::copy_from_slice(block));
    }
    Stream { chunks, fails, every: Duration::ZERO }
}

impl Wire {
    pub fn answer(&mut self, request: &Outgoing<'_>) -> Answer {
        let rest = request.url.strip_prefix("http://").unwrap_or(&request.url);
        let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let Some(name) = self.names.get(authority).cloned() else {
            return fail(HostError::Unreachable(format!("no upstream at {authority}")));
        };
        let (scripted, answered_by) = match self.scripts.get_mut(&name) {
            Some(script) => script.answer(request.method.as_str(), target),
            None => return fail(HostError::Unreachable("nothing has begun".to_owned())),
        };
        if scripted.fault != Some(Fault::Refuse) {
            let seen = self.seen_request(request, authority, target, answered_by);
            self.seen.entry(name).or_default().push(seen);
        }
        self.scripted(&scripted, request)
    }

    fn scripted(&mut self, scripted: &Scripted, request: &Outgoing<'_>) -> Answer {
        match scripted.fault {
            Some(Fault::Refuse) => return fail(HostError::Unreachable("refused".to_owned())),
            Some(Fault::Close | Fault::Reset) => return fail(HostError::Disconnected("closed".to_owned())),
            Some(Fault::BadStatusLine | Fault::HugeHeader) => return fail(HostError::Protocol("not HTTP".to_owned())),
            Some(Fault::Hang) => return Answer { after: Duration::MAX, result: Err(HostError::Timeout) },
            Some(Fault::Short | Fault::ResetMidBody) | None => {}
        }
        let mut fields = HeaderMap::new();
        for (name, value) in scripted.fields() {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes())) {
                fields.append(name, value);
            }
        }
        let seen = self.interest.as_deref().filter(|interest| !interest.all_response_fields);
        let rest = withhold(&mut fields, seen.map(|interest| &interest.response));
        if request.made_of == MadeOf::Client {
            self.response_rest = rest;
        }
        let content = match &scripted.body {
            _ if request.method == http::Method::HEAD => Stream::default(),
            AnswerBody::Whole(content) => stream(content, scripted.fault.is_some()),
            AnswerBody::Chunks { chunks, every } => {
                let chunks = chunks.iter().map(|chunk| Bytes::from(chunk.clone())).collect();
                Stream { chunks, fails: scripted.fault.is_some(), every: *every }
            }
        };
        let mut response = status(scripted.status);
        *response.body_mut() = Body::host(content, content_length(&fields).ok().flatten());
        *response.headers_mut() = fields;
        Answer { after: scripted.delay.unwrap_or_default(), result: Ok(response) }
    }

    fn seen_request(
        &mut self,
        request: &Outgoing<'_>,
        authority: &str,
        target: &str,
        answered_by: AnsweredBy,
    ) -> SeenRequest {
        let mut fields = vec![("host".to_owned(), authority.to_owned())];
        fields.extend(text(request.headers));
        if request.made_of == MadeOf::Client {
            fields.extend(text(&self.request_rest));
        }
        let mut body = SeenBody::empty();
        match &request.body {
            Body::Empty => {}
            Body::Bytes(bytes) => body.push(bytes),
            Body::Host(host) => {
                let stream = host.handle.downcast_ref::<Stream>();
                stream.into_iter().flat_map(|stream| &stream.chunks).for_each(|chunk| body.push(chunk));
            }
        }
        SeenRequest {
            method: request.method.to_string(),
            target: target.to_owned(),
            headers: fields,
            body,
            complete: true,
            answered_by,
        }
    }
}

pub fn seen_response(response: Response<Body>, rest: HeaderMap, request: &Request) -> SeenResponse {
    let (parts, body) = response.into_parts();
    let mut headers = text(&parts.headers);
    if matches!(body, Body::Host(_)) {
        headers.extend(text(&rest));
    } else if !headers.iter().any(|(name, _)| name == "content-length") && parts.status != StatusCode::NO_CONTENT {
        headers.push(("content-length".to_owned(), body.length().unwrap_or_default().to_string()));
    }
    let (content, end) = match edgate::memory::collect(body) {
        Ok(content) => (content, End::Complete),
        Err(content) => (content, End::Truncated("the stream failed".to_owned())),
    };
    let content = if request.method == "HEAD" { Bytes::new() } else { content };
    let mut body = SeenBody::empty();
    body.push(&content);
    SeenResponse {
        status: parts.status.as_u16(),
        headers,
        body,
        trailers: Vec::new(),
        end,
        chunk_times: Vec::new(),
        websocket: None,
    }
}

fn text(fields: &HeaderMap) -> Vec<(String, String)> {
    fields
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

fn fail(error: HostError) -> Answer {
    Answer { after: Duration::ZERO, result: Err(error) }
}

fn status(code: u16) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}
