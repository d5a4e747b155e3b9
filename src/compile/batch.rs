//! The action `batch`: how many requests may be in one, and what each of them gets of the whole.

use super::aggregate::{at_once, exceeded};
use super::{Code, Diagnostic, Place, edits, out_of_range, size};
use crate::batch::Batch;
use crate::config::batch as section;
use crate::config::document::{Kind, place_of};
use crate::gateway::{Action, Route};
use crate::host::Capabilities;

type Diagnostics = Vec<Diagnostic>;

const MOST: u64 = 10;
const MAX_SIZE: u64 = 1_000_000;

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
    let named = section.inherit.iter().enumerate();
    let inherit = named
        .filter_map(|(index, text)| edits::editable(text, place.key("inherit").index(index), diagnostics))
        .collect();
    Batch {
        most: usize::try_from(most).unwrap_or(1),
        inherit,
        at_once: at_once(section.at_once, &place.key("at_once"), targets, diagnostics),
        max_size: size(section.max_size, MAX_SIZE, 1..=16_000_000, &place.key("max_size"), diagnostics),
    }
}

/// Whether the platforms let as many requests be made as a full list may come to.
pub fn fits(routes: &[Route], targets: &[Capabilities], diagnostics: &mut Diagnostics) {
    let calls = |route: &Route| match &route.action {
        Action::Aggregate(aggregate) => aggregate.parts.iter().map(|part| part.most_calls()).sum(),
        Action::Proxy(_) => 1,
        Action::Batch(_) | Action::Redirect(_) | Action::Respond(_) | Action::Admin(_) => 0,
    };
    let Some(largest) = routes.iter().max_by_key(|route| calls(route)) else { return };
    for route in routes {
        let Action::Batch(batch) = &route.action else { continue };
        let all = batch.most as u64 * calls(largest);
        if let Some((target, most)) = exceeded(targets, all, |target| target.most_calls) {
            let message = format!(
                "{} requests to `{}` come to {all}, and {} lets one make {most}",
                batch.most, largest.name, target.platform
            );
            let place = place_of(Kind::Route, &route.name).key("batch").name();
            let help = format!("make `most` {} at most", most / calls(largest).max(1));
            diagnostics.push(Diagnostic::new(Code::Unsupported, place, message, "too many").help(help));
        }
    }
}
