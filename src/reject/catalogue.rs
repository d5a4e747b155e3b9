//! What is said where the gateway refuses or fails, in one table: codes, statuses, and words for clients.

use super::{Challenge, Denial, Entry, Exceeded, KeyFault, Reject};
use http::StatusCode;
use std::rc::Rc;

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
}
