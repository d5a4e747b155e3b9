//! What Workers allows of variables (Cloudflare's documentation, "Limits"): how large one may be, and how many there
//! may be, secrets among them.

use super::configuration::Configuration;
use super::finding::{Finding, Spot};
use super::input::{Input, Kind};
use super::needs::Needs;
use super::tree::{Content, Entry, Node};
use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::config::document::{place_of, section_of};

/// 5 KB.
const LARGEST: usize = 5 * 1024;
/// On the free plan.
const MOST: usize = 64;
/// On the paid plan.
const MOST_PAID: usize = 128;

const WAY_OUT: &str = "keep the configuration in a key-value store instead: `gateway.source`";

/// The bindings that are too large, and whether there are too many.
pub fn exceeded(input: &Input, configuration: &Configuration) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut count = 0;
    for (binding, _) in configuration.parts.bindings.bindings() {
        count += 1;
        let Some((kind, name)) = section_of(&binding) else { continue };
        let place = place_of(kind, &name);
        let size = size(input, &binding, &place);
        if size > LARGEST {
            let message = format!("the binding `{binding}` has {size} bytes; Workers allows {LARGEST}");
            let diagnostic = Diagnostic::new(Code::VariableTooLarge, place.name(), message, "too large").help(WAY_OUT);
            findings.push(Finding::locate(diagnostic, &input.file, &input.tree));
        }
    }
    let (all, spot) = match &input.scope {
        Some(scope) => {
            let bindings = scope.bindings.as_ref();
            let secrets = scope.table.get("secrets").and_then(|secrets| secrets.get("required"));
            let all = bindings.map_or(0, |entry| entry.value.entries().len())
                + secrets.map_or(0, |list| list.elements().len());
            (all, Spot::new(&input.file, bindings.map(|entry| entry.span.clone())))
        }
        None => (count + Needs::of(configuration.sections()).secrets.len(), Spot::new(&input.file, None)),
    };
    if all > MOST {
        let message =
            format!("there are {all} variables and secrets; Workers allows {MOST}, or {MOST_PAID} on the paid plan");
        let diagnostic =
            Diagnostic::new(Code::TooManyVariables, Place::default(), message, "all of these").help(WAY_OUT);
        findings.push(Finding { diagnostic, spot, related: None });
    }
    findings
}

/// The bytes of a binding: as they are written, or as `edgate bind` will write them.
fn size(input: &Input, binding: &str, place: &Place) -> usize {
    let written = input.scope.as_ref().and_then(|scope| scope.bindings.as_ref());
    if let Some(Entry { value: Node { content: Content::Text(text), .. }, .. }) =
        written.and_then(|all| all.value.entry(binding))
    {
        return text.text.len();
    }
    match (input.tree.at(&place.path), input.kind) {
        // Only `source` and `targets` of such a section are bound.
        (Some(node), Kind::Document) if binding == "EDGATE" && node.get("source").is_some() => {
            ["source", "targets"].iter().filter_map(|key| node.get(key)).map(|node| node.json().len()).sum()
        }
        (Some(node), _) => node.json().len(),
        (None, _) => 0,
    }
}
