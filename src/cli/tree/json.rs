//! JSON as a tree: a whole file, or the text of a binding inside a TOML string. What is valid is decided by the
//! parser that the gateway itself uses ([`crate::config::json`]); a second one only says where things stand.

use super::{Content, Entry, Mistake, Node, Span, Text, escapes};
use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::config::document::json_mistake;
use crate::config::json;
use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Value;

/// Where JSON stands in the file.
pub enum Origin<'a> {
    /// It is the file.
    File,
    /// It is in a string, whose bytes stand there.
    String(&'a [usize]),
    /// It is somewhere in there.
    Within(Span),
}

impl Origin<'_> {
    fn span(&self, start: usize, end: usize) -> Span {
        match self {
            Origin::File => start..end,
            Origin::String(offsets) => match (offsets.get(start), offsets.get(end)) {
                (Some(start), Some(end)) => *start..*end,
                _ => 0..0,
            },
            Origin::Within(span) => span.clone(),
        }
    }

    fn point(&self, at: usize) -> usize {
        self.span(at, at).start
    }
}

/// Parses a JSON text. `what` it is, is said in mistakes: "the document", "the binding `EDGATE`".
pub fn parse(text: &str, origin: &Origin<'_>, place: &Place, what: &str) -> Result<Node, Mistake> {
    let value = match json::parse(text) {
        Ok(value) => value,
        Err(error) if json::is_duplicate(&error) => {
            let found = syntax(text).and_then(|root| duplicate(&root, origin));
            return Err(found.unwrap_or_else(|| unreadable(text, origin, place, what, &error)));
        }
        Err(error) => return Err(unreadable(text, origin, place, what, &error)),
    };
    let whole = origin.span(0, text.len());
    Ok(match syntax(text) {
        Some(root) => node(text, &root, origin),
        None => without_places(&value, &whole),
    })
}

fn syntax(text: &str) -> Option<ast::Value<'_>> {
    let strict = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    parse_to_ast(text, &CollectOptions::default(), &strict).ok()?.value
}

fn node(text: &str, value: &ast::Value<'_>, origin: &Origin<'_>) -> Node {
    let content = match value {
        ast::Value::StringLit(literal) => Content::Text(string(text, literal, origin)),
        ast::Value::Array(list) => {
            Content::List(list.elements.iter().map(|element| node(text, element, origin)).collect())
        }
        ast::Value::Object(object) => {
            let entry = |property: &ast::ObjectProp<'_>| Entry {
                key: property.name.as_str().to_owned(),
                span: spanned(&property.name, origin),
                value: node(text, &property.value, origin),
            };
            Content::Table(object.properties.iter().map(entry).collect())
        }
        other => Content::Scalar(serde_json::from_str(other.text(text)).unwrap_or(Value::Null)),
    };
    Node { span: spanned(value, origin), content }
}

fn string(text: &str, literal: &ast::StringLit<'_>, origin: &Origin<'_>) -> Text {
    let offsets = escapes::json(literal.text(text), &literal.value).filter(|_| !matches!(origin, Origin::Within(_)));
    let offsets = offsets.map(|offsets| offsets.into_iter().map(|at| origin.point(literal.start() + at)).collect());
    Text { text: literal.value.to_string(), offsets }
}

fn spanned(ranged: &impl Ranged, origin: &Origin<'_>) -> Span {
    origin.span(ranged.start(), ranged.end())
}

fn without_places(value: &Value, span: &Span) -> Node {
    let content = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Content::Scalar(value.clone()),
        Value::String(text) => Content::Text(Text { text: text.clone(), offsets: None }),
        Value::Array(list) => Content::List(list.iter().map(|element| without_places(element, span)).collect()),
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| Entry {
                key: key.clone(),
                span: span.clone(),
                value: without_places(value, span),
            };
            Content::Table(map.iter().map(entry).collect())
        }
    };
    Node { span: span.clone(), content }
}

/// The first key that stands twice in one object.
fn duplicate(value: &ast::Value<'_>, origin: &Origin<'_>) -> Option<Mistake> {
    match value {
        ast::Value::Array(list) => list.elements.iter().find_map(|element| duplicate(element, origin)),
        ast::Value::Object(object) => object.properties.iter().enumerate().find_map(|(index, property)| {
            let name = property.name.as_str();
            let earlier = object.properties[..index].iter().find(|earlier| earlier.name.as_str() == name);
            earlier
                .map(|earlier| twice(name, spanned(&property.name, origin), spanned(&earlier.name, origin)))
                .or_else(|| duplicate(&property.value, origin))
        }),
        _ => None,
    }
}

fn twice(name: &str, span: Span, first: Span) -> Mistake {
    let message = format!("the key `{name}` stands twice");
    let diagnostic = Diagnostic::new(Code::DuplicateKey, Place::default(), message, "again").help("keep one of them");
    Mistake { diagnostic: Box::new(diagnostic), span, related: Some((first, "the first one".to_owned())) }
}

/// What serde_json says of a text, without its line and column: those are of the text, not of the file.
fn unreadable(text: &str, origin: &Origin<'_>, place: &Place, what: &str, error: &serde_json::Error) -> Mistake {
    let mut diagnostic = json_mistake(error, place.clone(), what);
    let position = format!(" at line {} column {}", error.line(), error.column());
    diagnostic.message = diagnostic.message.replace(&position, "");
    let line: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let at = (line + error.column().saturating_sub(1)).min(text.len());
    let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let end = text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
    Mistake { diagnostic: Box::new(diagnostic), span: origin.span(at, end), related: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tree::toml;

    fn read(text: &str) -> Result<Node, Mistake> {
        parse(text, &Origin::File, &Place::default(), "the document")
    }

    #[test]
    fn json_knows_where_its_values_stand() {
        let text = r#"{ "route": { "a": { "match": { "path": ["/\u0078", 1] } } } }"#;
        let root = read(text).unwrap();
        let place = Place::of(["route", "a", "match", "path"]).index(0);
        assert_eq!(root.locate(&place).map(|span| &text[span]), Some(r#""/\u0078""#));
        assert_eq!(root.locate(&place.within(1..2)).map(|span| &text[span]), Some(r"\u0078"));
        assert_eq!(root.value(), serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(root.json(), r#"{"route":{"a":{"match":{"path":["/x",1]}}}}"#);
    }

    #[test]
    fn json_in_a_toml_string_is_found_in_the_file() {
        let file = r#"ROUTE_A = "{ \"match\": { \"path\": \"/\\u0078y\" } }""#;
        let (root, _) = toml::parse(file).unwrap();
        let Some(Content::Text(text)) = root.get("ROUTE_A").map(|node| &node.content) else { panic!("no text") };
        let offsets = text.offsets.as_ref().unwrap();
        let node = parse(&text.text, &Origin::String(offsets), &Place::default(), "it").unwrap();
        let place = Place::of(["match", "path"]).within(2..3);
        assert_eq!(node.locate(&place).map(|span| &file[span]), Some("y"));
    }

    #[test]
    fn mistakes_stand_where_they_are() {
        let found = |text: &str| read(text).map_err(|mistake| text[mistake.span].to_owned());
        assert_eq!(found("{\"a\": 1,\n \"b\": é}").unwrap_err(), "é");
        assert_eq!(found("{\"a\": 1,\n \"a\": 2}").unwrap_err(), "\"a\"");
        assert_eq!(found("{\"a\": 1").unwrap_err(), "1");
        assert_eq!(found("").unwrap_err(), "");
    }
}
