//! What `edgate explain` tells of the upstreams of a route: their targets, what happens where one fails, and the upstreams
//! beside the route's own.

use super::story::Rows;
use crate::body::Body;
use crate::config::units::{Duration, Share};
use crate::exchange::Exchange;
use crate::gateway::{Action, Gateway, Route};
use crate::limit::key::Key;
use crate::memory::Answer;
use crate::upstream::breaker::Rules;
use crate::upstream::credentials::Credentials;
use crate::upstream::credentials::aws::SESSION;
use crate::upstream::fallback::Fallback;
use crate::upstream::proxy::{Proxy, Sticky};
use crate::upstream::retry::Retry;
use crate::upstream::shared::Shared;
use crate::upstream::split::{Arm, Mirror};
use crate::upstream::{Balance, Breaking, Upstream};
use http::{HeaderName, Response};
use std::rc::Rc;
use std::time::Duration as Std;

/// The rows of a route's upstreams. `called` is the name of the one that got the request.
pub fn rows(gateway: &Gateway, proxy: &Proxy, called: Option<&str>) -> Rows {
    let mut rows = Rows::new();
    rows.extend(proxy.split.iter().map(|arm| row("split", self::arm(arm))));
    rows.extend(proxy.mirror.iter().map(|mirror| row("mirror", self::mirror(mirror))));
    let own = gateway.upstreams.get(proxy.upstream);
    let taken = called.and_then(|name| gateway.upstreams.iter().find(|upstream| &*upstream.name == name));
    let Some(upstream) = taken.or(own) else { return rows };
    if taken.is_some_and(|taken| own.is_some_and(|own| own.name != taken.name)) {
        rows.push(row("taken by", upstream.name.to_string()));
    }
    rows.extend(policies(gateway, upstream));
    rows
}

/// The addresses that copies of requests are sent to: nothing is told of them.
pub fn mirrors(gateway: &Gateway) -> Vec<String> {
    let of = |route: &Route| match &route.action {
        Action::Proxy(proxy) => proxy.mirror.as_ref().map(|mirror| mirror.upstream),
        _ => None,
    };
    let upstreams = gateway.routes.iter().filter_map(of).filter_map(|position| gateway.upstreams.get(position));
    upstreams.flat_map(|upstream| &upstream.targets).map(|target| target.base.clone()).collect()
}

/// The fields in which the upstreams that were called are shown who the gateway is.
pub fn hidden(gateway: &Gateway, ex: &Exchange) -> Vec<HeaderName> {
    let called = |upstream: &&Rc<Upstream>| ex.notes.attempts.iter().any(|attempt| attempt.upstream == upstream.name);
    let shown = gateway.upstreams.iter().filter(called).filter_map(|upstream| upstream.credentials.as_ref());
    shown.flat_map(|credentials| [credentials.field().clone(), SESSION]).collect()
}

/// Where tokens for upstreams come from: nobody is asked, so that no secret leaves this machine.
pub fn token_endpoints(gateway: &Gateway) -> Vec<String> {
    let of = |upstream: &Rc<Upstream>| match &upstream.credentials {
        Some(Credentials::Token(source)) => Some(source.url.clone()),
        _ => None,
    };
    gateway.upstreams.iter().filter_map(of).collect()
}

/// A token that is none.
pub fn token() -> Answer {
    let body = r#"{"access_token":"***","token_type":"Bearer"}"#;
    Answer { after: Std::ZERO, result: Ok(Response::new(Body::bytes(body))) }
}

fn row(name: &str, value: String) -> [String; 2] {
    [format!("  {name}"), value]
}

fn policies(gateway: &Gateway, upstream: &Upstream) -> Rows {
    let mut rows = Rows::new();
    if upstream.targets.len() > 1 {
        for (target, number) in upstream.targets.iter().zip(1..) {
            let weight = if target.weight == 1 { String::new() } else { format!(", weight {}", target.weight) };
            rows.push(row("target", format!("{number}: {}{weight}", target.base)));
        }
        rows.push(row("balance", balance(&upstream.balance)));
    }
    rows.extend(upstream.credentials.as_ref().map(|credentials| row("shows", credentials.describe())));
    rows.extend(upstream.retry.as_ref().map(|retry| row("retry", self::retry(retry))));
    let hedge = upstream.hedge.map(|after| row("hedge", format!("a second target after {}", Duration(after))));
    rows.extend(hedge);
    rows.extend(upstream.breaking.as_ref().map(|breaking| row("breaker", breaker(breaking, upstream))));
    rows.extend(upstream.shared.as_ref().map(|shared| row("shared", self::shared(shared))));
    rows.extend(upstream.fallback.as_ref().map(|fallback| row("fallback", self::fallback(fallback, gateway))));
    rows
}

fn balance(balance: &Balance) -> String {
    match balance {
        Balance::InOrder => "the first that is well".to_owned(),
        Balance::RoundRobin => "each in its turn".to_owned(),
        Balance::Random => "any".to_owned(),
        Balance::LeastInFlight => "the one with the fewest requests on their way".to_owned(),
        Balance::TwoChoices => "of two the one with fewer requests on their way".to_owned(),
        Balance::Sticky(Sticky::Key(key)) => key.describe(),
        Balance::Sticky(Sticky::Cookie { name, max_age: None }) => format!("by the cookie {name}"),
        Balance::Sticky(Sticky::Cookie { name, max_age: Some(seconds) }) => {
            format!("by the cookie {name}, for {}", Duration(Std::from_secs(*seconds)))
        }
    }
}

fn retry(retry: &Retry) -> String {
    let Retry { attempts, backoff_ms, max_backoff_ms, budget, statuses, .. } = retry;
    let pauses = format!("{} to {}", time(*backoff_ms), time(*max_backoff_ms));
    let extra = percent(*budget);
    format!("{attempts} tries with pauses up to {pauses}, {extra} on top; {}", failures(statuses))
}

fn breaker(breaking: &Breaking, upstream: &Upstream) -> String {
    let Rules { failures: streak, rate, requests, window_ms, open_ms, probes } = breaking.rules;
    let streak = streak.map(|most| format!("{most} failures in a row"));
    let rate = rate.map(|rate| format!("{} of {requests} requests or more in {}", percent(rate), time(window_ms)));
    let causes = streak.into_iter().chain(rate).collect::<Vec<_>>().join(", or ");
    let probes = if probes == 1 { String::new() } else { format!(", {probes} probes") };
    let all = upstream.targets.len();
    let most = match upstream.most_ejected {
        most if most == all => String::new(),
        most => format!(", {most} of {all} targets at most"),
    };
    format!("after {causes}, for {}{probes}{most}; {}", time(open_ms), failures(&breaking.statuses))
}

fn shared(shared: &Shared) -> String {
    let health = shared.health.as_ref().map(|health| {
        let every = Duration(Std::from_secs(health.every * 60));
        format!("{} is asked for each {every}", health.path)
    });
    let breaker = shared.breaker.then(|| "instances tell each other which targets they leave out".to_owned());
    let said = health.into_iter().chain(breaker).collect::<Vec<_>>().join("; ");
    format!("{said}, in the store {}", shared.store)
}

fn fallback(fallback: &Fallback, gateway: &Gateway) -> String {
    let other = fallback.upstream.and_then(|position| gateway.upstreams.get(position));
    let other = other.map(|other| format!("upstream {}", other.name));
    let stale =
        fallback.stale.as_ref().map(|stale| format!("the last good answer, up to {} old", Duration(stale.most)));
    let fixed = fallback.respond.as_ref().map(|respond| format!("a fixed {}", respond.status.as_u16()));
    let steps = other.into_iter().chain(stale).chain(fixed).collect::<Vec<_>>().join(", then ");
    format!("{steps}; {}", failures(&fallback.statuses))
}

/// `no answer, 502, 503`.
fn failures(statuses: &[u16]) -> String {
    let numbers = statuses.iter().map(u16::to_string);
    ["for no answer".to_owned()].into_iter().chain(numbers).collect::<Vec<_>>().join(", ")
}

fn arm(arm: &Arm) -> String {
    let by = |key: &Key| format!(" {}", key.describe());
    let weight = arm.weight.map(|weight| format!("{weight}{}", arm.key.as_ref().map(by).unwrap_or_default()));
    let when = arm.when.as_ref().map(|rule| format!("where {rule}"));
    format!("{} gets {}", arm.name, weight.into_iter().chain(when).collect::<Vec<_>>().join(" "))
}

fn mirror(mirror: &Mirror) -> String {
    let when = mirror.when.as_ref().map(|rule| format!(" where {rule}")).unwrap_or_default();
    format!("{} gets a copy of {}{when}", mirror.name, mirror.share)
}

fn time(ms: f64) -> Duration {
    Duration(Std::from_secs_f64(ms / 1000.0))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is between 0 and 1")]
fn percent(share: f64) -> Share {
    Share((share * 10_000.0).round() as u32)
}
