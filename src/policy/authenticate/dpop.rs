//! Proof of possession: a token that is bound to a key is shown together with a proof that is signed by that key, for
//! this request, now, and once (RFC 9449, section 4.3).

use super::places::DPOP;
use crate::config::EncodedSlashes;
use crate::config::words::Method;
use crate::exchange::Exchange;
use crate::host::{Check, SharedHost};
use crate::issuer::{Dpop, Issuer};
use crate::jose::algorithm::Algorithm;
use crate::jose::base64;
use crate::jose::key::PublicKey;
use crate::jose::secret::hmac_sign;
use crate::jose::token::{EmbeddedKey, Token, parse};
use crate::path::normalize;
use crate::refusal::{Kind, Refusal};
use crate::secret::SecretSlot;
use http::HeaderValue;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// A proof may be this large, in bytes.
const MOST_BYTES: usize = 4_000;

/// How far ahead a client's clock may be, in seconds.
const LEEWAY: f64 = 5.0;

/// How long a nonce is handed out; it is accepted for as long again.
const NONCE_SECONDS: f64 = 300.0;

/// What begins the claims on `jti`.
const CLAIM: &str = "dpop:";

/// Whether the request has a proof for its token.
pub async fn check(
    host: &SharedHost,
    ex: &mut Exchange,
    token: &str,
    thumbprint: &str,
    issuer: &Issuer,
) -> Result<(), Refusal> {
    let now = host.now().0 / 1000.0;
    let refuse = |why: &'static str| refused(why, issuer);
    let proof = one_proof(ex).map_err(refuse)?;
    let parsed = parse(&proof, EmbeddedKey::Taken).map_err(|_| refuse("the proof is no JSON Web Token"))?;
    let (algorithm, key) = key_of(&parsed).map_err(refuse)?;
    // The proof's key is the one that the token is bound to.
    if key.thumbprint != thumbprint {
        return Err(refuse("the proof is signed by another key than the token is bound to"));
    }
    check_claims(&parsed, ex, token, &issuer.dpop, now).map_err(refuse)?;
    let check = Check { algorithm, key: &key, message: parsed.signed, signature: &parsed.signature, lasting: false };
    match host.verify(check).await {
        Ok(true) => {}
        Ok(false) => return Err(refuse("the proof's signature does not hold")),
        Err(_) => return Err(unavailable("no-verdict", issuer)),
    }
    if let Some(secret) = &issuer.dpop.nonce {
        check_nonce(&parsed, secret, ex, now, issuer)?;
    }
    once(host, &parsed, thumbprint, &issuer.dpop, issuer).await
}

/// The one proof.
fn one_proof(ex: &Exchange) -> Result<String, &'static str> {
    let mut values = ex.headers.get_all(&DPOP).into_iter();
    match (values.next(), values.next()) {
        (None, _) => Err("the request has no proof"),
        (Some(_), Some(_)) => Err("the request has more than one proof"),
        (Some(value), None) if value.len() > MOST_BYTES => Err("the proof is too large"),
        (Some(value), None) => value.to_str().map(str::to_owned).map_err(|_| "the proof is no text"),
    }
}

/// The algorithm and the key of a proof: asymmetric, and public.
fn key_of(proof: &Token<'_>) -> Result<(Algorithm, PublicKey), &'static str> {
    if proof.header.typ.as_deref().is_none_or(|typ| !typ.eq_ignore_ascii_case("dpop+jwt")) {
        return Err("the proof's type is not `dpop+jwt`");
    }
    let algorithm = proof.header.algorithm().ok().filter(|algorithm| !algorithm.is_symmetric());
    let algorithm = algorithm.ok_or("the proof's algorithm is none of public keys")?;
    let jwk = proof.header.jwk.as_ref().ok_or("the proof holds no key")?;
    let key = PublicKey::parse_embedded(jwk).map_err(|_| "the proof's key cannot be used")?;
    if !key.algorithms().contains(&algorithm) {
        return Err("the proof's key does not fit its algorithm");
    }
    Ok((algorithm, key))
}

fn check_claims(proof: &Token<'_>, ex: &Exchange, token: &str, dpop: &Dpop, now: f64) -> Result<(), &'static str> {
    let text = |name: &str| proof.claims.get(name).and_then(Value::as_str);
    if text("htm") != Some(ex.method.as_str()) {
        return Err("the proof is for another method");
    }
    if !text("htu").is_some_and(|url| is_url_of(url, ex)) {
        return Err("the proof is for another address");
    }
    let issued = proof.claims.get("iat").and_then(Value::as_f64).ok_or("the proof does not say when it was made")?;
    if issued > now + LEEWAY || issued < now - dpop.max_age.as_secs_f64() {
        return Err("the proof is too old, or from the future");
    }
    if text("jti").is_none_or(|id| id.is_empty() || id.len() > 256) {
        return Err("the proof has no identifier");
    }
    let hash = base64::encode(&Sha256::digest(token.as_bytes()));
    if text("ath") != Some(hash.as_str()) {
        return Err("the proof is for another token");
    }
    Ok(())
}

/// Whether an address is the request's, without query and fragment, after syntax- and scheme-based normalization
/// (RFC 9449, section 4.3, number 9; RFC 3986, section 6.2.2 and 6.2.3).
fn is_url_of(text: &str, ex: &Exchange) -> bool {
    let Ok(claimed) = url::Url::parse(text) else { return false };
    let Ok(asked) = url::Url::parse(&format!("{}://{}{}", ex.client.scheme, ex.client.host, ex.path)) else {
        return false;
    };
    // The request's path is in its one spelling already, whatever the client has written.
    let path = normalize(claimed.path(), EncodedSlashes::Keep);
    claimed.username().is_empty()
        && claimed.password().is_none()
        && claimed.origin() == asked.origin()
        && path.is_ok_and(|path| path == asked.path())
}

/// RFC 9449, section 9: the nonce is one of ours, and not too old. It is made of the time, so that no instance has to
/// remember any.
fn check_nonce(
    proof: &Token<'_>,
    secret: &SecretSlot,
    ex: &mut Exchange,
    now: f64,
    issuer: &Issuer,
) -> Result<(), Refusal> {
    let period = (now / NONCE_SECONDS).floor();
    let current = nonce(secret, period);
    let given = proof.claims.get("nonce").and_then(Value::as_str);
    let is = |nonce: &str| given == Some(nonce);
    if is(&current) {
        return Ok(());
    }
    let value = HeaderValue::try_from(current).map_err(|_| unavailable("no-nonce", issuer))?;
    if is(&nonce(secret, period - 1.0)) {
        // Section 8.2: the next one is handed out with an answer that is good.
        ex.notes.next_nonce = Some(value);
        return Ok(());
    }
    let detail = "the proof lacks a nonce of this gateway, or has an old one";
    Err(Refusal::new(Method::Token, Kind::Nonce(value), "nonce-needed", detail).of(&issuer.name))
}

/// Nobody can compute it who does not have the secret, and whoever sees one cannot compute the next.
fn nonce(secret: &SecretSlot, period: f64) -> String {
    let message = format!("edgate dpop nonce {period:.0}");
    base64::encode(&hmac_sign(Algorithm::Hs256, secret.mac(), message.as_bytes()).unwrap_or_default())
}

/// RFC 9449, section 11.1: a proof passes once, wherever it is shown. It is forgotten when it is too old anyway.
async fn once(
    host: &SharedHost,
    proof: &Token<'_>,
    thumbprint: &str,
    dpop: &Dpop,
    issuer: &Issuer,
) -> Result<(), Refusal> {
    let id = proof.claims.get("jti").and_then(Value::as_str).unwrap_or_default();
    let hash = Sha256::new().chain_update(thumbprint).chain_update([0]).chain_update(id).finalize();
    let key = [CLAIM, &base64::encode(&hash)].concat();
    let ttl = dpop.max_age + Duration::from_secs_f64(2.0 * LEEWAY);
    match host.claim(dpop.redis.as_deref(), &key, ttl).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(Refusal::new(Method::Token, Kind::Proof, "proof-replayed", "the proof was shown before")
                .of(&issuer.name))
        }
        Err(_) => Err(unavailable("claims-unavailable", issuer)),
    }
}

fn refused(detail: &'static str, issuer: &Issuer) -> Refusal {
    Refusal::new(Method::Token, Kind::Proof, "bad-proof", detail).of(&issuer.name)
}

fn unavailable(reason: &'static str, issuer: &Issuer) -> Refusal {
    Refusal::new(Method::Token, Kind::Unavailable, reason, "what proves it could not be checked").of(&issuer.name)
}
