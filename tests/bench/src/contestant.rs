//! What stands between the load and the upstream: a Worker or a component, and its configuration.

use crate::aggregated::{self, By};
use crate::limited::{self, Accuracy, Kept, Place, Room};
use crate::resilient;
use crate::tokens::{AUDIENCE, ISSUER, verified_with};
use crate::upstream::Addresses;
use anyhow::Result;
use edgate_kit::credentials::algorithm::Algorithm;
use edgate_kit::running::Deployment;
use serde_json::{Value, json};

/// One gateway process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contestant {
    /// The bare JavaScript proxy.
    Js,
    /// The same with hono.
    Hono,
    /// The Worker that always answers the same.
    JsConstant,
    /// edgate, with this many routes to one upstream.
    Edgate { routes: usize, log: Log },
    /// edgate, with one route that always answers the same.
    EdgateConstant,
    /// hono's JWT middleware, before its proxy and a fixed answer.
    HonoTokens(Algorithm),
    /// edgate with one issuer, a route to an upstream, and one that always answers the same.
    EdgateTokens(Algorithm),
    /// The JavaScript proxy behind a Durable Object for each client.
    JsLimited(Kept, Room),
    /// edgate with one route and a limit for each client.
    Limited(Accuracy, Room),
    /// One answer made of three.
    Aggregating(By),
    /// edgate with one route to an upstream of three targets.
    Resilient,
    /// edgate on Spin, with one route.
    Spin,
    /// The same, with a limit for each client.
    SpinLimited(Place, Accuracy, Room),
}

/// Whether edgate writes its access log. The JavaScript Workers have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Log {
    On,
    Off,
}

/// edgate as it is compared: without its access log.
pub const fn edgate(routes: usize) -> Contestant {
    Contestant::Edgate { routes, log: Log::Off }
}

impl Contestant {
    /// What it is started with, before an upstream at these addresses and, where it wants one, beside this Redis.
    pub fn deployment(self, upstreams: &Addresses, redis: Option<String>) -> Result<Deployment> {
        let url = format!("http://{}", upstreams[0]);
        let proxying = |routes, log| proxying(routes, log, &url);
        let bindings = match self {
            Contestant::Js | Contestant::Hono | Contestant::Aggregating(By::Hono | By::Nginx) => {
                vec![("UPSTREAM".to_owned(), json!(url))]
            }
            Contestant::Aggregating(By::Edgate | By::Spin) => aggregated::bindings(&url),
            Contestant::Resilient => resilient::bindings(upstreams),
            Contestant::JsConstant => Vec::new(),
            Contestant::Edgate { routes, log } => proxying(routes, log),
            Contestant::EdgateConstant => {
                vec![general(Log::Off), ("ROUTE_HELLO".to_owned(), hello())]
            }
            Contestant::HonoTokens(algorithm) => {
                let key = ("KEY", verified_with(algorithm)?);
                let texts = [("ALGORITHM", algorithm.name()), ("ISSUER", ISSUER), ("AUDIENCE", AUDIENCE)];
                let texts = texts.into_iter().chain([("UPSTREAM", url.as_str())]);
                let texts = texts.map(|(name, text)| (name, json!(text)));
                std::iter::once(key).chain(texts).map(|(name, value)| (name.to_owned(), value)).collect()
            }
            Contestant::EdgateTokens(algorithm) => verifying(algorithm, &url)?,
            Contestant::Spin => proxying(1, Log::Off),
            Contestant::JsLimited(_, room) => return Ok(limited::by_hand(room, &url)),
            Contestant::Limited(accuracy, room) => {
                return Ok(limited::limiting(accuracy, room, proxying(1, Log::Off)));
            }
            Contestant::SpinLimited(_, accuracy, room) => {
                return Ok(limited::limiting_on_spin((accuracy, room), redis, proxying(1, Log::Off)));
            }
        };
        Ok(Deployment { bindings, ..Deployment::default() })
    }
}

fn proxying(routes: usize, log: Log, url: &str) -> Vec<(String, Value)> {
    let route = |number| {
        let path = format!("/svc{number}/items/{{id}}");
        let section = json!({ "match": { "path": path, "methods": ["GET", "POST"] }, "upstream": "items" });
        (format!("ROUTE_SVC_{number}"), section)
    };
    let upstream = ("UPSTREAM_ITEMS".to_owned(), json!({ "url": url }));
    [general(log), upstream].into_iter().chain((0..routes).map(route)).collect()
}

/// A gateway that asks for tokens on every route.
fn verifying(algorithm: Algorithm, url: &str) -> Result<Vec<(String, Value)>> {
    let mut issuer = json!({ "issuer": ISSUER, "audience": AUDIENCE, "algorithms": [algorithm.name()] });
    let mut bindings = proxying(1, Log::Off, url);
    match verified_with(algorithm)? {
        Value::String(secret) => {
            issuer["secret"] = json!({ "secret": "TOKEN_SECRET" });
            bindings.push(("TOKEN_SECRET".to_owned(), secret.into()));
        }
        key => issuer["keys"] = json!({ "keys": [key] }),
    }
    bindings.push(("ISSUER_LOGIN".to_owned(), issuer));
    bindings.push(("ROUTE_HELLO".to_owned(), hello()));
    for (_, route) in bindings.iter_mut().filter(|(name, _)| name.starts_with("ROUTE_")) {
        route["authenticate"] = json!({ "issuers": "login" });
    }
    Ok(bindings)
}

fn hello() -> Value {
    json!({ "match": { "path": "/" }, "respond": { "json": { "hello": "world" } } })
}

/// What holds for all of edgate.
pub fn general(log: Log) -> (String, Value) {
    let access = match log {
        Log::On => "all",
        Log::Off => "off",
    };
    ("EDGATE".to_owned(), json!({ "log": { "access": access } }))
}
