//! `edgate bind`: a document, written into the manifests of its platforms. What a manifest already says, it keeps
//! saying in its own words: only sections that differ are written, and nothing that is not edgate's is touched.

pub mod edit;
pub mod limiters;
pub mod objects;
pub mod plan;
pub mod spin;
pub mod wrangler;

use super::finding::{File, Finding, Spot};
use super::input::{self, Input};
use super::manifest::Choice;
use super::render::{self, count};
use super::step::{Side, differences};
use super::tree::Node;
use super::{Exit, Outcome, declared};
use crate::config::Platform;
use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::config::document::section_of;
use plan::Plan;
use std::path::Path;
use std::rc::Rc;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The document to write.
    #[arg(long, value_name = "FILE", default_value = "edgate.toml")]
    pub document: String,
    /// Where Cloudflare Workers gets it. It is made if it is not there.
    #[arg(long, value_name = "FILE", default_value = "wrangler.toml")]
    pub wrangler: String,
    /// Where Spin gets it. It is made if it is not there.
    #[arg(long, value_name = "FILE", default_value = "spin.toml")]
    pub spin: String,
    /// Write nothing: say whether the manifests are in step with the document.
    #[arg(long)]
    pub check: bool,
    #[command(flatten)]
    pub choice: Choice,
}

pub const EXAMPLES: &str = "\
Examples:
  edgate bind                  write edgate.toml into wrangler.toml and spin.toml
  edgate bind --check          for CI: do both say what edgate.toml does?
  edgate bind --env staging    write it into [env.staging.vars] of wrangler.toml

A manifest is written only if its platform is among `gateway.targets`. Comments, and everything
that is not edgate's, stay as they are. What else the configuration needs is declared too: secrets,
key-value stores, Durable Objects and rate limiters on Workers, the addresses that Spin may call.

Exit status: 0 when the manifests are written, or in step; 1 when the document has errors, or, with
--check, when a manifest is out of step; 2 when the command was wrong or a file cannot be read or written.";

/// What became of a manifest.
#[derive(Debug, Default)]
pub struct Changes {
    /// Bindings that were written, and those that were taken away.
    pub written: Vec<String>,
    pub removed: Vec<String>,
    /// Other things that were declared, in words, and those that no longer are.
    pub declared: Vec<String>,
    pub undeclared: Vec<String>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// A manifest: its name, its platform, and its text before, if it is there.
struct Manifest<'a> {
    name: &'a str,
    platform: Platform,
    before: Option<Input>,
}

pub fn run(folder: &Path, arguments: &Arguments) -> Outcome {
    let (document, loaded) = match super::sound(folder, Some(&arguments.document), &arguments.choice) {
        Ok(read) => read,
        Err(outcome) => return outcome,
    };
    if document.kind.platform().is_some() {
        return Outcome::usage(format!("{} is a manifest; name a document with --document", document.file.name));
    }
    let plan = Plan::of(&document, &loaded);
    let files = [(Platform::Cloudflare, &arguments.wrangler), (Platform::Spin, &arguments.spin)];
    let mut manifests = Vec::new();
    let mut left_alone = String::new();
    for (platform, name) in files {
        if !plan.platforms.contains(&platform) {
            if folder.join(name).exists() {
                left_alone += &format!("{name} is left alone: {} is not for {platform}\n", document.file.name);
            }
            continue;
        }
        let before = match folder.join(name).exists() {
            true => match input::read(folder, name, &arguments.choice) {
                Ok(input) if input.kind.platform() == Some(platform) => Some(input),
                Ok(_) => return Outcome::usage(format!("{name} is no manifest for {platform}")),
                Err(failure) => return failure.outcome(),
            },
            false => None,
        };
        manifests.push(Manifest { name, platform, before });
    }
    let outcome = if arguments.check { check(&plan, &manifests) } else { write(folder, &plan, manifests) };
    Outcome { out: left_alone + &outcome.out, ..outcome }
}

/// Whether the manifests are in step.
fn check(plan: &Plan<'_>, manifests: &[Manifest<'_>]) -> Outcome {
    let help = "run `edgate bind`";
    let document = plan.document;
    let mut outcome = Outcome::fine("");
    for Manifest { name, platform, before } in manifests {
        let findings = match before {
            Some(manifest) => {
                let wanted = Side { input: document, bindings: &plan.bound };
                let mut findings = differences(&wanted, &Side { input: manifest, bindings: &manifest.sections }, help);
                findings.extend(declared::missing(manifest, document, &plan.needs));
                findings
            }
            None => {
                let file = Rc::new(File { name: (*name).to_owned(), text: String::new() });
                let message = format!("there is no {name}, and {} is for {platform}", document.file.name);
                let diagnostic = Diagnostic::new(Code::OutOfStep, Place::default(), message, "").help(help);
                vec![Finding { diagnostic, spot: Spot::new(&file, None), related: None }]
            }
        };
        if findings.is_empty() {
            outcome.out += &format!("{name} is in step with {}\n", document.file.name);
        } else {
            outcome.exit = Exit::Mistakes;
            outcome.out += &format!("{}{} in {name}: {help}\n", render::text(&findings), count(&findings));
        }
    }
    outcome
}

fn write(folder: &Path, plan: &Plan<'_>, manifests: Vec<Manifest<'_>>) -> Outcome {
    let mut out = String::new();
    let mut all = Changes::default();
    for Manifest { name, platform, before } in manifests {
        let edited = match platform {
            Platform::Cloudflare => wrangler::edit(plan, before.as_ref()),
            Platform::Spin => spin::edit(plan, before.as_ref()),
        };
        let (text, changes) = match edited {
            Ok(edited) => edited,
            Err(message) => return Outcome::usage(format!("{name}: {message}")),
        };
        // Lines end as they did before: the editor of TOML knows one way only.
        let windows = before.as_ref().is_some_and(|input| input.file.text.contains("\r\n"));
        let text = if windows { text.replace("\r\n", "\n").replace('\n', "\r\n") } else { text };
        let unchanged = before.as_ref().is_some_and(|input| input.file.text == text);
        if !unchanged && let Err(error) = std::fs::write(folder.join(name), &text) {
            return Outcome::usage(format!("{name} cannot be written: {error}"));
        }
        out += &told(name, before.is_none(), unchanged, &changes);
        all.declared.extend(changes.declared);
        all.written.extend(changes.written);
    }
    out += &plan.next_steps(&all);
    Outcome::fine(out)
}

/// The bindings that a manifest does not have, or has otherwise.
fn changed<'a>(plan: &'a Plan<'_>, before: Option<&Input>) -> impl Iterator<Item = &'a (String, Node)> {
    let sections = before.map(|input| input.sections.clone()).unwrap_or_default();
    let same = move |binding: &str, node: &Node| {
        sections.bindings().into_iter().any(|(there, value)| there == binding && *value == node.value())
    };
    plan.bindings.iter().filter(move |(binding, node)| !same(binding, node))
}

/// The names of edgate's bindings in a manifest that the document has no section for.
fn superfluous(plan: &Plan<'_>, before: Option<&Input>) -> Vec<String> {
    let bindings = before.and_then(|input| input.scope.as_ref()).and_then(|scope| scope.bindings.as_ref());
    let names = bindings.iter().flat_map(|entry| entry.value.entries()).map(|entry| entry.key.clone());
    let planned = |name: &String| plan.bindings.iter().any(|(binding, _)| binding == name);
    names.filter(|name| section_of(name).is_some() && !planned(name)).collect()
}

/// What was done to one manifest, in words.
fn told(name: &str, new: bool, unchanged: bool, changes: &Changes) -> String {
    let parts = [
        ("wrote", &changes.written),
        ("removed", &changes.removed),
        ("declared", &changes.declared),
        ("no longer declared", &changes.undeclared),
    ];
    let words: Vec<String> = parts
        .into_iter()
        .filter(|(_, what)| !what.is_empty())
        .map(|(verb, what)| format!("{verb} {}", what.join(", ")))
        .collect();
    let what = if unchanged || words.is_empty() { "already in step".to_owned() } else { words.join("; ") };
    let made = if new { " (new)" } else { "" };
    let notes: String = changes.notes.iter().map(|note| format!("  {note}\n")).collect();
    format!("{name}{made}: {what}\n{notes}")
}
