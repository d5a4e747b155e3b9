//! Routes held against each other: those that match the same requests, those that nothing reaches, and those of which
//! none is more specific. Without such routes, the order in the file cannot matter.

use super::route::Placed;
use crate::config::diagnostic::{Code, Diagnostic};
use crate::config::sorted::{Sorted, in_order};
use crate::routing::condition::{Conditions, Methods};
use crate::routing::{Entry, RouteId};

/// Pairs of routes that were reported.
type Reported = Sorted<(RouteId, RouteId), ()>;

/// Reports what cannot stand together.
pub fn check(placed: &[Placed], diagnostics: &mut Vec<Diagnostic>) {
    let placed = in_order(placed, &|one, other| one.entry.place().cmp(&other.entry.place()));
    // Routes with several hosts or paths meet in several groups: one report of each pair is enough.
    let mut reported = Reported::new();
    for group in placed.chunk_by(|one, other| one.entry.place() == other.entry.place()) {
        for (index, later) in group.iter().enumerate() {
            for earlier in &group[..index] {
                let found = compare(&earlier.entry, &later.entry);
                if let Some((code, why)) = found
                    && reported.insert((earlier.entry.route, later.entry.route), ()).is_none()
                {
                    diagnostics.push(report(code, why, earlier, later));
                }
            }
        }
        unreachable(group, &mut reported, diagnostics);
    }
}

/// What is wrong with two ways in that have the same host and pattern.
fn compare(a: &Entry, b: &Entry) -> Option<(Code, String)> {
    let (one, other) = (&*a.conditions, &*b.conditions);
    // A route that names a method comes before one that takes any, and more conditions before fewer.
    if one.exclude(other) || one.weight() != other.weight() || one.methods.is_empty() != other.methods.is_empty() {
        return None;
    }
    let common = one.methods.intersection(other.methods);
    if common.is_empty() && !one.methods.is_empty() {
        return None;
    }
    let same = one.headers == other.headers && one.query == other.query;
    match same {
        true if one.methods == other.methods => {
            Some((Code::DuplicateRoute, "match exactly the same requests".to_owned()))
        }
        true if common == other.methods || common == one.methods => {
            Some((Code::ShadowedRoute, format!("both take {common}, which is all that one of them takes")))
        }
        true => Some((Code::AmbiguousRoutes, format!("both take {common}, and none is more specific"))),
        false => Some((Code::AmbiguousRoutes, "match some requests both, and none is more specific".to_owned())),
    }
}

fn report(code: Code, why: String, earlier: &Placed, later: &Placed) -> Diagnostic {
    let message = format!("the routes `{}` and `{}` {why}", earlier.name, later.name);
    let help = match code {
        Code::DuplicateRoute => "take one of them away, or give one another path, host, method or condition",
        Code::ShadowedRoute => "take these methods away from one of them, or give one more conditions",
        _ => "give one of them more conditions than the other, or conditions that exclude each other",
    };
    Diagnostic::new(code, later.pattern.clone(), message, "here too")
        .help(help)
        .related(earlier.pattern.clone(), format!("the route `{}`", earlier.name))
}

/// A way in for any method, all of whose requests go to routes that name the method.
fn unreachable(group: &[&Placed], reported: &mut Reported, diagnostics: &mut Vec<Diagnostic>) {
    for one in group.iter().filter(|one| one.entry.conditions.methods.is_empty()) {
        let wider = |other: &Conditions| covers(other, &one.entry.conditions);
        let others =
            group.iter().filter(|other| !other.entry.conditions.methods.is_empty() && wider(&other.entry.conditions));
        let taken = others.clone().fold(Methods::default(), |all, other| all.union(other.entry.conditions.methods));
        if taken == Methods::all()
            && let Some(other) = others.clone().next()
            && reported.insert((one.entry.route, one.entry.route), ()).is_none()
        {
            diagnostics.push(
                Diagnostic::new(
                    Code::ShadowedRoute,
                    one.pattern.clone(),
                    format!("the route `{}` is never reached: others name every method here", one.name),
                    "never reached",
                )
                .help("take it away, or take methods away from the others")
                .related(other.pattern.clone(), format!("the route `{}` comes first", other.name)),
            );
        }
    }
}

/// Whether every request that meets `narrow` meets `wide`.
fn covers(wide: &Conditions, narrow: &Conditions) -> bool {
    wide.headers.iter().all(|condition| narrow.headers.contains(condition))
        && wide.query.iter().all(|condition| narrow.query.contains(condition))
}
