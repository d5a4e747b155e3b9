//! Whether two files say the same: the sections that differ, and where.

use super::finding::{Finding, Spot};
use super::input::Input;
use crate::config::diagnostic::{Code, Diagnostic, Place, Step};
use crate::config::document::{Sections, section_of};
use serde_json::Value;
use std::collections::BTreeMap;

/// A file and the sections of it that are held against another's bindings.
pub struct Side<'a> {
    pub input: &'a Input,
    pub bindings: &'a Sections,
}

/// What `found` says otherwise than `wanted`. `help` is the way out.
pub fn differences(wanted: &Side<'_>, found: &Side<'_>, help: &str) -> Vec<Finding> {
    let name = &wanted.input.file.name;
    let there: BTreeMap<String, &Value> = found.bindings.bindings().into_iter().collect();
    let mut findings = Vec::new();
    for (binding, value) in wanted.bindings.bindings() {
        let Some((kind, section)) = section_of(&binding) else { continue };
        let place = crate::config::document::place_of(kind, &section);
        if found.input.broken.contains(&(kind, section)) {
            continue;
        }
        match there.get(&binding) {
            None => {
                let message = format!("{} has no `{binding}`", found.input.file.name);
                let spot = Spot::new(&found.input.file, found.header());
                let diagnostic = Diagnostic::new(Code::OutOfStep, place.clone(), message, "not among these bindings");
                let finding = Finding { diagnostic: diagnostic.help(help), spot, related: None };
                findings.push(finding.related(wanted.spot(&place.name()), format!("what {name} says")));
            }
            Some(other) if *other != value => {
                let place = difference(place, value, other);
                let message = format!("`{binding}` is not what {name} says");
                let diagnostic = Diagnostic::new(Code::OutOfStep, place.clone(), message, "this differs").help(help);
                let finding = Finding::locate(diagnostic, &found.input.file, &found.input.tree);
                findings.push(finding.related(wanted.spot(&place), format!("from this in {name}")));
            }
            Some(_) => {}
        }
    }
    let expected: BTreeMap<String, &Value> = wanted.bindings.bindings().into_iter().collect();
    for binding in there.keys().filter(|binding| !expected.contains_key(*binding)) {
        let Some((kind, section)) = section_of(binding) else { continue };
        let place = crate::config::document::place_of(kind, &section).name();
        let message = format!("{name} has nothing for `{binding}`");
        let diagnostic = Diagnostic::new(Code::OutOfStep, place, message, "too much").help(help);
        findings.push(Finding::locate(diagnostic, &found.input.file, &found.input.tree));
    }
    findings
}

impl Side<'_> {
    fn spot(&self, place: &Place) -> Spot {
        Spot::new(&self.input.file, self.input.tree.locate(place))
    }

    /// Where the bindings begin.
    fn header(&self) -> Option<super::tree::Span> {
        let scope = self.input.scope.as_ref()?;
        scope.bindings.as_ref().map(|bindings| bindings.span.clone()).or(scope.span.clone())
    }
}

/// The first place where two values differ.
fn difference(place: Place, a: &Value, b: &Value) -> Place {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            for key in keys {
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) if a == b => {}
                    (Some(a), Some(b)) => return difference(place.key(key), a, b),
                    _ => return place.key(key).name(),
                }
            }
            place
        }
        (Value::Array(a), Value::Array(b)) => match a.iter().zip(b).position(|(a, b)| a != b) {
            Some(index) => {
                let mut path = place.path.clone();
                path.push(Step::Index(index));
                difference(Place { path, ..Place::default() }, &a[index], &b[index])
            }
            None => place,
        },
        _ => place,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_difference_is_the_innermost_one() {
        let a = json!({ "match": { "path": ["/a", "/b"] }, "upstream": "x" });
        let b = json!({ "match": { "path": ["/a", "/c"] }, "upstream": "x" });
        assert_eq!(difference(Place::of(["route", "r"]), &a, &b).to_string(), "route.r.match.path[1]");
        let b = json!({ "match": { "path": ["/a", "/b"] } });
        assert_eq!(difference(Place::of(["route", "r"]), &a, &b).to_string(), "route.r.upstream");
    }
}
