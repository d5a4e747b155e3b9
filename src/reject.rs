//! Every answer the gateway gives by itself when it refuses or fails, as RFC 9457 problem documents. This is the only
//! place where an error becomes a response, and none of them says anything about an upstream, a secret or a stack.

use crate::body::Body;
use crate::exchange::Exchange;
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

impl Denial {
    fn entry(self) -> Entry {
        let entry = |code, status, detail| Entry { code, status, detail, proxy_error: None };
        match self {
            Denial::Malformed => entry(
                "credentials-malformed",
                StatusCode::BAD_REQUEST,
                "The request's credentials cannot be read, or it has more than one of a kind.",
            ),
            Denial::Missing => entry(
                "credentials-missing",
                StatusCode::UNAUTHORIZED,
                "This address needs credentials, and the request has none that it takes.",
            ),
            Denial::Invalid => {
                entry("credentials-invalid", StatusCode::UNAUTHORIZED, "The request's credentials do not hold.")
            }
            Denial::Proof => entry(
                "proof-invalid",
                StatusCode::UNAUTHORIZED,
                "The DPoP proof does not hold for this request and this token.",
            ),
            Denial::Nonce => entry(
                "nonce-needed",
                StatusCode::UNAUTHORIZED,
                "The DPoP proof needs the nonce that this answer gives.",
            ),
            Denial::Scope => entry(
                "insufficient-scope",
                StatusCode::FORBIDDEN,
                "The token does not have the scopes that this needs.",
            ),
        }
    }
}

impl KeyFault {
    fn entry(self) -> Entry {
        let entry = |code, status, detail| Entry { code, status, detail, proxy_error: None };
        match self {
            KeyFault::Missing => entry(
                "idempotency-key-missing",
                StatusCode::BAD_REQUEST,
                "This address needs an Idempotency-Key, and the request has none.",
            ),
            KeyFault::Malformed => entry(
                "idempotency-key-malformed",
                StatusCode::BAD_REQUEST,
                "The Idempotency-Key is not a string of 1 to 255 characters in quotation marks.",
            ),
            KeyFault::UnderWay => entry(
                "idempotency-under-way",
                StatusCode::CONFLICT,
                "The request with this Idempotency-Key is still under way.",
            ),
            KeyFault::Reused => entry(
                "idempotency-key-reused",
                StatusCode::UNPROCESSABLE_ENTITY,
                "Another request had this Idempotency-Key.",
            ),
        }
    }
}

impl Reject {
    /// One of each, for the documentation and its test.
    pub fn catalogue() -> Vec<Reject> {
        vec![
            Reject::BadPath("The path has a `%` that is not followed by two hexadecimal digits."),
            Reject::BadLength,
            Reject::BadBatch("The body is no list of requests."),
            Reject::BadParameter,
            Reject::BadQuestion("`limit` says which limit is meant.".to_owned()),
            Reject::Credentials(Denial::Malformed, Challenge::default()),
            Reject::Credentials(Denial::Missing, Challenge::default()),
            Reject::Credentials(Denial::Invalid, Challenge::default()),
            Reject::Credentials(Denial::Proof, Challenge::default()),
            Reject::Credentials(Denial::Nonce, Challenge::default()),
            Reject::Credentials(Denial::Scope, Challenge::default()),
            Reject::AccessDenied,
            Reject::Forbidden,
            Reject::CorsRefused,
            Reject::NoRoute,
            Reject::UnknownLimit("There is no such limit.".to_owned()),
            Reject::MethodNotAllowed("GET, HEAD, OPTIONS".to_owned()),
            Reject::IdempotencyKey(KeyFault::Missing),
            Reject::IdempotencyKey(KeyFault::Malformed),
            Reject::IdempotencyKey(KeyFault::UnderWay),
            Reject::IdempotencyKey(KeyFault::Reused),
            Reject::BodyTooLarge,
            Reject::BodyIncomplete,
            Reject::UrlTooLong,
            Reject::QuotaExceeded(Exceeded { policies: vec![Rc::from("per-client")], retry_after: Some(7) }),
            Reject::HeadersTooLarge,
            Reject::MethodNotSupported,
            Reject::UpstreamFailed,
            Reject::ReplyTooLarge,
            Reject::PartFailed(Rc::from("user")),
            Reject::Collision([Rc::from("user"), Rc::from("orders")]),
            Reject::NotConfigured,
            Reject::IdentityUnavailable,
            Reject::LimitUnavailable,
            Reject::IdempotencyUnavailable,
            Reject::UpstreamUnavailable { retry_after: 7 },
            Reject::UpstreamCredentials { retry_after: 7 },
            Reject::DeadlineExceeded,
            Reject::UpstreamTimeout,
            Reject::PartLate(Rc::from("user")),
            Reject::Loop,
        ]
    }

    /// What the catalogue says of it.
    #[expect(clippy::too_many_lines, reason = "it is a table")]
    pub fn entry(&self) -> Entry {
        let client = |code, status, detail| Entry { code, status, detail, proxy_error: None };
        let fault = |code, status, error, detail| Entry { code, status, detail, proxy_error: Some(error) };
        match self {
            Reject::NotConfigured => fault(
                "not-configured",
                StatusCode::SERVICE_UNAVAILABLE,
                "proxy_configuration_error",
                "The gateway cannot serve at the moment.",
            ),
            Reject::BadPath(detail) => client("bad-path", StatusCode::BAD_REQUEST, detail),
            Reject::BadLength => {
                client("bad-length", StatusCode::BAD_REQUEST, "The Content-Length field says nothing definite.")
            }
            Reject::BadBatch(detail) => client("bad-batch", StatusCode::BAD_REQUEST, detail),
            Reject::Credentials(denial, _) => denial.entry(),
            Reject::Forbidden => client("forbidden", StatusCode::FORBIDDEN, "This client may not do this."),
            Reject::IdentityUnavailable => fault(
                "identity-unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "destination_unavailable",
                "The gateway cannot find out at the moment who the client is.",
            ),
            Reject::BadParameter => client(
                "bad-parameter",
                StatusCode::BAD_REQUEST,
                "A part of the request that the route needs is missing, or has characters it cannot have.",
            ),
            // What is said of these two is their own: it depends on the configuration.
            Reject::BadQuestion(_) => {
                client("bad-question", StatusCode::BAD_REQUEST, "The question cannot be answered as it is asked.")
            }
            Reject::UnknownLimit(_) => client("unknown-limit", StatusCode::NOT_FOUND, "There is no such limit."),
            Reject::UrlTooLong => client("url-too-long", StatusCode::URI_TOO_LONG, "The path and query are too long."),
            Reject::HeadersTooLarge => client(
                "headers-too-large",
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "The header section is too large.",
            ),
            Reject::BodyTooLarge => {
                client("body-too-large", StatusCode::PAYLOAD_TOO_LARGE, "The request body is too large.")
            }
            Reject::BodyIncomplete => {
                client("body-incomplete", StatusCode::BAD_REQUEST, "The request body broke off before its end.")
            }
            Reject::Loop => fault(
                "loop-detected",
                StatusCode::LOOP_DETECTED,
                "proxy_loop_detected",
                "The request has passed through this gateway before.",
            ),
            Reject::AccessDenied => {
                client("access-denied", StatusCode::FORBIDDEN, "The client may not use this address.")
            }
            Reject::CorsRefused => {
                client("cors-refused", StatusCode::FORBIDDEN, "Pages of this origin may not send such a request.")
            }
            Reject::QuotaExceeded(_) => client(
                "quota-exceeded",
                StatusCode::TOO_MANY_REQUESTS,
                "The client has asked for more than it may at the moment.",
            ),
            Reject::LimitUnavailable => fault(
                "limit-unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "destination_unavailable",
                "The gateway cannot find out at the moment how much the client has asked for.",
            ),
            Reject::IdempotencyKey(fault) => fault.entry(),
            Reject::IdempotencyUnavailable => fault(
                "idempotency-unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "destination_unavailable",
                "The gateway cannot find out at the moment whether the request was done before.",
            ),
            Reject::ReplyTooLarge => fault(
                "reply-too-large",
                StatusCode::BAD_GATEWAY,
                "http_response_body_size",
                "The request was done, and its answer is larger than the gateway keeps.",
            ),
            Reject::NoRoute => client("no-route", StatusCode::NOT_FOUND, "Nothing is served at this address."),
            Reject::MethodNotAllowed(_) => client(
                "method-not-allowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "This address does not take the request's method.",
            ),
            Reject::MethodNotSupported => client(
                "method-not-supported",
                StatusCode::NOT_IMPLEMENTED,
                "The gateway does not pass on requests with this method.",
            ),
            Reject::DeadlineExceeded => fault(
                "deadline-exceeded",
                StatusCode::GATEWAY_TIMEOUT,
                "http_response_timeout",
                "The request took longer than it may take.",
            ),
            Reject::UpstreamTimeout => fault(
                "upstream-timeout",
                StatusCode::GATEWAY_TIMEOUT,
                "http_response_timeout",
                "The service behind the gateway did not answer in time.",
            ),
            Reject::UpstreamUnavailable { .. } => fault(
                "upstream-unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "destination_unavailable",
                "The service behind the gateway has failed too often, and is left alone for a while.",
            ),
            Reject::UpstreamCredentials { .. } => fault(
                "upstream-credentials-unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "destination_unavailable",
                "The gateway has nothing at the moment that it could show the service behind it.",
            ),
            Reject::UpstreamFailed => fault(
                "upstream-failed",
                StatusCode::BAD_GATEWAY,
                "connection_terminated",
                "The service behind the gateway gave no answer.",
            ),
            Reject::PartFailed(_) => fault(
                "part-failed",
                StatusCode::BAD_GATEWAY,
                "http_response_incomplete",
                "A part of the answer that it cannot go without is missing.",
            ),
            Reject::PartLate(_) => fault(
                "part-late",
                StatusCode::GATEWAY_TIMEOUT,
                "http_response_timeout",
                "A part of the answer that it cannot go without took too long.",
            ),
            Reject::Collision(_) => fault(
                "part-collision",
                StatusCode::BAD_GATEWAY,
                "http_response_incomplete",
                "Two parts of the answer have a member of the same name.",
            ),
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
