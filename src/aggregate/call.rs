//! One request for a part: its answer, read to its end and decoded, or why there is none.

use super::Part;
use super::decode::{by_media_type, decode, name};
use super::failure::Failure;
use super::request::Request;
use super::stale::Shelf;
use crate::body::Body;
use crate::exchange::{Attempt, Exchange};
use crate::headers::elements;
use crate::host::{HostError, SharedHost, Task, Timestamp};
use crate::part::Answer;
use crate::race::{First, first};
use crate::raw::Document;
use crate::upstream::Upstream;
use crate::upstream::own::Call;
use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// How long an old answer is looked for: what is left of the time, but no less and no more than this.
const LEAST_LOOK: Duration = Duration::from_millis(100);
const MOST_LOOK: Duration = Duration::from_secs(1);

/// Where a request is made.
#[derive(Clone, Copy)]
pub struct At<'a> {
    pub host: &'a SharedHost,
    pub ex: &'a Exchange,
    pub upstreams: &'a [Rc<Upstream>],
    pub shelf: &'a Shelf,
    /// How many bytes all answers together may still have.
    pub room: &'a Cell<u64>,
}

/// What came of a request.
pub struct Called {
    pub result: Result<Answer, Failure>,
    /// The status and the fields that are asked for, of an answer that is not the one expected.
    pub status: Option<u16>,
    pub headers: HeaderMap,
    /// Whether it is an earlier answer that stands in.
    pub stale: bool,
    /// Whether nobody may keep it (RFC 9111, section 5.2.2.5).
    pub no_store: bool,
    pub attempts: Vec<Attempt>,
    pub ended: Timestamp,
}

/// How long an answer may still take, and what it means where it takes longer.
#[derive(Clone, Copy)]
struct Until {
    begun: Timestamp,
    within: Duration,
    late: Failure,
}

impl Called {
    pub fn failed(failure: Failure, ended: Timestamp) -> Called {
        let (headers, attempts) = (HeaderMap::new(), Vec::new());
        Called { result: Err(failure), status: None, headers, stale: false, no_store: false, attempts, ended }
    }
}

/// Asks a part's upstream.
pub async fn call(at: At<'_>, part: &Part, request: Request) -> Called {
    let At { host, ex, upstreams, shelf, .. } = at;
    let Some(upstream) = upstreams.get(part.upstream) else { return Called::failed(Failure::NoAnswer, host.now()) };
    let kept = part.stale.map(|most| (key(at, part, upstream, &request), most));
    let mut called = ask(at, part, upstream, request).await;
    match (kept, &called.result) {
        (Some((key, most)), Ok(answer)) if !called.no_store => shelf.keep(host, key, answer, most),
        (Some((key, most)), Err(failure)) if failure.may_be_stale(called.status) => {
            // A store that is slow is none: the others wait for this one.
            let left = ex.time_left(host.now()).unwrap_or_default().clamp(LEAST_LOOK, MOST_LOOK);
            let look: Task<'_, _> = Box::pin(shelf.find(host, &key, most));
            let found = match first(look, host.sleep(left)).await {
                First::One(found, _) => found,
                First::Other(_, ()) => None,
            };
            if let Some(body) = found.filter(|body| part.shape.fits(body.raw()).is_ok()) {
                called.result = Ok(Answer { body: Some(body), good: true, ..Answer::default() });
                called.stale = true;
            }
        }
        _ => {}
    }
    called.ended = host.now();
    called
}

/// What tells a part's request from all others: whom it asks, and as what the answer is read.
fn key(at: At<'_>, part: &Part, upstream: &Upstream, request: &Request) -> [u8; 32] {
    let told = upstream.told(at.ex);
    let decode = name(part.accept.decode);
    let targets = upstream.targets.iter().map(|target| target.base.as_str());
    request.key([&*at.shelf.gateway, &upstream.name, &part.name, &told, decode].into_iter().chain(targets))
}

async fn ask(at: At<'_>, part: &Part, upstream: &Rc<Upstream>, request: Request) -> Called {
    let At { host, ex, .. } = at;
    let begun = host.now();
    let Some(left) = ex.time_left(begun) else { return Called::failed(Failure::Deadline, begun) };
    let own = part.timeout(upstream);
    let late = if own < left { Failure::Timeout } else { Failure::Deadline };
    let until = Until { begun, within: own.min(left), late };
    let Request { method, target, headers, body } = request;
    let is_head = method == Method::HEAD;
    let call = Call { method, target, headers, body, within: until.within, most: part.accept.most.min(at.room.get()) };
    let (result, attempts) = upstream.call(host, ex, call).await;
    let mut called = Called { attempts, ..Called::failed(until.late, begun) };
    match result {
        Err(reject) => {
            let failure = Failure::from(reject);
            called.result = Err(if failure == Failure::Timeout { until.late } else { failure });
        }
        Ok(response) => {
            let (parts, body) = response.into_parts();
            called.status = Some(parts.status.as_u16());
            called.headers = part.kept(&parts.headers);
            called.no_store = elements(&parts.headers, &header::CACHE_CONTROL).any(|word| word == "no-store");
            let response = Response::from_parts(parts, body);
            called.result = read(at, part, until, response, is_head).await.map(|body| Answer {
                status: called.status,
                headers: called.headers.clone(),
                body: Some(body),
                good: true,
            });
        }
    }
    called
}

/// Reads and decodes an answer that is one of those expected.
async fn read(
    At { host, room, .. }: At<'_>,
    part: &Part,
    until: Until,
    response: Response<Body>,
    is_head: bool,
) -> Result<Document, Failure> {
    let (parts, body) = response.into_parts();
    if !part.expects(parts.status) {
        return Err(Failure::Status);
    }
    // RFC 9110, sections 9.3.2, 15.3.5 and 15.3.6.
    let is_empty = is_head || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
    let document = if is_empty {
        Document::null()
    } else {
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let how = part.accept.decode.or_else(|| by_media_type(content_type)).ok_or(Failure::MediaType)?;
        let bytes = collect(host, part.accept.most.min(room.get()), until, body).await?;
        // Others have been read meanwhile.
        let left = room.get().checked_sub(bytes.len() as u64).ok_or(Failure::TooLarge)?;
        room.set(left);
        decode(how, content_type, bytes)?
    };
    part.shape.fits(document.raw())?;
    Ok(document)
}

async fn collect(host: &SharedHost, most: u64, until: Until, body: Body) -> Result<Bytes, Failure> {
    if body.length().is_some_and(|length| length > most) {
        return Err(Failure::TooLarge);
    }
    let spent = Duration::try_from_secs_f64(host.now().since(until.begun) / 1000.0).unwrap_or(Duration::MAX);
    let left = until.within.checked_sub(spent).filter(|left| !left.is_zero()).ok_or(until.late)?;
    host.collect(body, most, left).await.map_err(|error| match error {
        HostError::Timeout => until.late,
        HostError::BodyTooLarge => Failure::TooLarge,
        _ => Failure::NoAnswer,
    })
}

impl Part {
    fn expects(&self, status: StatusCode) -> bool {
        match self.accept.statuses.as_slice() {
            [] => status.is_success(),
            statuses => statuses.contains(&status.as_u16()),
        }
    }

    /// The fields that somebody asks for.
    fn kept(&self, headers: &HeaderMap) -> HeaderMap {
        let mut kept = HeaderMap::new();
        for name in &self.accept.fields {
            for value in headers.get_all(name) {
                kept.append(name.clone(), value.clone());
            }
        }
        kept
    }
}
