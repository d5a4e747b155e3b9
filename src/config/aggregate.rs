//! One answer made of several: the action `aggregate` of a route.

use super::sorted::Sorted;
use super::units::{Duration, Size};
use super::words::Text;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use std::fmt;

/// One answer in JSON, made of what several upstreams answer.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Aggregate {
    /// The parts of the answer, each of them a request to an upstream. They stand in the answer in this order; they are
    /// asked as soon as what they need is there.
    pub parts: Vec<Part>,
    /// How the parts become one answer: `nested` when not given.
    pub shape: Option<Shape>,
    /// Which value is taken where two parts have a member of the same name. When not given it is the last one, and what
    /// is known to collide when the configuration is checked is a mistake.
    pub on_collision: Option<OnCollision>,
    /// The status of an answer that lacks an optional part: 200 when not given, or 207, or another one of success.
    pub partial: Option<u16>,
    /// The name of a member of the answer that tells what came of each part. There is none when not given.
    pub outcomes: Option<String>,
    /// How many requests are under way at the same time: 6 when not given, and at most on Workers; 1 to 50.
    pub at_once: Option<u64>,
}

/// How parts become one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Each part is a member of the answer, under its `group` or else its name.
    Nested,
    /// The members of all parts are members of the answer, but for parts with a `group`, and for what is no object.
    Merged,
}

/// Which value is taken where two parts have a member of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnCollision {
    /// That of the part that stands first.
    First,
    /// That of the part that stands last.
    Last,
    /// None: the request is answered 502.
    Error,
}

/// A part of an answer.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name: lower-case words joined by hyphens. Templates and rules of other parts call it so, and a nested answer.
    pub name: String,
    /// The upstream that is asked.
    pub upstream: String,
    /// A template for the path: `/users/{path.id}`, `/addresses/{part.user.body.address.id}`.
    pub path: String,
    /// The method. GET when not given.
    pub method: Option<String>,
    /// Query parameters, as templates. One whose value is not there is left out.
    #[serde(default)]
    pub query: Sorted<String, String>,
    /// Header fields, as templates or secrets. One whose value is not there is left out.
    #[serde(default)]
    pub headers: Sorted<String, Text>,
    /// The body, as JSON whose strings are templates. A string that is nothing but a placeholder becomes the value that
    /// it names, objects too; a member whose value is not there is left out.
    pub body: Option<serde_json::Value>,
    /// Header fields of the client's to pass on. None when not given.
    #[serde(default)]
    pub forward_headers: Vec<String>,
    /// Query parameters of the client's to pass on. None when not given.
    #[serde(default)]
    pub forward_query: Vec<String>,
    /// Parts to wait for, beside those that it names in templates and rules.
    #[serde(default)]
    pub after: Vec<String>,
    /// A rule: the part is asked if it holds, `part.user.body.active == true`.
    pub when: Option<String>,
    /// An answer that takes the place of the whole, if a rule holds when this part has answered.
    pub stop: Option<Stop>,
    /// An array of an earlier part's answer, `part.user.body.orders`: the part is asked once for each item, which
    /// templates call `{item}` and `{item.id}`. Its result is an array in the same order.
    pub each: Option<String>,
    /// The most items of `each` that are asked for: 1 to 1,000. More make the answer incomplete.
    pub most: Option<u64>,
    /// How many of these are under way at the same time. As many as the aggregate's `at_once` when not given, which is the
    /// most.
    pub at_once: Option<u64>,
    /// What its absence means: `required` when not given.
    pub need: Option<Need>,
    /// What stands in for its answer where there is none: JSON as the upstream would have answered it.
    pub fallback: Option<serde_json::Value>,
    /// The part that stands in for it where it has no answer. It is asked only then.
    pub fallback_part: Option<String>,
    /// How old the last good answer to the same request may be that stands in for it where there is none: 1 s to 7 d.
    pub stale: Option<Duration>,
    /// The statuses that are answers. Those of success, 200 to 299, when not given.
    #[serde(default)]
    pub expect: Vec<u16>,
    /// How long it may take until its answer is there, to the end. The upstream's time-out when not given; 1 ms to 10 m.
    pub timeout: Option<Duration>,
    /// The largest answer. 1 MB when not given; 1 B to 16 MB.
    pub max_size: Option<Size>,
    /// What its answer is written in. When not given, its media type says so: JSON, XML or plain text.
    pub decode: Option<Decode>,
    /// The value inside of the answer that is taken instead of the whole: `data.user`.
    pub target: Option<String>,
    /// Whether the answer is an array that becomes a member: of this name, or `collection` where this is `true`.
    pub collection: Option<Collection>,
    /// Objects and arrays whose content takes their place in what they stand in: `address`, `pages[]`.
    #[serde(default)]
    pub flatten: Vec<String>,
    /// The members that stay: `id`, `address.city`, `items[].id`. All when not given.
    pub allow: Option<Vec<String>>,
    /// The members that go.
    #[serde(default)]
    pub deny: Vec<String>,
    /// New names of members: `"blog" = "web"`, `"address.zip" = "code"`.
    #[serde(default)]
    pub mapping: Sorted<String, String>,
    /// The member of the answer that holds it.
    pub group: Option<String>,
}

/// An answer that takes the place of the whole.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// A rule: `part.user.status == 404`.
    pub when: String,
    /// The answer.
    pub respond: StopAnswer,
}

/// What is answered instead.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct StopAnswer {
    /// 200 to 599. 200 when not given.
    pub status: Option<u16>,
    /// The body, as JSON whose strings are templates.
    pub json: Option<serde_json::Value>,
}

/// What the absence of a part means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// There is no answer without it: 502, or 504 where it took too long.
    Required,
    /// The answer goes without it, and says so.
    Optional,
}

/// What an answer is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Decode {
    /// JSON (RFC 8259).
    Json,
    /// XML 1.0: elements become members, attributes members with a `-` before their name, text `#text`.
    Xml,
    /// Text in UTF-8, which becomes a JSON string.
    Text,
}

/// The member that an array becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection(pub Option<String>);

impl<'de> Deserialize<'de> for Collection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Collection, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Collection;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`true`, or the name of a member")
            }

            fn visit_bool<E: Error>(self, is: bool) -> Result<Collection, E> {
                Ok(Collection(is.then(|| "collection".to_owned())))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Collection, E> {
                Ok(Collection(Some(name.to_owned())))
            }
        }
        deserializer.deserialize_any(Name)
    }
}

#[cfg(not(target_family = "wasm"))]
mod schema {
    use super::Collection;
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use std::borrow::Cow;

    impl JsonSchema for Collection {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "Collection".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "anyOf": [{ "type": "boolean" }, { "type": "string" }] })
        }
    }
}
