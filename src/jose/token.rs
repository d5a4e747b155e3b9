//! Reading a token: a JWS in its compact form (RFC 7515, section 7.1) whose payload is a set of claims (RFC 7519). What
//! is read here is not verified: nothing of it is true before its signature holds and [`Rules`] have been applied.
//!
//! Encrypted tokens (JWE), unsigned ones and detached or unencoded payloads (RFC 7797) are refused.
//!
//! [`Rules`]: super::claims::Rules

use super::algorithm::Algorithm;
use super::base64;
use super::flaw::Flaw;
use crate::config::json;
use serde_json::{Map, Value};

/// A token as it reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Token<'t> {
    pub header: Header,
    pub claims: Map<String, Value>,
    /// What is signed: header and claims as they came, with the dot between them (RFC 7515, section 5.2).
    pub signed: &'t str,
    /// Never empty.
    pub signature: Vec<u8>,
}

/// What is read of a token's header. Other members mean nothing here and are ignored, as RFC 7515, section 4 asks.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// How it says it is signed, as it is spelt: see [`Header::algorithm`].
    pub alg: String,
    /// What kind of token it says it is.
    pub typ: Option<String>,
    /// The key that it says it is signed with.
    pub kid: Option<String>,
    /// The key it brings along, an object: with [`EmbeddedKey::Taken`] only.
    pub jwk: Option<Value>,
}

/// What becomes of a key that stands in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbeddedKey {
    /// The token is refused: whoever made it chose the key too.
    Refused,
    /// It is taken, since the token is to show who has the key and nothing else (a DPoP proof: RFC 9449, section 4.2).
    Taken,
}

/// Header members that bring keys in other ways, or say where they are. They are never followed; a token that hopes for
/// it is refused, so that nobody relies on it (RFC 8725, section 3.10). `x5t` is a name of a key, and harmless.
const OTHER_KEYS: [&str; 3] = ["jku", "x5u", "x5c"];

const NOT_BASE64: Flaw = Flaw::Malformed("is not base64url without padding");
const BAD_MEMBER: Flaw = Flaw::Malformed("has a header member of the wrong type");

/// Reads a token. Its size is for the caller to limit.
pub fn parse(text: &str, embedded: EmbeddedKey) -> Result<Token<'_>, Flaw> {
    const PARTS: Flaw = Flaw::Malformed("does not have three parts");
    let (signed, signature) = text.rsplit_once('.').ok_or(PARTS)?;
    let (header, claims) = signed.split_once('.').ok_or(PARTS)?;
    if claims.contains('.') {
        return Err(PARTS);
    }
    if signature.is_empty() {
        return Err(Flaw::Malformed("is not signed"));
    }
    let signature = base64::decode(signature).ok_or(NOT_BASE64)?;
    let header = Header::read(object(header)?, embedded)?;
    Ok(Token { header, claims: object(claims)?, signed, signature })
}

/// Whether a text has the shape of a signed token, or of one that had its signature taken away. Anything else is opaque
/// and only its issuer can read it.
pub fn looks_like_jwt(text: &str) -> bool {
    let mut parts = text.splitn(4, '.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(claims), Some(signature), None) => {
            !header.is_empty() && !claims.is_empty() && [header, claims, signature].into_iter().all(base64::is_alphabet)
        }
        _ => false,
    }
}

impl Header {
    /// The algorithm that `alg` names.
    pub fn algorithm(&self) -> Result<Algorithm, Flaw> {
        Algorithm::of(&self.alg).ok_or(Flaw::UnknownAlgorithm)
    }

    fn read(mut members: Map<String, Value>, embedded: EmbeddedKey) -> Result<Header, Flaw> {
        // RFC 7515, 4.1.11: "If any of the listed extension Header Parameters are not understood and supported by the
        // recipient, then the JWS is invalid." None is, and an empty list is not allowed. `b64` would be on it.
        if members.contains_key("crit") || members.contains_key("b64") {
            return Err(Flaw::CriticalHeader);
        }
        // Both are of JWE (RFC 7516, section 4.1). Elsewhere they are meant to confuse.
        if members.contains_key("enc") || members.contains_key("zip") {
            return Err(Flaw::Malformed("is encrypted or compressed"));
        }
        if OTHER_KEYS.iter().any(|name| members.contains_key(*name)) {
            return Err(Flaw::EmbeddedKey);
        }
        let jwk = match (members.remove("jwk"), embedded) {
            (Some(_), EmbeddedKey::Refused) => return Err(Flaw::EmbeddedKey),
            (Some(jwk), EmbeddedKey::Taken) if !jwk.is_object() => return Err(BAD_MEMBER),
            (jwk, _) => jwk,
        };
        text(&mut members, "cty")?;
        let alg = text(&mut members, "alg")?.ok_or(Flaw::Malformed("names no algorithm"))?;
        Ok(Header { alg, typ: text(&mut members, "typ")?, kid: text(&mut members, "kid")?, jwk })
    }
}

/// Takes a text out of a header.
fn text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Flaw> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(BAD_MEMBER),
    }
}

/// A JSON object in base64url. RFC 7515, section 5.2, and RFC 7519, section 4: names must be unique, or two readers may
/// read two things.
fn object(text: &str) -> Result<Map<String, Value>, Flaw> {
    let bytes = base64::decode(text).ok_or(NOT_BASE64)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Flaw::Malformed("is not UTF-8"))?;
    match json::parse(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Flaw::Malformed("is not made of JSON objects")),
        Err(error) if json::is_duplicate(&error) => Err(Flaw::Malformed("has a name that stands twice")),
        Err(_) => Err(Flaw::Malformed("is not made of JSON")),
    }
}

#[cfg(test)]
mod tests;
