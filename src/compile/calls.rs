//! How many requests of its own the gateway may make for one of a client's, on the way through a route. Platforms have a
//! limit, beyond which whatever comes next fails.

use crate::aggregate::plan;
use crate::gateway::{Action, Route};
use crate::policy::Policy;
use crate::upstream::Upstream;
use crate::upstream::bounds::What;
use crate::upstream::credentials::Credentials;
use crate::upstream::proxy::Proxy;
use std::rc::Rc;

/// What a token may need of its issuer: the discovery document, the key set, and what it says of the token.
const OF_ISSUER: u64 = 3;

/// What a route's action may come to. A list is counted by what is in it.
pub fn of_action(route: &Route, upstreams: &[Rc<Upstream>]) -> u64 {
    match &route.action {
        Action::Proxy(proxy) => of_proxy(proxy, upstreams),
        Action::Aggregate(aggregate) => plan::calls(&aggregate.steps(upstreams)),
        Action::Batch(_) | Action::Redirect(_) | Action::Respond(_) | Action::Admin(_) => 0,
    }
}

/// How much of that may be under way at the same time.
pub fn at_once(route: &Route, upstreams: &[Rc<Upstream>]) -> u64 {
    match &route.action {
        Action::Proxy(_) => 1,
        Action::Aggregate(aggregate) => {
            let items: u64 = aggregate.steps(upstreams).iter().map(|step| step.items).sum();
            items.min(aggregate.at_once as u64)
        }
        Action::Batch(_) | Action::Redirect(_) | Action::Respond(_) | Action::Admin(_) => 0,
    }
}

/// What finding out who calls may come to.
pub fn of_policies(policies: &[Policy]) -> u64 {
    let asks = |policy: &&Policy| matches!(policy, Policy::Authenticate(policy) if !policy.issuers.is_empty());
    policies.iter().filter(asks).count() as u64 * OF_ISSUER
}

/// What the credentials of these upstreams may come to: one token each. It may be refused, and those that were shown it are
/// tried once more; that this is so for all of them at once is not counted on.
pub fn of_credentials(called: impl Iterator<Item = usize>, upstreams: &[Rc<Upstream>]) -> u64 {
    let mut called: Vec<usize> = called.collect();
    called.sort_unstable();
    called.dedup();
    let is_fetched = |position: &usize| {
        let credentials = upstreams.get(*position).and_then(|upstream| upstream.credentials.as_ref());
        matches!(credentials, Some(Credentials::Token(_)))
    };
    called.iter().filter(|position| is_fetched(position)).count() as u64
}

/// All tries of an upstream, of the one that stands in for it, and of the one that gets a copy.
fn of_proxy(proxy: &Proxy, upstreams: &[Rc<Upstream>]) -> u64 {
    let of = |position: usize| upstreams.get(position).map_or(1, |upstream| upstream.most_calls(What::Reads));
    let whole = |position: usize| {
        let fallback = upstreams.get(position).and_then(|upstream| upstream.fallback.as_ref()?.upstream);
        of(position) + fallback.map_or(0, of)
    };
    let chosen = proxy.split.iter().map(|arm| arm.upstream).chain([proxy.upstream]);
    chosen.map(whole).max().unwrap_or_default() + proxy.mirror.as_ref().map_or(0, |mirror| of(mirror.upstream))
}
