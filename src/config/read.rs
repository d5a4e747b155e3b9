//! Reading a section: serde over a JSON value, with the path of every mistake, and all mistakes in one run.
//!
//! serde stops at the first mistake. So a value with a mistake is left out, and the section is read again, until
//! it reads or cannot: a section's mistakes are few, and configuration is read once.

pub mod fault;

use super::diagnostic::{At, Diagnostic, Place, Step};
use fault::{Fault, mismatch};
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};
use serde_json::{Map, Value};

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
    let mut skip = Vec::new();
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
                skip.push(path);
            }
        }
    }
    None
}

/// The steps from the section to a value, on the stack.
pub struct Trail<'a> {
    parent: Option<&'a Trail<'a>>,
    step: Option<Here<'a>>,
    /// What was left out because of an earlier mistake.
    skip: &'a [Vec<Step>],
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

    pub fn path(&self) -> Vec<Step> {
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

    // Everything that a table, a list or a text cannot be is told in one place, not in each type that is read.

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
        let Value::Object(map) = value else { return Err(mismatch(value, &visitor, trail)) };
        let entries = Entries { entries: map.iter(), current: None, trail, map };
        visitor.visit_map(entries).map_err(|fault: Fault| fault.at(trail, At::Value))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Node { value, trail } = self;
        let Value::Array(list) = value else { return Err(mismatch(value, &visitor, trail)) };
        visitor.visit_seq(Elements { list, next: 0, trail }).map_err(|fault: Fault| fault.at(trail, At::Value))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Value::String(text) = self.value else { return Err(mismatch(self.value, &visitor, self.trail)) };
        visitor.visit_str(text).map_err(|fault: Fault| fault.at(self.trail, At::Value))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Value::Bool(value) = self.value else { return Err(mismatch(self.value, &visitor, self.trail)) };
        visitor.visit_bool(*value).map_err(|fault: Fault| fault.at(self.trail, At::Value))
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct
        tuple tuple_struct identifier ignored_any
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
