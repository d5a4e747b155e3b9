//! Which pages of other origins may call from a browser: the CORS protocol of the Fetch Standard. It protects users of
//! browsers, and nobody else: a request of another origin goes to the upstream all the same, and the browser keeps the
//! answer from the page. What an upstream says of CORS is replaced: with this policy, the gateway decides.
//!
//! <https://fetch.spec.whatwg.org/#http-cors-protocol>

use crate::body::Body;
use crate::exchange::Exchange;
use crate::headers::{append_element, elements, has, remove_where};
use crate::interest::Interest;
use crate::reject::Reject;
use crate::routing::condition::Methods;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use std::fmt;
use std::time::Duration;

/// The pages that may call a route, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Cors {
    pub origins: Origins,
    /// The methods that pages may use; the route's own where there is no list.
    pub methods: Option<Vec<Method>>,
    /// The fields that pages may send; those they ask for where there is no list.
    pub headers: Option<Vec<HeaderName>>,
    /// The fields that pages may read, as they are sent.
    pub expose: Option<HeaderValue>,
    pub credentials: bool,
    pub max_age: Duration,
    pub private_network: bool,
}

/// The origins that may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// All, without credentials.
    Any,
    Of(Vec<Origin>),
}

/// An origin, as browsers write it: in small letters, without the scheme's own port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Exact(String),
    /// `https://*.example.com:8443`: any host below one.
    Below {
        /// `https`.
        scheme: String,
        /// Host and port: `example.com:8443`.
        authority: String,
    },
}

static REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
static ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// What an answer says of CORS.
static ANSWERS: [HeaderName; 7] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
    HeaderName::from_static("access-control-allow-private-network"),
];

/// What the answer to a preflight depends on. A private network is asked for only where it can be had.
const PREFLIGHT: [&str; 4] = [
    "Origin",
    "Access-Control-Request-Method",
    "Access-Control-Request-Headers",
    "Access-Control-Request-Private-Network",
];

/// More fields than this are asked for by no page.
const MAX_FIELDS: usize = 64;

/// The longest list of fields, in bytes.
const MAX_LENGTH: usize = 4_096;

/// Whether a request is a preflight, and no other question about what can be asked here: a page's browser asks whether
/// the page may send something (Fetch, "CORS-preflight request").
pub fn is_preflight(ex: &Exchange) -> bool {
    ex.method == Method::OPTIONS
        && has(&ex.headers, &header::ORIGIN)
        && has(&ex.headers, &header::ACCESS_CONTROL_REQUEST_METHOD)
}

impl Cors {
    pub fn describe(&self) -> String {
        let origins = match &self.origins {
            Origins::Any => "any origin".to_owned(),
            Origins::Of(origins) => origins.iter().map(Origin::to_string).collect::<Vec<_>>().join(", "),
        };
        format!("pages of {origins}{}", if self.credentials { ", with credentials" } else { "" })
    }

    /// Adds the header fields that it reads or writes.
    pub fn interest(&self, interest: &mut Interest) {
        let asked = [
            header::ORIGIN,
            header::ACCESS_CONTROL_REQUEST_METHOD,
            header::ACCESS_CONTROL_REQUEST_HEADERS,
            REQUEST_PRIVATE_NETWORK.clone(),
        ];
        interest.request.extend(asked);
        interest.response.extend(ANSWERS.iter().cloned().chain([header::VARY]));
    }

    /// Answers a preflight to a route that takes `methods`; none of them means any method.
    pub fn preflight(&self, ex: &Exchange, methods: Methods) -> Result<Response<Body>, Reject> {
        let origin = self.allowed_origin(ex).ok_or(Reject::CorsRefused)?;
        let methods = self.allowed_methods(ex, methods).ok_or(Reject::CorsRefused)?;
        let headers = self.allowed_headers(ex).ok_or(Reject::CorsRefused)?;
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::NO_CONTENT;
        let fields = response.headers_mut();
        self.allow(origin, fields);
        set(fields, header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        if !headers.is_empty() {
            set(fields, header::ACCESS_CONTROL_ALLOW_HEADERS, headers);
        }
        fields.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(self.max_age.as_secs()));
        // Private Network Access: a page of a public network asks for a private one.
        let asks = only(&ex.headers, &REQUEST_PRIVATE_NETWORK).is_some_and(|value| value == "true");
        if asks && self.private_network {
            fields.insert(&ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
        }
        self.vary_preflight(fields);
        Ok(response)
    }

    /// Tells the browser whether the page may see an answer, whoever gave it. What [`Cors::preflight`] said stays, and a
    /// preflight that was refused is told nothing.
    pub fn on_response(&self, ex: &Exchange, response: &mut Response<Body>) {
        let fields = response.headers_mut();
        if is_preflight(ex) {
            return self.vary_preflight(fields);
        }
        remove_where(fields, |name| ANSWERS.contains(name));
        if let Some(origin) = self.allowed_origin(ex) {
            self.allow(origin, fields);
            if let Some(expose) = &self.expose {
                fields.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
            }
        }
        // Fetch, "CORS protocol and HTTP caches": an answer for one origin is none for another.
        if self.origins != Origins::Any {
            vary(fields, &PREFLIGHT[..1]);
        }
    }

    /// What `Access-Control-Allow-Origin` says: the origin as it was sent, since browsers compare it byte by byte.
    fn allowed_origin(&self, ex: &Exchange) -> Option<HeaderValue> {
        match &self.origins {
            Origins::Any => Some(HeaderValue::from_static("*")),
            Origins::Of(origins) => {
                let value = only(&ex.headers, &header::ORIGIN)?;
                let text = value.to_str().ok()?;
                origins.iter().any(|origin| origin.is(text)).then(|| value.clone())
            }
        }
    }

    fn allow(&self, origin: HeaderValue, fields: &mut HeaderMap) {
        // Fetch, "CORS protocol and credentials": no browser takes `*` together with credentials.
        if self.credentials && origin != "*" {
            fields.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        fields.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }

    /// What `Access-Control-Allow-Methods` says, if the method asked for is among them. Methods have capital and small
    /// letters (Fetch, "normalize a method").
    fn allowed_methods(&self, ex: &Exchange, mut route: Methods) -> Option<String> {
        let value = only(&ex.headers, &header::ACCESS_CONTROL_REQUEST_METHOD)?;
        let asked = Method::from_bytes(value.as_bytes()).ok()?;
        if asked == Method::CONNECT || asked == Method::TRACE {
            return None;
        }
        match &self.methods {
            Some(methods) => {
                methods.contains(&asked).then(|| methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", "))
            }
            None if route.is_empty() => Some(asked.to_string()),
            None => {
                // A route that takes GET takes HEAD.
                if route.contains(&Method::GET) {
                    route.insert(&Method::HEAD);
                }
                route.contains(&asked).then(|| route.to_string())
            }
        }
    }

    /// What `Access-Control-Allow-Headers` says, if all fields asked for are among them.
    fn allowed_headers(&self, ex: &Exchange) -> Option<String> {
        let mut asked = Vec::new();
        let mut length = 0;
        for element in elements(&ex.headers, &header::ACCESS_CONTROL_REQUEST_HEADERS) {
            length += element.len();
            if asked.len() == MAX_FIELDS || length > MAX_LENGTH {
                return None;
            }
            asked.push(element.parse::<HeaderName>().ok()?);
        }
        let allowed = match &self.headers {
            Some(headers) if !asked.iter().all(|name| headers.contains(name)) => return None,
            Some(headers) => headers,
            None => &asked,
        };
        Some(allowed.iter().map(HeaderName::as_str).collect::<Vec<_>>().join(", "))
    }

    fn vary_preflight(&self, fields: &mut HeaderMap) {
        let depends = if self.private_network { PREFLIGHT.len() } else { PREFLIGHT.len() - 1 };
        vary(fields, &PREFLIGHT[..depends]);
    }
}

impl Origin {
    /// Whether it is the origin of a request. Schemes and hosts have no capitals (RFC 6454, section 4).
    fn is(&self, sent: &str) -> bool {
        let sent = if sent.contains("://") { &sent.to_ascii_lowercase() } else { sent };
        match self {
            Origin::Exact(origin) => sent == origin,
            Origin::Below { scheme, authority } => {
                let above = |sent| str::strip_suffix(sent, authority)?.strip_suffix('.');
                let host = sent.strip_prefix(scheme).and_then(|sent| sent.strip_prefix("://"));
                host.and_then(above).is_some_and(|above| above.split('.').all(is_label))
            }
        }
    }
}

/// As it is written in a configuration.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Exact(origin) => f.write_str(origin),
            Origin::Below { scheme, authority } => write!(f, "{scheme}://*.{authority}"),
        }
    }
}

/// Whether a text can stand between the dots of a host in small letters.
pub fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=63).contains(&label.len()) && label.bytes().all(plain)
}

/// The value of a field that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).into_iter();
    values.next().filter(|_| values.next().is_none())
}

/// Adds to `Vary` what is not in it.
fn vary(fields: &mut HeaderMap, names: &[&'static str]) {
    for name in names {
        let named = |known: &str| known == "*" || known.eq_ignore_ascii_case(name);
        if !elements(fields, &header::VARY).any(named) {
            append_element(fields, &header::VARY, &HeaderValue::from_static(name));
        }
    }
}

fn set(fields: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        fields.insert(name, value);
    }
}

#[cfg(test)]
mod tests;
