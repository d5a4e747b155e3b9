//! What scenarios send and store: fields, bodies, values. `{ size = "200 MB" }` is a body that is generated while it is
//! sent and checked while it is received, so that neither end keeps it.

use super::json_of;
use crate::seen::{Fields, PIECE, generated};
use crate::units;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;

/// The bytes of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Bytes(Vec<u8>),
    /// So many bytes of the text that [`generated`] gives.
    Generated(u64),
}

/// No bytes.
pub static NOTHING: Content = Content::Bytes(Vec::new());

impl Content {
    /// In bytes.
    pub fn length(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Generated(length) => *length,
        }
    }

    /// The block that begins at `offset`; `None` at the end.
    pub fn block(&self, offset: u64) -> Option<&[u8]> {
        let rest = self.length().checked_sub(offset).filter(|rest| *rest > 0)?;
        let length = usize::try_from(rest).unwrap_or(PIECE).min(PIECE);
        match self {
            Content::Bytes(bytes) => bytes.get(usize::try_from(offset).ok()?..)?.get(..length),
            Content::Generated(_) => Some(generated(offset, length)),
        }
    }
}

/// A client's body: `"text"`, `{ text = ".." }`, `{ json = {..} }` or `{ size = "200 MB" }`, each table with
/// `chunked = true` where it is sent in chunks of unannounced total length.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RequestBodyForm")]
pub struct RequestBody {
    pub content: Content,
    pub chunked: bool,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a body is a text, or a table with one of `text`, `json`, `size`, and `chunked`")]
enum RequestBodyForm {
    Text(String),
    Table(RequestBodyTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestBodyTable {
    text: Option<String>,
    json: Option<toml::Value>,
    size: Option<String>,
    #[serde(default)]
    chunked: bool,
}

/// The keys that say what a body contains: exactly one of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContentTable {
    text: Option<String>,
    json: Option<toml::Value>,
    size: Option<String>,
}

impl TryFrom<ContentTable> for Content {
    type Error = String;

    fn try_from(table: ContentTable) -> Result<Content, String> {
        match (table.text, table.json, table.size) {
            (Some(text), None, None) => Ok(Content::Bytes(text.into_bytes())),
            (None, Some(json), None) => Ok(Content::Bytes(json_of(json).to_string().into_bytes())),
            (None, None, Some(size)) => units::size(&size).map(Content::Generated),
            _ => Err("a body needs exactly one of `text`, `json`, `size`".to_owned()),
        }
    }
}

impl TryFrom<RequestBodyForm> for RequestBody {
    type Error = String;

    fn try_from(form: RequestBodyForm) -> Result<RequestBody, String> {
        match form {
            RequestBodyForm::Text(text) => {
                Ok(RequestBody { content: Content::Bytes(text.into_bytes()), chunked: false })
            }
            RequestBodyForm::Table(RequestBodyTable { text, json, size, chunked }) => {
                Ok(RequestBody { content: ContentTable { text, json, size }.try_into()?, chunked })
            }
        }
    }
}

/// Fields that are sent, in alphabetical order: `{ a = "b", c = ["d", "e"] }`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "BTreeMap<String, OneOrMany>")]
pub struct FieldsForm(pub Fields);

/// `"a"` or `["a", "b"]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a text or a list of texts is wanted")]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Vec<String> {
    fn from(form: OneOrMany) -> Vec<String> {
        match form {
            OneOrMany::One(value) => vec![value],
            OneOrMany::Many(values) => values,
        }
    }
}

impl From<BTreeMap<String, OneOrMany>> for FieldsForm {
    fn from(table: BTreeMap<String, OneOrMany>) -> FieldsForm {
        let lines =
            |(name, values): (String, OneOrMany)| Vec::from(values).into_iter().map(move |value| (name.clone(), value));
        FieldsForm(table.into_iter().flat_map(lines).collect())
    }
}

/// A value of a key-value store: a text, or a table or an array, which are stored as JSON text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub struct Stored(pub String);

impl TryFrom<toml::Value> for Stored {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Stored, String> {
        match value {
            toml::Value::String(text) => Ok(Stored(text)),
            toml::Value::Table(_) | toml::Value::Array(_) => Ok(Stored(json_of(value).to_string())),
            other => Err(format!("a stored value is a text, a table or an array, not {}", other.type_str())),
        }
    }
}

/// For fields that hold one text or several.
pub(super) fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    OneOrMany::deserialize(deserializer).map(Vec::from)
}

/// For fields that hold any TOML, read as the JSON it means.
pub(super) fn json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    toml::Value::deserialize(deserializer).map(json_of)
}
