//! Signed requests (HTTP Message Signatures, RFC 9421) with a digest of the content (RFC 9530). The key is chosen by
//! `keyid`, the algorithm is the key's. Where the content is signed, it is read before it is passed on.

use super::{Authenticate, Outcome};
use crate::body::Body;
use crate::config::words::Method;
use crate::consumers::{KeyMaterial, SignatureKey};
use crate::exchange::Exchange;
use crate::host::{Check, HostError, SharedHost};
use crate::http_signature::Message;
use crate::http_signature::candidate::{Candidate, find};
use crate::http_signature::digest::check_digest;
use crate::http_signature::flaw::Flaw;
use crate::http_signature::key::check_mac;
use crate::identity::Identity;
use crate::jose::base64;
use crate::refusal::{Kind, Refusal};
use sha2::{Digest, Sha256};
use std::rc::Rc;
use std::time::Duration;

/// What begins the claims on nonces.
const CLAIM: &str = "signature:";

/// How far apart the clocks may be of this gateway and of what keeps claims.
const CLOCKS: Duration = Duration::from_secs(5);

impl Authenticate {
    pub(super) async fn signature(&self, host: &SharedHost, ex: &mut Exchange) -> Outcome {
        let candidates = match find(&ex.headers).map_err(refused)? {
            Some(candidates) => candidates,
            None => return Ok(None),
        };
        let mut flaw = None;
        for candidate in &candidates {
            let key = candidate.key_id.as_ref().and_then(|id| self.consumers.signature_keys.get(id));
            let Some(key) = key else { continue };
            match self.check(host, ex, candidate, key).await {
                Ok(()) => return Ok(self.consumers.at(key.consumer).map(identity)),
                // For the next one, the request would seem to have no content.
                Err(refusal) if refusal.content_lost => return Err(refusal),
                Err(refusal) => drop(flaw.get_or_insert(refusal)),
            }
        }
        Err(flaw.unwrap_or_else(|| invalid("unknown-key", "no signature names a key of a known client")))
    }

    async fn check(
        &self,
        host: &SharedHost,
        ex: &mut Exchange,
        candidate: &Candidate,
        key: &SignatureKey,
    ) -> Result<(), Refusal> {
        let authority = authority(ex);
        let message = Message {
            method: ex.method.as_str(),
            scheme: ex.scheme,
            authority: &authority,
            path: ex.received.path.as_deref().unwrap_or(&ex.path),
            query: ex.received.query.as_deref().or(ex.query.as_deref()),
            headers: &ex.headers,
            has_content: !matches!(ex.body, Body::Empty) && ex.body.length() != Some(0),
        };
        self.places.signature.rules.check(candidate, &message, host.now().0 / 1000.0).map_err(refused)?;
        key.algorithm.check(candidate).map_err(refused)?;
        let base = candidate.base(&message).map_err(refused)?;
        match (&key.key, key.algorithm.public()) {
            (KeyMaterial::Secret(secret), _) => {
                check_mac(secret.get().as_bytes(), &base, &candidate.signature).map_err(refused)?;
            }
            (KeyMaterial::Public(public), Some(algorithm)) => {
                let check =
                    Check { algorithm, key: public, message: &base, signature: &candidate.signature, lasting: true };
                match host.verify(check).await {
                    Ok(true) => {}
                    Ok(false) => return Err(refused(Flaw::WrongSignature)),
                    Err(_) => return Err(unavailable("no-verdict")),
                }
            }
            (KeyMaterial::Public(_), None) => return Err(refused(Flaw::WrongAlgorithm)),
        }
        // What is only tried must not cost the request its content.
        if candidate.covers_content() && !self.dry_run {
            self.check_content(host, ex).await?;
        }
        self.once(host, candidate).await
    }

    /// Reads the content, and holds it against its digest.
    async fn check_content(&self, host: &SharedHost, ex: &mut Exchange) -> Result<(), Refusal> {
        let content = match std::mem::take(&mut ex.body) {
            Body::Empty => bytes::Bytes::new(),
            Body::Bytes(bytes) => bytes,
            body @ Body::Host(_) => {
                let left = ex.time_left(host.now()).unwrap_or(Duration::ZERO);
                host.collect(body, self.places.signature.max_body, left).await.map_err(unread)?
            }
        };
        let checked = check_digest(&ex.headers, &content).map_err(refused);
        ex.body = Body::bytes(content);
        checked
    }

    /// Each nonce passes once, while its signature is young enough to be shown again.
    async fn once(&self, host: &SharedHost, candidate: &Candidate) -> Result<(), Refusal> {
        let rules = &self.places.signature.rules;
        let Some(nonce) = candidate.nonce.as_ref().filter(|_| rules.nonce_required) else { return Ok(()) };
        let id = candidate.key_id.as_deref().unwrap_or_default();
        let hash = Sha256::new().chain_update(id).chain_update([0]).chain_update(nonce).finalize();
        let key = [CLAIM, &base64::encode(&hash)].concat();
        let ttl = Duration::from_secs_f64(rules.lifetime()) + CLOCKS;
        match host.claim(self.places.signature.redis.as_deref(), &key, ttl).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(invalid("nonce-replayed", "the signature was shown before")),
            Err(_) => Err(unavailable("claims-unavailable")),
        }
    }
}

/// The authority as it is signed: in lower case, without the scheme's own port (RFC 9421, section 2.2.3).
fn authority(ex: &Exchange) -> String {
    let port = if ex.scheme == "https" { ":443" } else { ":80" };
    let lower = ex.authority.to_ascii_lowercase();
    lower.strip_suffix(port).map(str::to_owned).unwrap_or(lower)
}

fn identity(consumer: Rc<crate::identity::Consumer>) -> Rc<Identity> {
    Rc::new(Identity::of(Method::Signature, consumer))
}

fn refused(flaw: Flaw) -> Refusal {
    let kind = match flaw {
        Flaw::Unpaired | Flaw::Malformed | Flaw::TooLarge | Flaw::MalformedDigest => Kind::Malformed,
        _ => Kind::Invalid,
    };
    Refusal::new(Method::Signature, kind, flaw.code(), flaw.to_string())
}

/// The content could not be read to its end.
fn unread(error: HostError) -> Refusal {
    let refusal = match error {
        HostError::BodyTooLarge => {
            let detail = "the content is larger than a signed request's may be";
            Refusal::new(Method::Signature, Kind::TooLarge, "content-too-large", detail)
        }
        _ => invalid("content-unread", "the content could not be read"),
    };
    Refusal { content_lost: true, ..refusal }
}

fn invalid(reason: &'static str, detail: &str) -> Refusal {
    Refusal::new(Method::Signature, Kind::Invalid, reason, detail)
}

fn unavailable(reason: &'static str) -> Refusal {
    Refusal::new(Method::Signature, Kind::Unavailable, reason, "the signature could not be checked")
}
