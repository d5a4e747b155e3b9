//! `edgate key new`: a new API key, shown once, and the entry for the configuration or for a key-value store.

use crate::api_key::entry::{self, Entry, rfc3339};
use crate::api_key::{self, hex};
use crate::cli::pairs::{self, Pair};
use crate::cli::world::World;
use crate::cli::{Outcome, moment};
use crate::config::document::is_name;
use std::path::Path;
use toml_edit::{Array, InlineTable, Value};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Whose key it is.
    pub consumer: Option<String>,
    /// When it ends: a time in UTC, or how long from now. Never when not given.
    #[arg(long, value_name = "TIME")]
    pub expires: Option<String>,
    /// A group that the consumer is in.
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// Make an entry for a key-value store rather than for the configuration. The store's name is as `api_keys.store`
    /// has it, and KEYS when not given.
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "KEYS")]
    pub store: Option<String>,
    /// Write the entry for the store into a file, for `wrangler kv bulk put`.
    #[arg(long, value_name = "FILE", requires = "store")]
    pub out: Option<String>,
}

pub const EXAMPLES: &str = "\
Examples:
  edgate key new acme
  edgate key new acme --expires 90d
  edgate key new acme --expires 2027-01-01 --group paying --store=KEYS --out key.json

The key is printed once, and kept nowhere: what edgate knows is its SHA-256. While one key replaces
another, a consumer has both.

Spin has no command for stores wherever it runs: `spin up --key-value` writes into the store
`default` when it starts, Fermyon Cloud has `spin cloud key-value set`, and elsewhere there are the
tools of what is behind the store, or the component spin-kv-explorer.";

pub fn run(folder: &Path, world: &World, arguments: &Arguments) -> Outcome {
    make(folder, world, arguments).unwrap_or_else(|outcome| outcome)
}

fn make(folder: &Path, world: &World, arguments: &Arguments) -> Result<Outcome, Outcome> {
    let entry = entry(world, arguments).map_err(Outcome::usage)?;
    let key = api_key::make((world.random)().map_err(Outcome::usage)?);
    let hash = api_key::hash(&key).ok_or_else(|| Outcome::usage("there is no key"))?;
    let rest = match &arguments.store {
        Some(store) => stored(folder, arguments, store, &hash, &entry)?,
        None => format!("Into the configuration, beside the keys that are there:\n\n{}", section(&hash, &entry)),
    };
    Ok(Outcome::fine(format!("{key}\n\nThis is the key. It is shown once, and kept nowhere.\n\n{rest}")))
}

fn entry(world: &World, arguments: &Arguments) -> Result<Entry, String> {
    let consumer = arguments.consumer.clone().unwrap_or_default();
    if arguments.consumer.is_some() && !is_name(&consumer) {
        return Err(format!("{consumer:?} is no name of a consumer: small letters and digits, joined by hyphens"));
    }
    if consumer.is_empty() && arguments.store.is_some() {
        return Err("an entry of a store says whose key it is: name the consumer".to_owned());
    }
    if let Some(group) = arguments.groups.iter().find(|group| group.is_empty() || group.contains(char::is_control)) {
        return Err(format!("{group:?} is no name of a group"));
    }
    let expires = arguments.expires.as_deref().map(|text| moment::to_come(text, (world.now)())).transpose();
    Ok(Entry {
        consumer,
        groups: arguments.groups.clone(),
        expires: expires.map_err(|message| format!("--expires: {message}"))?,
        ..Entry::default()
    })
}

/// The section of the document.
fn section(hash: &[u8; 32], entry: &Entry) -> String {
    let mut key = InlineTable::new();
    key.insert("sha256", hex(hash).into());
    if let Some(expires) = entry.expires {
        key.insert("expires", rfc3339(expires).into());
    }
    let name = if entry.consumer.is_empty() { "NAME" } else { &entry.consumer };
    let mut text = format!("[consumer.{name}]\n");
    if !entry.groups.is_empty() {
        text += &format!("groups = {}\n", entry.groups.iter().collect::<Array>());
    }
    text + &format!("api_keys = {}\n", Array::from_iter([Value::from(key)]))
}

/// The entry of a store, and the ways into it.
fn stored(
    folder: &Path,
    arguments: &Arguments,
    store: &str,
    hash: &[u8; 32],
    entry: &Entry,
) -> Result<String, Outcome> {
    let value = entry.serialise();
    Entry::parse(value.as_bytes()).map_err(|message| Outcome::usage(format!("the entry is too large: {message}")))?;
    let pairs = [Pair { key: entry::key(hash), value, expiration: None }];
    let commands = pairs::commands(&pairs, arguments.out.as_deref(), store);
    match &arguments.out {
        Some(out) => {
            pairs::write(folder, out, &pairs::json(&pairs))?;
            Ok(format!("{out} has its entry.\n\n{commands}"))
        }
        None => Ok(format!("{}\n{commands}", pairs::json(&pairs))),
    }
}
