//! Why somebody is refused, for the log, and what the client is told of it: a challenge for each way that is open, with
//! an error where the scheme has one (RFC 6750, section 3; RFC 9449, section 7.1).

use crate::config::words::Method;
use crate::exchange::AuthNote;
use crate::jose::flaw::Flaw;
use crate::reject::{Challenge, Denial, Reject};
use http::header::{HeaderName, HeaderValue};
use std::rc::Rc;

pub static DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// What it may set in a response.
pub static RESPONSE_FIELDS: [HeaderName; 1] = [HeaderName::from_static("dpop-nonce")];

/// Credentials that do not hold, or that are not there.
#[derive(Debug)]
pub struct Refusal {
    /// Whose credentials they are; `None` where there are none.
    pub method: Option<Method>,
    /// The issuer that they name, if it is one of the route's.
    pub issuer: Option<Rc<str>>,
    /// What is wrong, in a word for the log.
    pub reason: &'static str,
    /// What is wrong, in a sentence for a person who may know all.
    pub detail: String,
    pub kind: Kind,
    /// Whether the request's content went with it: it was read, and is not whole.
    pub content_lost: bool,
}

/// What the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// There are none.
    Missing,
    /// They cannot be read, or stand in several places: 400.
    Malformed,
    /// They do not hold.
    Invalid,
    /// The token held, and does no longer. Only the one who has it can be told so, since it is verified.
    Expired,
    /// The proof of a DPoP-bound token does not hold.
    Proof,
    /// The proof needs this nonce.
    Nonce(HeaderValue),
    /// What it is about is too large to be checked.
    TooLarge,
    /// Whoever knows could not be asked.
    Unavailable,
}

/// The challenges of a route, made when it is loaded.
#[derive(Debug, Clone, Default)]
pub struct Challenges {
    /// In the order of the route's methods.
    pub list: Vec<(Method, Scheme)>,
    /// Quoted already.
    pub realm: String,
}

/// A way to be challenged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    Bearer,
    /// The algorithms that proofs may have, quoted.
    Dpop(String),
    Basic,
    /// No registered scheme: a name of our own, which no browser acts on.
    Named(&'static str),
}

impl Refusal {
    pub fn missing() -> Refusal {
        Refusal {
            method: None,
            issuer: None,
            reason: "missing",
            detail: "the request shows no credentials that this route takes".to_owned(),
            kind: Kind::Missing,
            content_lost: false,
        }
    }

    pub fn new(method: Method, kind: Kind, reason: &'static str, detail: impl Into<String>) -> Refusal {
        Refusal { method: Some(method), issuer: None, reason, detail: detail.into(), kind, content_lost: false }
    }

    pub fn flaw(issuer: Option<&Rc<str>>, flaw: &Flaw) -> Refusal {
        let kind = match flaw {
            Flaw::Expired => Kind::Expired,
            _ => Kind::Invalid,
        };
        Refusal {
            method: Some(Method::Token),
            issuer: issuer.cloned(),
            reason: flaw.code(),
            detail: flaw.to_string(),
            kind,
            content_lost: false,
        }
    }

    pub fn of(mut self, issuer: &Rc<str>) -> Refusal {
        self.issuer = Some(Rc::clone(issuer));
        self
    }

    /// What the log says of it.
    pub fn note(&self) -> AuthNote {
        AuthNote {
            method: self.method,
            issuer: self.issuer.clone(),
            consumer: None,
            reason: Some(self.reason),
            detail: Some(self.detail.clone()),
        }
    }

    /// The answer.
    pub fn reject(&self, challenges: &Challenges) -> Reject {
        let challenge = Challenge { fields: challenges.fields(self), nonce: self.nonce() };
        match &self.kind {
            Kind::Missing => Reject::Credentials(Denial::Missing, challenge),
            Kind::Malformed => Reject::Credentials(Denial::Malformed, challenge),
            Kind::Invalid | Kind::Expired => Reject::Credentials(Denial::Invalid, challenge),
            Kind::Proof => Reject::Credentials(Denial::Proof, challenge),
            Kind::Nonce(_) => Reject::Credentials(Denial::Nonce, challenge),
            Kind::TooLarge => Reject::BodyTooLarge,
            Kind::Unavailable => Reject::IdentityUnavailable,
        }
    }

    fn nonce(&self) -> Option<HeaderValue> {
        match &self.kind {
            Kind::Nonce(nonce) => Some(nonce.clone()),
            _ => None,
        }
    }
}

impl Challenges {
    /// A challenge for each scheme, one field each.
    fn fields(&self, refusal: &Refusal) -> Vec<HeaderValue> {
        let value = |(method, scheme): &(Method, Scheme)| {
            let error = if refusal.method == Some(*method) { error(scheme, &refusal.kind) } else { "" };
            HeaderValue::try_from(self.text(scheme, error)).ok()
        };
        self.list.iter().filter_map(value).collect()
    }

    /// The challenges, without an error.
    pub fn plain(&self) -> Vec<HeaderValue> {
        self.list.iter().filter_map(|(_, scheme)| HeaderValue::try_from(self.text(scheme, "")).ok()).collect()
    }

    /// A challenge for more scopes than a token has (RFC 6750, section 3.1).
    pub fn insufficient_scope(&self, scopes: &str, bound: bool) -> Vec<HeaderValue> {
        let fits = |scheme: &Scheme| match scheme {
            Scheme::Bearer => !bound,
            Scheme::Dpop(_) => bound,
            Scheme::Basic | Scheme::Named(_) => false,
        };
        let error = format!(", error=\"insufficient_scope\", scope=\"{scopes}\"");
        let found = self.list.iter().filter(|(_, scheme)| fits(scheme));
        found.filter_map(|(_, scheme)| HeaderValue::try_from(self.text(scheme, &error)).ok()).collect()
    }

    fn text(&self, scheme: &Scheme, error: &str) -> String {
        let realm = &self.realm;
        match scheme {
            Scheme::Bearer => format!("Bearer realm={realm}{error}"),
            Scheme::Dpop(algorithms) => format!("DPoP realm={realm}, algs={algorithms}{error}"),
            // RFC 7617, section 2.1.
            Scheme::Basic => format!("Basic realm={realm}, charset=\"UTF-8\""),
            Scheme::Named(name) => format!("{name} realm={realm}"),
        }
    }
}

/// The error of a challenge. RFC 6750, section 3.1: a request without credentials gets none.
fn error(scheme: &Scheme, kind: &Kind) -> &'static str {
    let dpop = matches!(scheme, Scheme::Dpop(_));
    match (scheme, kind) {
        (Scheme::Basic | Scheme::Named(_), _) | (_, Kind::Missing | Kind::TooLarge | Kind::Unavailable) => "",
        (_, Kind::Malformed) => ", error=\"invalid_request\"",
        (_, Kind::Invalid) => ", error=\"invalid_token\"",
        (_, Kind::Expired) => ", error=\"invalid_token\", error_description=\"The access token expired\"",
        // RFC 9449, section 7.1 and 9.
        (_, Kind::Proof) if dpop => ", error=\"invalid_dpop_proof\"",
        (_, Kind::Nonce(_)) if dpop => ", error=\"use_dpop_nonce\"",
        (_, Kind::Proof | Kind::Nonce(_)) => "",
    }
}
