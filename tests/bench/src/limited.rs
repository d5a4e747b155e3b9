//! Limits that are compared: edgate's in each accuracy, and the usual ones by hand, all for the same client, so with one
//! key. Every row gets its requests at one pace: what a limit adds to an answer is seen only where nothing queues.

use crate::contestant::{Contestant, edgate};
use crate::plan::{Answer, Ask, Group, Row, get};
use crate::rounds::{self, Outcome};
use crate::targets::{Target, Unit};
use edgate_kit::running::{Deployment, Limiter};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How exact edgate's limit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Accuracy {
    Exact,
    Leased,
    Local,
    Regional,
}

/// Where a bucket is that is made by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    Storage,
    Memory,
}

/// Where edgate counts on Spin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Redis,
    KeyValue,
}

/// How much the client may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// More than it does.
    Plenty,
    /// Nothing more, for the rest of the day.
    Nothing,
}

/// Requests per second.
pub const PACE: u32 = 1_000;

/// The targets. CPU per request of a block's spending, against no limit.
const LEASED: f64 = 1.15;
/// CPU per request and latency of an exact limit, against one by hand.
const BY_HAND: f64 = 1.0;
/// CPU per request that is refused, against one that is served without a limit.
const DENIED: f64 = 1.0;

impl Accuracy {
    pub fn name(self) -> &'static str {
        match self {
            Accuracy::Exact => "exact",
            Accuracy::Leased => "leased",
            Accuracy::Local => "local",
            Accuracy::Regional => "regional",
        }
    }
}

impl Room {
    /// So many requests, in so many seconds.
    fn numbers(self) -> (u64, u64) {
        match self {
            Room::Plenty => (100_000, 60),
            Room::Nothing => (1, 86_400),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Room::Plenty => "",
            Room::Nothing => ", denied",
        }
    }
}

impl Contestant {
    /// What is left of its limit.
    pub fn room(self) -> Room {
        match self {
            Contestant::JsLimited(_, room) | Contestant::Limited(_, room) | Contestant::SpinLimited(_, _, room) => room,
            _ => Room::Plenty,
        }
    }
}

/// A Worker with a bucket for each client, by hand.
pub fn by_hand(room: Room, upstream: &str) -> Deployment {
    let (limit, seconds) = room.numbers();
    let bindings = [("UPSTREAM", json!(upstream)), ("LIMIT", json!(limit)), ("PERIOD", json!(seconds * 1_000))];
    Deployment {
        bindings: bindings.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        objects: BTreeMap::from([("COUNTERS".to_owned(), "Counter".to_owned())]),
        ..Deployment::default()
    }
}

/// edgate with a limit on all of its routes.
pub fn limiting(accuracy: Accuracy, room: Room, mut bindings: Vec<(String, Value)>) -> Deployment {
    let (limit, seconds) = room.numbers();
    let section = json!({
        "rate": format!("{limit}/{seconds}s"),
        "key": "client.address",
        "accuracy": accuracy.name(),
        // A counter that nobody reaches would cost nothing.
        "on_failure": "deny",
    });
    bindings.push(("LIMIT_CLIENTS".to_owned(), section));
    for (_, general) in bindings.iter_mut().filter(|(name, _)| name == "EDGATE") {
        general["limits"] = json!(["clients"]);
        if accuracy == Accuracy::Regional {
            general["targets"] = json!(["cloudflare"]);
        }
    }
    let limiter = ("REGIONAL_CLIENTS".to_owned(), Limiter { limit, period: seconds });
    let limiters = (accuracy == Accuracy::Regional).then_some(limiter).into_iter().collect();
    Deployment { bindings, limiters, ..Deployment::default() }
}

/// The same on Spin, where counters are at a place that has to be told.
pub fn limiting_on_spin(
    (accuracy, room): (Accuracy, Room),
    redis: Option<String>,
    bindings: Vec<(String, Value)>,
) -> Deployment {
    let mut deployment = limiting(accuracy, room, bindings);
    for (_, general) in deployment.bindings.iter_mut().filter(|(name, _)| name == "EDGATE") {
        general["redis"] = json!(redis);
    }
    if redis.is_none() {
        deployment.stores.insert("default".to_owned(), BTreeMap::new());
    }
    deployment
}

/// The rows on workerd.
pub fn rows() -> Vec<Row> {
    let (js, none) = (Contestant::Js, edgate(1));
    let by_hand = |kept, room| Contestant::JsLimited(kept, room);
    let plenty = |accuracy| Contestant::Limited(accuracy, Room::Plenty);
    let rows = [
        ("no limit", "js", js, js),
        ("no limit", "edgate", none, none),
        ("exact", "js-object", by_hand(Kept::Storage, Room::Plenty), js),
        ("exact", "js-object, in memory", by_hand(Kept::Memory, Room::Plenty), js),
        ("exact", "edgate", plenty(Accuracy::Exact), none),
        ("leased", "edgate", plenty(Accuracy::Leased), none),
        ("local", "edgate", plenty(Accuracy::Local), none),
        ("regional", "edgate", plenty(Accuracy::Regional), none),
        ("exact, denied", "js-object", by_hand(Kept::Storage, Room::Nothing), js),
        ("exact, denied", "edgate", Contestant::Limited(Accuracy::Exact, Room::Nothing), none),
    ];
    rows.map(|(workload, name, contestant, baseline)| row(workload, name, contestant, baseline)).into()
}

/// The rows on Spin's interfaces.
pub fn on_spin() -> Vec<Row> {
    let mut rows = vec![row("no limit, Spin", "edgate", Contestant::Spin, Contestant::Spin)];
    for (place, word) in [(Place::Redis, "Redis"), (Place::KeyValue, "key-value")] {
        let kinds =
            [(Accuracy::Exact, Room::Plenty), (Accuracy::Leased, Room::Plenty), (Accuracy::Exact, Room::Nothing)];
        for (accuracy, room) in kinds {
            let workload = format!("{}{}, Spin with {word}", accuracy.name(), room.word());
            rows.push(row(&workload, "edgate", Contestant::SpinLimited(place, accuracy, room), Contestant::Spin));
        }
    }
    let local = Contestant::SpinLimited(Place::KeyValue, Accuracy::Local, Room::Plenty);
    rows.push(row("local, Spin", "edgate", local, Contestant::Spin));
    rows
}

fn row(workload: &str, name: &'static str, contestant: Contestant, baseline: Contestant) -> Row {
    let answer = match contestant.room() {
        Room::Plenty => get(0).gets,
        Room::Nothing => Answer::Denied,
    };
    Row {
        workload: format!("limits, {workload}"),
        name,
        contestant,
        ask: Ask { gets: answer, ..get(0) },
        baseline: Some(baseline),
        group: Group::Limits,
    }
}

/// Holds the results against the targets.
pub fn judge(outcomes: &[Outcome]) -> Vec<Target> {
    let of = |contestant| {
        let mut limits = outcomes.iter().filter(|outcome| outcome.row.group == Group::Limits);
        limits.find(|outcome| outcome.row.contestant == contestant)
    };
    let to_none = |contestant| of(contestant)?.ratio.map(|ratio| ratio.median);
    let exact = Contestant::Limited(Accuracy::Exact, Room::Plenty);
    let by_hand = of(exact).zip(of(Contestant::JsLimited(Kept::Storage, Room::Plenty)));
    let cpu = by_hand.and_then(|(own, other)| rounds::ratio(&own.turns, &other.turns));
    let latency = by_hand.map(|(own, other)| own.p50_ms.median / other.p50_ms.median);
    let target = |what: &str, limit, measured| Target { what: what.to_owned(), limit, measured, unit: Unit::Ratio };
    vec![
        target(
            "CPU per request to no limit, leased",
            LEASED,
            to_none(Contestant::Limited(Accuracy::Leased, Room::Plenty)),
        ),
        target("CPU per request to js-object, exact", BY_HAND, cpu.map(|ratio| ratio.median)),
        target("p50 to js-object, exact", BY_HAND, latency),
        target(
            "CPU per request to no limit, denied",
            DENIED,
            to_none(Contestant::Limited(Accuracy::Exact, Room::Nothing)),
        ),
    ]
}
