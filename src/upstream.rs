//! Calling an upstream: the request it gets, and what its answer, or its failure, means. This is the only place that
//! calls one.

pub mod internal_token;

use crate::body::Body;
use crate::exchange::{Attempt, Exchange};
use crate::headers::{remove_spellings, remove_where};
use crate::host::{HostError, MadeOf, Outgoing, SharedHost};
use crate::path::is_one_spelling;
use crate::reject::Reject;
use crate::routing::condition::parameters;
use crate::secret::SecretSlot;
use crate::template::{Goal, Template};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use internal_token::InternalToken;
use std::rc::Rc;
use std::time::Duration;

/// A service behind the gateway.
#[derive(Debug)]
pub struct Upstream {
    pub name: Rc<str>,
    /// Scheme and authority, and a path without a slash at its end: `https://orders.example/base`.
    pub base: String,
    /// How long its answer may take to begin.
    pub timeout: Duration,
    /// What tells it who calls.
    pub internal_token: Option<InternalToken>,
}

/// The action that passes a request on.
#[derive(Debug)]
pub struct Proxy {
    /// Its position among the gateway's.
    pub upstream: usize,
    pub path: PathRewrite,
    pub query: QueryRewrite,
    pub websocket: bool,
}

/// How the path changes on the way.
#[derive(Debug)]
pub enum PathRewrite {
    Keep,
    /// The normalized prefix, without a slash at its end.
    Strip(String),
    Template(Template),
}

/// How the query changes on the way: first `keep` and `remove`, then `set`.
#[derive(Debug, Default)]
pub struct QueryRewrite {
    pub keep: Option<Vec<String>>,
    pub remove: Vec<String>,
    pub set: Vec<(String, Template)>,
}

/// A request that the gateway makes by itself, rather than the client's.
#[derive(Debug)]
pub struct Call {
    pub method: Method,
    /// Path and query, as they are sent after the upstream's own path.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Body,
    /// How long the answer may take to begin.
    pub within: Duration,
}

/// What no request takes along into a new WebSocket: the handshake is the platform's (RFC 6455, section 4.1).
pub static HANDSHAKE: [HeaderName; 3] =
    [header::SEC_WEBSOCKET_KEY, header::SEC_WEBSOCKET_VERSION, header::SEC_WEBSOCKET_EXTENSIONS];

impl Proxy {
    /// Every template that is filled in for a request.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let path = match &self.path {
            PathRewrite::Template(template) => Some(template),
            PathRewrite::Keep | PathRewrite::Strip(_) => None,
        };
        path.into_iter().chain(self.query.set.iter().map(|(_, template)| template))
    }
}

impl Upstream {
    /// Sends a request and waits until its answer begins.
    pub async fn send(&self, host: &SharedHost, ex: &mut Exchange, proxy: &Proxy) -> Result<Response<Body>, Reject> {
        let left = ex.time_left(host.now()).ok_or(Reject::DeadlineExceeded)?;
        let url = self.url(ex, proxy).ok_or(Reject::BadParameter)?;
        let upgrade = proxy.websocket && ex.hop.websocket;
        own_fields(ex, upgrade);
        if let Some(token) = &self.internal_token {
            remove_spellings(&mut ex.headers, &token.field);
            let value = token.mint(host, ex).await?;
            ex.headers.insert(&token.field, value);
        }
        let request = Outgoing {
            method: ex.method.clone(),
            url,
            headers: &ex.headers,
            made_of: ex.made_of(),
            body: std::mem::take(&mut ex.body),
            timeout: self.timeout.min(left),
            upgrade,
        };
        let (result, attempt) = self.attempt(host, request).await;
        ex.notes.attempts.push(attempt);
        result.map_err(|error| match error {
            HostError::Timeout if left < self.timeout => Reject::DeadlineExceeded,
            error => blame(&error),
        })
    }

    /// Sends a request of the gateway's own and waits until its answer begins.
    pub async fn call(
        &self,
        host: &SharedHost,
        ex: &Exchange,
        call: Call,
    ) -> (Result<Response<Body>, Reject>, Vec<Attempt>) {
        let Call { method, target, mut headers, body, within } = call;
        if let Some(token) = &self.internal_token {
            remove_spellings(&mut headers, &token.field);
            match token.mint(host, ex).await {
                Ok(value) => drop(headers.insert(&token.field, value)),
                Err(reject) => return (Err(reject), Vec::new()),
            }
        }
        let request = Outgoing {
            method,
            url: [self.base.as_str(), &target].concat(),
            headers: &headers,
            made_of: MadeOf::Nothing,
            body,
            timeout: within,
            upgrade: false,
        };
        let (result, attempt) = self.attempt(host, request).await;
        (result.map_err(|error| blame(&error)), vec![attempt])
    }

    /// Calls it once.
    async fn attempt(&self, host: &SharedHost, request: Outgoing<'_>) -> (Result<Response<Body>, HostError>, Attempt) {
        let begun = host.now();
        let result = host.fetch(request).await;
        let duration = host.now().since(begun);
        let outcome = match &result {
            Ok(response) => Ok(response.status().as_u16()),
            Err(error) => Err(error.to_string()),
        };
        (result, Attempt { upstream: Rc::clone(&self.name), duration, outcome })
    }

    /// What it is told of who calls, beside the request. Nothing, where it is not.
    pub fn told(&self, ex: &Exchange) -> String {
        self.internal_token.as_ref().map(|token| token.told(ex)).unwrap_or_default()
    }

    /// The secrets that it needs.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretSlot> {
        self.internal_token.iter().map(|token| &token.secret)
    }

    /// The URL to call. `None` where the request does not have what the rewriting needs, or would leave its place.
    pub fn url(&self, ex: &Exchange, proxy: &Proxy) -> Option<String> {
        let mut url = String::with_capacity(self.base.len() + ex.path.len() + 32);
        url.push_str(&self.base);
        match &proxy.path {
            PathRewrite::Keep => url.push_str(&ex.path),
            PathRewrite::Strip(prefix) => match ex.path.strip_prefix(prefix.as_str())? {
                "" => url.push('/'),
                rest => url.push_str(rest),
            },
            PathRewrite::Template(template) => {
                let path = template.expand(ex, Goal::Path)?;
                // A value that would add a segment, or take one away, is refused.
                if !is_one_spelling(&path) {
                    return None;
                }
                url.push_str(&path);
            }
        }
        if proxy.query.is_identity() {
            if let Some(query) = &ex.query {
                url.push('?');
                url.push_str(query);
            }
        } else {
            let query = proxy.query.apply(ex);
            if !query.is_empty() {
                url.push('?');
                url.push_str(&query);
            }
        }
        Some(url)
    }
}

impl QueryRewrite {
    pub fn is_identity(&self) -> bool {
        self.keep.is_none() && self.remove.is_empty() && self.set.is_empty()
    }

    fn apply(&self, ex: &Exchange) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in parameters(ex.query.as_deref()) {
            let kept = self.keep.as_ref().is_none_or(|keep| keep.iter().any(|known| *known == name));
            let replaced = self.remove.iter().chain(self.set.iter().map(|(name, _)| name)).any(|known| *known == name);
            if kept && !replaced {
                query.append_pair(&name, &value);
            }
        }
        for (name, template) in &self.set {
            // A parameter whose value is not there is left out.
            if let Some(value) = template.expand(ex, Goal::Text) {
                query.append_pair(name, &value);
            }
        }
        query.finish()
    }
}

/// What the call itself needs of the header section.
fn own_fields(ex: &mut Exchange, upgrade: bool) {
    if upgrade {
        remove_where(&mut ex.headers, |name| HANDSHAKE.contains(name));
    }
    // RFC 9110, section 8.6: without it, a host that knows no length would announce a body that is not there.
    let silent = ex.method == Method::GET || ex.method == Method::HEAD;
    if matches!(ex.body, Body::Empty) && !silent {
        ex.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    }
    if ex.hop.trailers {
        ex.headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

/// Whose fault a failure is.
fn blame(error: &HostError) -> Reject {
    match error {
        HostError::Timeout => Reject::UpstreamTimeout,
        HostError::BodyTooLarge => Reject::BodyTooLarge,
        HostError::Unreachable(_)
        | HostError::Disconnected(_)
        | HostError::Protocol(_)
        | HostError::Denied(_)
        | HostError::Other(_) => Reject::UpstreamFailed,
    }
}
