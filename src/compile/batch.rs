//! The action `batch`: how many requests may be in one, and what each of them gets of the whole.

use super::aggregate::{at_once, exceeded};
use super::{Code, Diagnostic, Place, calls, edits, out_of_range, size};
use crate::batch::Batch;
use crate::config::batch as section;
use crate::config::document::{Kind, Sections, place_of};
use crate::gateway::{Action, Route};
use crate::headers::forwarded;
use crate::host::Capabilities;
use crate::upstream::Upstream;
use http::{HeaderName, header};
use std::rc::Rc;

type Diagnostics = Vec<Diagnostic>;

const MOST: u64 = 10;
const MAX_SIZE: u64 = 1_000_000;

/// The fields that a request of a list may have, where the configuration says nothing: those that say what is wanted, and
/// who wants it.
const OWN: [HeaderName; 5] =
    [header::ACCEPT, header::ACCEPT_LANGUAGE, header::AUTHORIZATION, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE];

pub fn compile(
    section: &section::Batch,
    place: &Place,
    targets: &[Capabilities],
    diagnostics: &mut Diagnostics,
) -> Batch {
    let most = section.most.unwrap_or(MOST);
    if !(1..=50).contains(&most) {
        diagnostics.push(out_of_range(&most.to_string(), &place.key("most"), "1 to 50".to_owned()));
    }
    let inherit = fields(&section.inherit, &place.key("inherit"), diagnostics);
    let own = match &section.headers {
        Some(names) => fields(names, &place.key("headers"), diagnostics),
        None => OWN.to_vec(),
    };
    Batch {
        most: usize::try_from(most).unwrap_or(1),
        inherit,
        own,
        at_once: at_once(section.at_once, &place.key("at_once"), targets, diagnostics),
        max_size: size(section.max_size, MAX_SIZE, 1..=16_000_000, &place.key("max_size"), diagnostics),
    }
}

/// Fields of requests. No other coding of an answer is asked for: it is read.
fn fields(names: &[String], place: &Place, diagnostics: &mut Diagnostics) -> Vec<HeaderName> {
    let mut fields = Vec::new();
    for (index, text) in names.iter().enumerate() {
        let place = place.index(index);
        match edits::editable(text, place.clone(), diagnostics) {
            Some(name) if name == header::ACCEPT_ENCODING || forwarded::FIELDS.contains(&name) => {
                let message = format!("`{name}` is not a request's own in a list");
                diagnostics.push(Diagnostic::new(Code::ReservedHeader, place, message, "not yours to pass on"));
            }
            name => fields.extend(name),
        }
    }
    fields
}

/// Holds the lists against what the platforms let one make, and at the same time. What is not said is as much as fits.
pub fn fits(
    routes: &mut [Route],
    (sections, upstreams, targets): (&Sections, &[Rc<Upstream>], &[Capabilities]),
    diagnostics: &mut Diagnostics,
) {
    let Some((largest, calls)) = most_of(routes, |route| calls::of_action(route, upstreams)) else { return };
    let Some((widest, lanes)) = most_of(routes, |route| calls::at_once(route, upstreams)) else { return };
    // Who calls is found out for all of a list, and so is what upstreams are shown.
    let besides = routes.iter().map(|route| calls::of_policies(&route.policies)).max().unwrap_or_default();
    let besides = besides + calls::of_credentials(0..upstreams.len(), upstreams);
    for route in routes {
        let Action::Batch(batch) = &mut route.action else { continue };
        let place = place_of(Kind::Route, &route.name).key("batch");
        let says = |key: &str| sections.routes.get(&*route.name).is_some_and(|route| route["batch"].get(key).is_some());
        let all = (batch.most as u64).saturating_mul(calls).saturating_add(besides);
        if let Some((target, most)) = exceeded(targets, all, |target| target.most_calls) {
            let fits = most.saturating_sub(besides) / calls.max(1);
            if says("most") || fits == 0 {
                let message = format!(
                    "{} requests to `{largest}` come to {all}, and {} lets one make {most}",
                    batch.most, target.platform
                );
                let help = format!("make `most` {fits} at most");
                let place = place.clone().name();
                diagnostics.push(Diagnostic::new(Code::Unsupported, place, message, "too many").help(help));
            } else {
                batch.most = usize::try_from(fits).unwrap_or(1);
            }
        }
        let all = (batch.at_once as u64).saturating_mul(lanes);
        if let Some((target, most)) = exceeded(targets, all, |target| target.most_at_once) {
            let fits = (most / lanes.max(1)).max(1);
            if says("at_once") {
                let message = format!(
                    "{} requests to `{widest}` are {all} at the same time, and {} lets {most} be under way",
                    batch.at_once, target.platform
                );
                let help = format!("make `at_once` {fits} at most: the others wait until one of them is done");
                let place = place.key("at_once");
                diagnostics.push(Diagnostic::new(Code::Unsupported, place, message, "too many").help(help));
            } else {
                batch.at_once = usize::try_from(fits).unwrap_or(1);
            }
        }
    }
}

/// The route of which there is most.
fn most_of(routes: &[Route], count: impl Fn(&Route) -> u64) -> Option<(Rc<str>, u64)> {
    let route = routes.iter().max_by_key(|route| count(route))?;
    Some((Rc::clone(&route.name), count(route)))
}
