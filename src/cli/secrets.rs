//! The secrets of a configuration on this machine: those of `.dev.vars`, where `wrangler dev` keeps them too, and
//! something that looks like none for the others.

use crate::gateway::Gateway;
use crate::secret::SecretSlot;
use std::collections::BTreeMap;
use std::path::Path;

/// The file of `wrangler dev`.
pub const FILE: &str = ".dev.vars";

/// Fills in every secret. What is not known is `***`, as often as it takes: the names of those are given back.
pub fn fill(folder: &Path, gateway: &Gateway) -> Vec<String> {
    let known = read(folder);
    let mut missing = Vec::new();
    for slot in gateway.secrets().into_iter().filter(|slot| !slot.is_filled()) {
        if known.get(&slot.name).is_none_or(|secret| slot.fill(secret.clone()).is_err()) {
            unknown(slot);
            missing.push(slot.name.clone());
        }
    }
    missing
}

/// What has to be long is longer than what is shown. A private key cannot be made up: whatever needs one says so.
fn unknown(slot: &SecretSlot) {
    let _filled = slot.fill("***".to_owned()).or_else(|_| slot.fill("*".repeat(64)));
}

/// `NAME=value` on each line; quotes around the value are taken away.
fn read(folder: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    let pairs = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let pairs = pairs.filter_map(|line| line.trim_start_matches("export ").split_once('='));
    pairs
        .map(|(name, value)| {
            let value = value.trim();
            let quoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
            (name.trim().to_owned(), quoted.unwrap_or(value).to_owned())
        })
        .collect()
}
