//! What stands between the load and the upstream: a Worker or a component, and its configuration.

use serde_json::{Value, json};
use std::net::SocketAddr;

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
    /// edgate on Spin, with one route.
    Spin,
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
    /// The bindings it gets, before an upstream at this address.
    pub fn bindings(self, upstream: SocketAddr) -> Vec<(String, Value)> {
        let url = format!("http://{upstream}");
        match self {
            Contestant::Js | Contestant::Hono => vec![("UPSTREAM".to_owned(), json!(url))],
            Contestant::JsConstant => Vec::new(),
            Contestant::Edgate { routes, log } => proxying(routes, log, &url),
            Contestant::EdgateConstant => {
                let hello = json!({ "match": { "path": "/" }, "respond": { "json": { "hello": "world" } } });
                vec![general(Log::Off), ("ROUTE_HELLO".to_owned(), hello)]
            }
            Contestant::Spin => proxying(1, Log::Off, &url),
        }
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

fn general(log: Log) -> (String, Value) {
    let access = match log {
        Log::On => "all",
        Log::Off => "off",
    };
    ("EDGATE".to_owned(), json!({ "log": { "access": access } }))
}
