//! Where the two manifests keep edgate's part: wrangler.toml's `[vars]`, of the whole or of a named environment, and
//! the `environment` of a component in spin.toml.

use super::input::Kind;
use super::tree::{Content, Entry, Mistake, Node, Span, json};
use crate::config::diagnostic::{Code, Diagnostic, Place, did_you_mean};
use crate::config::document::{self, binding_of, place_of, section_of};
use serde_json::Value;

/// Which part of a manifest is meant, where it has several.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Choice {
    /// The environment of wrangler.toml: [env.NAME] rather than the top level.
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// The component of spin.toml: its only one, or the one named `edgate`, when not given.
    #[arg(long, value_name = "NAME")]
    pub component: Option<String>,
}

/// Edgate's part of a manifest.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The whole manifest.
    pub root: Node,
    /// The environment of wrangler.toml, or the component of spin.toml.
    pub table: Node,
    /// Its name; `None` for the top level of wrangler.toml.
    pub name: Option<String>,
    /// The key of that table.
    pub span: Option<Span>,
    /// `vars`, or `environment`.
    pub bindings: Option<Entry>,
}

/// Edgate's part of wrangler.toml.
pub fn wrangler(root: &Node, choice: &Choice) -> Result<Scope, String> {
    let Some(name) = &choice.env else {
        let bindings = root.entry("vars").cloned();
        return Ok(Scope { root: root.clone(), table: root.clone(), name: None, span: None, bindings });
    };
    let environment = root.get("env").and_then(|environments| environments.entry(name));
    let Some(Entry { span, value: table, .. }) = environment else {
        return Err(format!("there is no environment `{name}`: no [env.{name}]"));
    };
    let bindings = table.entry("vars").cloned();
    Ok(Scope { root: root.clone(), table: table.clone(), name: Some(name.clone()), span: Some(span.clone()), bindings })
}

/// Edgate's part of spin.toml.
pub fn spin(root: &Node, choice: &Choice) -> Result<Scope, String> {
    let components = root.get("component").map(Node::entries).unwrap_or_default();
    let named = |name: &str| components.iter().find(|component| component.key == name);
    let component = match (&choice.component, components) {
        (Some(name), _) => named(name).ok_or_else(|| format!("there is no component `{name}`")),
        (None, []) => Err("there is no component: no [component.edgate]".to_owned()),
        (None, [component]) => Ok(component),
        (None, several) => named("edgate").ok_or_else(|| {
            let names: Vec<&str> = several.iter().map(|component| component.key.as_str()).collect();
            format!("say which component is edgate's: --component {}", names.join(" or --component "))
        }),
    }?;
    Ok(Scope {
        root: root.clone(),
        table: component.value.clone(),
        name: Some(component.key.clone()),
        span: Some(component.span.clone()),
        bindings: component.value.entry("environment").cloned(),
    })
}

/// The sections found among a manifest's bindings.
#[derive(Debug, Default)]
pub struct Found {
    /// In the shape of the document. A binding that is not spelt as bindings are stands under its own name.
    pub tree: Vec<Entry>,
    pub values: Vec<(String, Value)>,
    pub mistakes: Vec<Mistake>,
    /// Sections that are there and cannot be read.
    pub broken: Vec<(document::Kind, String)>,
}

impl Found {
    /// Looks at one binding; a foreign one is left alone.
    pub fn add(&mut self, entry: &Entry, manifest: Kind) {
        let Some((kind, name)) = section_of(&entry.key) else {
            self.mistakes.extend(look_alike(entry));
            return;
        };
        let place = place_of(kind, &name);
        let node = match &entry.value.content {
            Content::Text(text) => {
                let origin = match &text.offsets {
                    Some(offsets) => json::Origin::String(offsets),
                    None => json::Origin::Within(entry.value.span.clone()),
                };
                let what = format!("the binding `{}`", entry.key);
                json::parse(&text.text, &origin, &place, &what).map_err(|mistake| foreign(mistake, &text.text))
            }
            _ if manifest == Kind::Spin => Err(not_a_string(entry, place)),
            _ => Ok(entry.value.clone()),
        };
        match node {
            Ok(value) => {
                self.values.push((entry.key.clone(), value.value()));
                self.place(kind, &name, Entry { value, ..entry.clone() });
            }
            Err(mistake) => {
                self.mistakes.push(mistake);
                self.broken.push((kind, name));
            }
        }
    }

    fn place(&mut self, kind: document::Kind, name: &str, entry: Entry) {
        if entry.key != binding_of(kind, name) && document::is_name(name) {
            self.tree.push(entry);
            return;
        }
        if !kind.is_named() {
            self.tree.push(Entry { key: kind.key().to_owned(), ..entry });
            return;
        }
        let section = Entry { key: name.to_owned(), ..entry };
        match self.tree.iter_mut().find(|entry| entry.key == kind.key()) {
            Some(Entry { value: Node { content: Content::Table(sections), .. }, .. }) => sections.push(section),
            _ => {
                let span = section.span.clone();
                let value = Node::table(span.clone(), vec![section]);
                self.tree.push(Entry { key: kind.key().to_owned(), span, value });
            }
        }
    }
}

/// A text that is no object at all may be somebody else's.
fn foreign(mut mistake: Mistake, text: &str) -> Mistake {
    if !text.trim_start().starts_with('{') {
        let named = document::Kind::NAMED.map(|kind| format!("{}..", kind.prefix()));
        let help = format!("bindings named EDGATE, {} are edgate's; name another's otherwise", named.join(", "));
        mistake.diagnostic.help = Some(help);
    }
    mistake
}

/// Spin's own rule: what is in an environment is a string.
fn not_a_string(entry: &Entry, place: Place) -> Mistake {
    let message = format!("the binding `{}` is no string: Spin takes nothing else", entry.key);
    let help = format!("write `{} = '{}'`", entry.key, entry.value.json());
    let diagnostic = Diagnostic::new(Code::WrongType, place, message, "not a string").help(help);
    Mistake { diagnostic: Box::new(diagnostic), span: entry.span.clone(), related: None }
}

/// A foreign binding that is very likely meant for edgate: it would be ignored without a word.
fn look_alike(entry: &Entry) -> Option<Mistake> {
    let object = match &entry.value.content {
        Content::Table(_) => true,
        Content::Text(text) => text.text.trim_start().starts_with('{'),
        _ => false,
    };
    let (first, rest) = entry.key.split_once('_').unwrap_or((&entry.key, ""));
    let help = match (first, rest) {
        ("EDGATE", _) => return None,
        ("UPSTREAM" | "ISSUER" | "CONSUMER" | "LIMIT" | "ROUTE", _) => format!("give it a name: `{first}_SOME_NAME`"),
        _ => {
            let known = did_you_mean(first, ["EDGATE", "UPSTREAM", "ISSUER", "CONSUMER", "LIMIT", "ROUTE"])?;
            let meant = known.split('`').nth(1)?;
            let name = if rest.is_empty() { meant.to_owned() } else { format!("{meant}_{}", rest.to_uppercase()) };
            format!("did you mean `{name}`?")
        }
    };
    let message = format!("the binding `{}` is none of edgate's, and is ignored", entry.key);
    let place = Place::of([entry.key.as_str()]).name();
    let diagnostic = Diagnostic::new(Code::UnknownBinding, place, message, "ignored").help(help);
    object.then(|| Mistake { diagnostic: Box::new(diagnostic), span: entry.span.clone(), related: None })
}
