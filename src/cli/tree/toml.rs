//! TOML as a tree. Dates and times become strings, since JSON has none; numbers that JSON has not are refused.

use super::{Content, Entry, Mistake, Node, Span, Text, escapes};
use crate::config::diagnostic::{Code, Diagnostic, Place};
use serde_json::{Number, Value};
use toml_edit::{Document, InlineTable, Item, Key, Table, TomlError, Value as Toml};

/// Parses a document. What is wrong with single values comes beside it; with the syntax, instead of it.
pub fn parse(text: &str) -> Result<(Node, Vec<Mistake>), Mistake> {
    let document = Document::parse(text).map_err(|error| mistake(text, &error))?;
    let mut reader = Reader { text, mistakes: Vec::new() };
    let root = reader.table(document.as_table());
    Ok((root, reader.mistakes))
}

struct Reader<'a> {
    text: &'a str,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn item(&mut self, item: &Item) -> Node {
        match item {
            Item::None => Node::table(0..0, Vec::new()),
            Item::Value(value) => self.value(value),
            Item::Table(table) => self.table(table),
            Item::ArrayOfTables(tables) => {
                let elements: Vec<Node> = tables.iter().map(|table| self.table(table)).collect();
                let span = elements.first().map_or(0..0, |first| first.span.clone());
                Node { span, content: Content::List(elements) }
            }
        }
    }

    fn table(&mut self, table: &Table) -> Node {
        let entries = table.iter().map(|(name, item)| self.entry(name, table.key(name), item)).collect();
        Node::table(table.span().unwrap_or(0..0), entries)
    }

    fn inline(&mut self, table: &InlineTable) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (name, value) in table.iter() {
            let span = table.key(name).and_then(Key::span).unwrap_or(0..0);
            entries.push(Entry { key: name.to_owned(), span, value: self.value(value) });
        }
        entries
    }

    fn entry(&mut self, name: &str, key: Option<&Key>, item: &Item) -> Entry {
        let span = key.and_then(Key::span).unwrap_or(0..0);
        Entry { key: name.to_owned(), span, value: self.item(item) }
    }

    fn value(&mut self, value: &Toml) -> Node {
        let span = value.span().unwrap_or(0..0);
        let content = match value {
            Toml::String(text) => self.string(text.value(), &span),
            Toml::Integer(number) => Content::Scalar(Value::from(*number.value())),
            Toml::Float(number) => self.float(*number.value(), &span),
            Toml::Boolean(truth) => Content::Scalar(Value::from(*truth.value())),
            Toml::Datetime(time) => Content::Text(Text { text: time.value().to_string(), offsets: None }),
            Toml::Array(list) => Content::List(list.iter().map(|element| self.value(element)).collect()),
            Toml::InlineTable(table) => Content::Table(self.inline(table)),
        };
        Node { span, content }
    }

    fn string(&self, decoded: &str, span: &Span) -> Content {
        let raw = self.text.get(span.clone()).unwrap_or_default();
        Content::Text(Text { text: decoded.to_owned(), offsets: escapes::toml(raw, span.start, decoded) })
    }

    fn float(&mut self, number: f64, span: &Span) -> Content {
        let value = Number::from_f64(number).map(Value::Number);
        if value.is_none() {
            let message = format!("`{number}` cannot be said in JSON, which bindings hold");
            let diagnostic = Diagnostic::new(Code::BadValue, Place::default(), message, "not a JSON number");
            self.mistakes.push(Mistake { diagnostic: Box::new(diagnostic), span: span.clone(), related: None });
        }
        Content::Scalar(value.unwrap_or(Value::from(0)))
    }
}

/// A syntax error in the words of this project, where the parser's own would puzzle.
fn mistake(text: &str, error: &TomlError) -> Mistake {
    let span = error.span().unwrap_or(text.len()..text.len());
    let written = text.get(span.clone()).unwrap_or_default();
    let said = error.message();
    let (code, message, label, help) = if said == "duplicate key" {
        let help = Some("keep one of them: TOML does not merge them");
        (Code::DuplicateKey, format!("the key `{written}` stands twice"), "again", help)
    } else if said.starts_with("string values must be quoted") && written.is_empty() {
        (Code::BadSyntax, "the value is missing".to_owned(), "a value is expected here", None)
    } else if said.starts_with("string values must be quoted") {
        let help = Some("write it in quotes");
        (Code::BadSyntax, format!("`{written}` is no value: strings stand in quotes"), "not a value", help)
    } else {
        (Code::BadSyntax, format!("the TOML cannot be parsed: {said}"), "here", None)
    };
    let diagnostic = Diagnostic::new(code, Place::default(), message, label);
    let diagnostic = Diagnostic { help: help.map(str::to_owned), ..diagnostic };
    let first = (code == Code::DuplicateKey).then(|| first(text, &span)).flatten();
    Mistake { diagnostic: Box::new(diagnostic), span, related: first.map(|span| (span, "the first one".to_owned())) }
}

/// Where a key that stands twice stands for the first time: in what comes before its line, which can be parsed.
fn first(text: &str, again: &Span) -> Option<Span> {
    const PROBE: &str = "the key of a probe";
    let start = text[..again.start].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next()?;
    // The path of the table that the line is in, or of the one whose header it is.
    let probe = format!("\n{:?} = 1\n", PROBE);
    let (header, written) = match line.trim_start().starts_with('[') {
        true => (format!("{line}{probe}"), PROBE),
        false => (format!("{}{probe}", &text[..start]), text.get(again.clone())?),
    };
    let document = Document::parse(header).ok()?;
    let path = path_to(document.as_table(), PROBE)?;
    let before = Document::parse(&text[..start]).ok()?;
    if written == PROBE {
        let (last, parents) = path.split_last()?;
        return descend(before.as_table(), parents)?.key(last)?.span();
    }
    let key = Key::parse(written).ok()?;
    descend(before.as_table(), &path)?.key(key.first()?.get())?.span()
}

/// The path of the table that has a key.
fn path_to(table: &Table, key: &str) -> Option<Vec<String>> {
    if table.contains_key(key) {
        return Some(Vec::new());
    }
    table.iter().find_map(|(name, item)| {
        let inner = match item {
            Item::Table(table) => path_to(table, key),
            Item::ArrayOfTables(tables) => tables.iter().last().and_then(|table| path_to(table, key)),
            _ => None,
        };
        inner.map(|path| [vec![name.to_owned()], path].concat())
    })
}

fn descend<'a>(table: &'a Table, path: &[String]) -> Option<&'a Table> {
    path.iter().try_fold(table, |table, key| table.get(key)?.as_table())
}
