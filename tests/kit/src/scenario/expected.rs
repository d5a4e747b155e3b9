//! What a scenario expects. How it is compared with what happened stands in `compare`.

use super::content::OneOrMany;
use super::counters::ExpectedCount;
use super::json_of;
use crate::units;
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What an upstream must see. All of it is optional.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectedRequest {
    pub method: Option<String>,
    /// As it stands in the request line.
    pub target: Option<String>,
    pub headers: BTreeMap<String, ExpectedField>,
    /// Fields that must not be there.
    pub absent: Vec<String>,
    pub body: Option<ExpectedBody>,
    /// In bytes.
    pub body_size: Option<u64>,
}

impl ExpectedRequest {
    /// Whether anything will do.
    pub fn is_empty(&self) -> bool {
        let fields = self.headers.is_empty() && self.absent.is_empty();
        fields && self.method.is_none() && self.target.is_none() && self.body.is_none() && self.body_size.is_none()
    }
}

/// What the client must see. Unless it says otherwise, the response must be complete.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectedResponse {
    pub status: Option<u16>,
    /// Of requests that were sent at the same time: how many answers there are of each status, and of no other.
    pub statuses: BTreeMap<String, ExpectedCount>,
    pub headers: BTreeMap<String, ExpectedField>,
    /// Fields that must not be there.
    pub absent: Vec<String>,
    pub body: Option<ExpectedBody>,
    pub trailers: BTreeMap<String, ExpectedField>,
    /// The client must see that the body is not complete.
    pub truncated: bool,
    /// The body must begin to arrive well before it ends.
    pub first_byte_before_end: bool,
    /// The text that must come back over the WebSocket.
    pub websocket: Option<String>,
}

/// The values of a field: `"exact"`, `["several", "in order"]`, `{ matches = "regex" }`, or a token that somebody else
/// signs: `{ jwt = { key = "{jwk:NAME}", header = {..}, claims = {..} } }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "FieldForm")]
pub enum ExpectedField {
    Values(Vec<String>),
    Matches(Pattern),
    Jwt(ExpectedToken),
}

/// A token: its signature must hold with a key, and its parts must have these members.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedToken {
    /// A JSON Web Key: a public one, or a secret (`{private:NAME}`).
    #[serde(deserialize_with = "super::content::json")]
    pub key: Value,
    #[serde(default)]
    pub header: ExpectedJson,
    #[serde(default)]
    pub claims: ExpectedJson,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "an expected field is a text, a list of texts, { matches = \"regex\" } or { jwt = { key = .. } }"
)]
enum FieldForm {
    Values(OneOrMany),
    Matches(MatchesTable),
    Jwt { jwt: ExpectedToken },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MatchesTable {
    matches: String,
}

impl TryFrom<FieldForm> for ExpectedField {
    type Error = String;

    fn try_from(form: FieldForm) -> Result<ExpectedField, String> {
        match form {
            FieldForm::Values(values) => Ok(ExpectedField::Values(values.into())),
            FieldForm::Matches(table) => pattern(&table.matches).map(ExpectedField::Matches),
            FieldForm::Jwt { jwt } => Ok(ExpectedField::Jwt(jwt)),
        }
    }
}

/// A body: `"exact"`, `{ json = {..} }`, `{ contains = ".." }`, `{ matches = "regex" }` or `{ size = "200 MB" }`, which
/// is the generated body of that size.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "BodyForm")]
pub enum ExpectedBody {
    Exact(String),
    Json(Value),
    Contains(String),
    Matches(Pattern),
    Generated(u64),
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "an expected body is a text, or a table with one of `json`, `contains`, `matches`, `size`"
)]
enum BodyForm {
    Text(String),
    Table(BodyTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BodyTable {
    json: Option<toml::Value>,
    contains: Option<String>,
    matches: Option<String>,
    size: Option<String>,
}

impl TryFrom<BodyForm> for ExpectedBody {
    type Error = String;

    fn try_from(form: BodyForm) -> Result<ExpectedBody, String> {
        let table = match form {
            BodyForm::Text(text) => return Ok(ExpectedBody::Exact(text)),
            BodyForm::Table(table) => table,
        };
        match (table.json, table.contains, table.matches, table.size) {
            (Some(json), None, None, None) => Ok(ExpectedBody::Json(json_of(json))),
            (None, Some(part), None, None) => Ok(ExpectedBody::Contains(part)),
            (None, None, Some(regex), None) => pattern(&regex).map(ExpectedBody::Matches),
            (None, None, None, Some(size)) => units::size(&size).map(ExpectedBody::Generated),
            _ => Err("an expected body needs exactly one of `json`, `contains`, `matches`, `size`".to_owned()),
        }
    }
}

/// A part of the access record, or of another JSON object: exact values, tables of them, `{ matches = "regex" }`, and in any table `absent`, a
/// list of members that must not be there.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct ExpectedJson(pub Value);

impl Default for ExpectedJson {
    fn default() -> ExpectedJson {
        ExpectedJson(Value::Object(serde_json::Map::new()))
    }
}

impl TryFrom<toml::Table> for ExpectedJson {
    type Error = String;

    fn try_from(table: toml::Table) -> Result<ExpectedJson, String> {
        let record = json_of(toml::Value::Table(table));
        check_patterns(&record)?;
        Ok(ExpectedJson(record))
    }
}

/// The regular expression in `{ matches = "regex" }`.
pub fn matches_of(value: &Value) -> Option<&str> {
    value.as_object().filter(|table| table.len() == 1)?.get("matches")?.as_str()
}

fn check_patterns(value: &Value) -> Result<(), String> {
    if let Some(regex) = matches_of(value) {
        return pattern(regex).map(|_| ());
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(check_patterns),
        Value::Object(table) => table.values().try_for_each(check_patterns),
        _ => Ok(()),
    }
}

/// A regular expression that must be found somewhere in the text.
pub type Pattern = Regex;

fn pattern(text: &str) -> Result<Pattern, String> {
    Regex::new(text).map_err(|error| error.to_string())
}
