//! From the start of a process to its first answer, while nothing else runs.

use crate::contestant::{Contestant, edgate};
use crate::gateway::{Places, on_workerd};
use crate::load;
use crate::plan::{Plan, get};
use crate::statistics::Spread;
use crate::upstream::Addresses;
use anyhow::Result;
use edgate_bench::program::say;
use std::time::Instant;

/// How long it took a contestant.
#[derive(Debug, Clone)]
pub struct FirstAnswer {
    pub name: &'static str,
    pub ms: Spread,
    /// Against the JavaScript proxy, start by start.
    pub ratio: Option<Spread>,
}

/// The contestants; the first is what the others are held against.
const STARTED: [(&str, Contestant); 3] =
    [("js", Contestant::Js), ("edgate, 1 route", edgate(1)), ("edgate, 1000 routes", edgate(1000))];

/// Starts each contestant in turn, again and again.
pub async fn measure(places: &Places, plan: &Plan, upstreams: &Addresses) -> Result<Vec<FirstAnswer>> {
    say(&format!("starting each gateway {} times", plan.starts));
    let mut times: Vec<Vec<Option<f64>>> = vec![Vec::new(); STARTED.len()];
    // The first ones find nothing in the file system's cache: they do not count.
    for round in 0..=plan.starts {
        for (times, (_, contestant)) in times.iter_mut().zip(STARTED) {
            let ms = one(contestant, places, upstreams).await?;
            if round > 0 {
                times.push(Some(ms));
            }
        }
    }
    let of_first = times.first().cloned().unwrap_or_default();
    let answers = STARTED.iter().zip(&times).filter_map(|((name, _), times)| {
        let ms = Spread::of(times.iter().copied().flatten())?;
        Some(FirstAnswer { name, ms, ratio: crate::rounds::ratio(times, &of_first) })
    });
    Ok(answers.collect())
}

/// In milliseconds.
async fn one(contestant: Contestant, places: &Places, upstreams: &Addresses) -> Result<f64> {
    let deployment = contestant.deployment(upstreams, None)?;
    let start = Instant::now();
    let workerd = on_workerd(places, contestant, &deployment).await?;
    load::once(workerd.address(), &get(0)).await?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}
