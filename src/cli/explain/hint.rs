//! What a refused token says, beside what its issuer asks for. Whoever runs the command has the token and the
//! configuration, so that all of it may be told here, and nowhere else.

use super::story::Rows;
use crate::cli::moment::told;
use crate::cli::secrets::FILE;
use crate::config::units::Duration;
use crate::config::words::Method;
use crate::exchange::Exchange;
use crate::gateway::Gateway;
use crate::issuer::{Issuer, Keys};
use crate::jose::algorithm::Algorithm;
use crate::jose::key_set::{Key, KeySet};
use crate::jose::token::{EmbeddedKey, Token, parse};
use crate::policy::Policy;
use crate::policy::authenticate::Authenticate;
use crate::secret::SecretSlot;
use serde_json::Value;
use std::rc::Rc;
use std::time::Duration as Std;

/// More keys than this are not listed.
const MOST_KEYS: usize = 10;

/// The rows `it says` and `wanted`, where a token was refused for what stands in it.
pub fn rows(gateway: &Gateway, ex: &Exchange, now: u64) -> Rows {
    let (Some(note), Some(policy)) = (&ex.notes.auth, authenticate(gateway, ex)) else { return Rows::new() };
    let Some(shown) = policy.places.token(ex).ok().flatten() else { return Rows::new() };
    let (Some(reason), Ok(token)) = (note.reason, parse(&shown.token, EmbeddedKey::Taken)) else { return Rows::new() };
    let issuer = policy.issuers.iter().find(|issuer| Some(&issuer.name) == note.issuer.as_ref());
    let compared = match (reason, issuer) {
        ("wrong-issuer", _) => Some((said(&token, "iss"), issuers(policy))),
        (reason, Some(issuer)) => compare(reason, &token, issuer, now),
        (_, None) => None,
    };
    let Some((says, wanted)) = compared else { return Rows::new() };
    vec![["  it says".to_owned(), says], ["  wanted".to_owned(), wanted]]
}

/// The stores of policies. They are empty here, and that they are has a say in what is told: [`unread`].
pub fn stores(gateway: &Gateway) -> Vec<Rc<str>> {
    let policies = gateway.routes.iter().flat_map(|route| &route.policies);
    let mut stores = Vec::new();
    for policy in policies {
        let Policy::Authenticate(policy) = policy else { continue };
        stores.extend(policy.consumers.stored.as_ref().map(|stored| Rc::clone(&stored.store)));
        for issuer in &policy.issuers {
            stores.extend(issuer.revocations.as_ref().map(|list| Rc::clone(&list.store)));
            if let Keys::Fetched(source) = &issuer.keys {
                stores.extend(source.store.clone());
            }
        }
    }
    stores
}

/// What a store might have said.
pub fn unread(gateway: &Gateway, ex: &Exchange) -> Rows {
    let (Some(note), Some(policy)) = (&ex.notes.auth, authenticate(gateway, ex)) else { return Rows::new() };
    let issuer = policy.issuers.iter().find(|issuer| Some(&issuer.name) == note.issuer.as_ref());
    let list = issuer.and_then(|issuer| issuer.revocations.as_ref()).filter(|_| note.reason.is_none());
    let keys = policy.consumers.stored.as_ref().filter(|_| note.reason == Some("unknown-key"));
    let keys = keys.filter(|_| note.method == Some(Method::ApiKey));
    let store = list.map(|list| &list.store).or(keys.map(|keys| &keys.store));
    store.map(|store| ["  note".to_owned(), format!("the store `{store}` is not read here")]).into_iter().collect()
}

/// The secrets that had part in a refusal, and that nobody knows here.
pub fn secrets(gateway: &Gateway, ex: &Exchange, unknown: &[String]) -> Rows {
    let (Some(note), Some(policy)) = (&ex.notes.auth, authenticate(gateway, ex)) else { return Rows::new() };
    let issuer = policy.issuers.iter().find(|issuer| Some(&issuer.name) == note.issuer.as_ref());
    let mut slots: Vec<&SecretSlot> = issuer.iter().flat_map(|issuer| issuer.secrets()).collect();
    if note.method == Some(Method::Signature) {
        slots.extend(policy.consumers.secrets());
    }
    let missing = slots.into_iter().filter(|slot| unknown.contains(&slot.name));
    missing.map(|slot| ["  note".to_owned(), format!("the secret `{}` is not in {FILE}", slot.name)]).collect()
}

fn authenticate<'a>(gateway: &'a Gateway, ex: &Exchange) -> Option<&'a Authenticate> {
    let route = gateway.routes.get(ex.matched.as_ref()?.route.0)?;
    route.policies.iter().find_map(|policy| match policy {
        Policy::Authenticate(policy) => Some(policy),
        _ => None,
    })
}

fn compare(reason: &str, token: &Token<'_>, issuer: &Issuer, now: u64) -> Option<(String, String)> {
    let rules = &issuer.rules;
    let span = |seconds: f64| Duration(Std::try_from_secs_f64(seconds).unwrap_or_default());
    let apart = format!("clocks may be {} apart", span(rules.leeway));
    let time = |claim: &str| format!("{claim} {}", at(token, claim, now));
    Some(match reason {
        "wrong-audience" => {
            (said(token, "aud"), format!("aud {}", quoted(rules.audience.as_deref().unwrap_or_default())))
        }
        "wrong-type" => {
            let typ = token.header.typ.as_deref().map_or("no typ".to_owned(), |typ| format!("typ {typ:?}"));
            let wanted = rules.typ.as_ref().map(|typ| format!("typ {typ:?}"));
            (typ, wanted.unwrap_or_else(|| "a token that shows what a client may do".to_owned()))
        }
        "algorithm-not-allowed" | "unknown-algorithm" => {
            let names: Vec<&str> = issuer.algorithms.iter().map(|algorithm| algorithm.name()).collect();
            (format!("alg {:?}", token.header.alg), format!("alg {}", names.join(" or ")))
        }
        "unknown-key" => (key_named(token), keys(&issuer.keys)),
        "expired" => (time("exp"), format!("exp to come; {apart}")),
        "not-yet-valid" => (time("nbf"), format!("nbf in the past; {apart}")),
        "issued-in-future" => (time("iat"), format!("iat in the past; {apart}")),
        "too-old" => (time("iat"), format!("at most {} ago; {apart}", span(rules.max_age?))),
        "not-bound" => (said(token, "cnf"), binding(token, issuer).to_owned()),
        _ => return None,
    })
}

fn binding(token: &Token<'_>, issuer: &Issuer) -> &'static str {
    let bound = |member: &str| token.claims.get("cnf").is_some_and(|cnf| cnf.get(member).is_some());
    if bound("jkt") {
        "`Authorization: DPoP ..`, and a proof in the field `DPoP`"
    } else if bound("x5t#S256") {
        "the client certificate that it is bound to"
    } else if issuer.dpop.required {
        "a token that is bound to a key: cnf with jkt"
    } else {
        "`Authorization: Bearer ..`"
    }
}

/// `aud "orders"`.
fn said(token: &Token<'_>, claim: &str) -> String {
    token.claims.get(claim).map_or_else(|| format!("no {claim}"), |value| format!("{claim} {value}"))
}

fn at(token: &Token<'_>, claim: &str, now: u64) -> String {
    token.claims.get(claim).and_then(Value::as_f64).map_or_else(String::new, |seconds| told(seconds, now))
}

fn issuers(policy: &Authenticate) -> String {
    let names = policy.issuers.iter().map(|issuer| format!("{:?} ({})", issuer.rules.issuer, issuer.name));
    format!("iss {}", names.collect::<Vec<_>>().join(" or "))
}

fn quoted(texts: &[String]) -> String {
    texts.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(" or ")
}

fn key_named(token: &Token<'_>) -> String {
    let alg = &token.header.alg;
    token.header.kid.as_ref().map_or_else(|| format!("no kid, {alg}"), |kid| format!("kid {kid:?}, {alg}"))
}

/// The keys that there are.
fn keys(keys: &Keys) -> String {
    let held = match keys {
        Keys::Fetched(source) => source.cell.held().map(|held| held.value),
        Keys::Fixed(set) => Some(Rc::new(set.clone())),
        Keys::Secret(_) | Keys::Asked(_) => None,
    };
    held.map_or_else(String::new, |set| listed(&set))
}

fn listed(set: &KeySet) -> String {
    let one = |key: &Key| {
        let algorithms: Vec<&str> = key.algorithms.iter().copied().map(Algorithm::name).collect();
        let id = key.id.as_ref().map_or_else(|| "no kid".to_owned(), |id| format!("kid {id:?}"));
        format!("{id} ({})", algorithms.join(" "))
    };
    let more = set.keys.len().saturating_sub(MOST_KEYS);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("{}{more}", set.keys.iter().take(MOST_KEYS).map(one).collect::<Vec<_>>().join(", "))
}
