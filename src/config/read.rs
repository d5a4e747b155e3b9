//! Reading a section: serde over a JSON value, with the path of every mistake, and all mistakes in one run.
//!
//! serde stops at the first mistake. So a value with a mistake is left out, and the section is read again, until
//! it reads or cannot: a section's mistakes are few, and configuration is read once.

use super::diagnostic::{At, Code, Diagnostic, Place, Step, did_you_mean};
use serde::de::{self, DeserializeOwned, IntoDeserializer, Unexpected, Visitor};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;

/// A section that could be read, and whether everything in it was.
#[derive(Debug)]
pub struct Read<T> {
    pub section: T,
    /// False where a value was left out because of a mistake already reported.
    pub complete: bool,
}

/// More mistakes than this in one section help nobody.
const MOST_FAULTS: usize = 100;

/// Reads a section, adding every mistake to `diagnostics`. `None` where too little is left to make one.
pub fn read<T: DeserializeOwned>(place: &Place, value: &Value, diagnostics: &mut Vec<Diagnostic>) -> Option<Read<T>> {
    let mut skip = BTreeSet::new();
    for _ in 0..MOST_FAULTS {
        let trail = Trail { parent: None, step: None, skip: &skip };
        match T::deserialize(Node { value, trail: &trail }) {
            Ok(section) => return Some(Read { section, complete: skip.is_empty() }),
            Err(fault) => {
                let path = fault.0.path.clone().unwrap_or_default();
                let missing = fault.0.missing.map(|key| [path.as_slice(), &[Step::Key(key.to_owned())]].concat());
                // What is missing only because it was left out has been reported already.
                if !missing.is_some_and(|missing| skip.contains(&missing)) {
                    diagnostics.push(fault.diagnostic(place));
                }
                // A table without a key that it needs is left out as a whole, and the rest is looked at.
                if path.is_empty() {
                    return None;
                }
                skip.insert(path);
            }
        }
    }
    None
}

/// Tells serde of a mistake with a code of its own: `fault(Code::MissingUnit, "..", "..")`.
pub fn fault<E: de::Error>(code: Code, message: impl fmt::Display, help: impl fmt::Display) -> E {
    E::custom(format_args!("{}\u{1}{message}\u{1}{help}", code.as_str()))
}

/// A mistake on its way out of serde. In a box, since every value that is read may end in one: what serde makes of the
/// schema is a tenth of the wasm, and was a third more when each step moved a whole mistake.
#[derive(Debug)]
pub struct Fault(Box<Mistake>);

#[derive(Debug)]
struct Mistake {
    code: Code,
    message: String,
    label: String,
    help: Option<String>,
    /// Filled in by the first value that it passes.
    path: Option<Vec<Step>>,
    at: At,
    missing: Option<&'static str>,
}

impl Fault {
    #[cold]
    fn new(code: Code, message: String, label: &str) -> Fault {
        let label = label.to_owned();
        Fault(Box::new(Mistake { code, message, label, help: None, path: None, at: At::Value, missing: None }))
    }

    fn help(mut self, help: Option<String>) -> Fault {
        self.0.help = help;
        self
    }

    #[cold]
    fn at(mut self, trail: &Trail<'_>, at: At) -> Fault {
        let mistake = &mut *self.0;
        if mistake.path.is_none() {
            mistake.path = Some(trail.path());
            // A missing key is shown at the table that should have it.
            mistake.at = if mistake.missing.is_some() { At::Key } else { at };
        }
        self
    }

    fn diagnostic(self, section: &Place) -> Diagnostic {
        let Mistake { code, message, label, help, path: inside, at, .. } = *self.0;
        let mut path = section.path.clone();
        path.extend(inside.unwrap_or_default());
        Diagnostic { help, ..Diagnostic::new(code, Place { path, at, within: None }, message, label) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Fault {}

fn words(known: &[&str]) -> String {
    let quoted: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

fn suggestion(written: &str, known: &'static [&'static str]) -> String {
    did_you_mean(written, known.iter().copied()).unwrap_or_else(|| format!("it can be one of {}", words(known)))
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Fault {
        let text = message.to_string();
        let mut parts = text.splitn(3, '\u{1}');
        let first = parts.next().unwrap_or_default();
        match (Code::ALL.iter().find(|code| code.as_str() == first), parts.next()) {
            (Some(code), Some(message)) => {
                let help = parts.next().filter(|help| !help.is_empty()).map(str::to_owned);
                Fault::new(*code, message.to_owned(), label(*code)).help(help)
            }
            _ => Fault::new(Code::BadValue, text, "here"),
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Fault {
        let message = format!("expected {}, found {}", plain(expected), describe(found));
        Fault::new(Code::WrongType, message, "of the wrong type")
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Fault {
        let message = format!("expected {}, found {}", plain(expected), describe(found));
        Fault::new(Code::OutOfRange, message, "out of range")
    }

    fn invalid_length(length: usize, expected: &dyn de::Expected) -> Fault {
        let message = format!("expected {}, found {length} elements", plain(expected));
        Fault::new(Code::OutOfRange, message, "out of range")
    }

    fn unknown_variant(written: &str, known: &'static [&'static str]) -> Fault {
        let message = format!("`{written}` is no value of this key");
        Fault::new(Code::UnknownValue, message, "unknown word").help(Some(suggestion(written, known)))
    }

    fn unknown_field(written: &str, known: &'static [&'static str]) -> Fault {
        let message = format!("there is no key `{written}` here");
        Fault::new(Code::UnknownKey, message, "unknown key").help(Some(suggestion(written, known)))
    }

    fn missing_field(key: &'static str) -> Fault {
        let mut fault = Fault::new(Code::MissingKey, format!("the key `{key}` is missing"), "needed here");
        fault.0.missing = Some(key);
        fault
    }

    fn duplicate_field(key: &'static str) -> Fault {
        Fault::new(Code::DuplicateKey, format!("the key `{key}` stands twice"), "again")
    }
}

/// What stands beside the caret of a mistake that was told with [`fault`].
fn label(code: Code) -> &'static str {
    match code {
        Code::MissingUnit => "no unit",
        Code::BadDuration => "not a duration",
        Code::BadSize => "not a size",
        Code::OutOfRange => "out of range",
        _ => "here",
    }
}

/// What serde expects, in the words of a configuration rather than of Rust.
fn plain(expected: &dyn de::Expected) -> String {
    let expected = expected.to_string();
    match expected.as_str() {
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        "u8" | "u16" | "u32" | "u64" => "a whole number".to_owned(),
        other if other.starts_with("struct ") => "a table".to_owned(),
        other if other.starts_with("enum ") => "a string".to_owned(),
        _ => expected,
    }
}

fn describe(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("the boolean `{value}`"),
        Unexpected::Unsigned(value) => format!("the number `{value}`"),
        Unexpected::Signed(value) => format!("the number `{value}`"),
        Unexpected::Float(value) => format!("the number `{value:?}`"),
        Unexpected::Str(value) => format!("the string {value:?}"),
        Unexpected::Unit => "null".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// The steps from the section to a value, on the stack.
struct Trail<'a> {
    parent: Option<&'a Trail<'a>>,
    step: Option<Here<'a>>,
    /// What was left out because of an earlier mistake.
    skip: &'a BTreeSet<Vec<Step>>,
}

/// A step that nobody has to remember yet.
#[derive(Clone, Copy)]
enum Here<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Trail<'a> {
    fn then(&'a self, step: Here<'a>) -> Trail<'a> {
        Trail { parent: Some(self), step: Some(step), skip: self.skip }
    }

    fn path(&self) -> Vec<Step> {
        let mut path = self.parent.map(Trail::path).unwrap_or_default();
        path.extend(self.step.map(|step| match step {
            Here::Key(key) => Step::Key(key.to_owned()),
            Here::Index(index) => Step::Index(index),
        }));
        path
    }

    fn skipped(&self) -> bool {
        !self.skip.is_empty() && self.skip.contains(&self.path())
    }
}

struct Node<'a> {
    value: &'a Value,
    trail: &'a Trail<'a>,
}

impl<'de> de::Deserializer<'de> for Node<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Node { value, trail } = self;
        let result = match value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => visitor.visit_u64(value),
                (None, Some(value)) => visitor.visit_i64(value),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_str(text),
            Value::Array(list) => visitor.visit_seq(Elements { list, next: 0, trail }),
            Value::Object(map) => visitor.visit_map(Entries { entries: map.iter(), current: None, trail, map }),
        };
        result.map_err(|fault: Fault| fault.at(trail, At::Value))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let result = match self.value {
            Value::String(word) => visitor.visit_enum(IntoDeserializer::<Fault>::into_deserializer(word.as_str())),
            _ => return self.deserialize_any(visitor),
        };
        result.map_err(|fault| fault.at(self.trail, At::Value))
    }

    // These say what they want, so that nothing is compiled for what they do not: serde would also read a struct from a
    // list of its values.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Node { value, trail } = self;
        let Value::Object(map) = value else { return Err(self.is_no(&visitor)) };
        let result = visitor.visit_map(Entries { entries: map.iter(), current: None, trail, map });
        result.map_err(|fault: Fault| fault.at(trail, At::Value))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Node { value, trail } = self;
        let Value::Array(list) = value else { return Err(self.is_no(&visitor)) };
        let result = visitor.visit_seq(Elements { list, next: 0, trail });
        result.map_err(|fault: Fault| fault.at(trail, At::Value))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Value::String(text) = self.value else { return Err(self.is_no(&visitor)) };
        visitor.visit_str(text).map_err(|fault: Fault| fault.at(self.trail, At::Value))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Value::Bool(value) = self.value else { return Err(self.is_no(&visitor)) };
        visitor.visit_bool(*value).map_err(|fault: Fault| fault.at(self.trail, At::Value))
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct
        tuple tuple_struct identifier ignored_any
    }
}

impl Node<'_> {
    /// What serde says of a value of another type.
    #[cold]
    fn is_no(&self, expected: &dyn de::Expected) -> Fault {
        let found = match self.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => Unexpected::Unsigned(value),
                (None, Some(value)) => Unexpected::Signed(value),
                (None, None) => Unexpected::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        };
        <Fault as de::Error>::invalid_type(found, expected).at(self.trail, At::Value)
    }
}

struct Elements<'a> {
    list: &'a [Value],
    next: usize,
    trail: &'a Trail<'a>,
}

impl<'de> de::SeqAccess<'de> for Elements<'_> {
    type Error = Fault;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((index, value)) = self.next() else { return Ok(None) };
        let trail = self.trail.then(Here::Index(index));
        seed.deserialize(Node { value, trail: &trail }).map(Some)
    }
}

impl<'a> Elements<'a> {
    /// The next one that was not left out.
    #[inline(never)]
    fn next(&mut self) -> Option<(usize, &'a Value)> {
        let mut left = self.list.iter().enumerate().skip(self.next);
        let found = left.find(|(index, _)| !self.trail.then(Here::Index(*index)).skipped());
        self.next = found.map_or(self.list.len(), |(index, _)| index + 1);
        found
    }
}

struct Entries<'a> {
    map: &'a Map<String, Value>,
    entries: serde_json::map::Iter<'a>,
    current: Option<(&'a str, &'a Value)>,
    trail: &'a Trail<'a>,
}

impl<'a> Entries<'a> {
    /// The next key that was not left out.
    #[inline(never)]
    fn next(&mut self) -> Option<&'a str> {
        let mut left = self.entries.by_ref().map(|(key, value)| (key.as_str(), value));
        self.current = left.find(|(key, _)| !self.trail.then(Here::Key(key)).skipped());
        self.current.map(|(key, _)| key)
    }
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some(key) = self.next() else { return Ok(None) };
        let read = seed.deserialize(IntoDeserializer::<Fault>::into_deserializer(key));
        read.map(Some).map_err(|fault| fault.at(&self.trail.then(Here::Key(key)), At::Key))
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some((key, value)) = self.current.take() else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        let trail = self.trail.then(Here::Key(key));
        seed.deserialize(Node { value, trail: &trail })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.map.len())
    }
}
