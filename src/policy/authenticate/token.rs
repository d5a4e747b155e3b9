//! Tokens: JSON Web Tokens of the route's issuers (RFC 7519, RFC 8725), and those that only their issuer can read
//! (RFC 7662), shown as bearer tokens (RFC 6750) or with a proof (RFC 9449).
//!
//! The issuer is chosen by `iss` before any key is looked at, the algorithm by what the issuer may use and the key fits,
//! never by the token alone. A token that was verified is remembered by its hash; what may change within its life, its
//! revocation and its proof, is checked every time.

use super::places::Shown;
use super::{Authenticate, Outcome, dpop};
use crate::config::words::Method;
use crate::exchange::Exchange;
use crate::host::{Check, SharedHost};
use crate::identity::{Identity, find, words};
use crate::issuer::introspection::Said;
use crate::issuer::key_source::Found;
use crate::issuer::revocations::Answer;
use crate::issuer::{Binding, ClaimPaths, Issuer, Keys, Verified};
use crate::jose::algorithm::Algorithm;
use crate::jose::claims::Times;
use crate::jose::flaw::Flaw;
use crate::jose::key::PublicKey;
use crate::jose::secret::hmac_verify;
use crate::jose::token::{EmbeddedKey, Header, Token, parse};
use crate::refusal::{Kind, Refusal};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::rc::Rc;
use std::time::Duration;

/// A token as text, and its SHA-256.
#[derive(Clone, Copy)]
struct Written<'a> {
    text: &'a str,
    hash: [u8; 32],
}

/// A token that holds, and whose it is.
type Holds = (Rc<Verified>, Rc<Issuer>);

impl Authenticate {
    pub(super) async fn token(&self, host: &SharedHost, ex: &mut Exchange) -> Outcome {
        let Some(shown) = self.places.token(ex)? else { return Ok(None) };
        if shown.token.len() > self.places.max_token {
            return Err(Refusal::flaw(None, &Flaw::TooLarge));
        }
        let hash: [u8; 32] = Sha256::digest(shown.token.as_bytes()).into();
        let now = host.now().0;
        let known = self.issuers.iter().find_map(|issuer| Some((issuer.known(&hash, now)?, Rc::clone(issuer))));
        let holds = match known {
            Some(known) => {
                known.1.keep_fresh(host);
                known
            }
            None => self.verify(host, ex, Written { text: &shown.token, hash }).await?,
        };
        check_binding(host, ex, &shown, &holds).await?;
        check_revocation(host, &holds).await?;
        Ok(Some(Rc::clone(&holds.0.identity)))
    }

    async fn verify(&self, host: &SharedHost, ex: &Exchange, written: Written<'_>) -> Result<Holds, Refusal> {
        let asked = self.issuers.iter().find(|issuer| !issuer.signs());
        let token = match parse(written.text, EmbeddedKey::Refused) {
            Ok(token) => token,
            Err(flaw) => match asked {
                Some(issuer) => return self.ask(host, ex, written, issuer).await,
                None => return Err(Refusal::flaw(None, &flaw)),
            },
        };
        let named = token.claims.get("iss").and_then(Value::as_str);
        let mut issuers = self.issuers.iter().filter(|issuer| issuer.signs());
        match (issuers.find(|issuer| Some(issuer.rules.issuer.as_str()) == named), asked) {
            (Some(issuer), _) => {
                let refuse = |flaw: Flaw| Refusal::flaw(Some(&issuer.name), &flaw);
                let generation = check_signature(host, ex, &token, issuer).await?;
                let times = issuer.rules.check(&token.header, &token.claims, host.now().0 / 1000.0).map_err(refuse)?;
                let now = host.now().0;
                let verified = Rc::new(self.verified(token.claims, issuer, generation));
                issuer.remember(written.hash, &verified, end_of(&verified, issuer, times), now);
                Ok((verified, Rc::clone(issuer)))
            }
            (None, Some(issuer)) => self.ask(host, ex, written, issuer).await,
            (None, None) if named.is_none() => Err(Refusal::flaw(None, &Flaw::MissingClaim("iss".to_owned()))),
            (None, None) => Err(Refusal::flaw(None, &Flaw::WrongIssuer)),
        }
    }

    /// Has the issuer say whether a token holds.
    async fn ask(
        &self,
        host: &SharedHost,
        ex: &Exchange,
        written: Written<'_>,
        issuer: &Rc<Issuer>,
    ) -> Result<Holds, Refusal> {
        let Written { text, hash } = written;
        let Keys::Asked(endpoint) = &issuer.keys else { return Err(Refusal::flaw(None, &Flaw::WrongIssuer)) };
        if endpoint.refused.borrow_mut().get(&hash, host.now().0).is_some() {
            return Err(inactive(issuer));
        }
        match endpoint.ask(host, text, hash, patience(host, ex)).await {
            Said::Unavailable => {
                Err(unavailable("issuer-unavailable", "the issuer could not be asked").of(&issuer.name))
            }
            Said::Inactive => {
                endpoint.refuse(hash, host.now().0);
                Err(inactive(issuer))
            }
            // Of those who waited for one answer, the first has read it.
            Said::Active(claims) => match issuer.known(&hash, host.now().0) {
                Some(known) => Ok((known, Rc::clone(issuer))),
                None => self.active(host, claims, hash, issuer).inspect_err(|_| endpoint.refuse(hash, host.now().0)),
            },
        }
    }

    /// What else must be true of a token that is active: its issuer, where the answer says one, its audience, its times.
    fn active(
        &self,
        host: &SharedHost,
        mut claims: Map<String, Value>,
        hash: [u8; 32],
        issuer: &Rc<Issuer>,
    ) -> Result<Holds, Refusal> {
        let now = host.now().0;
        // RFC 7662, section 2.2: `iss` is optional there.
        claims.entry("iss").or_insert_with(|| issuer.rules.issuer.clone().into());
        let refuse = |flaw| Refusal::flaw(Some(&issuer.name), &flaw);
        let times = issuer.rules.check(&OPAQUE, &claims, now / 1000.0).map_err(refuse)?;
        let verified = Rc::new(self.verified(claims, issuer, issuer.generation()));
        issuer.remember(hash, &verified, end_of(&verified, issuer, times), now);
        Ok((verified, Rc::clone(issuer)))
    }

    /// What edgate takes from the claims.
    fn verified(&self, claims: Map<String, Value>, issuer: &Issuer, generation: u64) -> Verified {
        let ClaimPaths { subject, scopes, groups, consumer } = &issuer.claims;
        let at = |path: &[String]| path.split_first().and_then(|(first, rest)| find(claims.get(first)?, rest));
        let consumer = consumer.as_ref().and_then(|path| self.consumers.named(at(path)?.as_str()?));
        let mut groups = words(at(groups));
        groups.extend(consumer.iter().flat_map(|consumer| consumer.groups.iter().cloned()));
        let subject = at(subject).and_then(Value::as_str).map(str::to_owned);
        let scopes = words(scopes.iter().find_map(|path| at(path)));
        let id = claims.get("jti").and_then(Value::as_str).map(str::to_owned);
        let issued = claims.get("iat").and_then(Value::as_f64);
        let binding = Binding::of(&claims);
        let issuer = Some(Rc::clone(&issuer.name));
        let identity = Identity { method: Method::Token, subject, issuer, consumer, groups, scopes, claims };
        Verified { identity: Rc::new(identity), id, issued, binding, generation }
    }
}

/// A token that is bound to something is worth nothing without it, and one that must be bound is worth nothing unbound
/// (RFC 9449, sections 7.1 and 7.2).
async fn check_binding(
    host: &SharedHost,
    ex: &mut Exchange,
    shown: &Shown,
    (token, issuer): &Holds,
) -> Result<(), Refusal> {
    let not_bound = || Refusal::flaw(Some(&issuer.name), &Flaw::NotBound);
    match &token.binding {
        Binding::Key(thumbprint) if shown.dpop && issuer.dpop.offered => {
            dpop::check(host, ex, &shown.token, thumbprint, issuer).await
        }
        Binding::Key(_) | Binding::Other => Err(not_bound()),
        _ if shown.dpop || issuer.dpop.required => Err(not_bound()),
        Binding::Certificate(hash) => match &ex.facts.certificate {
            Some(certificate) if certificate.is(hash) => Ok(()),
            _ => Err(not_bound()),
        },
        Binding::Bearer => Ok(()),
    }
}

async fn check_revocation(host: &SharedHost, (token, issuer): &Holds) -> Result<(), Refusal> {
    let Some(list) = &issuer.revocations else { return Ok(()) };
    match list.check(host, token.id.as_deref(), token.identity.subject.as_deref(), token.issued).await {
        Answer::Good => Ok(()),
        Answer::Revoked => Err(Refusal::flaw(Some(&issuer.name), &Flaw::Revoked)),
        Answer::Unavailable => {
            let refusal = unavailable("revocations-unavailable", "the list of revoked tokens cannot be read");
            Err(refusal.of(&issuer.name))
        }
    }
}

/// What stands in the place of a header where nobody can read one.
const OPAQUE: Header = Header { alg: String::new(), typ: None, kid: None, jwk: None };

/// When a token ends, by its own end or by its age, in milliseconds since 1970.
fn end_of(token: &Verified, issuer: &Issuer, times: Times) -> Option<f64> {
    let by_age = token.issued.zip(issuer.rules.max_age).map(|(issued, age)| issued + age);
    let ends = times.expires.into_iter().chain(by_age);
    ends.reduce(f64::min).map(|seconds| seconds * 1000.0)
}

/// Whether the signature holds, with a key and an algorithm of the issuer's. Gives back which keys those were.
async fn check_signature(
    host: &SharedHost,
    ex: &Exchange,
    token: &Token<'_>,
    issuer: &Rc<Issuer>,
) -> Result<u64, Refusal> {
    let refuse = |flaw: Flaw| Err(Refusal::flaw(Some(&issuer.name), &flaw));
    let algorithm = match token.header.algorithm() {
        Ok(algorithm) => algorithm,
        Err(flaw) => return refuse(flaw),
    };
    // RFC 8725, section 3.1: what the issuer uses is decided by the configuration.
    if !issuer.algorithms.contains(&algorithm) {
        return refuse(Flaw::AlgorithmNotAllowed);
    }
    match &issuer.keys {
        Keys::Secret(secret) => {
            let holds = hmac_verify(algorithm, secret.mac(), token.signed.as_bytes(), &token.signature);
            if holds { Ok(issuer.generation()) } else { refuse(Flaw::BadSignature) }
        }
        Keys::Asked(_) => refuse(Flaw::WrongIssuer),
        Keys::Fixed(set) => {
            let keys = set.candidates(algorithm, token.header.kid.as_deref()).map(|key| Rc::clone(&key.public));
            check_with(host, algorithm, &keys.collect::<Vec<_>>(), token, issuer).await
        }
        Keys::Fetched(source) => {
            let keys = source.find(host, algorithm, token.header.kid.as_deref(), patience(host, ex)).await;
            let keys = found(keys, issuer)?;
            let generation = source.generation();
            let checked = check_with(host, algorithm, &keys, token, issuer).await;
            if checked.is_ok() || keys.is_empty() || source.is_named(token.header.kid.as_deref()) {
                return checked;
            }
            // The token says not which key it is, so it may be one that is newer than the set.
            let keys = source.find_newer(host, algorithm, token.header.kid.as_deref(), patience(host, ex)).await;
            if source.generation() == generation {
                return checked;
            }
            check_with(host, algorithm, &found(keys, issuer)?, token, issuer).await
        }
    }
}

/// The keys that were found.
fn found(found: Found, issuer: &Issuer) -> Result<Vec<Rc<PublicKey>>, Refusal> {
    match found {
        Found::Keys(keys) => Ok(keys),
        Found::Unknown => Ok(Vec::new()),
        Found::Unavailable => Err(unavailable("keys-unavailable", "there are no keys of the issuer").of(&issuer.name)),
    }
}

/// Whether the signature holds with one of these keys, which are those of now.
async fn check_with(
    host: &SharedHost,
    algorithm: Algorithm,
    keys: &[Rc<PublicKey>],
    token: &Token<'_>,
    issuer: &Issuer,
) -> Result<u64, Refusal> {
    let refuse = |flaw: Flaw| Err(Refusal::flaw(Some(&issuer.name), &flaw));
    if keys.is_empty() {
        return refuse(Flaw::UnknownKey);
    }
    let generation = issuer.generation();
    for key in keys {
        let check = Check { algorithm, key, message: token.signed, signature: &token.signature, lasting: true };
        match host.verify(check).await {
            Ok(true) => return Ok(generation),
            Ok(false) => {}
            Err(_) => {
                return Err(unavailable("no-verdict", "the platform could not check the signature").of(&issuer.name));
            }
        }
    }
    refuse(Flaw::BadSignature)
}

/// How long the request may wait for an issuer.
fn patience(host: &SharedHost, ex: &Exchange) -> Duration {
    ex.time_left(host.now()).unwrap_or(Duration::ZERO)
}

fn unavailable(reason: &'static str, detail: &str) -> Refusal {
    Refusal::new(Method::Token, Kind::Unavailable, reason, detail)
}

fn inactive(issuer: &Issuer) -> Refusal {
    Refusal::flaw(Some(&issuer.name), &Flaw::NotActive)
}
