//! `edgate key check`: whether a text can be an API key of edgate's, and its hash.

use crate::api_key::{self, entry, hex};
use crate::cli::{Exit, Outcome};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The key.
    pub key: String,
}

pub const EXAMPLES: &str = "\
Examples:
  edgate key check \"$KEY\"

A key of edgate's has a checksum, so a typo is found here. Whether a consumer has the key, only the
configuration and the store know: look for the hash. Keys that edgate did not make need
`api_keys.imported`.

Exit status: 0 when edgate can have made the key, 1 when not.";

pub fn run(arguments: &Arguments) -> Outcome {
    let text = &arguments.key;
    let Some(hash) = api_key::hash(text) else {
        return Outcome::usage(format!("a key has 1 to {} bytes, and this has {}", api_key::MOST, text.len()));
    };
    let known = format!("sha256 = \"{}\"\nkey in a store: {}\n", hex(&hash), entry::key(&hash));
    match api_key::check(text) {
        Ok(()) => Outcome::fine(format!("edgate can have made this key\n{known}")),
        Err(typo) => Outcome {
            exit: Exit::Mistakes,
            out: format!("edgate did not make this key: {typo}\n{known}"),
            err: String::new(),
        },
    }
}
