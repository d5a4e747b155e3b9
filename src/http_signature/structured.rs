//! Structured fields (RFC 9651): read by `sfv`, and written again in their one spelling.

use super::flaw::Flaw;
use crate::headers::joined;
use http::{HeaderMap, HeaderName};
use sfv::visitor::{DictionaryVisitor, EntryVisitor};
use sfv::{Dictionary, FieldType, Item, KeyRef, List, ListEntry, Parser};

/// A field that is a Dictionary; `None` where it is not one. Bytes that are not ASCII are in no structured field, so
/// that nothing is lost where they become U+FFFD.
pub fn dictionary(headers: &HeaderMap, name: &HeaderName) -> Option<Dictionary> {
    Parser::new(&joined(headers, name)).parse().ok()
}

/// A field that is a Dictionary in which no name stands twice: elsewhere the last one counts. `None` where it is not.
pub fn distinct(headers: &HeaderMap, name: &HeaderName) -> Option<Dictionary> {
    Parser::new(&joined(headers, name)).parse_dictionary_with_visitor(Distinct(Dictionary::new())).ok()
}

struct Distinct(Dictionary);

impl<'de> DictionaryVisitor<'de> for Distinct {
    type Out = Dictionary;
    type Error = Flaw;

    fn entry(&mut self, name: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Flaw> {
        match self.0.contains_key(name) {
            true => Err(Flaw::Malformed),
            false => DictionaryVisitor::entry(&mut self.0, name).map_err(|never| match never {}),
        }
    }

    fn finish(self) -> Result<Dictionary, Flaw> {
        Ok(self.0)
    }
}

/// A member of a Dictionary, or of a List, in its one spelling.
pub fn write_member(member: ListEntry) -> Option<String> {
    vec![member].serialize()
}

/// A field in its one spelling, whatever its type: `None` where it has none, or where types that it could be of would
/// have it spelt differently.
pub fn respell(text: &str) -> Option<String> {
    let dictionary = Parser::new(text).parse::<Dictionary>().ok().map(|value| value.serialize().unwrap_or_default());
    let list = Parser::new(text).parse::<List>().ok().map(|value| value.serialize().unwrap_or_default());
    let item = Parser::new(text).parse::<Item>().ok().map(|value| value.serialize());
    let mut spellings = [dictionary, list, item].into_iter().flatten();
    let first = spellings.next()?;
    spellings.all(|other| other == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_of_unknown_type_is_respelt_where_its_type_makes_no_difference() {
        for (text, spelling) in [
            ("a=1,    b=2;x=1;y=2,   c=(a   b   c)", Some("a=1, b=2;x=1;y=2, c=(a b c)")),
            ("a;q=1.0,\t b", Some("a;q=1.0, b")),
            ("(\"x\"   1);a", Some("(\"x\" 1);a")),
            ("  \"x\"; a", Some("\"x\";a")),
            ("a=1, a=2", Some("a=2")),
            ("", Some("")),
            // A Dictionary would keep one of them, a List both.
            ("a, a", None),
            ("Tue, 20 Apr 2021 02:07:55 GMT", None),
            ("{}", None),
        ] {
            assert_eq!(respell(text).as_deref(), spelling, "{text}");
        }
    }
}
