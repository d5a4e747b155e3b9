//! The results: as text, as JSON, and in the documentation.

use crate::first_answer::FirstAnswer;
use crate::limited;
use crate::memory::{AFTER, CROWD, Memory};
use crate::plan::{Group, Plan};
use crate::rounds::Outcome;
use crate::size::{BEFORE_IDENTITY, Size};
use crate::statistics::Spread;
use crate::targets::Target;
use anyhow::Result;
use edgate_bench::machine::Machine;
use edgate_bench::page;
use edgate_bench::table::Table;
use serde::Serialize;

/// All of a run.
#[derive(Debug, Clone)]
pub struct Report {
    pub machine: Machine,
    pub plan: Plan,
    pub outcomes: Vec<Outcome>,
    pub memories: Vec<Memory>,
    pub first_answers: Vec<FirstAnswer>,
    pub bundle: Size,
    pub targets: Vec<Target>,
}

/// A row of target/bench.json. What was not measured is `null`.
#[derive(Serialize)]
struct Record<'a> {
    workload: &'a str,
    name: &'a str,
    requests_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_us_per_request: Option<f64>,
    ratio_to_js: Option<f64>,
    ratio_to_no_limit: Option<f64>,
    ratio_to_one_url: Option<f64>,
    added_ms: Option<f64>,
}

impl Report {
    /// Whether a target is missed.
    pub fn missed(&self) -> bool {
        self.targets.iter().any(Target::missed)
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let tables: Vec<String> = self.tables().iter().map(Table::text).collect();
        let tables = tables.join("\n");
        let rough = if self.plan.quick { "\nA quick run: these results are rough.\n" } else { "" };
        format!("{}\n{}\n{}\n\n{tables}{rough}", self.machine.line(), self.method(), self.weight())
    }

    /// For target/bench.json.
    pub fn json(&self) -> String {
        let records: Vec<Record> = self.outcomes.iter().map(record).collect();
        // Such records always have a text.
        serde_json::to_string_pretty(&records).unwrap_or_default() + "\n"
    }

    /// A page with these results in place of those that it has.
    pub fn insert_into(&self, page: &str) -> Result<String> {
        page::insert(page, "scripts/bench", &self.markdown())
    }

    fn markdown(&self) -> String {
        let tables: Vec<String> = self.tables().iter().map(Table::markdown).collect();
        let tables = tables.join("\n");
        format!("{}.\n{}\n{}\n\n{tables}", self.machine.line(), self.method(), self.weight())
    }

    /// Those that have something in them.
    fn tables(&self) -> Vec<Table> {
        let full = self.load("to js", &[Group::Full]);
        let aggregates = self.load("to js-hono", &[Group::Aggregates, Group::Slow]);
        let upstreams = self.load("to one url", &[Group::Upstreams]);
        let all = [full, self.limits(), aggregates, self.memory(), upstreams, self.start(), self.judgement()];
        all.into_iter().filter(|table| !table.is_empty()).collect()
    }

    /// How it was measured, in one line.
    fn method(&self) -> String {
        let Plan { rounds, turn, connections, warm_up, .. } = self.plan;
        let (seconds, requests) = (turn.as_secs_f64(), warm_up.requests);
        format!(
            "Medians of {rounds} rounds, turns of {seconds} s, {connections} connections, {requests} requests before the first."
        )
    }

    fn weight(&self) -> String {
        let Size { bytes, gzipped } = self.bundle;
        let kb = |bytes: usize| bytes as f64 / 1024.0;
        let (whole, compressed) = (kb(bytes), kb(gzipped));
        let growth = compressed - BEFORE_IDENTITY;
        format!(
            "The Worker has {whole:.0} KB, {compressed:.0} KB compressed (gzip -9): {growth:.0} KB more than before it knew \
             who calls."
        )
    }

    /// The rows of these groups, each held against another one.
    fn load(&self, to: &'static str, groups: &[Group]) -> Table {
        let heading = ["workload", "name", "req/s", "p50 ms", "p99 ms", "CPU µs", "quartiles", to, "quartiles"];
        let mut table = Table::new(&heading, 2);
        for outcome in self.outcomes.iter().filter(|outcome| groups.contains(&outcome.row.group)) {
            let rate = format!("{:.0}", outcome.requests_per_second.median);
            let milliseconds = |spread: Spread| format!("{:.2}", spread.median);
            table.push(vec![
                outcome.row.workload.clone(),
                outcome.row.name.to_owned(),
                rate,
                milliseconds(outcome.p50_ms),
                milliseconds(outcome.p99_ms),
                median(outcome.cpu_us, 0),
                quartiles(outcome.cpu_us, 0),
                median(outcome.ratio, 2),
                quartiles(outcome.ratio, 2),
            ]);
        }
        table
    }

    /// The rows at one pace: the heading says at which.
    fn limits(&self) -> Table {
        let heading = [
            "at 1,000 req/s",
            "name",
            "p50 ms",
            "added ms",
            "p99 ms",
            "CPU µs",
            "quartiles",
            "to no limit",
            "quartiles",
        ];
        const { assert!(limited::PACE == 1_000, "as the heading says") };
        let mut table = Table::new(&heading, 2);
        for outcome in self.outcomes.iter().filter(|outcome| outcome.row.group == Group::Limits) {
            table.push(vec![
                outcome.row.workload.clone(),
                outcome.row.name.to_owned(),
                median(Some(outcome.p50_ms), 2),
                median(outcome.added_ms, 2),
                median(Some(outcome.p99_ms), 2),
                median(outcome.cpu_us, 0),
                quartiles(outcome.cpu_us, 0),
                median(outcome.ratio, 2),
                quartiles(outcome.ratio, 2),
            ]);
        }
        table
    }

    fn memory(&self) -> Table {
        let heading =
            ["1,000 at once", "name", "req/s", "idle MB", "after 1,000", "after 5,000", "after 20,000", "highest"];
        const { assert!(CROWD == 1_000 && AFTER[1] == 5_000 && AFTER[2] == 20_000, "as the heading says") };
        let mut table = Table::new(&heading, 2);
        for memory in &self.memories {
            let names = [memory.crowded.made.word(), memory.crowded.name].map(str::to_owned);
            let values = [memory.answers_per_second, memory.before].into_iter().chain(memory.after);
            let values = values.chain([memory.highest]).map(|value| format!("{value:.0}"));
            table.push(names.into_iter().chain(values).collect());
        }
        table
    }

    fn start(&self) -> Table {
        let mut table = Table::new(&["from the start of the process", "first answer ms", "quartiles", "to js"], 1);
        for first in &self.first_answers {
            let ms = Some(first.ms);
            table.push(vec![first.name.to_owned(), median(ms, 0), quartiles(ms, 0), median(first.ratio, 2)]);
        }
        table
    }

    fn judgement(&self) -> Table {
        let mut table = Table::new(&["target", "at most", "measured", "result"], 1);
        for target in &self.targets {
            let measured = target.measured.map_or_else(none, |measured| target.unit.format(measured));
            table.push(vec![target.what.clone(), target.unit.format(target.limit), measured, target.verdict()]);
        }
        table
    }
}

fn record(outcome: &Outcome) -> Record<'_> {
    let group = outcome.row.group;
    let limits = group == Group::Limits;
    let ratio = outcome.ratio.map(|spread| rounded(spread.median));
    Record {
        workload: &outcome.row.workload,
        name: outcome.row.name,
        requests_per_second: rounded(outcome.requests_per_second.median),
        p50_ms: rounded(outcome.p50_ms.median),
        p99_ms: rounded(outcome.p99_ms.median),
        cpu_us_per_request: outcome.cpu_us.map(|spread| rounded(spread.median)),
        ratio_to_js: ratio.filter(|_| !limits && group != Group::Upstreams),
        ratio_to_no_limit: ratio.filter(|_| limits),
        ratio_to_one_url: ratio.filter(|_| group == Group::Upstreams),
        added_ms: outcome.added_ms.filter(|_| limits).map(|spread| rounded(spread.median)),
    }
}

/// To thousandths: more is noise.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

fn median(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or_else(none, |spread| format!("{:.digits$}", spread.median))
}

fn quartiles(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or_else(none, |spread| format!("{:.digits$}–{:.digits$}", spread.lower, spread.upper))
}

fn none() -> String {
    "–".to_owned()
}
