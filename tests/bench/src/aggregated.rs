//! Aggregates that are compared: one answer made of three, by edgate, by a Worker with hono, and by nginx with Lua, where
//! it is. What each makes has the same length, whichever order it writes members in.

use crate::contestant::{Contestant, Log, general};
use crate::plan::{Answer, Ask, Group, Row, get};
use crate::rounds::{Outcome, ratio};
use crate::targets::{Target, Unit};
use crate::upstream::{LARGE, SMALL};
use serde_json::{Value, json};

/// Who makes one answer of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    Edgate,
    Spin,
    Hono,
    Nginx,
}

/// What is made of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// Three parts of 1 KB at once.
    Small,
    /// Three of 100 KB.
    Large,
    /// Three of 1 KB, each of which needs a value of the one before.
    Chain,
    /// Three of 1 KB at once, each after 100 ms.
    Slow,
}

/// In a second, where nothing is to queue.
pub const LOW: u32 = 20;

/// The targets. CPU per request against hono's.
const CPU: f64 = 1.0;
/// Of three parts that take 100 ms, in milliseconds.
const LATENCY: f64 = 115.0;

const ALL: [Made; 4] = [Made::Small, Made::Large, Made::Chain, Made::Slow];

impl Made {
    pub fn word(self) -> &'static str {
        match self {
            Made::Small => "aggregate, 3 of 1 KB",
            Made::Large => "aggregate, 3 of 100 KB",
            Made::Chain => "aggregate, chain of 3",
            Made::Slow => "aggregate, 3 of 100 ms",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Made::Small => "/three/small",
            Made::Large => "/three/large",
            Made::Chain => "/chain",
            Made::Slow => "/three/slow",
        }
    }

    /// `{"a":PART,"b":PART,"c":PART}`, in bytes.
    fn length(self) -> usize {
        let part = if self == Made::Large { LARGE } else { SMALL };
        r#"{"a":,"b":,"c":}"#.len() + 3 * part
    }

    pub fn ask(self) -> Ask {
        Ask { path: self.path().to_owned(), gets: Answer::Served(self.length()), ..get(0) }
    }

    fn group(self) -> Group {
        if self == Made::Slow { Group::Slow } else { Group::Aggregates }
    }
}

/// The configuration of edgate.
pub fn bindings(url: &str) -> Vec<(String, Value)> {
    let route = |name: &str, path: &str, paths: [&str; 3]| {
        let parts: Vec<Value> = ["a", "b", "c"]
            .iter()
            .zip(paths)
            .map(|(name, path)| json!({ "name": name, "upstream": "items", "path": path }))
            .collect();
        let section = json!({
            "match": { "path": path, "methods": ["GET"] }, "deadline": "60s", "aggregate": { "parts": parts },
        });
        (format!("ROUTE_{name}"), section)
    };
    let kind = ["/parts/{path.kind}/1", "/parts/{path.kind}/2", "/parts/{path.kind}/3"];
    let chain = ["/parts/small/1", "/parts/small/{part.a.body.next.id}", "/parts/small/{part.b.body.next.id}"];
    vec![
        general(Log::Off),
        ("UPSTREAM_ITEMS".to_owned(), json!({ "url": url, "timeout": "30s" })),
        route("THREE", "/three/{kind}", kind),
        route("CHAIN", "/chain", chain),
    ]
}

/// The rows on workerd, and those of nginx where it can be started.
pub fn rows(nginx: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    for made in ALL {
        rows.push(row(made, "js-hono", By::Hono));
        if made == Made::Large {
            rows.push(unread(row(made, "js-hono, texts", By::Hono)));
        }
        rows.push(row(made, "edgate", By::Edgate));
        if nginx {
            rows.push(row(made, "nginx-lua", By::Nginx));
        }
        if nginx && made == Made::Large {
            rows.push(unread(row(made, "nginx-lua, texts", By::Nginx)));
        }
    }
    rows
}

/// The rows on Spin's interfaces: for information.
pub fn on_spin() -> Vec<Row> {
    let on_spin = |made| Row { baseline: None, ..row(made, "edgate on Spin", By::Spin) };
    ALL.map(on_spin).into()
}

fn row(made: Made, name: &'static str, by: By) -> Row {
    Row {
        workload: made.word().to_owned(),
        name,
        contestant: Contestant::Aggregating(by),
        ask: made.ask(),
        baseline: Some(Contestant::Aggregating(By::Hono)),
        group: made.group(),
    }
}

/// The same, where the answers are put together as they are.
fn unread(row: Row) -> Row {
    let path = row.ask.path.replace("/three/", "/texts/");
    Row { ask: Ask { path, ..row.ask }, ..row }
}

/// Holds the results against the targets.
pub fn judge(outcomes: &[Outcome]) -> Vec<Target> {
    let of = |made: Made, name| outcomes.iter().find(|one| one.row.workload == made.word() && one.row.name == name);
    let target = |what: &str, made: Made, limit, measured, unit| Target {
        what: format!("{what}, {}", made.word()),
        limit,
        measured,
        unit,
    };
    let to = |other, made| {
        let measured = of(made, "edgate").zip(of(made, other)).and_then(|(own, other)| ratio(&own.turns, &other.turns));
        let what = format!("CPU per request to {}", other.replace("js-", ""));
        target(&what, made, CPU, measured.map(|ratio| ratio.median), Unit::Ratio)
    };
    let latency = of(Made::Slow, "edgate").map(|outcome| outcome.p50_ms.median);
    vec![
        to("js-hono", Made::Small),
        to("js-hono", Made::Large),
        to("js-hono", Made::Chain),
        target("p50", Made::Slow, LATENCY, latency, Unit::Milliseconds),
    ]
}
