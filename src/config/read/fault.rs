//! A mistake on its way out of serde, and what is said of it in the words of a configuration.

use super::Trail;
use crate::config::diagnostic::{At, Code, Diagnostic, Place, Step, did_you_mean};
use serde::de::{self, Unexpected};
use serde_json::Value;
use std::fmt;

/// Tells serde of a mistake with a code of its own: `fault(Code::MissingUnit, "..", "..")`.
pub fn fault<E: de::Error>(code: Code, message: impl fmt::Display, help: impl fmt::Display) -> E {
    E::custom(format_args!("{}\u{1}{message}\u{1}{help}", code.as_str()))
}

/// A mistake on its way out of serde. In a box, since every value that is read may end in one: what serde makes of the
/// schema is a tenth of the wasm, and was a third more when each step moved a whole mistake.
#[derive(Debug)]
pub struct Fault(pub Box<Mistake>);

#[derive(Debug)]
pub struct Mistake {
    code: Code,
    message: String,
    label: String,
    help: Option<String>,
    /// Filled in by the first value that it passes.
    pub path: Option<Vec<Step>>,
    at: At,
    pub missing: Option<&'static str>,
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
    pub fn at(mut self, trail: &Trail<'_>, at: At) -> Fault {
        let mistake = &mut *self.0;
        if mistake.path.is_none() {
            mistake.path = Some(trail.path());
            // A missing key is shown at the table that should have it.
            mistake.at = if mistake.missing.is_some() { At::Key } else { at };
        }
        self
    }

    pub fn diagnostic(self, section: &Place) -> Diagnostic {
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
        Code::BadShare => "not a share",
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

/// A value of another type than is read.
#[cold]
#[inline(never)]
pub fn mismatch(value: &Value, expected: &dyn de::Expected, trail: &Trail<'_>) -> Fault {
    let found = match value {
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
    let fault: Fault = de::Error::invalid_type(found, expected);
    fault.at(trail, At::Value)
}
