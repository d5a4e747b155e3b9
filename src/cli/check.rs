//! `edgate check`: every mistake of a configuration, in one run.

use super::configuration::{self, Configuration, targets};
use super::finding::{Finding, sort};
use super::input::{self, Failure, Input, Kind};
use super::manifest::Choice;
use super::needs::Needs;
use super::render::{count, plural};
use super::step::{Side, differences};
use super::{Exit, Format, Outcome, declared, render, variables};
use crate::config::Platform;
use crate::config::diagnostic::Code;
use std::path::Path;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A document, in TOML or JSON, wrangler.toml or spin.toml. All of edgate.toml, wrangler.toml and spin.toml that
    /// are in this folder, and whether they say the same, when not given.
    pub file: Option<String>,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Fail on warnings too.
    #[arg(long)]
    pub deny_warnings: bool,
    #[command(flatten)]
    pub choice: Choice,
}

pub const EXAMPLES: &str = "\
Examples:
  edgate check                                all that is in this folder
  edgate check edgate.toml                    this file alone
  edgate check wrangler.toml --env staging    the variables of [env.staging]
  edgate check --format json --deny-warnings  for machines, and strict

Exit status: 0 when the configuration can serve, 1 when it has errors (or warnings, with
--deny-warnings), 2 when the command was wrong or a file cannot be read.";

/// A file, and what was found in it.
struct Checked {
    name: String,
    input: Option<Input>,
    configuration: Option<Configuration>,
    findings: Vec<Finding>,
}

pub fn run(folder: &Path, arguments: &Arguments) -> Outcome {
    let names: Vec<&str> = match &arguments.file {
        Some(file) => vec![file],
        None => super::FILES.into_iter().filter(|name| folder.join(name).exists()).collect(),
    };
    if names.is_empty() {
        return Outcome::usage(format!("there is no {} in this folder", super::FILES.join(", ")));
    }
    let mut report = Report { files: Vec::new(), notes: Vec::new() };
    for name in names {
        match input::read(folder, name, &arguments.choice) {
            Err(Failure::Usage(message)) => return Outcome::usage(message),
            Err(Failure::Found(finding)) => report.files.push(Checked {
                name: name.to_owned(),
                input: None,
                configuration: None,
                findings: vec![*finding],
            }),
            Ok(input) => report.add(input),
        }
    }
    report.hold_against_each_other();
    report.outcome(arguments)
}

struct Report {
    files: Vec<Checked>,
    notes: Vec<String>,
}

impl Report {
    /// Checks one file, unless the document before it is not for its platform.
    fn add(&mut self, input: Input) {
        let document =
            self.files.iter().find_map(|file| file.input.as_ref().filter(|input| input.kind == Kind::Document));
        if let (Some(document), Some(platform)) = (document, input.kind.platform())
            && !targets(&document.sections).contains(&platform)
        {
            let note = format!("{} is left out: {} is not for {platform}", input.file.name, document.file.name);
            self.notes.push(note);
            return;
        }
        let mut configuration = configuration::load(&input);
        let mut findings = std::mem::take(&mut configuration.findings);
        findings.extend(declared::missing(&input, &input, &Needs::of(&input.sections)));
        let for_workers = match input.kind {
            Kind::Wrangler => true,
            Kind::Document => targets(&input.sections).contains(&Platform::Cloudflare),
            Kind::Stored | Kind::Spin => false,
        };
        if for_workers {
            findings.extend(variables::exceeded(&input, &configuration));
        }
        sort(&mut findings);
        let name = input.file.name.clone();
        self.files.push(Checked { name, input: Some(input), configuration: Some(configuration), findings });
    }

    /// Whether the manifests say what the document does, or, without one, the same.
    fn hold_against_each_other(&mut self) {
        let Some((first, others)) = self.files.split_first_mut() else { return };
        let (Some(input), Some(configuration)) = (&first.input, &first.configuration) else { return };
        let wanted = Side { input, bindings: &configuration.parts.bindings };
        let (help, agreed) = match input.kind {
            Kind::Document => ("run `edgate bind`", format!("says what {} does", first.name)),
            _ => ("write the sections into a document, and run `edgate bind`", format!("agrees with {}", first.name)),
        };
        for other in others {
            let Some(found) = &other.input else { continue };
            let different = differences(&wanted, &Side { input: found, bindings: &found.sections }, help);
            let in_step = different.is_empty();
            other.findings.extend(different);
            // What is in a store needs things too, and no manifest has it.
            if let Some(stored) = &configuration.parts.stored {
                other.findings.extend(declared::missing(found, input, &Needs::of(stored)));
            }
            sort(&mut other.findings);
            if in_step && !other.findings.iter().any(Finding::is_error) {
                self.notes.push(format!("{} {agreed}", other.name));
            }
        }
    }

    fn outcome(&self, arguments: &Arguments) -> Outcome {
        let all: Vec<Finding> = self.files.iter().flat_map(|file| file.findings.iter().cloned()).collect();
        let out = match arguments.format {
            Format::Json => render::json(&all),
            Format::Text => {
                let files = self.files.iter().map(|file| render::text(&file.findings) + &file.summary(arguments));
                let notes = self.notes.iter().map(|note| format!("{note}\n"));
                files.chain(notes).collect()
            }
        };
        let fails = |finding: &Finding| finding.is_error() || arguments.deny_warnings;
        let exit = if all.iter().any(|finding| finding.diagnostic.code == Code::Unreadable) {
            Exit::Usage
        } else if all.iter().any(fails) {
            Exit::Mistakes
        } else {
            Exit::Fine
        };
        Outcome { exit, out, err: String::new() }
    }
}

impl Checked {
    fn summary(&self, arguments: &Arguments) -> String {
        let name = &self.name;
        let warnings = !self.findings.is_empty();
        if self.findings.iter().any(Finding::is_error) || (warnings && arguments.deny_warnings) {
            return format!("{} in {name}\n", count(&self.findings));
        }
        let contents = self.contents();
        if warnings {
            return format!("{name} can serve, with {}: {contents}\n", count(&self.findings));
        }
        format!("{name} is fine: {contents}\n")
    }

    /// `7 routes, 3 upstreams, for Cloudflare Workers and Spin`.
    fn contents(&self) -> String {
        let (Some(input), Some(configuration)) = (&self.input, &self.configuration) else { return String::new() };
        let platforms: Vec<String> = match input.kind.platform() {
            Some(platform) => vec![platform.to_string()],
            None => targets(&input.sections).iter().map(Platform::to_string).collect(),
        };
        let sections = configuration.sections();
        let counts = match sections.routes.len() {
            0 => "the configuration is in a key-value store".to_owned(),
            routes => format!("{}, {}", plural(routes, "route"), plural(sections.upstreams.len(), "upstream")),
        };
        // Most configurations know nobody, and many have no limits.
        let known = [
            (sections.issuers.len(), "issuer"),
            (sections.consumers.len(), "consumer"),
            (sections.limits.len(), "limit"),
        ];
        let known = known.into_iter().filter(|(count, _)| *count > 0);
        let known: String = known.map(|(count, what)| format!(", {}", plural(count, what))).collect();
        format!("{counts}{known}, for {}", platforms.join(" and "))
    }
}
