//! JSON as it was written (RFC 8259): a value is a slice of the text it came in, so that the digits of a number, the order
//! of members and the spelling of what nobody looks into stay what they are, byte by byte.
//!
//! A document is read through once, whole: whatever is wrong in it is found then. After that, only what is asked for is
//! descended into. A member that stands several times in an object counts as the last of them, as `JSON.parse` has it;
//! where an object is not descended into, it is passed on as it is.

mod scan;

// What they are made of is there on this machine only.
#[cfg(not(target_family = "wasm"))]
#[cfg(test)]
mod tests;

use scan::Scan;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How deep arrays and objects may be inside each other.
pub const MOST_DEEP: u32 = 128;

/// A text that is valid JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document(String);

/// A value of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

/// Why a text is no document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// RFC 8259, section 8.1: JSON between systems is UTF-8.
    NotUtf8,
    Syntax,
    /// It is deeper than [`MOST_DEEP`].
    TooDeep,
}

impl Document {
    /// Reads a document to its end.
    pub fn parse(bytes: Vec<u8>) -> Result<Document, Flaw> {
        let text = String::from_utf8(bytes).map_err(|_| Flaw::NotUtf8)?;
        // RFC 8259, section 8.1: a byte order mark may be ignored. Inside of another document it would be a mistake.
        let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let mut scan = Scan::new(&text, start);
        scan.value()?;
        scan.end()?;
        Ok(Document(if start == 0 { text } else { text.get(start..).unwrap_or_default().to_owned() }))
    }

    /// A text that was made of documents.
    pub fn known(text: String) -> Document {
        Document(text)
    }

    pub fn null() -> Document {
        Document("null".to_owned())
    }

    /// A text as JSON.
    pub fn string(text: &str) -> Document {
        let mut document = String::with_capacity(text.len() + 2);
        push_string(text, &mut document);
        Document(document)
    }

    /// A value as serde_json writes it.
    pub fn of(value: &Value) -> Document {
        Document(value.to_string())
    }

    pub fn raw(&self) -> Raw<'_> {
        Raw(self.0.trim_matches(WHITE))
    }

    /// An array of values.
    pub fn array<'a>(values: impl Iterator<Item = Raw<'a>>) -> Document {
        let mut array = String::from("[");
        for value in values {
            array.push_str(if array.len() == 1 { "" } else { "," });
            array.push_str(value.0);
        }
        array.push(']');
        Document(array)
    }

    /// How many bytes it holds.
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

/// RFC 8259, section 2.
const WHITE: [char; 4] = [' ', '\t', '\n', '\r'];

impl<'a> Raw<'a> {
    /// As it was written.
    pub fn text(self) -> &'a str {
        self.0
    }

    pub fn kind(self) -> Kind {
        match self.0.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// A copy that stands by itself.
    pub fn to_document(self) -> Document {
        Document(self.0.to_owned())
    }

    /// The members of an object, names as they are written, in order; none of anything else.
    pub fn members(self) -> impl Iterator<Item = (Raw<'a>, Raw<'a>)> {
        let mut scan = (self.kind() == Kind::Object).then(|| Scan::new(self.0, 1));
        std::iter::from_fn(move || {
            let scan = scan.as_mut()?;
            let name = scan.next_item()?;
            scan.colon()?;
            Some((Raw(name), Raw(scan.slice_of_value()?)))
        })
    }

    /// The items of an array, in order; none of anything else.
    pub fn items(self) -> impl Iterator<Item = Raw<'a>> {
        let mut scan = (self.kind() == Kind::Array).then(|| Scan::new(self.0, 1));
        std::iter::from_fn(move || scan.as_mut()?.next_item().map(Raw))
    }

    /// The last member of a name.
    pub fn member(self, name: &str) -> Option<Raw<'a>> {
        self.members().filter(|(known, _)| known.is(name)).map(|(_, value)| value).last()
    }

    /// The value that names lead to; in an array, a name is a position.
    pub fn find(self, names: &[String]) -> Option<Raw<'a>> {
        names.iter().try_fold(self, |value, name| match value.kind() {
            Kind::Array => value.items().nth(name.parse().ok()?),
            _ => value.member(name),
        })
    }

    /// Whether it is this string.
    pub fn is(self, text: &str) -> bool {
        match self.plain() {
            Some(plain) => plain == text,
            None => self.string().is_some_and(|string| string == text),
        }
    }

    /// The text of a string, with U+FFFD for half of a character (RFC 8259, section 8.2). `None` for anything else.
    pub fn string(self) -> Option<Cow<'a, str>> {
        match self.plain() {
            Some(plain) => Some(Cow::Borrowed(plain)),
            None if self.kind() == Kind::String => parsed(self.0).map(Cow::Owned),
            None => None,
        }
    }

    /// The text of a string that is written without escapes.
    fn plain(self) -> Option<&'a str> {
        self.0.strip_prefix('"')?.strip_suffix('"').filter(|text| !text.contains('\\'))
    }

    /// It as text: a string as it is, several values with commas between them, an object as JSON. Null is none.
    pub fn as_text(self) -> Option<Cow<'a, str>> {
        match self.kind() {
            Kind::Null => None,
            Kind::String => self.string(),
            Kind::Array if self.items().all(|item| !matches!(item.kind(), Kind::Array | Kind::Object)) => {
                let items: Vec<Cow<'a, str>> = self.items().filter_map(Raw::as_text).collect();
                Some(items.join(",").into())
            }
            _ => Some(Cow::Borrowed(self.0)),
        }
    }

    /// It as serde_json has it. `None` where that cannot hold it.
    pub fn value(self) -> Option<Value> {
        parsed(self.0)
    }
}

/// What serde_json makes of a text, with whole characters where there are halves.
fn parsed<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok().or_else(|| serde_json::from_str(&with_whole_characters(text)).ok())
}

/// JSON with U+FFFD for each escape that is half of a character without the other half.
fn with_whole_characters(text: &str) -> String {
    let unit = |text: &str| u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        whole.push_str(before);
        let other = || escape.get(6..).and_then(unit);
        let (written, length) = match unit(escape) {
            Some(0xD800..=0xDBFF) if matches!(other(), Some(0xDC00..=0xDFFF)) => (escape.get(..12), 12),
            Some(0xD800..=0xDFFF) => (Some("\\ufffd"), 6),
            Some(_) => (escape.get(..6), 6),
            None => (escape.get(..2), 2),
        };
        whole.push_str(written.unwrap_or_default());
        rest = escape.get(length..).unwrap_or_default();
    }
    whole + rest
}

/// Writes a text as a JSON string.
pub fn push_string(text: &str, out: &mut String) {
    if !text.bytes().any(|byte| byte < 0x20 || matches!(byte, b'"' | b'\\')) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else if let Ok(escaped) = serde_json::to_string(text) {
        out.push_str(&escaped);
    }
}

/// For each of some names the position of the first one that is the same.
pub fn first_of_each<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> Vec<usize> {
    let mut places = Vec::with_capacity(names.len());
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, name) in names.enumerate() {
        places.push(*first.entry(name).or_insert(at));
    }
    places
}
