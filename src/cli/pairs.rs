//! What goes into a key-value store, as JSON that `wrangler kv bulk put` reads, and how it gets there.

use super::Outcome;
use serde::Serialize;
use std::path::Path;

/// A key with its value.
#[derive(Debug, Serialize)]
pub struct Pair {
    pub key: String,
    pub value: String,
    /// When the store may forget it, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration: Option<u64>,
}

/// How much is shown as one command, in bytes. Linux takes 128 KiB, and nobody reads so much.
const ON_A_LINE: usize = 10_000;

/// The JSON.
pub fn json(pairs: &[Pair]) -> String {
    serde_json::to_string_pretty(pairs).map(|text| text + "\n").unwrap_or_default()
}

/// Writes a file in the place of the one before, which is there as a whole until this one is.
pub fn write(folder: &Path, name: &str, text: &str) -> Result<(), Outcome> {
    let beside = folder.join(format!("{name}.new"));
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, folder.join(name)));
    written.map_err(|error| Outcome::usage(format!("{name} cannot be written: {error}")))
}

/// What puts pairs into a store, for both platforms. Workers takes the file that has them, or one pair alone.
pub fn commands(pairs: &[Pair], file: Option<&str>, store: &str) -> String {
    let mut text = format!("Into the store `{store}`, on Workers:\n");
    match (file, pairs) {
        (None, [Pair { key, value, .. }]) => {
            text += &format!("  wrangler kv key put {} {} --binding {store} --remote\n", quoted(key), quoted(value));
        }
        (file, _) => {
            let file = file.map_or_else(|| "pairs.json".to_owned(), quoted);
            text += &format!("  wrangler kv bulk put {file} --binding {store} --remote\n");
        }
    }
    let size: usize = pairs.iter().map(|pair| pair.value.len()).sum();
    if store == "default" && size <= ON_A_LINE {
        text += "On Spin, when it starts on this machine:\n  spin up";
        for Pair { key, value, .. } in pairs {
            text += &format!(" --key-value {}", quoted(&format!("{key}={value}")));
        }
        text.push('\n');
    } else {
        text += &format!("On Spin, set the same in the store that the runtime configuration calls `{store}`.\n");
    }
    text
}

/// A word for a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_they_must_be() {
        assert_eq!(quoted("edgate.key.00"), "edgate.key.00");
        assert_eq!(quoted(r#"{"a":"it's"}"#), r#"'{"a":"it'\''s"}'"#);
        assert_eq!(quoted(""), "''");
    }
}
