//! What is measured: rows of a workload and a contestant, how often, and how long.

use crate::contestant::{Contestant, Log, edgate};
use crate::load::Amount;
use crate::upstream;
use hyper::Method;
use std::time::Duration;

/// A whole run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub rows: Vec<Row>,
    pub connections: usize,
    pub rounds: usize,
    /// How long a row's turn is in each round.
    pub turn: Duration,
    /// What every row gets before the first round: V8 compiles what runs often anew, wasm after some ten thousand calls.
    pub warm_up: Amount,
    /// How often each gateway is started for its first answer.
    pub starts: usize,
    /// Whether the results are rough.
    pub quick: bool,
}

/// One line of the results.
#[derive(Debug, Clone)]
pub struct Row {
    pub workload: String,
    pub name: &'static str,
    pub contestant: Contestant,
    pub ask: Ask,
    /// The contestant that this is held against, on the same request.
    pub baseline: Option<Contestant>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    pub method: Method,
    pub path: String,
    /// How long the request's body is, in bytes.
    pub sends: usize,
    /// How long the answer's body must be, in bytes.
    pub gets: usize,
}

/// The numbers of routes that a target speaks of.
pub const ROUTES: [usize; 4] = [1, 10, 100, 1000];

const POSTED: usize = 10_000;

impl Plan {
    pub fn full() -> Plan {
        let mut rows = proxy_rows();
        rows.insert(1, row(&proxying(1), "js-hono", Contestant::Hono, get(0), Some(Contestant::Js)));
        let logged = Contestant::Edgate { routes: 1, log: Log::On };
        rows.push(row("proxy, 1 route, access log", "edgate", logged, get(0), Some(Contestant::Js)));
        rows.extend(constant_rows());
        let post = Ask { method: Method::POST, path: item(0), sends: POSTED, gets: upstream::ITEM };
        let large =
            Ask { method: Method::GET, path: upstream::EXPORT_PATH.to_owned(), sends: 0, gets: upstream::EXPORT };
        rows.extend(pair("POST of 10 KB", [Contestant::Js, edgate(1)], &post));
        rows.extend(pair("answer of 100 KB", [Contestant::Js, edgate(1)], &large));
        Plan {
            rows,
            connections: 8,
            // Many short turns: they stand closer to those they are held against than few long ones.
            rounds: 15,
            turn: Duration::from_secs(1),
            warm_up: Amount { requests: 20_000, time: Duration::from_secs(60) },
            starts: 10,
            quick: false,
        }
    }

    pub fn quick() -> Plan {
        Plan {
            rows: proxy_rows().into_iter().chain(constant_rows()).collect(),
            connections: 8,
            rounds: 5,
            turn: Duration::from_millis(600),
            warm_up: Amount { requests: 4_000, time: Duration::from_secs(3) },
            starts: 3,
            quick: true,
        }
    }
}

/// The row for Spin's interfaces: for information, since nothing there is like the Workers.
pub fn on_spin() -> Row {
    row("proxy on Spin, 1 route", "edgate", Contestant::Spin, get(0), None)
}

/// The JavaScript proxy and edgate with more and more routes, of which the last one is asked for.
fn proxy_rows() -> Vec<Row> {
    let js = row(&proxying(1), "js", Contestant::Js, get(0), Some(Contestant::Js));
    let edgate =
        ROUTES.map(|routes| row(&proxying(routes), "edgate", edgate(routes), get(routes - 1), Some(Contestant::Js)));
    std::iter::once(js).chain(edgate).collect()
}

fn constant_rows() -> [Row; 2] {
    let ask = Ask { method: Method::GET, path: "/".to_owned(), sends: 0, gets: r#"{"hello":"world"}"#.len() };
    pair("fixed answer", [Contestant::JsConstant, Contestant::EdgateConstant], &ask)
}

fn pair(workload: &str, [js, edgate]: [Contestant; 2], ask: &Ask) -> [Row; 2] {
    [("js", js), ("edgate", edgate)].map(|(name, contestant)| row(workload, name, contestant, ask.clone(), Some(js)))
}

fn row(workload: &str, name: &'static str, contestant: Contestant, ask: Ask, baseline: Option<Contestant>) -> Row {
    Row { workload: workload.to_owned(), name, contestant, ask, baseline }
}

fn proxying(number: usize) -> String {
    format!("proxy, {}", routes(number))
}

/// So many routes, in words.
pub fn routes(number: usize) -> String {
    format!("{number} {}", if number == 1 { "route" } else { "routes" })
}

fn get(service: usize) -> Ask {
    Ask { method: Method::GET, path: item(service), sends: 0, gets: upstream::ITEM }
}

fn item(service: usize) -> String {
    format!("/svc{service}/items/42")
}
