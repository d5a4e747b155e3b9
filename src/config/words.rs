//! Values that may be written in more than one way.

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// A string, or a list of strings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OneOrMany {
    pub items: Vec<String>,
    /// Whether it was written as a list: the place of an item depends on it.
    pub list: bool,
}

/// What a header field or a query parameter must be for a route to match.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// It is there with exactly this value.
    Equals(String),
    /// It is there.
    Present,
    /// It is not there.
    Absent,
}

/// The value of a header field: a template, or a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    Template(String),
    Secret(Secret),
}

/// Something, or the word `"none"`, which takes away what is said elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrNone<T> {
    None,
    Some(T),
}

/// A way to show who one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A token of an issuer, as `Bearer` or `DPoP`.
    Token,
    /// An API key.
    ApiKey,
    /// User and password (RFC 7617).
    Basic,
    /// A signed request (RFC 9421).
    Signature,
    /// A client certificate. Workers only.
    Certificate,
}

impl Method {
    /// Its name in the configuration and in the log.
    pub fn name(self) -> &'static str {
        match self {
            Method::Token => "token",
            Method::ApiKey => "api_key",
            Method::Basic => "basic",
            Method::Signature => "signature",
            Method::Certificate => "certificate",
        }
    }
}

/// A secret by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SecretName {
    /// The secret's name, in capitals: a Workers secret, or the Spin variable of that name in small letters.
    pub secret: String,
}

/// A secret by name, with what stands before it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// The secret's name, in capitals: a Workers secret, or the Spin variable of that name in small letters.
    pub secret: String,
    /// What stands before the secret: `"Bearer "`.
    #[serde(default)]
    pub prefix: String,
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OneOrMany, D::Error> {
        struct Items;
        impl<'de> Visitor<'de> for Items {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E: Error>(self, item: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany { items: vec![item.to_owned()], list: false })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element::<String>()? {
                    items.push(item);
                }
                Ok(OneOrMany { items, list: true })
            }
        }
        deserializer.deserialize_any(Items)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OrNone<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OrNone<T>, D::Error> {
        struct Value<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Value<T> {
            type Value = OrNone<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table, a list, or the word `none`")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<OrNone<T>, E> {
                match word {
                    "none" => Ok(OrNone::None),
                    other => Err(E::invalid_type(Unexpected::Str(other), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OrNone<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(OrNone::Some)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<OrNone<T>, A::Error> {
                T::deserialize(SeqAccessDeserializer::new(seq)).map(OrNone::Some)
            }
        }
        deserializer.deserialize_any(Value(PhantomData))
    }
}

impl<T> OrNone<T> {
    pub fn as_option(&self) -> Option<&T> {
        match self {
            OrNone::None => None,
            OrNone::Some(value) => Some(value),
        }
    }
}

impl<'de> Deserialize<'de> for Presence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Presence, D::Error> {
        struct Condition;
        impl Visitor<'_> for Condition {
            type Value = Presence;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string to equal, `true` for present or `false` for absent")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Presence, E> {
                Ok(Presence::Equals(value.to_owned()))
            }

            fn visit_bool<E: Error>(self, present: bool) -> Result<Presence, E> {
                Ok(if present { Presence::Present } else { Presence::Absent })
            }
        }
        deserializer.deserialize_any(Condition)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        struct Value;
        impl<'de> Visitor<'de> for Value {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, or a table that names a secret")
            }

            fn visit_str<E: Error>(self, template: &str) -> Result<Text, E> {
                Ok(Text::Template(template.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Text, A::Error> {
                Secret::deserialize(MapAccessDeserializer::new(map)).map(Text::Secret)
            }
        }
        deserializer.deserialize_any(Value)
    }
}

#[cfg(not(target_family = "wasm"))]
mod schema {
    use super::{OneOrMany, OrNone, Presence, Secret, Text};
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use std::borrow::Cow;

    impl JsonSchema for OneOrMany {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "OneOrMany".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
        }
    }

    impl<T: JsonSchema> JsonSchema for OrNone<T> {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            format!("OrNone{}", T::schema_name()).into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let some = generator.subschema_for::<T>();
            json_schema!({ "anyOf": [some, { "type": "string", "const": "none" }] })
        }
    }

    impl JsonSchema for Presence {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "Presence".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "anyOf": [{ "type": "string" }, { "type": "boolean" }] })
        }
    }

    impl JsonSchema for Text {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "Text".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let secret = generator.subschema_for::<Secret>();
            json_schema!({ "anyOf": [{ "type": "string" }, secret] })
        }
    }
}
