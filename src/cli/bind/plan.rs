//! What is to be written: the bindings, and what must be declared beside them.

use super::Changes;
use crate::cli::configuration::{Configuration, targets};
use crate::cli::input::Input;
use crate::cli::needs::{Needs, variable_of};
use crate::cli::tree::{Content, Entry, Node};
use crate::config::Platform;
use crate::config::document::{Kind, Sections, binding_of};

pub struct Plan<'a> {
    pub document: &'a Input,
    pub platforms: Vec<Platform>,
    /// By their names, in the order of the document.
    pub bindings: Vec<(String, Node)>,
    pub bound: Sections,
    pub needs: Needs,
    /// Store and key of a configuration that is not in the bindings.
    store: Option<(String, String)>,
}

impl<'a> Plan<'a> {
    pub fn of(document: &'a Input, configuration: &Configuration) -> Plan<'a> {
        let bound = configuration.parts.bindings.clone();
        let mut needs = Needs::of(&bound);
        if let Some(stored) = &configuration.parts.stored {
            needs.add(stored);
        }
        let source = document.tree.get("gateway").and_then(|gateway| gateway.get("source"));
        let text = |key: &str| source.and_then(|source| source.get(key)).and_then(Node::text).map(str::to_owned);
        Plan {
            document,
            platforms: targets(&document.sections),
            bindings: bindings(&document.tree, source.is_some()),
            bound,
            needs,
            store: text("store").zip(text("key")),
        }
    }

    /// What remains for the user to do.
    pub fn next_steps(&self, changes: &Changes) -> String {
        let workers = self.platforms.contains(&Platform::Cloudflare);
        let spin = self.platforms.contains(&Platform::Spin);
        let mut steps = Vec::new();
        if let Some((store, key)) = self.store.as_ref() {
            steps.push(format!("the configuration itself is not in the bindings; put it into the store `{store}`:"));
            if workers {
                steps.push("  edgate json > edgate.json".to_owned());
                steps.push(format!("  wrangler kv key put {key} --binding {store} --path edgate.json --remote"));
            }
            if spin && store == "default" {
                steps.push(format!("  spin up --key-value {key}=\"$(edgate json)\""));
            } else if spin {
                steps.push(format!(
                    "  for Spin, set the key `{key}` in the store that the runtime configuration calls `{store}`"
                ));
            }
        }
        let new = |name: &str| changes.declared.iter().any(|declared| declared.contains(&format!("`{name}`")));
        for name in self.needs.secrets.keys().filter(|name| new(name) || new(&variable_of(name))) {
            if steps.iter().all(|step| !step.starts_with("give")) {
                steps.push("give the secrets their values:".to_owned());
            }
            if workers {
                steps.push(format!("  wrangler secret put {name}"));
            }
            if spin {
                steps.push(format!(
                    "  spin up --variable {}=..., or SPIN_VARIABLE_{name} in its environment",
                    variable_of(name)
                ));
            }
        }
        steps.into_iter().map(|step| step + "\n").collect()
    }
}

/// The sections of a document as bindings.
fn bindings(tree: &Node, source: bool) -> Vec<(String, Node)> {
    let mut bindings = Vec::new();
    if let Some(gateway) = tree.get("gateway") {
        let bound = |entry: &&Entry| !source || matches!(entry.key.as_str(), "source" | "targets");
        let entries = gateway.entries().iter().filter(bound).cloned().collect();
        bindings.push((binding_of(Kind::Gateway, ""), Node { content: Content::Table(entries), ..gateway.clone() }));
    }
    if source {
        return bindings;
    }
    for kind in Kind::NAMED {
        for section in tree.get(kind.key()).map(Node::entries).unwrap_or_default() {
            bindings.push((binding_of(kind, &section.key), section.value.clone()));
        }
    }
    bindings
}
