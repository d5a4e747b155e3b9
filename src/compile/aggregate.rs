//! The action `aggregate`: its parts, what they wait for, and what is known to collide or to be too much before there is a
//! request.

mod collisions;
mod form;
mod part;
mod paths;
pub mod plan;

use crate::aggregate::Aggregate;
use crate::aggregate::stale::Shelf;
use crate::compile::out_of_range;
use crate::config::aggregate::{self as section, OnCollision, Shape};
use crate::config::diagnostic::{Code, Diagnostic, Place, did_you_mean};
use crate::config::document::is_name;
use crate::host::Capabilities;
use crate::template::Parameters;
use crate::upstream::Upstream;
use http::StatusCode;
use std::rc::Rc;

type Diagnostics = Vec<Diagnostic>;

/// How many requests are under way at the same time, where the configuration says nothing.
const AT_ONCE: u64 = 6;

/// More parts than this help nobody.
const MOST_PARTS: usize = 50;

/// What an aggregate refers to.
pub struct Scope<'a> {
    pub parameters: Parameters<'a>,
    pub targets: &'a [Capabilities],
    /// In the order of the gateway's upstreams.
    pub upstreams: &'a [&'a str],
    pub compiled: &'a [Rc<Upstream>],
    pub shelf: &'a Rc<Shelf>,
}

/// Compiles an aggregate. `None` after a mistake.
pub fn compile(
    section: &section::Aggregate,
    place: &Place,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Aggregate> {
    let before = diagnostics.len();
    let parts_place = place.key("parts");
    if section.parts.is_empty() || section.parts.len() > MOST_PARTS {
        let given = format!("{} parts", section.parts.len());
        diagnostics.push(out_of_range(&given, &parts_place, format!("1 to {MOST_PARTS}")));
    }
    names(section, &parts_place, diagnostics);
    let known: Vec<&str> = section.parts.iter().map(|part| part.name.as_str()).collect();
    let at_once = at_once(section.at_once, &place.key("at_once"), scope.targets, diagnostics);
    let mut parts = Vec::new();
    for (index, part) in section.parts.iter().enumerate() {
        let one = part::One { section: part, place: &parts_place.index(index), scope, parts: &known, at_once };
        parts.extend(one.compile(diagnostics));
    }
    let partial = partial(section.partial, &place.key("partial"), diagnostics);
    // What belongs together is looked at where all of it could be read.
    if parts.len() == section.parts.len() && diagnostics.len() == before {
        plan::join(section, &mut parts, &parts_place, diagnostics);
        plan::has_an_end(&parts, &parts_place, scope.compiled, diagnostics);
        collisions::check(section, &parts, place, diagnostics);
    }
    (diagnostics.len() == before).then(|| Aggregate {
        parts,
        layout: section.shape.unwrap_or(Shape::Nested),
        on_collision: section.on_collision.unwrap_or(OnCollision::Last),
        partial,
        outcomes: section.outcomes.clone(),
        at_once,
        stale: Rc::clone(scope.shelf),
    })
}

/// Every upstream that its parts call, and the place that says so.
pub fn called(aggregate: &Aggregate, place: &Place) -> Vec<(usize, Place)> {
    let parts = place.key("aggregate").key("parts");
    let called = aggregate.parts.iter().enumerate();
    called.map(|(index, part)| (part.upstream, parts.index(index).key("upstream"))).collect()
}

/// Whether each part has a name of its own.
fn names(section: &section::Aggregate, place: &Place, diagnostics: &mut Diagnostics) {
    for (index, part) in section.parts.iter().enumerate() {
        let place_of = |index| place.index(index).key("name");
        let name = &part.name;
        if !is_name(name) {
            let message = format!("`{name}` is no name of a part");
            let help = "names are words of small letters and digits, joined by hyphens, and begin with a letter";
            diagnostics.push(Diagnostic::new(Code::BadName, place_of(index), message, "not a name").help(help));
        }
        if let Some(first) = section.parts.iter().take(index).position(|other| other.name == *name) {
            let message = format!("two parts are named `{name}`");
            let diagnostic = Diagnostic::new(Code::Collision, place_of(index), message, "the second one");
            diagnostics.push(diagnostic.related(place_of(first), "the first one"));
        }
    }
}

/// The status of an answer that lacks something.
fn partial(given: Option<u16>, place: &Place, diagnostics: &mut Diagnostics) -> StatusCode {
    let Some(given) = given else { return StatusCode::OK };
    let help = match given {
        200..=203 | 207..=299 => return StatusCode::from_u16(given).unwrap_or(StatusCode::OK),
        // RFC 9110, section 15.3.7.
        206 => "206 is the answer to a request for a range: write 200, or 207",
        204 | 205 => "it has no body: write 200, or 207",
        _ => "write 200, or 207; what is required makes the answer 502 or 504",
    };
    let message = format!("{given} is no status of an answer that lacks a part");
    diagnostics.push(Diagnostic::new(Code::BadStatus, place.clone(), message, "not this one").help(help));
    StatusCode::OK
}

/// How many requests are under way at the same time.
pub fn at_once(given: Option<u64>, place: &Place, targets: &[Capabilities], diagnostics: &mut Diagnostics) -> usize {
    let at_once = given.unwrap_or(AT_ONCE);
    if !(1..=50).contains(&at_once) {
        diagnostics.push(out_of_range(&at_once.to_string(), place, "1 to 50".to_owned()));
    } else if let Some((target, most)) = exceeded(targets, at_once, |target| target.most_at_once) {
        let message = format!("{} lets {most} requests be under way at the same time", target.platform);
        let help = format!("make it {most} at most: the others wait until one of them is done");
        diagnostics.push(Diagnostic::new(Code::Unsupported, place.clone(), message, "too many").help(help));
    }
    usize::try_from(at_once).unwrap_or(1)
}

/// A platform that lets less pass than there is.
pub fn exceeded(
    targets: &[Capabilities],
    given: u64,
    most: impl Fn(&Capabilities) -> Option<u64>,
) -> Option<(&Capabilities, u64)> {
    targets.iter().find_map(|target| Some((target, most(target).filter(|most| given > *most)?)))
}

/// The part of a name.
fn position(name: &str, parts: &[&str], place: &Place, diagnostics: &mut Diagnostics) -> Option<usize> {
    let position = parts.iter().position(|known| *known == name);
    if position.is_none() {
        let help = did_you_mean(name, parts.iter().copied());
        let help = help.unwrap_or_else(|| format!("parts are `{}`", parts.join("`, `")));
        let message = format!("no part is named `{name}`");
        diagnostics.push(Diagnostic::new(Code::UnknownPart, place.clone(), message, "no such part").help(help));
    }
    position
}
