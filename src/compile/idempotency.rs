//! A route's `idempotency`: which requests have keys, whose those are, and what is kept.

use super::issuer::{self, once};
use super::route::placed;
use super::{limit, size, within};
use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::config::idempotency as section;
use crate::config::words::OneOrMany;
use crate::idempotency::Idempotency;
use crate::idempotency::key::Whose;
use crate::limit::key::Key;
use crate::routing::condition::Methods;
use crate::rule;
use http::Method;
use std::rc::Rc;
use std::time::Duration as Std;

const DAY: Std = Std::from_secs(86_400);
const MOST_TTL: Std = Std::from_secs(30 * 86_400);
const MOST: u64 = 64_000;

type Diagnostics = Vec<Diagnostic>;

/// What it refers to.
pub struct Scope<'a> {
    /// The gateway's name.
    pub gateway: &'a str,
    pub of: &'a issuer::Scope<'a>,
    pub rules: rule::Scope<'a>,
}

/// Compiles what a route says. `None` after a mistake.
pub fn compile(
    section: &section::Idempotency,
    place: &Place,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Idempotency> {
    once(place, "requests with a key are done once", scope.of, diagnostics);
    let methods = methods(section, &place.key("methods"), diagnostics);
    let whose = whose(section.key.as_ref(), place, scope, diagnostics);
    within(section.ttl, Std::from_secs(60)..=MOST_TTL, &place.key("ttl"), diagnostics);
    let bytes = 0..=1_000_000;
    let max_body = size(section.max_body, MOST, bytes.clone(), &place.key("max_body"), diagnostics);
    let max_reply = size(section.max_reply, MOST, bytes, &place.key("max_reply"), diagnostics);
    Some(Idempotency {
        methods,
        optional: section.optional,
        unquoted: section.unquoted,
        whose: whose?,
        ttl: section.ttl.map_or(DAY, |ttl| ttl.0),
        max_body,
        max_reply,
        gateway: Rc::from(scope.gateway),
        redis: scope.of.redis.clone(),
    })
}

fn methods(section: &section::Idempotency, place: &Place, diagnostics: &mut Diagnostics) -> Methods {
    let mut methods = Methods::default();
    let Some(named) = &section.methods else {
        methods.insert(&Method::POST);
        methods.insert(&Method::PATCH);
        return methods;
    };
    if named.is_empty() {
        let message = "no request has a key";
        let help = "take the key away: then it is POST and PATCH";
        diagnostics.push(Diagnostic::new(Code::OutOfRange, place.clone(), message, "no method").help(help));
    }
    for (index, text) in named.iter().enumerate() {
        // RFC 9110, section 9.2.1: whatever is safe can be asked again without any key.
        let unsafe_one = text.parse::<Method>().ok().filter(|method| !method.is_safe());
        if !unsafe_one.is_some_and(|method| methods.insert(&method)) {
            let message = format!("`{text}` is no method whose requests have keys");
            let help = "it can be POST, PATCH, PUT or DELETE";
            let place = place.index(index);
            diagnostics.push(Diagnostic::new(Code::BadMethod, place, message, "not such a method").help(help));
        }
    }
    methods
}

fn whose(key: Option<&OneOrMany>, place: &Place, scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Option<Whose> {
    let Some(key) = key else {
        if scope.rules.has_identity {
            return Some(Whose::Identity);
        }
        let message = "nothing says whose keys they are, and one client would get the answers of another one";
        let help = "add `authenticate` to the route, or name values: key = \"client.address\"";
        let place = place.clone().name();
        diagnostics.push(Diagnostic::new(Code::NoIdentity, place, message, "nobody is known").help(help));
        return None;
    };
    let place = place.key("key");
    let before = diagnostics.len();
    if key.items.is_empty() {
        let message = "it is not said whose keys they are";
        let help = "name a value, such as \"client.address\"";
        diagnostics.push(Diagnostic::new(Code::BadValue, place.clone(), message, "nothing").help(help));
    }
    let mut parts = Vec::new();
    for (place, text) in placed(key, &place) {
        let part = limit::part(text, &place, diagnostics);
        for source in part.iter().flat_map(|part| &part.sources) {
            source.check(&place, &scope.rules, diagnostics);
        }
        parts.extend(part);
    }
    let read = diagnostics.iter_mut().skip(before).filter(|found| found.code == Code::BadLimit);
    read.for_each(|found| found.code = Code::BadValue);
    (diagnostics.len() == before).then_some(Whose::Values(Key { parts }))
}
