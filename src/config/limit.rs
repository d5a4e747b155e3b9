//! How much a client may ask for: the section `limit`, and the keys of routes that name limits.

use super::units::Duration;
use super::words::OneOrMany;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Unexpected, Visitor};
use std::fmt;

/// How much a client may ask for. Binding: `LIMIT_<NAME>`.
///
/// It says one of `rate`, `quota` and `concurrency`. It has one counter for each value of its `key`, which all routes
/// that name the limit share.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Requests in a time, spread over it: `"100/1m"` lets one request in every 600 ms, and as many as `burst` at once
    /// after a pause. The time is 1 s to 1 d.
    pub rate: Option<String>,
    /// How many requests of a `rate` may come at once. As many as the rate has in its time when not given.
    pub burst: Option<u64>,
    /// Requests in a window: of the calendar (`"1000/hour"`, `"10000/day"`, `"100000/month"`), or one that moves with
    /// the time and is never exceeded (`"1000/24h"`, 1 m to 31 d).
    pub quota: Option<String>,
    /// The time zone of a calendar's windows, as the IANA database names it: `Europe/Oslo`. UTC when not given.
    pub zone: Option<String>,
    /// Requests at the same time, each until the end of its answer.
    pub concurrency: Option<u64>,
    /// Until when a request of `concurrency` counts whose end is never seen, since its instance has ended. 1 m when not
    /// given; 5 s to 10 m. A longer request goes on counting.
    pub lease: Option<Duration>,
    /// Whose requests count together: values of the request, as rules name them (`client.address`, `identity.consumer`,
    /// `claim.tenant`, `header.x-tenant`, `cookie.session`, `path.id`, `request.route`, ..), several for all of them
    /// together, `"identity.subject or client.address"` for the first that is there; or `"global"` for all requests.
    /// IPv6 addresses count by /64. Requests without the value count together.
    pub key: OneOrMany,
    /// How exact it is, and what that costs: `exact` when not given.
    pub accuracy: Option<Accuracy>,
    /// How much a request counts. 1 when not given.
    pub cost: Option<Cost>,
    /// Other numbers for some clients: those of the first tier whose `when` holds.
    #[serde(default)]
    pub tiers: Vec<Tier>,
    /// Whose requests do not count at all.
    #[serde(default)]
    pub exempt: Exempt,
    /// What happens where the counter cannot be asked: `allow` when not given.
    pub on_failure: Option<OnFailure>,
    /// How long the counter may take. 1 s when not given; 1 ms to 10 s.
    pub timeout: Option<Duration>,
    /// Whether it only tells, in the log, whom it would refuse.
    #[serde(default)]
    pub dry_run: bool,
}

/// How exact a limit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Accuracy {
    /// Each request is decided at one counter that all instances share: a Durable Object on Workers, Redis
    /// (`gateway.redis`) or a key-value store on Spin.
    Exact,
    /// Instances take blocks from that counter and spend them by themselves: never more than the limit in total, and less
    /// by what they hold, or take with them when they end. Most requests of a busy key ask nobody.
    Leased,
    /// Cloudflare's rate limiting counts for each of its locations. For a `rate` in 10 s or 1 m without `burst`. Workers
    /// only.
    Regional,
    /// Each instance counts for itself.
    Local,
}

/// Other numbers for some clients. Those that it does not give are the limit's own.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// A rule: `identity.groups contains "gold"`, `claim.plan == "pro"`.
    pub when: String,
    /// Another `rate`.
    pub rate: Option<String>,
    /// Another `burst`.
    pub burst: Option<u64>,
    /// Another `quota`.
    pub quota: Option<String>,
    /// Another `concurrency`.
    pub concurrency: Option<u64>,
}

/// How much a request counts: a number, or what the answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cost {
    Fixed(u64),
    Answered(AnsweredCost),
}

/// A cost that is known when the answer is there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AnsweredCost {
    /// The header field of the upstream's answer that says it, as a whole number: `X-Complexity`. It is not passed on.
    pub response_header: String,
    /// What is counted before the answer is there, and instead of one that says nothing. 1 when not given.
    pub estimate: Option<u64>,
    /// The most that is believed. 1,000,000 when not given.
    pub most: Option<u64>,
}

/// Whose requests do not count.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Exempt {
    /// Addresses and networks of clients.
    pub addresses: Vec<String>,
    /// Rules, one of which must hold: `identity.groups contains "staff"`.
    pub rules: Vec<String>,
}

/// What happens where a counter cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The request goes on, and the log says so.
    Allow,
    /// The request is answered 503.
    Deny,
}

/// A limit that a route names: its name, or a table with what is different here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub limit: String,
    /// How much a request to this route counts.
    pub cost: Option<Cost>,
    /// Whether it was written as a table: the place of the name depends on it.
    pub table: bool,
}

/// A limit with what is different for the requests of a route.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct NamedTable {
    /// Its name.
    limit: String,
    /// How much a request counts here. As much as the limit says when not given.
    cost: Option<Cost>,
}

/// Which fields tell clients of limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LimitFields {
    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).
    Standard,
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset`, of the limit that is nearest to its end.
    Legacy,
    /// All of them.
    Both,
    /// None of them.
    None,
}

/// What an admin route shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Admin {
    /// The counters of limits, which can be reset too: `edgate limits`.
    Limits,
}

impl Accuracy {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Accuracy::Exact => "exact",
            Accuracy::Leased => "leased",
            Accuracy::Regional => "regional",
            Accuracy::Local => "local",
        }
    }
}

impl<'de> Deserialize<'de> for Cost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cost, D::Error> {
        struct Value;
        impl<'de> Visitor<'de> for Value {
            type Value = Cost;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or a table that names a header field")
            }

            fn visit_u64<E: Error>(self, cost: u64) -> Result<Cost, E> {
                Ok(Cost::Fixed(cost))
            }

            fn visit_i64<E: Error>(self, cost: i64) -> Result<Cost, E> {
                u64::try_from(cost).map(Cost::Fixed).map_err(|_| E::invalid_value(Unexpected::Signed(cost), &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Cost, A::Error> {
                AnsweredCost::deserialize(MapAccessDeserializer::new(map)).map(Cost::Answered)
            }
        }
        deserializer.deserialize_any(Value)
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Named, D::Error> {
        struct Value;
        impl<'de> Visitor<'de> for Value {
            type Value = Named;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a limit, or a table with it")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Named, E> {
                Ok(Named { limit: name.to_owned(), cost: None, table: false })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Named, A::Error> {
                let NamedTable { limit, cost } = NamedTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Named { limit, cost, table: true })
            }
        }
        deserializer.deserialize_any(Value)
    }
}

#[cfg(not(target_family = "wasm"))]
mod schema {
    use super::{AnsweredCost, Cost, Named, NamedTable};
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use std::borrow::Cow;

    impl JsonSchema for Cost {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "Cost".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let answered = generator.subschema_for::<AnsweredCost>();
            json_schema!({ "anyOf": [{ "type": "integer", "minimum": 0 }, answered] })
        }
    }

    impl JsonSchema for Named {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "Named".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let table = generator.subschema_for::<NamedTable>();
            json_schema!({ "anyOf": [{ "type": "string" }, table] })
        }
    }
}
