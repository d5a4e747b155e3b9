//! Replays every scenario of `tests/scenarios/**` on three hosts: in memory, on workerd with the built Worker, and on
//! Spin (the real `spin up` where there is one, else the stand-in of `tests/spin-host`). Each is a test of its own,
//! `host::area::name`; a scenario that cannot run on a host says why, and is listed.

#[path = "replay/keepers.rs"]
mod keepers;
#[path = "replay/limiters.rs"]
mod limiters;
#[path = "replay/memory.rs"]
mod memory;
#[path = "replay/platform.rs"]
mod platform;
#[path = "replay/start.rs"]
mod start;
#[path = "replay/wire.rs"]
mod wire;

use edgate_kit::scenario::{HostName, Scenario, load};
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

const HOSTS: [(HostName, &str); 3] =
    [(HostName::Memory, "memory"), (HostName::Workerd, "workerd"), (HostName::Spin, "spin")];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let mut skipped = Vec::new();
    let mut counts = BTreeMap::new();
    for path in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")) {
        let scenario = match load(&path) {
            Ok(scenario) => Arc::new(scenario),
            Err(error) => {
                trials.push(Trial::test(name("scenario", &path), move || Err(Failed::from(format!("{error:#}")))));
                continue;
            }
        };
        for (host, label) in HOSTS {
            let test = name(label, &path);
            let reason = scenario.skip.get(&host);
            *counts.entry((label, reason.is_some())).or_insert(0) += 1;
            skipped.extend(reason.map(|reason| format!("{test}: {reason}")));
            let scenario = Arc::clone(&scenario);
            let trial = Trial::test(test, move || replay(host, &scenario)).with_ignored_flag(reason.is_some());
            trials.push(trial);
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        report(&counts, &skipped);
    }
    conclusion.exit_code()
}

fn replay(host: HostName, scenario: &Scenario) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mismatches = runtime.block_on(async {
        match host {
            HostName::Memory => memory::replay(scenario),
            HostName::Workerd | HostName::Spin => platform::replay(host, scenario).await,
        }
    });
    match mismatches {
        Ok(mismatches) if mismatches.is_empty() => Ok(()),
        Ok(mismatches) => Err(Failed::from(format!("{}\n  {}", scenario.title, mismatches.join("\n  ")))),
        Err(error) => Err(Failed::from(format!("{}\n  {error:#}", scenario.title))),
    }
}

/// How many scenarios there are for each host, and which are left out, with their reasons.
fn report(counts: &BTreeMap<(&str, bool), usize>, skipped: &[String]) {
    println!("host      scenarios  skipped");
    for (_, label) in HOSTS {
        let count = |skipped| counts.get(&(label, skipped)).copied().unwrap_or_default();
        println!("{label:8}  {:9}  {:7}", count(false), count(true));
    }
    for line in skipped {
        println!("skipped: {line}");
    }
}

fn name(host: &str, path: &Path) -> String {
    let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let area = part(path.parent().and_then(Path::file_name));
    format!("{host}::{area}::{}", part(path.file_stem()))
}

/// Every scenario file below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false if path.extension().is_some_and(|extension| extension == "toml") => vec![path],
            false => Vec::new(),
        })
        .collect();
    files.sort();
    files
}
