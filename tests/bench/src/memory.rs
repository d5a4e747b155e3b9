//! How much memory a gateway has while a thousand aggregates are under way at once, again and again: what is made of
//! answers has to go with them.

use crate::aggregated::{By, Made};
use crate::contestant::Contestant;
use crate::cpu::family;
use crate::gateway::{Gateway, Places};
use crate::load::{self, Amount};
use crate::targets::{Target, Unit};
use crate::upstream::Addresses;
use anyhow::{Context, Result};
use edgate_bench::program::say;
use std::time::{Duration, Instant};

/// How many are under way at once.
pub const CROWD: usize = 1_000;

/// After how many answers it is looked at. What runs often is compiled anew and remembered before the first.
pub const AFTER: [usize; 3] = [1_000, 5_000, 20_000];

/// Memory after all answers, against that after the second number of them.
const FLAT: f64 = 1.1;

/// One that is measured.
#[derive(Debug, Clone, Copy)]
pub struct Crowded {
    pub name: &'static str,
    pub by: By,
    pub made: Made,
}

/// What came of it, in units of 1024 * 1024 bytes.
#[derive(Debug, Clone)]
pub struct Memory {
    pub crowded: Crowded,
    /// After one answer.
    pub before: f64,
    /// After so many as [`AFTER`] says.
    pub after: [f64; 3],
    /// The most there ever was.
    pub highest: f64,
    pub answers_per_second: f64,
}

/// On workerd.
pub fn all() -> Vec<Crowded> {
    let of = |(name, by), made| Crowded { name, by, made };
    let contestants = [("js-hono", By::Hono), ("edgate", By::Edgate)];
    let mut all: Vec<Crowded> = contestants.iter().map(|one| of(*one, Made::Slow)).collect();
    all.extend(contestants.iter().map(|one| of(*one, Made::Large)));
    all
}

/// On Spin's interfaces.
pub fn on_spin() -> Crowded {
    Crowded { name: "edgate on Spin", by: By::Spin, made: Made::Slow }
}

/// Crowds one after the other. Nothing where memory is not known.
pub async fn measure(places: &Places, plan: &[Crowded], upstreams: &Addresses) -> Result<Vec<Memory>> {
    let mut all = Vec::new();
    for crowded in plan {
        say(&format!("{CROWD} aggregates at once: {}", crowded.label()));
        all.extend(one(places, *crowded, upstreams).await.with_context(|| crowded.label())?);
    }
    Ok(all)
}

async fn one(places: &Places, crowded: Crowded, upstreams: &Addresses) -> Result<Option<Memory>> {
    let gateway = Gateway::start(Contestant::Aggregating(crowded.by), places, upstreams).await?;
    let ask = crowded.made.ask();
    load::once(gateway.address(), &ask).await?;
    let Some(before) = now(&gateway, "VmRSS:") else { return Ok(None) };
    let (start, mut done) = (Instant::now(), 0);
    let mut after = [0.0; AFTER.len()];
    for (value, count) in after.iter_mut().zip(AFTER) {
        let amount = Amount { requests: count - done, time: Duration::from_secs(300), pace: None };
        done += load::run(gateway.address(), &ask, CROWD, amount).await?.latencies.len();
        *value = now(&gateway, "VmRSS:").context("it has ended")?;
    }
    let answers_per_second = done as f64 / start.elapsed().as_secs_f64();
    let highest = now(&gateway, "VmHWM:").context("it has ended")?;
    Ok(Some(Memory { crowded, before, after, highest, answers_per_second }))
}

/// What /proc says of the memory of a gateway's processes.
fn now(gateway: &Gateway, field: &str) -> Option<f64> {
    let kb = |process: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        line.trim().trim_end_matches(" kB").parse::<f64>().ok()
    };
    let all: Vec<f64> = family(gateway.process_id()?).iter().filter_map(kb).collect();
    (!all.is_empty()).then(|| all.iter().sum::<f64>() / 1024.0)
}

impl Crowded {
    pub fn label(&self) -> String {
        format!("{}, {}", self.made.word(), self.name)
    }
}

/// Holds the results against the target.
pub fn judge(all: &[Memory]) -> Vec<Target> {
    let own = all.iter().filter(|memory| memory.crowded.by != By::Hono);
    let target = |memory: &Memory| Target {
        what: format!("memory, {} to {} answers, {}", AFTER[2], AFTER[1], memory.crowded.label()),
        limit: FLAT,
        measured: Some(memory.after[2] / memory.after[1]),
        unit: Unit::Ratio,
    };
    own.map(target).collect()
}
