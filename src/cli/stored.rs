//! `edgate json`: a document as a key-value store holds it.

use super::Outcome;
use super::manifest::Choice;
use std::path::Path;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The document.
    #[arg(default_value = "edgate.toml")]
    pub file: String,
}

pub const EXAMPLES: &str = "\
Examples:
  edgate json > edgate.json
  wrangler kv key put edgate --binding CONFIG --path edgate.json --remote
  spin up --key-value edgate=\"$(edgate json)\"

`gateway.source`, which says where the document is, is left out of it.";

pub fn run(folder: &Path, arguments: &Arguments) -> Outcome {
    let (input, configuration) = match super::sound(folder, Some(&arguments.file), &Choice::default()) {
        Ok(read) => read,
        Err(outcome) => return outcome,
    };
    match (&configuration.parts.stored, configuration.gateway) {
        (Some(stored), _) => Outcome::fine(format!("{}\n", stored.to_document())),
        (None, Some(_)) => Outcome::fine(format!("{}\n", input.sections.to_document())),
        (None, None) => Outcome::usage(format!("{} only says which store the configuration is in", input.file.name)),
    }
}
