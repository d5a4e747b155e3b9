//! What is measured: rows of a workload and a contestant, how often, and how long.

use crate::aggregated;
use crate::contestant::{Contestant, Log, edgate};
use crate::limited;
use crate::load::Amount;
use crate::memory::{self, Crowded};
use crate::resilient;
use crate::tokens::Tokens;
use crate::upstream;
use anyhow::Result;
use edgate_bench::program::say;
use edgate_kit::credentials::algorithm::Algorithm;
use hyper::{Method, StatusCode};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A whole run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub rows: Vec<Row>,
    /// Whose memory is measured.
    pub crowds: Vec<Crowded>,
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
    /// The contestant that this is held against, in the same group.
    pub baseline: Option<Contestant>,
    pub group: Group,
}

/// Which rows belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// As many requests as there can be. A row is held against another one on the same request.
    Full,
    /// So many requests in a second. A row is held against one without a limit.
    Limits,
    /// As many requests as there can be for one answer made of several. A row is held against another of the same workload.
    Aggregates,
    /// The same, with few requests.
    Slow,
    /// As many as there can be. A row is held against an upstream with one address.
    Upstreams,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: Method,
    pub path: String,
    /// How long the request's body is, in bytes.
    pub sends: usize,
    pub gets: Answer,
    /// What clients show, where they show anything that is looked at.
    pub tokens: Option<Arc<Tokens>>,
}

/// What must come of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A body of so many bytes.
    Served(usize),
    /// Too many requests.
    Denied,
}

/// A contest over tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verifying {
    pub algorithm: Algorithm,
    pub shown: Shown,
    pub then: Then,
}

/// Which tokens clients show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The same one with every request: all but the first verification can be saved.
    Same,
    /// So many, in turn, that none can be remembered.
    Distinct,
}

/// What follows when the token holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Proxy,
    /// Nothing but an answer: what remains is the verification.
    Answer,
}

/// The numbers of routes that a target speaks of.
pub const ROUTES: [usize; 4] = [1, 10, 100, 1000];

const POSTED: usize = 10_000;

const ITEM: Answer = Answer::Served(upstream::ITEM);

/// The algorithms that tokens are signed with.
pub const ALGORITHMS: [Algorithm; 3] = [Algorithm::Hs256, Algorithm::Rs256, Algorithm::Es256];

/// edgate remembers some 2,000 for each issuer.
const DISTINCT: usize = 10_000;

impl Plan {
    /// Rows of nginx where it is there.
    pub fn full(nginx: bool) -> Result<Plan> {
        let mut rows = proxy_rows();
        rows.insert(1, row(&proxying(1), "js-hono", Contestant::Hono, get(0), Some(Contestant::Js)));
        let logged = Contestant::Edgate { routes: 1, log: Log::On };
        rows.push(row("proxy, 1 route, access log", "edgate", logged, get(0), Some(Contestant::Js)));
        rows.extend(constant_rows());
        let post = Ask { method: Method::POST, path: item(0), sends: POSTED, gets: ITEM, tokens: None };
        let large = Ask { path: upstream::EXPORT_PATH.to_owned(), gets: Answer::Served(upstream::EXPORT), ..get(0) };
        rows.extend(pair("POST of 10 KB", [Contestant::Js, edgate(1)], &post));
        rows.extend(pair("answer of 100 KB", [Contestant::Js, edgate(1)], &large));
        rows.extend(token_rows()?);
        rows.extend(limited::rows());
        rows.extend(aggregated::rows(nginx));
        rows.extend(resilient::rows());
        Ok(Plan {
            rows,
            crowds: memory::all(),
            connections: 8,
            // Many short turns: they stand closer to those they are held against than few long ones.
            rounds: 15,
            turn: Duration::from_secs(1),
            warm_up: Amount { requests: 20_000, time: Duration::from_secs(60), pace: None },
            starts: 10,
            quick: false,
        })
    }

    pub fn quick(nginx: bool) -> Result<Plan> {
        let tokens = token_rows()?.into_iter().filter(|row| row.ask.gets == ITEM);
        let rows = proxy_rows().into_iter().chain(constant_rows()).chain(tokens).chain(limited::rows());
        Ok(Plan {
            rows: rows.chain(aggregated::rows(nginx)).chain(resilient::rows()).collect(),
            crowds: memory::all(),
            connections: 8,
            rounds: 5,
            turn: Duration::from_millis(600),
            warm_up: Amount { requests: 4_000, time: Duration::from_secs(3), pace: None },
            starts: 3,
            quick: true,
        })
    }

    /// Keeps the rows whose workload has a word in its name, and what they are held against.
    pub fn keep(&mut self, word: &str) {
        self.crowds.retain(|crowded| crowded.made.word().contains(word));
        let meant = |row: &Row| row.workload.contains(word);
        let all = self.rows.clone();
        self.rows.retain(|row| all.iter().any(|other| meant(other) && (meant(row) || row.is_baseline_of(other))));
    }
}

impl Row {
    /// Whether another row is held against this one: its baseline. Where that is on the same request, the path may differ
    /// in the service's number.
    pub fn is_baseline_of(&self, other: &Row) -> bool {
        let tokens = |row: &Row| row.ask.tokens.as_ref().map(Arc::as_ptr);
        let ask = |row: &Row| (row.ask.method.clone(), row.ask.gets, tokens(row));
        let same = || match self.group {
            Group::Full => ask(self) == ask(other),
            Group::Aggregates | Group::Slow => self.workload == other.workload,
            Group::Limits | Group::Upstreams => true,
        };
        Some(self.contestant) == other.baseline && self.group == other.group && same()
    }

    /// How many requests begin in a second of its turn.
    pub fn pace(&self) -> Option<u32> {
        match self.group {
            Group::Limits => Some(limited::PACE),
            Group::Slow => Some(aggregated::LOW),
            Group::Full | Group::Aggregates | Group::Upstreams => None,
        }
    }

    /// What it gets before the first round, where all get this. Slow ones take the way of others, which is warm already.
    pub fn warm_up(&self, all: Amount) -> Amount {
        match self.group {
            Group::Slow => Amount { requests: 100, ..all },
            _ => all,
        }
    }
}

impl Answer {
    pub fn status(self) -> StatusCode {
        match self {
            Answer::Served(_) => StatusCode::OK,
            Answer::Denied => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

impl fmt::Display for Verifying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match self.shown {
            Shown::Same => "one token",
            Shown::Distinct => "distinct tokens",
        };
        let then = match self.then {
            Then::Proxy => "proxy",
            Then::Answer => "fixed answer",
        };
        write!(f, "{}, {shown}, {then}", self.algorithm.name())
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
    pair("fixed answer", [Contestant::JsConstant, Contestant::EdgateConstant], &hello())
}

/// hono's JWT middleware and edgate.
fn token_rows() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for algorithm in ALGORITHMS {
        say(&format!("minting {DISTINCT} tokens with {}", algorithm.name()));
        let distinct = Tokens::mint(algorithm, DISTINCT)?;
        let same = distinct.first();
        let (hono, edgate) = (Contestant::HonoTokens(algorithm), Contestant::EdgateTokens(algorithm));
        for then in [Then::Proxy, Then::Answer] {
            for (shown, tokens) in [(Shown::Same, &same), (Shown::Distinct, &distinct)] {
                let ask = match then {
                    Then::Proxy => get(0),
                    Then::Answer => hello(),
                };
                let ask = Ask { tokens: Some(Arc::clone(tokens)), ..ask };
                let workload = Verifying { algorithm, shown, then }.to_string();
                rows.push(row(&workload, "js-hono", hono, ask.clone(), Some(hono)));
                rows.push(row(&workload, "edgate", edgate, ask, Some(hono)));
            }
        }
    }
    Ok(rows)
}

fn pair(workload: &str, [js, edgate]: [Contestant; 2], ask: &Ask) -> [Row; 2] {
    [("js", js), ("edgate", edgate)].map(|(name, contestant)| row(workload, name, contestant, ask.clone(), Some(js)))
}

fn row(workload: &str, name: &'static str, contestant: Contestant, ask: Ask, baseline: Option<Contestant>) -> Row {
    Row { workload: workload.to_owned(), name, contestant, ask, baseline, group: Group::Full }
}

fn proxying(number: usize) -> String {
    format!("proxy, {}", routes(number))
}

/// So many routes, in words.
pub fn routes(number: usize) -> String {
    format!("{number} {}", if number == 1 { "route" } else { "routes" })
}

/// An item of a service.
pub fn get(service: usize) -> Ask {
    Ask { method: Method::GET, path: item(service), sends: 0, gets: ITEM, tokens: None }
}

/// The fixed answer.
fn hello() -> Ask {
    Ask { path: "/".to_owned(), gets: Answer::Served(r#"{"hello":"world"}"#.len()), ..get(0) }
}

fn item(service: usize) -> String {
    format!("/svc{service}/items/42")
}
