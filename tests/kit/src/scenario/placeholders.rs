//! Placeholders: `{KIND:ARGUMENT}` in any string of a scenario. This finds them and puts in what they mean;
//! [`super::scene`] knows that.

use anyhow::{Context, Result, ensure};
use regex::{Captures, Regex};
use std::sync::LazyLock;
use toml::Value;

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The address of an upstream; filled in by [`super::addresses`].
    Address,
    /// A token, by its name.
    Token,
    /// A proof of possession, by its name.
    Proof,
    /// A set of public keys, by their names with commas between them.
    Jwks,
    /// A public key as a JSON Web Key.
    Jwk,
    /// A private one, or a secret.
    Private,
    /// A public key as PEM.
    Pem,
    /// A key's thumbprint (RFC 7638).
    Thumbprint,
    /// What an exchange before has captured.
    Captured,
    /// Seconds since 1970 (NumericDate, RFC 7519): `{time:+10m}`.
    Time,
    /// A time as RFC 3339 has it: `{date:+10m}`.
    Date,
    /// The SHA-256 of the text, in hexadecimal.
    Sha256,
    /// The text in base64.
    Base64,
    /// The text in base64url, without padding.
    Base64Url,
    /// A `Content-Digest` of the text.
    ContentDigest,
}

const KINDS: [(&str, Kind); 15] = [
    ("address", Kind::Address),
    ("token", Kind::Token),
    ("proof", Kind::Proof),
    ("jwks", Kind::Jwks),
    ("jwk", Kind::Jwk),
    ("private", Kind::Private),
    ("pem", Kind::Pem),
    ("thumbprint", Kind::Thumbprint),
    ("captured", Kind::Captured),
    ("time", Kind::Time),
    ("date", Kind::Date),
    ("sha256", Kind::Sha256),
    ("base64", Kind::Base64),
    ("base64url", Kind::Base64Url),
    ("content-digest", Kind::ContentDigest),
];

/// Keys whose values are read as JSON: a string there that is nothing but a placeholder may become an object or a
/// number.
const JSON: [&str; 9] = ["config", "json", "claims", "header", "members", "log", "events", "stored", "jwt"];

/// An innermost placeholder.
static PLACEHOLDER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\{([a-z][a-z0-9-]*):([^{}]*)\}").expect("the expression is valid"));

/// How deep placeholders stand inside others, at most.
const DEEPEST: usize = 8;

/// What placeholders mean.
pub(super) trait Meanings {
    /// What stands in place of a placeholder: text, or where it is alone and JSON is read, any value.
    fn of(&self, kind: Kind, argument: &str) -> Result<Value>;
}

/// Calls `see` with every placeholder of a value: what it stands for, if that is known, and its argument.
pub(super) fn each(value: &Value, see: &mut impl FnMut(&str, Option<Kind>, &str) -> Result<()>) -> Result<()> {
    match value {
        Value::String(text) => {
            PLACEHOLDER.captures_iter(text).try_for_each(|found| see(&found[0], kind(&found[1]), &found[2]))
        }
        Value::Array(items) => items.iter().try_for_each(|item| each(item, see)),
        Value::Table(table) => table.values().try_for_each(|value| each(value, see)),
        _ => Ok(()),
    }
}

/// Fills in all placeholders of a value that stands at a key.
pub(super) fn fill(key: &str, value: &mut Value, meanings: &impl Meanings) -> Result<()> {
    fill_in(value, JSON.contains(&key), meanings).with_context(|| format!("`{key}`"))
}

fn fill_in(value: &mut Value, json: bool, meanings: &impl Meanings) -> Result<()> {
    match value {
        Value::String(text) if json => *value = value_of(text, meanings)?,
        Value::String(text) => *text = text_of(text, meanings)?,
        Value::Array(items) => items.iter_mut().try_for_each(|item| fill_in(item, json, meanings))?,
        Value::Table(table) => table
            .iter_mut()
            .try_for_each(|(key, value)| fill_in(value, json || JSON.contains(&key.as_str()), meanings))?,
        _ => {}
    }
    Ok(())
}

/// A text with its placeholders filled in.
pub(super) fn text_of(text: &str, meanings: &impl Meanings) -> Result<String> {
    let mut text = text.to_owned();
    for _ in 0..DEEPEST {
        let mut failed = None;
        let mut found_one = false;
        let meaning = |found: &Captures<'_>| match kind(&found[1]) {
            None => found[0].to_owned(),
            Some(kind) => {
                found_one = true;
                match meanings.of(kind, &found[2]) {
                    Ok(value) => written(value),
                    Err(error) => {
                        failed.get_or_insert(error.context(format!("`{}`", &found[0])));
                        String::new()
                    }
                }
            }
        };
        let filled = PLACEHOLDER.replace_all(&text, meaning).into_owned();
        match (failed, found_one) {
            (Some(error), _) => return Err(error),
            (None, true) => text = filled,
            (None, false) => return Ok(filled),
        }
    }
    ensure!(!PLACEHOLDER.is_match(&text), "placeholders stand more than {DEEPEST} deep in `{text}`");
    Ok(text)
}

fn value_of(text: &str, meanings: &impl Meanings) -> Result<Value> {
    let alone = PLACEHOLDER.captures(text).filter(|found| found[0].len() == text.len());
    match alone.as_ref().and_then(|found| Some((kind(&found[1])?, &found[2]))) {
        Some((kind, argument)) => meanings.of(kind, argument).with_context(|| format!("`{text}`")),
        None => text_of(text, meanings).map(Value::String),
    }
}

/// A value as text: JSON, unless it is text already.
fn written(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => super::json_of(other).to_string(),
    }
}

fn kind(name: &str) -> Option<Kind> {
    KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
}
