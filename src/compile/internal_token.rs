//! An upstream's `internal_token`: what signs it, and what it says.

use super::issuer::fits_hs256;
use super::{bad_header_name, secret_slot, within};
use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::config::identity as section;
use crate::headers::is_reserved;
use crate::host::Capabilities;
use crate::jose::algorithm::Algorithm;
use crate::jose::key::SigningKey;
use crate::template::{Parameters, Template};
use crate::upstream::internal_token::InternalToken;
use http::{HeaderName, header};
use std::cell::OnceCell;
use std::time::Duration as Std;

const TTL: Std = Std::from_secs(60);

/// Claims that edgate itself writes.
const OWN: [&str; 6] = ["iss", "aud", "sub", "iat", "exp", "jti"];

/// Compiles the tokens of an upstream. `None` after a mistake.
pub fn compile(
    section: &section::InternalToken,
    upstream: &str,
    (gateway, targets): (&str, &[Capabilities]),
    place: &Place,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<InternalToken> {
    let before = diagnostics.len();
    let name = section.algorithm.as_deref().unwrap_or("HS256");
    let (algorithm, fits): (_, fn(&str) -> _) = match Algorithm::of(name) {
        Some(Algorithm::Hs256) => (Algorithm::Hs256, fits_hs256),
        Some(Algorithm::Es256) => (Algorithm::Es256, fits_es256),
        Some(Algorithm::EdDsa) => (Algorithm::EdDsa, fits_eddsa),
        _ => {
            let message = format!("`{name}` is no algorithm that edgate signs with");
            let help = "it can be HS256, ES256 or EdDSA";
            let place = place.key("algorithm");
            diagnostics.push(Diagnostic::new(Code::UnknownValue, place, message, "unknown algorithm").help(help));
            (Algorithm::Hs256, fits_hs256)
        }
    };
    let secret = secret_slot(&section.secret.secret, &place.key("secret").key("secret"), fits, diagnostics);
    within(section.ttl, Std::from_secs(1)..=Std::from_secs(3_600), &place.key("ttl"), diagnostics);
    let field = match section.header.as_deref().map(str::parse::<HeaderName>) {
        None => header::AUTHORIZATION,
        Some(Ok(name)) if !is_reserved(&name) => name,
        Some(Ok(name)) => {
            let message = format!("`{name}` belongs to the connection or to edgate");
            let place = place.key("header");
            let help = "take the key away: then it is `Authorization`";
            diagnostics.push(Diagnostic::new(Code::ReservedHeader, place, message, "not yours to set").help(help));
            header::AUTHORIZATION
        }
        Some(Err(_)) => {
            let text = section.header.as_deref().unwrap_or_default();
            diagnostics.push(bad_header_name(text, place.key("header")));
            header::AUTHORIZATION
        }
    };
    let claims = claims(section, place, targets, diagnostics);
    if diagnostics.len() > before {
        return None;
    }
    Some(InternalToken {
        algorithm,
        secret: secret?,
        key: OnceCell::new(),
        kid: section.kid.clone(),
        issuer: section.issuer.clone().unwrap_or_else(|| gateway.to_owned()),
        audience: section.audience.clone().unwrap_or_else(|| upstream.to_owned()),
        ttl: section.ttl.map_or(TTL, |ttl| ttl.0),
        field,
        claims,
    })
}

/// An upstream is many routes': what only one of them has cannot be named, and what is not there is left out.
fn claims(
    section: &section::InternalToken,
    place: &Place,
    targets: &[Capabilities],
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<(String, Template)> {
    let without_country = targets.iter().find(|target| !target.country).map(|target| target.platform);
    let parameters = Parameters {
        all: Vec::new(),
        some: Vec::new(),
        unsure: false,
        identity: true,
        without_country,
        parts: None,
        item: false,
    };
    let mut claims = Vec::new();
    for (name, text) in &section.claims {
        let place = place.key("claims").key(name);
        if OWN.contains(&name.as_str()) {
            let message = format!("`{name}` is written by edgate itself");
            let help = "`issuer`, `audience` and `ttl` say what it writes";
            diagnostics.push(Diagnostic::new(Code::MisplacedKey, place.name(), message, "not yours to set").help(help));
            continue;
        }
        let before = diagnostics.len();
        let template = Template::compile(text, &place, &parameters, diagnostics);
        let unbound = diagnostics[before..].iter_mut().filter(|found| found.code == Code::UnboundPlaceholder);
        unbound.for_each(|found| {
            found.message = "many routes may call this upstream, so it has no path parameters".to_owned();
            found.help = Some("tell it in a field of its own: `request_headers.set` of the route".to_owned());
        });
        claims.extend(template.map(|template| (name.clone(), template)));
    }
    claims
}

fn fits_es256(secret: &str) -> Result<(), &'static str> {
    SigningKey::parse(secret, Algorithm::Es256).map(drop).map_err(|_| "it is no private JSON Web Key for ES256")
}

fn fits_eddsa(secret: &str) -> Result<(), &'static str> {
    SigningKey::parse(secret, Algorithm::EdDsa).map(drop).map_err(|_| "it is no private JSON Web Key for EdDSA")
}
