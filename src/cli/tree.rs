//! A file as a tree of values that know where they stand in it: the one shape that TOML and JSON both become, so that
//! a diagnostic's path can be turned into a place in the file whatever the file is.

pub mod escapes;
pub mod json;
pub mod toml;

use crate::config::diagnostic::{At, Diagnostic, Place, Step};
use serde_json::{Map, Value};
use std::ops::Range;

/// Bytes of a file.
pub type Span = Range<usize>;

/// A value, and where it stands. A TOML table stands where its header is.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub span: Span,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Null, a boolean or a number.
    Scalar(Value),
    Text(Text),
    List(Vec<Node>),
    /// In the order of the file.
    Table(Vec<Entry>),
}

/// A string.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    pub text: String,
    /// Where each byte of it stands, and its end. `None` where nobody knows.
    pub offsets: Option<Vec<usize>>,
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: String,
    pub span: Span,
    pub value: Node,
}

/// Something wrong with a file itself, and where.
#[derive(Debug, Clone)]
pub struct Mistake {
    pub diagnostic: Box<Diagnostic>,
    pub span: Span,
    /// The other place, where two conflict.
    pub related: Option<(Span, String)>,
}

impl Node {
    pub fn table(span: Span, entries: Vec<Entry>) -> Node {
        Node { span, content: Content::Table(entries) }
    }

    /// The entries of a table; none where it is none.
    pub fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Table(entries) => entries,
            _ => &[],
        }
    }

    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The elements of a list; none where it is none.
    pub fn elements(&self) -> &[Node] {
        match &self.content {
            Content::List(elements) => elements,
            _ => &[],
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(&text.text),
            _ => None,
        }
    }

    /// The value without its places.
    pub fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::Text(text) => Value::String(text.text.clone()),
            Content::List(elements) => elements.iter().map(Node::value).collect(),
            Content::Table(entries) => Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.value())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// The value as JSON on one line, its keys in the order of the file.
    pub fn json(&self) -> String {
        let mut json = String::new();
        self.write(&mut json);
        json
    }

    fn write(&self, json: &mut String) {
        match &self.content {
            Content::Scalar(value) => json.push_str(&value.to_string()),
            Content::Text(text) => json.push_str(&Value::from(text.text.as_str()).to_string()),
            Content::List(elements) => {
                json.push('[');
                for (index, element) in elements.iter().enumerate() {
                    json.push_str(if index > 0 { "," } else { "" });
                    element.write(json);
                }
                json.push(']');
            }
            Content::Table(entries) => {
                json.push('{');
                for (index, entry) in entries.iter().enumerate() {
                    json.push_str(if index > 0 { "," } else { "" });
                    json.push_str(&Value::from(entry.key.as_str()).to_string());
                    json.push(':');
                    entry.value.write(json);
                }
                json.push('}');
            }
        }
    }

    /// The value at the end of a path.
    pub fn at(&self, path: &[Step]) -> Option<&Node> {
        path.iter().try_fold(self, |node, step| match step {
            Step::Key(key) => node.get(key),
            Step::Index(index) => node.elements().get(*index),
        })
    }

    /// Whether there is a null anywhere in it, which TOML cannot say.
    pub fn has_null(&self) -> bool {
        match &self.content {
            Content::Scalar(value) => value.is_null(),
            Content::Text(_) => false,
            Content::List(elements) => elements.iter().any(Node::has_null),
            Content::Table(entries) => entries.iter().any(|entry| entry.value.has_null()),
        }
    }

    /// Where a place stands. What is not there stands where the nearest thing around it does; `None` for the whole.
    pub fn locate(&self, place: &Place) -> Option<Span> {
        let mut node = self;
        let mut found = None;
        let mut complete = true;
        for step in &place.path {
            let next = match step {
                Step::Key(key) => node.entry(key).map(|entry| (Some(&entry.span), &entry.value)),
                Step::Index(index) => node.elements().get(*index).map(|element| (None, element)),
            };
            let Some((key, value)) = next else {
                complete = false;
                break;
            };
            node = value;
            found = Some(key.unwrap_or(&value.span).clone());
        }
        if !complete || place.at == At::Key || place.path.is_empty() {
            return found;
        }
        Some(match (&node.content, place.within) {
            (Content::Text(text), Some(within)) => text.part(within).unwrap_or(node.span.clone()),
            _ => node.span.clone(),
        })
    }
}

impl Text {
    /// Where a part of the text stands, given in bytes of it.
    fn part(&self, (start, end): (usize, usize)) -> Option<Span> {
        let offsets = self.offsets.as_ref()?;
        Some(*offsets.get(start)?..*offsets.get(end)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(text: &str, place: Place) -> Option<&str> {
        let (root, _) = toml::parse(text).unwrap();
        root.locate(&place).map(|span| &text[span])
    }

    #[test]
    fn places_are_found_however_the_table_is_written() {
        let path = || Place::of(["route", "a", "match", "path"]);
        for text in [
            "[route.a]\nmatch = { path = \"/x\" }",
            "[route.a.match]\npath = \"/x\"",
            "[route]\na.match.path = \"/x\"",
            "route.a = { match.path = \"/x\" }",
            "[ route . \"a\" ]\nmatch = { \"path\" = \"/x\" }",
        ] {
            assert_eq!(located(text, path()), Some("\"/x\""), "{text}");
            assert_eq!(located(text, path().within(1..2)), Some("x"), "{text}");
            assert_eq!(located(text, path().name()).map(|key| key.trim_matches('"')), Some("path"), "{text}");
        }
    }

    #[test]
    fn what_is_missing_stands_where_its_table_does() {
        let text = "[route.a]\nmatch = { path = [\"/x\", '/y'] }";
        assert_eq!(located(text, Place::of(["route", "a", "upstream"])), Some("a"));
        assert_eq!(located(text, Place::of(["route", "a", "match", "path"]).index(1)), Some("'/y'"));
        assert_eq!(located(text, Place::of(["route", "a", "match", "path"]).index(2)), Some("path"));
        assert_eq!(located(text, Place::default()), None);
    }
}
