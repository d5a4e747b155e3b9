//! What it costs that an upstream has several targets, and that something is done where one fails, while none does.

use crate::contestant::{Contestant, Log, edgate, general};
use crate::plan::{Group, Row, get};
use crate::rounds::Outcome;
use crate::targets::{Target, Unit};
use crate::upstream::Addresses;
use serde_json::{Value, json};

/// CPU per request, against an upstream with one address and nothing else: it must cost nearly nothing.
const CPU: f64 = 1.05;

const RESILIENT: &str = "upstream of 3 targets, retry, breaker";

/// The rows: edgate with one route, before one address and before three.
pub fn rows() -> Vec<Row> {
    let row = |workload: &str, contestant| Row {
        workload: workload.to_owned(),
        name: "edgate",
        contestant,
        ask: get(0),
        baseline: Some(edgate(1)),
        group: Group::Upstreams,
    };
    vec![row("upstream of one url", edgate(1)), row(RESILIENT, Contestant::Resilient)]
}

/// The configuration of edgate.
pub fn bindings(upstreams: &Addresses) -> Vec<(String, Value)> {
    let urls = upstreams.map(|address| format!("http://{address}"));
    let upstream = json!({ "targets": urls, "retry": { "attempts": 3 }, "breaker": { "failures": 5 } });
    let route = json!({ "match": { "path": "/svc0/items/{id}", "methods": ["GET", "POST"] }, "upstream": "items" });
    vec![general(Log::Off), ("UPSTREAM_ITEMS".to_owned(), upstream), ("ROUTE_SVC_0".to_owned(), route)]
}

/// Holds the results against the target.
pub fn judge(outcomes: &[Outcome]) -> Target {
    let measured = outcomes.iter().find(|outcome| outcome.row.workload == RESILIENT).and_then(|outcome| outcome.ratio);
    Target {
        what: format!("CPU per request to one url, {RESILIENT}"),
        limit: CPU,
        measured: measured.map(|ratio| ratio.median),
        unit: Unit::Ratio,
    }
}
