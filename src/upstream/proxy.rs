//! The action that passes a request on: to which upstream, with which path and content, and to which other one where that
//! gives no good answer. [`Proxy::send`] shows every step in order.

use super::request::{Content, Request};
use super::retry::is_idempotent;
use super::rewrite::{PathRewrite, QueryRewrite, target};
use super::split::{self, Arm, Mirror, choose};
use super::{Balance, Upstream, hash, mirror};
use crate::body::{Body, HostBody};
use crate::exchange::Exchange;
use crate::headers::{IDEMPOTENCY_KEY, cookies, has, remove_cookie, remove_where};
use crate::host::{Host, SharedHost};
use crate::interest::Interest;
use crate::limit::key::Key;
use crate::reject::Reject;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The action that passes a request on.
#[derive(Debug)]
pub struct Proxy {
    /// Its position among the gateway's.
    pub upstream: usize,
    /// Other upstreams for a part of the requests.
    pub split: Vec<Arm>,
    pub mirror: Option<Mirror>,
    pub path: PathRewrite,
    pub query: QueryRewrite,
    pub websocket: bool,
    /// The fields that the route sets. What it sets there is its own, and decides about the answer.
    pub fields: Vec<HeaderName>,
}

/// Where a request belongs among the targets of an upstream.
#[derive(Debug, Clone, Default)]
pub struct Seat {
    /// What decides it, where something does.
    pub key: Option<u64>,
    /// What keeps the client there, where nothing did before.
    pub cookie: Option<HeaderValue>,
}

/// What keeps a client, or a key, at its target.
#[derive(Debug)]
pub enum Sticky {
    /// Values of the request.
    Key(Key),
    /// A cookie of the gateway's own, with the seconds that it lasts.
    Cookie { name: String, max_age: Option<u64> },
}

/// What no request takes along into a new WebSocket: the handshake is the platform's (RFC 6455, section 4.1).
pub static HANDSHAKE: [HeaderName; 3] =
    [header::SEC_WEBSOCKET_KEY, header::SEC_WEBSOCKET_VERSION, header::SEC_WEBSOCKET_EXTENSIONS];

/// The largest body of a request that is copied, in bytes.
pub const MOST_MIRRORED: u64 = 64_000;

/// The largest body that is kept for another upstream, in bytes.
const MOST_KEPT: u64 = 64_000;

/// The largest body that is read before it is sent only so that it is known who fails: the client, or the target. In bytes.
const MOST_JUDGED: u64 = 16_000;

/// What is sent, to whichever upstream.
pub struct Passed {
    /// Path and query.
    pub target: String,
    pub content: Content,
    pub upgrade: bool,
    /// Whether doing it twice does no harm.
    pub repeatable: bool,
}

/// What came of an upstream.
pub struct Came {
    pub result: Result<Response<Body>, Reject>,
    /// Whether a target may have done it.
    pub may_be_done: bool,
}

impl Proxy {
    /// Adds what it reads of requests.
    pub fn interest(&self, interest: &mut Interest) {
        if let PathRewrite::Template(template) = &self.path {
            interest.template(template);
        }
        self.query.set.iter().for_each(|(_, template)| interest.template(template));
        self.split.iter().for_each(|arm| arm.interest(interest));
        if let Some(mirror) = &self.mirror {
            mirror.when.iter().for_each(|rule| rule.interest(interest));
            // A copy is made of what was seen alone.
            interest.all_request_fields = true;
        }
    }

    /// Passes a request on, and waits until its answer begins.
    pub async fn send(
        &self,
        upstreams: &[Rc<Upstream>],
        host: &SharedHost,
        ex: &mut Exchange,
    ) -> Result<Response<Body>, Reject> {
        ex.time_left(host.now()).ok_or(Reject::DeadlineExceeded)?;
        let target = target(ex, &self.path, &self.query).ok_or(Reject::BadParameter)?;
        let chosen = choose(&self.split, &**host, ex).unwrap_or(self.upstream);
        let upstream = upstreams.get(chosen).ok_or(Reject::NotConfigured)?;
        let mirror = self.mirror.as_ref().filter(|mirror| mirror.takes(&**host, ex));
        let repeatable = is_repeatable(&ex.method, &ex.headers);
        let most = upstream.most_kept(repeatable).max(mirror.map_or(0, |_| MOST_MIRRORED));
        let fallback = upstream.fallback.as_ref().and_then(|fallback| upstreams.get(fallback.upstream?));
        let hashed = upstream.most_hashed().or(fallback.and_then(|other| other.most_hashed()));
        let content = match hashed {
            Some(most) => Content::Kept(ex.content(host, most).await.map_err(Reject::of_content)?),
            None => content(host, ex, most).await?,
        };
        let passed = Passed { target, content, upgrade: self.websocket && ex.hop.websocket, repeatable };
        own_fields(ex, &passed);
        if let Some(shadow) = mirror.and_then(|mirror| upstreams.get(mirror.upstream)) {
            mirror::begin((upstream, shadow), host, ex, &passed);
        }
        match &upstream.fallback {
            Some(fallback) => fallback.pass((upstream, upstreams), host, ex, (&passed, &self.fields)).await,
            None => {
                let seat = upstream.seat(&**host, ex);
                upstream.hide(&mut ex.headers);
                pass((upstream, seat), host, ex, &passed, None).await.result
            }
        }
    }
}

/// Passes a request on to one upstream.
pub async fn pass(
    (upstream, seat): (&Rc<Upstream>, Seat),
    host: &SharedHost,
    ex: &mut Exchange,
    passed: &Passed,
    why: Option<&'static str>,
) -> Came {
    if let Some(token) = &upstream.internal_token {
        let unsigned = token.unsigned(host, ex);
        if let Err(reject) = token.add(host, &unsigned, &mut ex.headers).await {
            return Came { result: Err(reject), may_be_done: false };
        }
    }
    let request = Request {
        method: &ex.method,
        target: &passed.target,
        headers: &ex.headers,
        made_of: ex.made_of(),
        content: &passed.content,
        upgrade: passed.upgrade,
        reads: None,
        timeout: upstream.timeout,
        until: ex.until(),
        whole: ex.deadline(),
        key: seat.key,
        repeatable: passed.repeatable,
        why,
        attempts: RefCell::default(),
        may_be_done: Cell::new(false),
    };
    let mut result = upstream.send(host, &request).await;
    let may_be_done = request.may_be_done.get();
    ex.notes.attempts.append(&mut request.attempts.into_inner());
    if let (Ok(response), Some(cookie)) = (&mut result, seat.cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Came { result, may_be_done }
}

impl Upstream {
    /// How large a body may be that is kept so that it can be sent again, in bytes.
    fn most_kept(&self, repeatable: bool) -> u64 {
        let of_retry = self.retry.as_ref().filter(|retry| repeatable || retry.tells_unsent).map(|retry| retry.max_body);
        let elsewhere = self.fallback.as_ref().is_some_and(|fallback| fallback.upstream.is_some() && repeatable);
        let others = [(elsewhere, MOST_KEPT), (self.breaking.is_some(), MOST_JUDGED)];
        let most = others.into_iter().filter_map(|(keeps, most)| keeps.then_some(most)).max();
        of_retry.max(most).unwrap_or_default()
    }

    /// The number that decides about the target, where the request has what it is made of.
    pub fn key(&self, ex: &Exchange) -> Option<u64> {
        match &self.balance {
            Balance::Sticky(Sticky::Key(key)) => split::of(key, ex),
            Balance::Sticky(Sticky::Cookie { name, .. }) => {
                cookies(&ex.headers, name).find_map(|value| session(&value))
            }
            _ => None,
        }
    }

    /// Where a request belongs.
    pub fn seat(&self, host: &dyn Host, ex: &Exchange) -> Seat {
        let key = self.key(ex);
        let Balance::Sticky(Sticky::Cookie { name, max_age }) = &self.balance else {
            return Seat { key, cookie: None };
        };
        if key.is_some() {
            return Seat { key, cookie: None };
        }
        let mut bytes = [0; 8];
        host.random(&mut bytes);
        let session = u64::from_be_bytes(bytes);
        Seat { key: Some(hash::mix(session)), cookie: set_cookie(name, session, *max_age, ex.client.scheme) }
    }

    /// Takes away the cookie of the gateway's own, which no upstream sees.
    pub fn hide(&self, headers: &mut HeaderMap) {
        if let Balance::Sticky(Sticky::Cookie { name, .. }) = &self.balance {
            remove_cookie(headers, name);
        }
    }
}

/// Whether doing it twice does no harm. An empty key names nothing.
pub fn is_repeatable(method: &Method, headers: &HeaderMap) -> bool {
    let keyed = || headers.get(&IDEMPOTENCY_KEY).is_some_and(|key| !key.is_empty());
    is_idempotent(method) || (has(headers, &IDEMPOTENCY_KEY) && keyed())
}

/// What a client's cookie says: a number that means nothing but where it belongs.
fn session(value: &str) -> Option<u64> {
    let digits = value.len() == 16 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(value, 16).ok().filter(|_| digits).map(hash::mix)
}

fn set_cookie(name: &str, session: u64, max_age: Option<u64>, scheme: &str) -> Option<HeaderValue> {
    let max_age = max_age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    let secure = if scheme == "https" { "; Secure" } else { "" };
    HeaderValue::try_from(format!("{name}={session:016x}; Path=/; HttpOnly{max_age}{secure}")).ok()
}

/// The content, in memory where it may have to be sent more than once and is no larger than that. One of unknown length
/// could turn out too large when a part of it is gone already.
async fn content(host: &SharedHost, ex: &mut Exchange, most: u64) -> Result<Content, Reject> {
    if !matches!(&ex.body, Body::Host(HostBody { length: Some(length), .. }) if *length <= most) {
        return Ok(Content::of(std::mem::take(&mut ex.body)));
    }
    ex.content(host, most).await.map(Content::Kept).map_err(Reject::of_content)
}

/// What the call itself needs of the header section.
fn own_fields(ex: &mut Exchange, passed: &Passed) {
    if passed.upgrade {
        remove_where(&mut ex.headers, |name| HANDSHAKE.contains(name));
    }
    // RFC 9110, section 8.6: without it, a host that knows no length would announce a body that is not there.
    let silent = ex.method == Method::GET || ex.method == Method::HEAD;
    if passed.content.is_empty() && !silent {
        ex.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    }
    if ex.hop.trailers {
        ex.headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}
