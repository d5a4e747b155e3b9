//! From a file that was read to the gateway it describes, or to everything that is wrong with it.
//!
//! A document may name a key-value store (`gateway.source`). Then it has two parts: what goes into the bindings, which
//! is little more than the store's name, and what goes into the store. Both are checked.

use super::finding::{Finding, sort};
use super::input::{Input, Kind};
use super::tree::Node;
use crate::compile;
use crate::config::Platform;
use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::config::document::{self, Sections};
use crate::gateway::Gateway;
use crate::host::Capabilities;
use serde_json::Value;

/// The two parts of a document.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    pub bindings: Sections,
    /// What goes into the store, if there is one and anything for it.
    pub stored: Option<Sections>,
}

/// What a file comes to.
pub struct Configuration {
    /// `None` after a mistake, or where the configuration is in a store and not in this file.
    pub gateway: Option<Gateway>,
    pub parts: Parts,
    /// Every mistake, from the top of the file to its bottom.
    pub findings: Vec<Finding>,
}

/// Takes a document apart. A manifest, or a document in JSON, has one part.
pub fn parts(kind: Kind, sections: &Sections) -> Parts {
    let gateway = sections.gateway.as_ref().and_then(Value::as_object);
    let Some(gateway) = gateway.filter(|gateway| kind == Kind::Document && gateway.contains_key("source")) else {
        return Parts { bindings: sections.clone(), stored: None };
    };
    let in_binding = |key: &str| matches!(key, "source" | "targets");
    let bound = gateway.iter().filter(|(key, _)| in_binding(key)).map(|(key, value)| (key.clone(), value.clone()));
    let bindings = Sections { gateway: Some(Value::Object(bound.collect())), ..Sections::default() };
    let mut rest = gateway.clone();
    rest.remove("source");
    let alone = rest.keys().all(|key| in_binding(key)) && sections.named().iter().all(|(_, named)| named.is_empty());
    let stored =
        (!alone).then(|| Sections { gateway: (!rest.is_empty()).then_some(Value::Object(rest)), ..sections.clone() });
    Parts { bindings, stored }
}

/// The platforms that a configuration is for.
pub fn targets(sections: &Sections) -> Vec<Platform> {
    let listed = sections.gateway.as_ref().and_then(|gateway| gateway.get("targets")).and_then(Value::as_array);
    let all = [(Platform::Cloudflare, "cloudflare"), (Platform::Spin, "spin")];
    let wanted = |name: &str| listed.is_none_or(|listed| listed.iter().any(|target| target == name));
    all.into_iter().filter(|(_, name)| wanted(name)).map(|(platform, _)| platform).collect()
}

/// Loads what was read. The input's own findings are among the configuration's.
pub fn load(input: &Input) -> Configuration {
    let parts = parts(input.kind, &input.sections);
    let capabilities = input.kind.platform().map(Capabilities::of);
    let bound = compile::load(&parts.bindings, capabilities);
    let mut diagnostics = bound.diagnostics;
    if let Some(source) = bound.source.filter(|_| input.kind == Kind::Stored) {
        let message = format!("the document names another one, `{}`", source.key);
        let place = Place::of(["gateway", "source"]).name();
        let diagnostic = Diagnostic::new(Code::SourceNotAlone, place, message, "only bindings have a source");
        diagnostics.push(diagnostic.help("take it away: what is in a store is the whole configuration"));
    }
    let mut gateway = bound.gateway;
    if let Some(stored) = &parts.stored {
        let loaded = compile::load(stored, capabilities);
        let seen: Vec<Diagnostic> = diagnostics.clone();
        diagnostics.extend(loaded.diagnostics.into_iter().filter(|diagnostic| !seen.contains(diagnostic)));
        gateway = loaded.gateway;
    }
    diagnostics.retain(|diagnostic| !follows(diagnostic, input));
    let located = diagnostics.into_iter().map(|diagnostic| Finding::locate(diagnostic, &input.file, &input.tree));
    let mut findings: Vec<Finding> = input.findings.iter().cloned().chain(located).collect();
    sort(&mut findings);
    let serves = !findings.iter().any(Finding::is_error);
    Configuration { gateway: gateway.filter(|_| serves), parts, findings }
}

/// Whether a diagnostic only follows from a section that could not be read, which has its own.
fn follows(diagnostic: &Diagnostic, input: &Input) -> bool {
    let named = || input.tree.at(&diagnostic.place.path).and_then(Node::text);
    let broken = |meant| input.broken.iter().any(|(kind, name)| *kind == meant && named() == Some(name));
    match diagnostic.code {
        Code::UnknownUpstream => broken(document::Kind::Upstream),
        Code::UnknownIssuer => broken(document::Kind::Issuer),
        Code::UnknownLimit => broken(document::Kind::Limit),
        Code::NoConsumers => input.broken.iter().any(|(kind, _)| *kind == document::Kind::Consumer),
        Code::NoRoutes | Code::UnusedUpstream | Code::UnusedIssuer | Code::UnusedLimit => {
            input.findings.iter().any(Finding::is_error)
        }
        _ => false,
    }
}

impl Configuration {
    /// The sections that make the gateway.
    pub fn sections(&self) -> &Sections {
        self.parts.stored.as_ref().unwrap_or(&self.parts.bindings)
    }
}
