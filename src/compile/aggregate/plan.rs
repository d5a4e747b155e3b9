//! What parts wait for, by what they name; which of them stand in for others; and whether a plan comes of it that the
//! platforms can follow.

use super::{Diagnostics, exceeded, position};
use crate::aggregate::{Aggregate, Part, field, plan, references};
use crate::config::aggregate::{self as section, Need};
use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::host::Capabilities;
use crate::part::Reference;
use crate::upstream::Upstream;
use std::rc::Rc;

/// Finds out who waits for whom.
pub fn join(section: &section::Aggregate, parts: &mut [Part], place: &Place, diagnostics: &mut Diagnostics) {
    let names: Vec<&str> = section.parts.iter().map(|part| part.name.as_str()).collect();
    let find = |reference: &Reference| names.iter().position(|name| **name == reference.part);
    stand_ins(section, parts, (&names, place), diagnostics);
    let stand_ins: Vec<Option<usize>> = parts.iter().map(|part| part.stand_in).collect();
    let mut fields: Vec<Reference> = Vec::new();
    for part in parts.iter() {
        fields.extend(part.asks_for().into_iter().cloned());
        fields.extend(part.looks_at().into_iter().cloned());
    }
    for (at, part) in parts.iter_mut().enumerate() {
        let needs = distinct(part.asks_for().into_iter().filter_map(find));
        // A rule that stops may look at the part's own answer, and one of a part that stands in at what the other said.
        let before = part.when.iter().flat_map(references).filter_map(find);
        let own = needs.iter().copied().find(|other| *other == at || part.for_part == Some(*other));
        let own = own.or(before.into_iter().find(|other| *other == at)).or(part.after.contains(&at).then_some(at));
        if own.is_some() {
            let message = format!("`{}` is made of an answer that is not there before its own", part.name);
            let place = place.index(at).key("name");
            diagnostics.push(Diagnostic::new(Code::BadPlan, place, message, "waits for itself"));
        }
        let looked = part.looks_at().into_iter().filter_map(find).filter(|other| *other != at);
        let named = part.after.iter().copied().chain(needs.iter().copied()).chain(looked);
        let mut after = distinct(named.chain(part.for_part));
        // Whoever waits for a part waits for those that stand in for it, too.
        let mut found: Vec<usize> = after.iter().copied().filter(|other| part.for_part != Some(*other)).collect();
        while let Some(other) = found.pop() {
            let next = stand_ins.get(other).copied().flatten();
            if let Some(next) = next.filter(|next| *next != at && !after.contains(next)) {
                after.push(next);
                found.push(next);
            }
        }
        part.after = after;
        part.needs = needs;
        let own = fields.iter().filter(|reference| reference.part == *part.name).filter_map(field);
        for name in own {
            if !part.accept.fields.contains(name) {
                part.accept.fields.push(name.clone());
            }
        }
    }
}

/// Each of some positions once.
fn distinct(positions: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut distinct = Vec::new();
    for position in positions {
        if !distinct.contains(&position) {
            distinct.push(position);
        }
    }
    distinct
}

/// Finds out who stands in for whom.
fn stand_ins(
    section: &section::Aggregate,
    parts: &mut [Part],
    (names, place): (&[&str], &Place),
    diagnostics: &mut Diagnostics,
) {
    for (at, part) in section.parts.iter().enumerate() {
        let Some(name) = &part.fallback_part else { continue };
        let key = place.index(at).key("fallback_part");
        let misplaced = [("fallback", part.fallback.is_some()), ("each", part.each.is_some())];
        for (other, _) in misplaced.into_iter().filter(|(_, given)| *given) {
            let message = format!("a part stands in for the whole of another one, so it is not beside `{other}`");
            let diagnostic = Diagnostic::new(Code::MisplacedKey, key.clone().name(), message, "beside it");
            diagnostics.push(diagnostic.related(place.index(at).key(other).name(), "this one"));
        }
        let Some(position) = position(name, names, &key, diagnostics) else { continue };
        let taken = parts.get(position).and_then(|other| other.for_part);
        if position == at || taken.is_some() {
            let message = match taken.and_then(|other| names.get(other)) {
                Some(other) => format!("`{name}` stands in for `{other}` already"),
                None => format!("`{name}` cannot stand in for itself"),
            };
            diagnostics.push(Diagnostic::new(Code::BadPlan, key, message, "not this one"));
            continue;
        }
        let given =
            section.parts.get(position).map(|other| [("need", other.need.is_some()), ("group", other.group.is_some())]);
        for (key, _) in given.into_iter().flatten().filter(|(_, given)| *given) {
            let message = format!("`{name}` stands in for `{}`, which says it", part.name);
            let place = place.index(position).key(key).name();
            diagnostics.push(Diagnostic::new(Code::MisplacedKey, place, message, "never looked at"));
        }
        if let Some(other) = parts.get_mut(position) {
            (other.for_part, other.need) = (Some(at), Need::Optional);
        }
        if let Some(part) = parts.get_mut(at) {
            part.stand_in = Some(position);
        }
    }
}

/// Whether each part can be asked, and whether one that is required may be missing.
pub fn has_an_end(parts: &[Part], place: &Place, upstreams: &[Rc<Upstream>], diagnostics: &mut Diagnostics) {
    let mut steps: Vec<plan::Step> = parts.iter().map(|part| part.step(upstreams)).collect();
    // Of those that wait for themselves it is known already.
    steps.iter_mut().enumerate().for_each(|(at, step)| step.after.retain(|before| *before != at));
    let name = |at: &usize| parts.get(*at).map_or("", |part| &part.name);
    if let Err(round) = plan::stages(&steps)
        && let [first, ..] = round.as_slice()
    {
        let round: Vec<&str> = round.iter().map(name).collect();
        let message = format!("parts wait for each other: `{}`", round.join("` for `"));
        let place = place.index(*first).key("name");
        diagnostics.push(Diagnostic::new(Code::BadPlan, place, message, "never begins"));
    }
    for (at, part) in parts.iter().enumerate().filter(|(_, part)| part.cannot_be_missing()) {
        for other in part.needs.iter().filter(|other| **other != at) {
            let Some(needed) = parts.get(*other).filter(|other| other.may_be_missing()) else { continue };
            let message = format!("`{}` is required and made of `{}`, which may be missing", part.name, needed.name);
            let help = "make it required too, give it a `fallback`, or make this part optional";
            let diagnostic = Diagnostic::new(Code::BadPlan, place.index(at).key("name"), message, "required");
            diagnostics.push(diagnostic.help(help).related(place.index(*other).key("need"), "optional"));
        }
    }
}

/// Whether the platforms let as many requests be made. `besides` is what the client's credentials, and those for upstreams, may
/// come to.
pub fn counts(
    section: &section::Aggregate,
    (aggregate, besides): (&Aggregate, u64),
    place: &Place,
    (upstreams, targets): (&[Rc<Upstream>], &[Capabilities]),
    diagnostics: &mut Diagnostics,
) {
    let steps = aggregate.steps(upstreams);
    let calls = plan::calls(&steps);
    let Some((target, most)) = exceeded(targets, calls.saturating_add(besides), |target| target.most_calls) else {
        return;
    };
    let mut message = format!("it may come to {calls} requests");
    if steps.iter().any(|step| step.tries > 1) {
        message += ", with all tries of its upstreams";
    }
    if besides > 0 {
        message += &format!(", and {besides} about credentials");
    }
    message += &format!(", and {} lets one make {most}", target.platform);
    let repeated = section.parts.iter().enumerate().filter(|(_, part)| part.each.is_some());
    let (place, help) = match repeated.max_by_key(|(_, part)| part.most) {
        Some((at, _)) => {
            (place.index(at).key("most"), "ask for fewer items, or let the upstream answer for all of them at once")
        }
        None => (place.clone(), "take fewer parts"),
    };
    diagnostics.push(Diagnostic::new(Code::Unsupported, place, message, "too many").help(help));
}

impl Part {
    /// Whether there is no answer without it, and nothing to stand in for it for sure.
    fn cannot_be_missing(&self) -> bool {
        self.need == Need::Required && self.fallback.is_none() && self.stand_in.is_none()
    }

    fn may_be_missing(&self) -> bool {
        self.need == Need::Optional && self.fallback.is_none() && self.for_part.is_none()
    }
}
