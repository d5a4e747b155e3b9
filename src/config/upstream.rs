//! The services behind the gateway: the section `upstream`, and the keys of routes that choose between upstreams.

use super::Respond;
use super::credentials::Credentials;
use super::identity::InternalToken;
use super::units::{Duration, Share, Size};
use super::words::OneOrMany;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, IntoDeserializer, MapAccess, Visitor};
use std::fmt;

/// A service behind the gateway. Binding: `UPSTREAM_<NAME>`.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Its address: an absolute `http` or `https` URL. A path in it stands before every request's path.
    pub url: Option<String>,
    /// Its addresses, where there are several: URLs, or tables with a weight. 64 at most.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// Which of its targets gets a request: `round_robin` when not given.
    pub balance: Option<Balance>,
    /// How long a target may take until its answer begins. 15 s when not given; 1 ms to 10 m. The request's `deadline`
    /// holds for all tries together.
    pub timeout: Option<Duration>,
    /// When a request is tried again. Never when not given.
    pub retry: Option<Retry>,
    /// When a second target is asked beside the first. Never when not given.
    pub hedge: Option<Hedge>,
    /// When a target gets no more requests for a while. Never when not given.
    pub breaker: Option<Breaker>,
    /// How targets are asked for their health on a schedule. Workers only.
    pub health: Option<Health>,
    /// How many of its targets may be left out at the same time because of what they did, at most. All when not given:
    /// requests are then answered 503.
    pub max_ejected: Option<Share>,
    /// What is done where it gives no answer, or a bad one.
    pub fallback: Option<Fallback>,
    /// A token of edgate's own that tells it who calls.
    pub internal_token: Option<InternalToken>,
    /// What the gateway shows it of itself.
    pub credentials: Option<Credentials>,
}

/// One address of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub url: String,
    pub weight: Option<u32>,
    /// Whether it was written as a table: the place of the address depends on it.
    pub table: bool,
}

/// One address of an upstream, with its weight.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct TargetTable {
    /// An absolute `http` or `https` URL.
    url: String,
    /// How many requests it gets against the others. 1 when not given; 0 for none, up to 1,000.
    weight: Option<u32>,
}

/// Which target gets a request: a word, or what decides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Balance {
    Word(BalanceWord),
    By(BalanceBy),
}

/// Which target gets a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BalanceWord {
    /// Each in its turn, as often as its weight says.
    RoundRobin,
    /// Any, as often as its weight says.
    Random,
    /// The one with the fewest requests on their way to it from this instance, for its weight.
    LeastInFlight,
    /// Of two that are drawn, the one with fewer requests on their way.
    TwoChoices,
    /// The first of the list; the next one only where that is left out, or has failed.
    InOrder,
}

/// What decides which target gets a request. It says one of `hash` and `cookie`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct BalanceBy {
    /// Values of the request, as rules name them: `"identity.subject or client.address"` for the first that is there,
    /// several for all of them together. The same values get the same target, and where a target goes or comes, only its
    /// share of them moves. Requests without any of the values get any target.
    pub hash: Option<OneOrMany>,
    /// The name of a cookie: a client keeps its target. The gateway sets the cookie, and takes it out of what the upstream
    /// sees.
    pub cookie: Option<String>,
    /// How long the cookie is kept. As long as the client's session when not given; 1 s to 400 d.
    pub ttl: Option<Duration>,
}

/// When a request is tried again: it failed, doing it twice does no harm (its method is idempotent, it has an
/// `Idempotency-Key`, or no connection came about where the platform can tell), and its content is still there.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// How many tries there are, the first one too. 3 when not given; 2 to 10.
    pub attempts: Option<u32>,
    /// The longest pause before the second try; it doubles with each, and the pause is any time up to it. 50 ms when not
    /// given; 1 ms to 1 m. `Retry-After` makes it longer.
    pub backoff: Option<Duration>,
    /// The longest pause of all. 1 s when not given; 1 ms to 1 m.
    pub max_backoff: Option<Duration>,
    /// How many tries may come on top of the requests of the last 10 s, beside 10; never more than those requests, and one.
    /// 20% when not given.
    pub budget: Option<Share>,
    /// Statuses that are tried again: 429, or any from 500 on. 502, 503 and 504 when not given.
    pub statuses: Option<Vec<u16>>,
    /// The largest request body that is kept so that it can be sent again. 64 KB when not given; up to 1 MB. One of unknown
    /// length is never kept.
    pub max_body: Option<Size>,
}

/// When a second target is asked beside the first, for GET and HEAD: the first good answer counts.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Hedge {
    /// How long the first one has: 1 ms to 1 m.
    pub after: Duration,
}

/// When a target gets no more requests for a while: it gave no answer, or a bad one. Each instance finds out for itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// After so many failures in a row. 5 where `rate` is not given either; 1 to 1,000.
    pub failures: Option<u32>,
    /// When so much of the requests of the `window` failed.
    pub rate: Option<Share>,
    /// How many requests there must be in the `window` for the `rate` to mean anything. 20 when not given; 1 to 10,000.
    pub requests: Option<u32>,
    /// The time over which the `rate` is taken. 10 s when not given; 1 s to 10 m.
    pub window: Option<Duration>,
    /// For how long it gets none. 10 s when not given; 100 ms to 1 h. Then one request after the other is let through to
    /// see, until as many as `probes` went well, or one did not.
    pub open: Option<Duration>,
    /// How many must go well before it gets all again. 1 when not given; 1 to 100.
    pub probes: Option<u32>,
    /// Statuses that are failures, from 500 on. 500, 502, 503 and 504 when not given.
    pub statuses: Option<Vec<u16>>,
    /// Whether instances tell each other, through `gateway.store`, which targets they leave out.
    pub share: bool,
}

/// How targets are asked for their health, on a schedule that the platform keeps. Needs `gateway.store`, where instances
/// find what came of it. Workers only.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// The path that is asked for with GET, after the target's own path: `/health`.
    pub path: String,
    /// How often: whole minutes, up to 1 h. 1 m when not given.
    pub interval: Option<Duration>,
    /// How long the answer may take to begin. 5 s when not given; 1 ms to 30 s.
    pub timeout: Option<Duration>,
    /// Statuses of a healthy target. 200 to 299 when not given.
    pub statuses: Option<Vec<u16>>,
    /// After how many bad answers in a row a target is left out. 2 when not given; 1 to 10.
    pub unhealthy: Option<u32>,
    /// After how many good ones it comes back. 1 when not given; 1 to 10.
    pub healthy: Option<u32>,
}

/// What is done where an upstream gives no answer, or a bad one. What is given is tried in this order: another upstream, the
/// last good answer, a fixed one.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Fallback {
    /// Another upstream, for requests that may be tried again. Its own fallback is not.
    pub upstream: Option<String>,
    /// How old the last good answer to the same request may be: 1 s to 30 d. Kept are answers to GET with status 200 that
    /// say that they are for everybody (`public`, `max-age` or `stale-if-error` in `Cache-Control`) and have a known length
    /// of 128 KB at most: in the instance, and in `gateway.store` where there is one.
    pub stale: Option<Duration>,
    /// Whether answers whose `Cache-Control` says none of that are kept, too: for services that answer all clients alike.
    pub stale_unmarked: bool,
    /// A fixed answer.
    pub respond: Option<Respond>,
    /// Statuses of answers that are not good enough, from 500 on. 502, 503 and 504 when not given.
    pub statuses: Option<Vec<u16>>,
}

/// Another upstream for a part of a route's requests. It says `weight`, `when`, or both.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The upstream.
    pub upstream: String,
    /// How many requests it gets, of all, or of those for which `when` holds.
    pub weight: Option<Share>,
    /// A rule that must hold: `header.x-beta == "on"`, `identity.groups contains "testers"`.
    pub when: Option<String>,
    /// What decides who belongs to the `weight`: values of the request, as `hash` of an upstream's `balance` has them. Who
    /// belongs to 5% belongs to 10%, too. Each request by itself when not given.
    pub key: Option<OneOrMany>,
}

/// A copy of a route's requests for another upstream, whose answers nobody waits for. Requests with a body of more than
/// 64 KB, or of unknown length, are not copied.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// The upstream.
    pub upstream: String,
    /// How many requests are copied. All when not given.
    pub share: Option<Share>,
    /// A rule that must hold.
    pub when: Option<String>,
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Target, D::Error> {
        struct Value;
        impl<'de> Visitor<'de> for Value {
            type Value = Target;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL, or a table with it")
            }

            fn visit_str<E: Error>(self, url: &str) -> Result<Target, E> {
                Ok(Target { url: url.to_owned(), weight: None, table: false })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Target, A::Error> {
                let TargetTable { url, weight } = TargetTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Target { url, weight, table: true })
            }
        }
        deserializer.deserialize_any(Value)
    }
}

impl<'de> Deserialize<'de> for Balance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Balance, D::Error> {
        struct Value;
        impl<'de> Visitor<'de> for Value {
            type Value = Balance;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word, or a table with `hash` or `cookie`")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Balance, E> {
                BalanceWord::deserialize(word.into_deserializer()).map(Balance::Word)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Balance, A::Error> {
                BalanceBy::deserialize(MapAccessDeserializer::new(map)).map(Balance::By)
            }
        }
        deserializer.deserialize_any(Value)
    }
}

#[cfg(not(target_family = "wasm"))]
mod schema {
    use super::{Balance, BalanceBy, BalanceWord, Target, TargetTable};
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use std::borrow::Cow;

    impl JsonSchema for Target {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "Target".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let table = generator.subschema_for::<TargetTable>();
            json_schema!({ "anyOf": [{ "type": "string" }, table] })
        }
    }

    impl JsonSchema for Balance {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "Balance".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let word = generator.subschema_for::<BalanceWord>();
            let by = generator.subschema_for::<BalanceBy>();
            json_schema!({ "anyOf": [word, by] })
        }
    }
}
