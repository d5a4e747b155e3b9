//! What an upstream answers, and how it misbehaves.

use super::content::{Content, ContentTable, FieldsForm, NOTHING};
use crate::units;
use anyhow::{Result, ensure};
use serde::Deserialize;
use std::time::Duration;

/// An upstream's answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Answer {
    pub status: u16,
    pub headers: FieldsForm,
    pub body: AnswerBody,
    /// Sent after the body, which is then chunked.
    pub trailers: FieldsForm,
    /// How long the head takes.
    #[serde(deserialize_with = "units::optional_duration")]
    pub delay: Option<Duration>,
    pub fault: Option<Fault>,
    /// Accepts the WebSocket and sends every message back.
    pub websocket: bool,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Nothing listens at the address, during the whole exchange.
    Refuse,
    /// The request is read and the connection closed.
    Close,
    /// The request is read and the connection reset.
    Reset,
    /// The request is read, and nothing follows.
    Hang,
    /// What follows is no status line.
    BadStatusLine,
    /// The head holds a field of 1 MB.
    HugeHeader,
    /// `Content-Length` says ten bytes more than there are; then the connection is closed.
    Short,
    /// The chunks come, but instead of the last one the connection is reset.
    ResetMidBody,
}

/// The body of an answer: `"text"`, `{ text = ".." }`, `{ json = {..} }`, `{ size = "200 MB" }`, or
/// `{ chunks = ["a", "b"], every = "50ms" }`, which is sent in the chunked coding, one chunk at a time, with a pause
/// after each.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "AnswerBodyForm")]
pub enum AnswerBody {
    Whole(Content),
    Chunks { chunks: Vec<String>, every: Duration },
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a body is a text, or a table with one of `text`, `json`, `size`, `chunks` (and `every`)"
)]
enum AnswerBodyForm {
    Text(String),
    Chunks(ChunksTable),
    Table(ContentTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChunksTable {
    chunks: Vec<String>,
    #[serde(default, deserialize_with = "units::optional_duration")]
    every: Option<Duration>,
}

impl TryFrom<AnswerBodyForm> for AnswerBody {
    type Error = String;

    fn try_from(form: AnswerBodyForm) -> Result<AnswerBody, String> {
        Ok(match form {
            AnswerBodyForm::Text(text) => AnswerBody::Whole(Content::Bytes(text.into_bytes())),
            AnswerBodyForm::Table(table) => AnswerBody::Whole(table.try_into()?),
            AnswerBodyForm::Chunks(ChunksTable { chunks, every }) => {
                AnswerBody::Chunks { chunks, every: every.unwrap_or_default() }
            }
        })
    }
}

impl Default for Answer {
    fn default() -> Answer {
        Answer {
            status: 200,
            headers: FieldsForm::default(),
            body: AnswerBody::default(),
            trailers: FieldsForm::default(),
            delay: None,
            fault: None,
            websocket: false,
        }
    }
}

impl Default for AnswerBody {
    fn default() -> AnswerBody {
        AnswerBody::Whole(NOTHING.clone())
    }
}

impl Answer {
    /// Whether the body is sent in the chunked coding.
    pub fn is_chunked(&self) -> bool {
        matches!(self.body, AnswerBody::Chunks { .. }) || !self.trailers.0.is_empty()
    }

    /// All its fields as they are sent: the given ones, and those that frame the body. A length that the scenario
    /// states itself is left alone.
    pub fn fields(&self) -> Vec<(String, String)> {
        let mut fields = self.headers.0.clone();
        let framed = |name: &str| name == "content-length" || name == "transfer-encoding";
        // RFC 9112, 6.3: an answer of these statuses ends with its head.
        let bodiless = self.status < 200 || self.status == 204 || self.status == 304;
        if bodiless || fields.iter().any(|(name, _)| framed(&name.to_ascii_lowercase())) {
            return fields;
        }
        let more = if self.fault == Some(Fault::Short) { 10 } else { 0 };
        match &self.body {
            AnswerBody::Whole(content) if !self.is_chunked() => {
                fields.push(("content-length".to_owned(), (content.length() + more).to_string()));
            }
            _ => fields.push(("transfer-encoding".to_owned(), "chunked".to_owned())),
        }
        fields
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.fault == Some(Fault::Short) {
            ensure!(!self.is_chunked(), "a chunked body cannot be `short`: there is `reset-mid-body`");
        }
        if self.fault == Some(Fault::ResetMidBody) {
            ensure!(self.is_chunked(), "`reset-mid-body` needs a body of chunks");
        }
        ensure!((200..600).contains(&self.status), "status {} is none of a final answer", self.status);
        Ok(())
    }
}
