//! Reading a file that holds a configuration: a document, wrangler.toml or spin.toml. Whatever it is, it becomes the
//! same sections, and one tree in the shape of the document that says where they stand.

use super::finding::{File, Finding, Spot};
use super::manifest::{self, Choice, Scope};
use super::tree::{Mistake, Node, json, toml};
use super::{Exit, Outcome, render};
use crate::config::Platform;
use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::config::document::{self, Sections};
use serde_json::Value;
use std::path::Path;
use std::rc::Rc;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The document, edgate.toml.
    Document,
    /// A document as a key-value store holds it, in JSON.
    Stored,
    /// wrangler.toml.
    Wrangler,
    /// spin.toml.
    Spin,
}

/// A configuration as it was found in a file.
#[derive(Debug)]
pub struct Input {
    pub file: Rc<File>,
    pub kind: Kind,
    /// In a manifest: where edgate's part of it is.
    pub scope: Option<Scope>,
    /// The sections in the shape of the document, with their places in the file.
    pub tree: Node,
    pub sections: Sections,
    /// Sections that are there and cannot be read.
    pub broken: Vec<(document::Kind, String)>,
    pub findings: Vec<Finding>,
}

/// Why there is no input.
#[derive(Debug)]
pub enum Failure {
    /// The command was given something that does not exist.
    Usage(String),
    /// The file is wrong as a whole.
    Found(Box<Finding>),
}

impl Failure {
    /// What a command that needs the file comes to.
    pub fn outcome(self) -> Outcome {
        match self {
            Failure::Usage(message) => Outcome::usage(message),
            Failure::Found(finding) => {
                let unreadable = finding.diagnostic.code == Code::Unreadable;
                let exit = if unreadable { Exit::Usage } else { Exit::Mistakes };
                Outcome { exit, out: String::new(), err: render::text(&[*finding]) }
            }
        }
    }
}

impl Kind {
    /// The platform whose manifest it is.
    pub fn platform(self) -> Option<Platform> {
        match self {
            Kind::Document | Kind::Stored => None,
            Kind::Wrangler => Some(Platform::Cloudflare),
            Kind::Spin => Some(Platform::Spin),
        }
    }

    /// By its name, else by what is in it.
    fn of(name: &str, root: &Node) -> Kind {
        let name = Path::new(name).file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with("wrangler.toml") {
            Kind::Wrangler
        } else if name.ends_with("spin.toml") || root.entry("spin_manifest_version").is_some() {
            Kind::Spin
        } else if root.entry("compatibility_date").is_some() {
            Kind::Wrangler
        } else {
            Kind::Document
        }
    }
}

/// Reads a file of a folder.
pub fn read(folder: &Path, name: &str, choice: &Choice) -> Result<Input, Failure> {
    let bytes = std::fs::read(folder.join(name)).map_err(|error| unreadable(name, &error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable(name, "it is not UTF-8"))?;
    parse(name, text, choice)
}

/// Reads the text of a file.
pub fn parse(name: &str, text: String, choice: &Choice) -> Result<Input, Failure> {
    let file = Rc::new(File { name: name.to_owned(), text });
    if name.ends_with(".jsonc") {
        return Err(Failure::Usage(format!("{name}: of wrangler's files, edgate reads wrangler.toml alone")));
    }
    let fail = |mistake: Mistake| Failure::Found(Box::new(Finding::in_file(mistake, &file)));
    if name.ends_with(".json") {
        let root = json::parse(&file.text, &json::Origin::File, &Place::default(), "the document").map_err(fail)?;
        return Ok(document(file, Kind::Stored, root, Vec::new()));
    }
    let (root, mistakes) = toml::parse(&file.text).map_err(fail)?;
    let findings = mistakes.into_iter().map(|mistake| Finding::in_file(mistake, &file)).collect();
    match Kind::of(name, &root) {
        Kind::Wrangler => manifest::wrangler(&root, choice).map(|scope| bound(file, Kind::Wrangler, scope, findings)),
        Kind::Spin => manifest::spin(&root, choice).map(|scope| bound(file, Kind::Spin, scope, findings)),
        kind => return Ok(document(file, kind, root, findings)),
    }
    .map_err(|message| Failure::Usage(format!("{name}: {message}")))
}

fn unreadable(name: &str, why: &str) -> Failure {
    let file = Rc::new(File { name: name.to_owned(), text: String::new() });
    let message = format!("{name} cannot be read: {why}");
    let diagnostic = Diagnostic::new(Code::Unreadable, Place::default(), message, "");
    Failure::Found(Box::new(Finding { diagnostic, spot: Spot::new(&file, None), related: None }))
}

fn document(file: Rc<File>, kind: Kind, tree: Node, mut findings: Vec<Finding>) -> Input {
    let mut diagnostics = Vec::new();
    let sections = Sections::from_document(tree.value(), &mut diagnostics);
    findings.extend(diagnostics.into_iter().map(|diagnostic| Finding::locate(diagnostic, &file, &tree)));
    Input { file, kind, scope: None, tree, sections, broken: Vec::new(), findings }
}

/// The sections among a manifest's bindings.
fn bound(file: Rc<File>, kind: Kind, scope: Scope, mut findings: Vec<Finding>) -> Input {
    let mut found = manifest::Found::default();
    for entry in scope.bindings.iter().flat_map(|bindings| bindings.value.entries()) {
        found.add(entry, kind);
    }
    let manifest::Found { tree, values, mistakes, broken } = found;
    let tree = Node::table(0..0, tree);
    findings.extend(mistakes.into_iter().map(|mistake| Finding::in_file(mistake, &file)));
    let mut diagnostics = Vec::new();
    let bindings = values.into_iter().map(|(name, value): (String, Value)| (name, document::Binding::Value(value)));
    let sections = Sections::from_bindings(bindings, &mut diagnostics);
    findings.extend(diagnostics.into_iter().map(|diagnostic| Finding::locate(diagnostic, &file, &tree)));
    Input { file, kind, scope: Some(scope), tree, sections, broken, findings }
}
