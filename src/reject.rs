//! Every answer the gateway gives by itself when it refuses or fails, as RFC 9457 problem documents. This is the only
//! place where an error becomes a response, and none of them says anything about an upstream, a secret or a stack.

mod catalogue;

use crate::body::Body;
use crate::exchange::Exchange;
use crate::host::HostError;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde::Serialize;
use std::rc::Rc;

const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// When to come back, in seconds, where the gateway cannot find something out.
const RETRY_AFTER: u64 = 5;

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Why there is no other answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reject {
    /// The configuration has an error.
    NotConfigured,
    /// The path, or the query, is none that every server would read alike.
    BadPath(&'static str),
    /// `Content-Length` says several things.
    BadLength,
    /// The body is no list of requests.
    BadBatch(&'static str),
    /// Something is wrong with the client's credentials, or missing from them.
    Credentials(Denial, Challenge),
    /// The client may not do this.
    Forbidden,
    /// Whoever knows the client cannot be asked.
    IdentityUnavailable,
    /// A value that a template needs is not there, or cannot stand where it should.
    BadParameter,
    /// The URL is longer than it may be.
    UrlTooLong,
    /// The header section is larger than it may be.
    HeadersTooLarge,
    /// The request's body is larger than it may be.
    BodyTooLarge,
    /// The request's body broke off.
    BodyIncomplete,
    /// The request has been here before.
    Loop,
    /// An operator's question cannot be answered as it is asked: what is wrong with it.
    BadQuestion(String),
    /// An operator asks for a limit that is not there: which there are.
    UnknownLimit(String),
    /// The client may not call at all.
    AccessDenied,
    /// A page of another origin may not send what its browser asks for.
    CorsRefused,
    /// The client has asked for more than it may.
    QuotaExceeded(Exceeded),
    /// Whether the client has asked for too much cannot be found out.
    LimitUnavailable,
    /// Something is wrong with the key of a request that is done once.
    IdempotencyKey(KeyFault),
    /// What came of requests with keys cannot be found out.
    IdempotencyUnavailable,
    /// The request was done, and its answer is larger than one that is kept.
    ReplyTooLarge,
    /// No route takes the request.
    NoRoute,
    /// Routes take this path, but not with this method. The value is `Allow`'s.
    MethodNotAllowed(String),
    /// TRACE or CONNECT, or a method that nobody defined.
    MethodNotSupported,
    /// The request's deadline passed before an answer began.
    DeadlineExceeded,
    /// The upstream's answer did not begin in time.
    UpstreamTimeout,
    /// None of the upstream's targets gets requests at the moment.
    UpstreamUnavailable {
        /// In how many seconds one might.
        retry_after: u64,
    },
    /// There is nothing at the moment that the upstream could be shown.
    UpstreamCredentials {
        /// In how many seconds there might be.
        retry_after: u64,
    },
    /// The upstream gave no answer: no connection, a connection that ended, or something that is no response. Workers
    /// does not tell these apart, so no client sees which; the log has the platform's words.
    UpstreamFailed,
    /// A part of an answer that is needed is missing: this one.
    PartFailed(Rc<str>),
    /// A part of an answer that is needed took too long.
    PartLate(Rc<str>),
    /// Two parts of an answer have a member of one name.
    Collision([Rc<str>; 2]),
}

/// What is wrong with credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// They cannot be read, or there are several (RFC 6750, section 3.1: `invalid_request`).
    Malformed,
    /// There are none. RFC 9110, section 15.5.2.
    Missing,
    /// They do not hold.
    Invalid,
    /// The proof of a bound token does not hold (RFC 9449, section 7.1).
    Proof,
    /// The proof of a bound token needs a nonce (RFC 9449, section 9).
    Nonce,
    /// They hold, and the scopes are not enough (RFC 6750, section 3.1).
    Scope,
}

/// What is wrong with the key of a request (draft-ietf-httpapi-idempotency-key-header-07, section 2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFault {
    Missing,
    Malformed,
    /// The request that has it is still under way.
    UnderWay,
    /// Another request had it.
    Reused,
}

/// How the client may show who it is: fields of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Challenge {
    /// The values of `WWW-Authenticate`.
    pub fields: Vec<HeaderValue>,
    /// The value of `DPoP-Nonce` (RFC 9449, section 9).
    pub nonce: Option<HeaderValue>,
}

/// Which limits a request would break, and when it would not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exceeded {
    /// The names of the limits.
    pub policies: Vec<Rc<str>>,
    /// In how many seconds none of them stands against the request, where that is known.
    pub retry_after: Option<u64>,
}

/// What the catalogue says of a rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The stable code in the problem document and in the log.
    pub code: &'static str,
    pub status: StatusCode,
    /// What the client is told.
    pub detail: &'static str,
    /// The error type of `Proxy-Status` (RFC 9209, section 2.3), where the fault is not the client's.
    pub proxy_error: Option<&'static str>,
}

/// The shape of a problem document. RFC 9457, section 3.1; `code` and `request_id` are extensions.
#[derive(Serialize)]
struct Problem<'a> {
    // RFC 9457, section 4.2.1: with `about:blank`, the title is the status's phrase. `code` tells problems apart.
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    request_id: &'a str,
    // draft-ietf-httpapi-ratelimit-headers-10, section 5.1.
    #[serde(rename = "violated-policies", skip_serializing_if = "Option::is_none")]
    violated_policies: Option<Vec<&'a str>>,
    /// The parts of an aggregate that are missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<&'a str>>,
}

impl Reject {
    /// Why a client's body could not be read.
    pub fn of_content(error: HostError) -> Reject {
        match error {
            HostError::Timeout => Reject::DeadlineExceeded,
            HostError::BodyTooLarge => Reject::BodyTooLarge,
            _ => Reject::BodyIncomplete,
        }
    }

    /// The type and the title of its problem document.
    fn kind(&self, status: StatusCode) -> (&'static str, &'static str) {
        match self {
            // draft-ietf-httpapi-ratelimit-headers-10, section 5.1.
            Reject::QuotaExceeded(_) => (
                "https://iana.org/assignments/http-problem-types#quota-exceeded",
                "Request cannot be satisfied as assigned quota has been exceeded",
            ),
            _ => ("about:blank", status.canonical_reason().unwrap_or_default()),
        }
    }

    /// What the client is told where that is no fixed text.
    fn own_detail(&self) -> Option<&str> {
        match self {
            Reject::BadQuestion(detail) | Reject::UnknownLimit(detail) => Some(detail),
            _ => None,
        }
    }

    /// When to come back, in seconds, where that is known.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Reject::IdentityUnavailable | Reject::LimitUnavailable | Reject::IdempotencyUnavailable => {
                Some(RETRY_AFTER)
            }
            Reject::IdempotencyKey(KeyFault::UnderWay) => Some(1),
            Reject::QuotaExceeded(exceeded) => exceeded.retry_after,
            Reject::UpstreamUnavailable { retry_after } | Reject::UpstreamCredentials { retry_after } => {
                Some(*retry_after)
            }
            _ => None,
        }
    }

    /// The response: a problem document in JSON, or its words as text for a client that takes no JSON.
    pub fn response(&self, ex: &Exchange, gateway: &str) -> Response<Body> {
        let Entry { code, status, detail, proxy_error } = self.entry();
        let (r#type, title) = self.kind(status);
        let request_id = ex.id.as_str();
        let detail = self.own_detail().unwrap_or(detail);
        let violated_policies = match self {
            Reject::QuotaExceeded(exceeded) => Some(exceeded.policies.iter().map(|name| &**name).collect()),
            _ => None,
        };
        let parts = match self {
            Reject::PartFailed(part) | Reject::PartLate(part) => Some(vec![&**part]),
            Reject::Collision(parts) => Some(parts.iter().map(|part| &**part).collect()),
            _ => None,
        };
        let status_code = status.as_u16();
        let problem =
            Problem { r#type, title, status: status_code, detail, code, request_id, violated_policies, parts };
        let json = ex.hop.json.then(|| serde_json::to_string(&problem).ok()).flatten();
        let (media_type, body) = match json {
            Some(json) => ("application/problem+json", json),
            None => {
                let title = status.canonical_reason().unwrap_or_default();
                ("text/plain; charset=utf-8", format!("{} {title}: {detail} ({code}, {request_id})\n", status.as_u16()))
            }
        };
        let mut response = Response::new(Body::bytes(body));
        *response.status_mut() = status;
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        // An answer to a refusal is nobody else's.
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(error) = proxy_error
            && let Ok(value) = HeaderValue::try_from(format!("{gateway}; error={error}"))
        {
            fields.insert(PROXY_STATUS, value);
        }
        if let Reject::Credentials(_, Challenge { fields: challenges, nonce }) = self {
            for challenge in challenges {
                fields.append(header::WWW_AUTHENTICATE, challenge.clone());
            }
            if let Some(nonce) = nonce {
                fields.insert(DPOP_NONCE, nonce.clone());
            }
        }
        if let Some(seconds) = self.retry_after() {
            fields.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // RFC 9110, section 15.5.6: a 405 says which methods there are.
        if let Reject::MethodNotAllowed(allow) = self
            && let Ok(allow) = HeaderValue::try_from(allow.as_str())
        {
            fields.insert(header::ALLOW, allow);
        }
        response
    }
}
