//! What clients and issuers of a scenario show: keys, tokens, proofs of possession, signatures. This says how they are
//! written; [`super::scene`] makes them, at the time when they are sent.

use super::json_of;
use crate::credentials::tamper::Tamper;
use anyhow::{Result, ensure};
use serde::Deserialize;
use serde_json::Value;

/// A key: one of those that are shipped (`jwk = "rsa-1"`), or a shared secret (`secret = ".."`). `{jwks:NAME}`,
/// `{jwk:NAME}`, `{private:NAME}`, `{pem:NAME}` and `{thumbprint:NAME}` stand for what may be said of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyForm {
    /// The algorithm it is for, which is then its JSON Web Key's `alg` too: `RS256`, `PS256`, `ES256`, `ES384`,
    /// `EdDSA`, `HS256` and their like. What goes with the key when not given; a key that goes with it when none is.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// A key of `tests/data/keys`.
    pub jwk: Option<String>,
    pub secret: Option<String>,
    /// Its identifier, in its JSON Web Key and in the header of its tokens.
    pub kid: Option<String>,
    /// Members that its public JSON Web Key has beside or in place of its own; `absent` lists those that it lacks.
    #[serde(default)]
    pub members: Members,
}

/// A token: `{token:NAME}`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenForm {
    /// The key that signs it.
    pub key: Option<String>,
    /// What it is signed with, and the `alg` of its header. The key's own when not given.
    pub alg: Option<String>,
    /// Members of its header beside or in place of `alg`, `kid` and `typ`; `absent` lists those that it lacks.
    pub header: Members,
    /// In `exp`, `nbf` and `iat`, `"now"`, `"+10m"` and `"-5s"` are the time of the exchange and times from there.
    pub claims: toml::Table,
    /// The header as it stands, in place of `header`.
    pub header_json: Option<String>,
    /// The claims as they stand, in place of `claims`.
    pub claims_json: Option<String>,
    /// What is done to it after it was signed.
    pub tamper: Option<Tamper>,
    /// The whole token as it stands.
    pub raw: Option<String>,
    /// It is made where it is used first, and is the same from then on.
    pub once: bool,
}

/// A proof that a client has the key that a token is bound to (RFC 9449): `{proof:NAME}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofForm {
    /// The client's key.
    pub key: String,
    pub alg: Option<String>,
    /// Members of its header beside or in place of `typ`, `alg` and `jwk`; `absent` lists those that it lacks.
    #[serde(default)]
    pub header: Members,
    /// The request's method when not given.
    pub htm: Option<String>,
    /// The request's URL without its query when not given.
    pub htu: Option<String>,
    /// A time, as in tokens.
    #[serde(default = "now")]
    pub iat: toml::Value,
    /// One that no other proof has, when not given.
    pub jti: Option<String>,
    /// The token that it goes with, whose hash is its `ath`.
    pub token: Option<String>,
    pub nonce: Option<String>,
    /// Claims beside or in place of those; `absent` lists those that it lacks.
    #[serde(default)]
    pub claims: Members,
    pub tamper: Option<Tamper>,
    #[serde(default)]
    pub once: bool,
}

/// A signature of a request (RFC 9421): `request.sign = "NAME"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureForm {
    pub key: String,
    /// The algorithm that signs, by its name in RFC 9421. When not given, what `alg` says; else what goes with the key.
    pub algorithm: Option<String>,
    #[serde(default = "label")]
    pub label: String,
    /// What it covers, in this order. A name that begins with a quotation mark is taken as it stands, with its
    /// parameters: `'"@query-param";name="a"'`.
    pub components: Vec<String>,
    // Its parameters: those that are given, in this order.
    /// A time, as in tokens.
    pub created: Option<toml::Value>,
    /// A time, as in tokens.
    pub expires: Option<toml::Value>,
    pub nonce: Option<String>,
    pub alg: Option<String>,
    pub keyid: Option<String>,
    pub tag: Option<String>,
    /// What `Signature-Input` says, after the label, in place of what the components and parameters come to.
    pub input: Option<String>,
    pub tamper: Option<SignatureTamper>,
}

/// What is done to a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureTamper {
    /// One bit of it is another one.
    FlipSignature,
}

/// Members of a JSON object beside or in place of its own, and in `absent` those that it lacks.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Members {
    #[serde(default)]
    pub absent: Vec<String>,
    #[serde(flatten)]
    pub given: toml::Table,
}

impl Members {
    /// Changes an object.
    pub fn change(&self, object: &mut serde_json::Map<String, Value>) {
        object.extend(self.given.iter().map(|(name, value)| (name.clone(), json_of(value.clone()))));
        object.retain(|name, _| !self.absent.contains(name));
    }
}

impl KeyForm {
    pub(super) fn check(&self) -> Result<()> {
        ensure!(self.jwk.is_none() || self.secret.is_none(), "it is either a `jwk` or a `secret`");
        let any = self.jwk.is_some() || self.secret.is_some() || self.kind.is_some();
        ensure!(any, "it needs a `type`, a `jwk` or a `secret`");
        Ok(())
    }
}

impl TokenForm {
    pub(super) fn check(&self) -> Result<()> {
        if self.raw.is_some() {
            let made = self.key.is_some() || self.tamper.is_some() || !self.claims.is_empty();
            ensure!(!made, "a `raw` token is not made, and so has no `key`, no `claims` and no `tamper`");
        } else {
            ensure!(self.key.is_some(), "it needs a `key`, or is `raw`");
        }
        ensure!(self.claims_json.is_none() || self.claims.is_empty(), "it has `claims` or `claims_json`");
        Ok(())
    }
}

fn now() -> toml::Value {
    toml::Value::String("now".to_owned())
}

fn label() -> String {
    "sig1".to_owned()
}
