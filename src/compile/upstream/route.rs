//! The upstreams that a route chooses between: `upstream`, `split` and `mirror`.

use super::{Code, Diagnostic, Diagnostics, Place, key};
use crate::compile::route::placed;
use crate::compile::unknown_upstream;
use crate::config::units::Share;
use crate::config::upstream as section;
use crate::rule::{self, Rule};
use crate::upstream::proxy::{Proxy, Sticky};
use crate::upstream::split::{Arm, Mirror};
use crate::upstream::{Balance, Upstream};
use std::rc::Rc;

/// What a route's upstreams refer to.
pub struct Scope<'a> {
    /// In the order of the gateway's upstreams.
    pub names: &'a [&'a str],
    /// Whether all of the route's section could be read.
    pub complete: bool,
    pub rules: rule::Scope<'a>,
}

/// Other upstreams for a part of the requests.
pub fn split(arms: &[section::Split], place: &Place, scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Vec<Arm> {
    let compiled = arms.iter().enumerate().filter_map(|(index, arm)| one(arm, &place.index(index), scope, diagnostics));
    let compiled = compiled.collect();
    let mut total = 0;
    for (index, arm) in arms.iter().enumerate() {
        let item = place.index(index);
        total += arm.weight.map_or(0, |weight| weight.0);
        if arm.weight.is_some() && total > 10_000 {
            let message = format!("the shares of the list are {} of all requests", Share(total));
            let help = "100% at most, and what is left is the route's own upstream's";
            diagnostics.push(Diagnostic::new(Code::BadUpstream, item.key("weight"), message, "too much").help(help));
            break;
        }
    }
    compiled
}

fn one(arm: &section::Split, place: &Place, scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Option<Arm> {
    let before = diagnostics.len();
    if arm.weight.is_none() && arm.when.is_none() && scope.complete {
        let message = "it is not said which requests it gets";
        let help = "add a share, `weight = \"5%\"`, or a rule, `when = \"header.x-beta == 'on'\"`";
        let place = place.clone();
        diagnostics.push(Diagnostic::new(Code::BadUpstream, place, message, "all of them").help(help));
    }
    if arm.key.is_some() && arm.weight.is_none() && scope.complete {
        let message = "`key` decides who belongs to the `weight`";
        diagnostics.push(Diagnostic::new(Code::MisplacedKey, place.key("key").name(), message, "no `weight`"));
    }
    let upstream = position(&arm.upstream, &place.key("upstream"), scope, diagnostics);
    let when = arm.when.as_ref().map(|when| Rule::compile(when, &place.key("when"), &scope.rules, diagnostics));
    let key = arm.key.as_ref().map(|written| {
        let key = key(written, &place.key("key"), diagnostics)?;
        for ((place, _), part) in placed(written, &place.key("key")).iter().zip(&key.parts) {
            part.sources.iter().for_each(|source| source.check(place, &scope.rules, diagnostics));
        }
        Some(key)
    });
    let arm = Arm {
        upstream: upstream?,
        name: Rc::from(arm.upstream.as_str()),
        when: when.flatten(),
        weight: arm.weight,
        key: key.flatten(),
    };
    (diagnostics.len() == before).then_some(arm)
}

/// A copy for another upstream. `own` is the route's.
pub fn mirror(
    section: &section::Mirror,
    own: Option<&str>,
    place: &Place,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Mirror> {
    let when = section.when.as_ref().map(|when| Rule::compile(when, &place.key("when"), &scope.rules, diagnostics));
    let upstream = position(&section.upstream, &place.key("upstream"), scope, diagnostics);
    if own == Some(section.upstream.as_str()) {
        let message = "the upstream would get its own requests twice";
        diagnostics.push(Diagnostic::new(Code::BadUpstream, place.key("upstream"), message, "the route's own"));
    }
    Some(Mirror {
        upstream: upstream?,
        name: Rc::from(section.upstream.as_str()),
        when: when.flatten(),
        share: section.share.unwrap_or(Share(10_000)),
    })
}

fn position(name: &str, place: &Place, scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Option<usize> {
    let position = scope.names.iter().position(|known| *known == name);
    if position.is_none() {
        diagnostics.push(unknown_upstream(name, scope.names, place.clone()));
    }
    position
}

/// Every upstream that a proxied route may call, and the place that says so.
pub fn called(proxy: &Proxy, upstreams: &[Rc<Upstream>], place: &Place) -> Vec<(usize, Place)> {
    let mut found: Vec<(usize, Place)> = vec![(proxy.upstream, place.key("upstream"))];
    let arms = proxy.split.iter().enumerate();
    found.extend(arms.map(|(index, arm)| (arm.upstream, place.key("split").index(index).key("upstream"))));
    found.extend(proxy.mirror.iter().map(|mirror| (mirror.upstream, place.key("mirror").key("upstream"))));
    let others = found.iter().filter_map(|(position, place)| {
        let fallback = upstreams.get(*position)?.fallback.as_ref()?;
        Some((fallback.upstream?, place.clone()))
    });
    let others: Vec<_> = others.collect();
    found.extend(others);
    found
}

/// Holds what the upstreams of a route look at against what the route has.
pub fn check(
    called: &[(usize, Place)],
    upstreams: &[Rc<Upstream>],
    scope: &rule::Scope<'_>,
    diagnostics: &mut Diagnostics,
) {
    for (position, place) in called {
        let Some(upstream) = upstreams.get(*position) else { continue };
        let Balance::Sticky(Sticky::Key(key)) = &upstream.balance else { continue };
        for source in key.parts.iter().flat_map(|part| &part.sources) {
            let before = diagnostics.len();
            source.check(place, scope, diagnostics);
            for diagnostic in diagnostics.iter_mut().skip(before) {
                let name = &upstream.name;
                diagnostic.message = format!("the upstream `{name}` looks for it here: {}", diagnostic.message);
            }
        }
    }
}
