//! From bindings, or from a document, to sections by name: one to one, in both directions.

use super::diagnostic::{Code, Diagnostic, Place, did_you_mean};
use super::json;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A kind of section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Gateway,
    Upstream,
    Route,
    Issuer,
    Consumer,
    Limit,
}

impl Kind {
    pub const ALL: [Kind; 6] = [Kind::Gateway, Kind::Upstream, Kind::Issuer, Kind::Consumer, Kind::Limit, Kind::Route];

    /// Those with a section for each name, in the order in which they are written.
    pub const NAMED: [Kind; 5] = [Kind::Upstream, Kind::Issuer, Kind::Consumer, Kind::Limit, Kind::Route];

    /// Its key in the document.
    pub fn key(self) -> &'static str {
        match self {
            Kind::Gateway => "gateway",
            Kind::Upstream => "upstream",
            Kind::Route => "route",
            Kind::Issuer => "issuer",
            Kind::Consumer => "consumer",
            Kind::Limit => "limit",
        }
    }

    /// What its bindings begin with; the gateway's binding is just that.
    pub fn prefix(self) -> &'static str {
        match self {
            Kind::Gateway => "EDGATE",
            Kind::Upstream => "UPSTREAM_",
            Kind::Route => "ROUTE_",
            Kind::Issuer => "ISSUER_",
            Kind::Consumer => "CONSUMER_",
            Kind::Limit => "LIMIT_",
        }
    }

    /// Whether there is one for each name, rather than one.
    pub fn is_named(self) -> bool {
        self != Kind::Gateway
    }
}

/// The sections as they were found, not yet read.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Sections {
    pub gateway: Option<Value>,
    pub upstreams: BTreeMap<String, Value>,
    pub routes: BTreeMap<String, Value>,
    pub issuers: BTreeMap<String, Value>,
    pub consumers: BTreeMap<String, Value>,
    pub limits: BTreeMap<String, Value>,
}

/// What a binding holds.
#[derive(Debug, Clone)]
pub enum Binding {
    /// A JSON text.
    Text(String),
    /// A JSON value.
    Value(Value),
}

/// The kind and name of the section that a binding's name means; `None` for a foreign binding.
pub fn section_of(binding: &str) -> Option<(Kind, String)> {
    if binding == Kind::Gateway.prefix() {
        return Some((Kind::Gateway, String::new()));
    }
    let kinds = Kind::ALL.into_iter().filter(|kind| kind.is_named());
    kinds.into_iter().find_map(|kind| {
        let name = binding.strip_prefix(kind.prefix()).filter(|name| !name.is_empty())?;
        Some((kind, name.to_ascii_lowercase().replace('_', "-")))
    })
}

/// The binding's name of a section: `list-orders` of the routes is `ROUTE_LIST_ORDERS`.
pub fn binding_of(kind: Kind, name: &str) -> String {
    format!("{}{}", kind.prefix(), name.to_ascii_uppercase().replace('-', "_"))
}

/// The place of a section in the document.
pub fn place_of(kind: Kind, name: &str) -> Place {
    if kind.is_named() { Place::of([kind.key(), name]) } else { Place::of([kind.key()]) }
}

impl Sections {
    /// Collects the sections among a platform's bindings; foreign bindings are left alone.
    pub fn from_bindings(
        bindings: impl IntoIterator<Item = (String, Binding)>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Sections {
        let mut sections = Sections::default();
        for (binding, value) in bindings {
            let Some((kind, name)) = section_of(&binding) else { continue };
            let place = place_of(kind, &name);
            // Two spellings of one name would be two values for one section.
            if is_name(&name) && binding != binding_of(kind, &name) {
                let message = format!("the binding `{binding}` is not spelt as bindings are");
                let help = format!("did you mean `{}`?", binding_of(kind, &name));
                let place = Place::of([binding.as_str()]).name();
                diagnostics.push(Diagnostic::new(Code::BadName, place, message, "in capitals, with `_`").help(help));
                continue;
            }
            let parsed = match value {
                Binding::Value(value) => Ok(value),
                Binding::Text(text) => json::parse(&text),
            };
            match parsed {
                Ok(value) => sections.add(kind, name, value, diagnostics),
                Err(error) => {
                    diagnostics.push(json_mistake(&error, place, &format!("the binding `{binding}`")));
                }
            }
        }
        sections
    }

    /// Takes a document apart.
    pub fn from_document(document: Value, diagnostics: &mut Vec<Diagnostic>) -> Sections {
        let mut sections = Sections::default();
        let Value::Object(tables) = document else {
            let message = "the document is no table of sections";
            diagnostics.push(Diagnostic::new(Code::WrongType, Place::default(), message, "not a table"));
            return sections;
        };
        for (key, value) in tables {
            match Kind::ALL.into_iter().find(|kind| kind.key() == key) {
                Some(kind) if kind.is_named() => sections.add_all(kind, value, diagnostics),
                Some(kind) => sections.add(kind, String::new(), value, diagnostics),
                // Editors find the schema by this key.
                None if key == "$schema" => {}
                None => {
                    let known = Kind::ALL.map(Kind::key);
                    let help =
                        did_you_mean(&key, known).unwrap_or_else(|| format!("sections are {}", known.join(", ")));
                    let message = format!("there is no section `{key}`");
                    let place = Place::of([&key]).name();
                    diagnostics
                        .push(Diagnostic::new(Code::UnknownSection, place, message, "unknown section").help(help));
                }
            }
        }
        sections
    }

    /// The sections as one document, which [`Sections::from_document`] takes apart again.
    pub fn to_document(&self) -> Value {
        let mut document = Map::new();
        if let Some(gateway) = &self.gateway {
            document.insert(Kind::Gateway.key().to_owned(), gateway.clone());
        }
        for (kind, sections) in self.named() {
            if !sections.is_empty() {
                document.insert(kind.key().to_owned(), Value::Object(sections.clone().into_iter().collect()));
            }
        }
        Value::Object(document)
    }

    /// Every section with its binding's name, in a fixed order.
    pub fn bindings(&self) -> Vec<(String, &Value)> {
        let gateway = self.gateway.iter().map(|value| (binding_of(Kind::Gateway, ""), value));
        let named = self
            .named()
            .into_iter()
            .flat_map(|(kind, sections)| sections.iter().map(move |(name, value)| (binding_of(kind, name), value)));
        gateway.chain(named).collect()
    }

    /// The sections of each kind that has names.
    pub fn named(&self) -> [(Kind, &BTreeMap<String, Value>); 5] {
        Kind::NAMED.map(|kind| {
            let sections = match kind {
                Kind::Upstream => &self.upstreams,
                Kind::Issuer => &self.issuers,
                Kind::Consumer => &self.consumers,
                Kind::Limit => &self.limits,
                Kind::Gateway | Kind::Route => &self.routes,
            };
            (kind, sections)
        })
    }

    fn add_all(&mut self, kind: Kind, value: Value, diagnostics: &mut Vec<Diagnostic>) {
        let Value::Object(sections) = value else {
            let message = format!("`{}` is a table of sections by name", kind.key());
            let help = format!("write [{}.some-name]", kind.key());
            let place = Place::of([kind.key()]);
            diagnostics.push(Diagnostic::new(Code::WrongType, place, message, "not a table of sections").help(help));
            return;
        };
        for (name, value) in sections {
            self.add(kind, name, value, diagnostics);
        }
    }

    fn add(&mut self, kind: Kind, name: String, value: Value, diagnostics: &mut Vec<Diagnostic>) {
        if kind.is_named() && !is_name(&name) {
            let message = format!("`{name}` is no name for a section");
            let help =
                "names are small letters and digits in words joined by hyphens, and begin with a letter: `list-orders`";
            let place = place_of(kind, &name).name();
            diagnostics.push(Diagnostic::new(Code::BadName, place, message, "not a name").help(help));
            return;
        }
        match kind {
            Kind::Gateway => self.gateway = Some(value),
            Kind::Upstream => drop(self.upstreams.insert(name, value)),
            Kind::Route => drop(self.routes.insert(name, value)),
            Kind::Issuer => drop(self.issuers.insert(name, value)),
            Kind::Consumer => drop(self.consumers.insert(name, value)),
            Kind::Limit => drop(self.limits.insert(name, value)),
        }
    }
}

/// What to say of a JSON text that cannot be parsed.
pub fn json_mistake(error: &serde_json::Error, place: Place, what: &str) -> Diagnostic {
    let code = if json::is_duplicate(error) { Code::DuplicateKey } else { Code::BadSyntax };
    Diagnostic::new(code, place, format!("{what} holds no valid JSON: {error}"), "not valid JSON")
}

/// Names map to bindings and back without loss: words of small letters and digits, joined by single hyphens.
pub fn is_name(name: &str) -> bool {
    let begins_with_letter = name.starts_with(|c: char| c.is_ascii_lowercase());
    let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    begins_with_letter && name.len() <= 64 && name.split('-').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_bindings_are_one_to_one() {
        assert_eq!(binding_of(Kind::Route, "list-orders"), "ROUTE_LIST_ORDERS");
        assert_eq!(section_of("ROUTE_LIST_ORDERS"), Some((Kind::Route, "list-orders".to_owned())));
        assert_eq!(section_of("EDGATE"), Some((Kind::Gateway, String::new())));
        assert_eq!(section_of("EDGATE_SECRET"), None);
        assert_eq!(section_of("ROUTE_"), None);
        for bad in ["", "Orders", "a--b", "-a", "a-", "a_b", "1a", "a b"] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_document_comes_apart_and_together() {
        let document = json!({ "gateway": { "name": "g" }, "upstream": { "a": {} }, "route": { "b": {}, "c": {} } });
        let mut diagnostics = Vec::new();
        let sections = Sections::from_document(document.clone(), &mut diagnostics);
        assert!(diagnostics.is_empty());
        assert_eq!(sections.to_document(), document);
        let bindings = sections.bindings().into_iter().map(|(name, value)| (name, Binding::Value(value.clone())));
        assert_eq!(Sections::from_bindings(bindings, &mut diagnostics), sections);
    }
}
