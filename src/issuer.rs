//! Issuers: whose tokens are accepted, where their keys are, and what edgate takes from their claims.

pub mod introspection;
pub mod key_source;
pub mod revocations;

use crate::bounded::Bounded;
use crate::host::SharedHost;
use crate::identity::Identity;
use crate::jose::algorithm::Algorithm;
use crate::jose::claims::Rules;
use crate::jose::key_set::KeySet;
use crate::secret::SecretSlot;
use introspection::Introspection;
use key_source::KeySource;
use revocations::Revocations;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// An issuer of tokens.
pub struct Issuer {
    pub name: Rc<str>,
    pub rules: Rules,
    pub algorithms: Vec<Algorithm>,
    pub keys: Keys,
    pub claims: ClaimPaths,
    /// How tokens that are bound to a key are proven.
    pub dpop: Dpop,
    pub revocations: Option<Rc<Revocations>>,
    /// How long a verified token is remembered, at most.
    pub token_cache: Duration,
    /// The tokens that were verified, by the SHA-256 of each. What is lost with the instance is the time to verify them
    /// again.
    pub verified: RefCell<Bounded<Rc<Verified>>>,
}

/// What an issuer's tokens are verified with.
pub enum Keys {
    /// One secret for both sides.
    Secret(SecretSlot),
    /// A key set in the configuration.
    Fixed(KeySet),
    /// A key set that is fetched.
    Fetched(Rc<KeySource>),
    /// None: the issuer itself is asked.
    Asked(Rc<Introspection>),
}

/// Where the claims are that edgate wants to know.
#[derive(Debug)]
pub struct ClaimPaths {
    pub subject: Vec<String>,
    /// The first of them that is there.
    pub scopes: Vec<Vec<String>>,
    pub groups: Vec<String>,
    pub consumer: Option<Vec<String>>,
}

/// RFC 9449.
#[derive(Debug)]
pub struct Dpop {
    /// Whether unbound tokens are refused.
    pub required: bool,
    /// Whether the configuration says anything of it, so that challenges do.
    pub offered: bool,
    pub max_age: Duration,
    pub nonce: Option<SecretSlot>,
    /// Where instances agree that a proof is shown once, on a platform that has no place of its own for that.
    pub redis: Option<Rc<str>>,
}

/// A token that holds.
#[derive(Debug)]
pub struct Verified {
    pub identity: Rc<Identity>,
    /// `jti`.
    pub id: Option<String>,
    /// `iat`, in seconds.
    pub issued: Option<f64>,
    /// What it is bound to.
    pub binding: Binding,
    /// Which keys it was verified with: [`Issuer::generation`] before that began.
    pub generation: u64,
}

/// What a token is bound to (`cnf`, RFC 7800).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// Whoever bears it.
    Bearer,
    /// The key of a DPoP proof: its thumbprint (RFC 9449, section 6.1).
    Key(String),
    /// A client certificate: its SHA-256 in base64url (RFC 8705, section 3.1).
    Certificate(String),
    /// Something that edgate cannot check.
    Other,
}

impl Binding {
    /// What the claims say. Whoever cannot check a confirmation must not take the token (RFC 7800, section 3.1 leaves it
    /// to the application; a token that was stolen must be worth nothing here).
    pub fn of(claims: &Map<String, Value>) -> Binding {
        let Some(confirmation) = claims.get("cnf") else { return Binding::Bearer };
        let member = |name: &str| confirmation.get(name).and_then(Value::as_str).map(str::to_owned);
        match (member("jkt"), member("x5t#S256")) {
            (Some(thumbprint), None) => Binding::Key(thumbprint),
            (None, Some(hash)) => Binding::Certificate(hash),
            (Some(_), Some(_)) | (None, None) => Binding::Other,
        }
    }
}

impl Issuer {
    /// Whether tokens that name it can be read without asking it.
    pub fn signs(&self) -> bool {
        !matches!(self.keys, Keys::Asked(_))
    }

    /// A token that was verified before, with keys that still hold.
    pub fn known(&self, hash: &[u8; 32], now_ms: f64) -> Option<Rc<Verified>> {
        let known = self.verified.borrow_mut().get(hash, now_ms)?;
        (known.generation == self.generation()).then_some(known)
    }

    /// Sees to it that its keys do not get too old, also while all tokens that are shown are remembered: one whose key is
    /// gone is forgotten then.
    pub fn keep_fresh(&self, host: &SharedHost) {
        if let Keys::Fetched(source) = &self.keys {
            source.keep_fresh(host);
        }
    }

    /// Remembers a token: never past its end, nor for longer than the configuration allows.
    pub fn remember(&self, hash: [u8; 32], token: &Rc<Verified>, expires_ms: Option<f64>, now_ms: f64) {
        let cache = match &self.keys {
            Keys::Asked(asked) => asked.cache,
            Keys::Secret(_) | Keys::Fixed(_) | Keys::Fetched(_) => self.token_cache,
        };
        let longest = now_ms + cache.as_secs_f64() * 1000.0;
        let until = expires_ms.map_or(longest, |expires| expires.min(longest));
        if until > now_ms {
            self.verified.borrow_mut().put(hash, Rc::clone(token), until);
        }
    }

    /// Counts the changes of its keys: what was verified under one number is worth nothing under another.
    pub fn generation(&self) -> u64 {
        match &self.keys {
            Keys::Fetched(source) => source.generation(),
            Keys::Secret(_) | Keys::Fixed(_) | Keys::Asked(_) => 0,
        }
    }

    /// The secrets that it needs.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretSlot> {
        let key = match &self.keys {
            Keys::Secret(secret) => Some(secret),
            Keys::Asked(asked) => Some(&asked.secret),
            Keys::Fixed(_) | Keys::Fetched(_) => None,
        };
        key.into_iter().chain(&self.dpop.nonce)
    }
}
