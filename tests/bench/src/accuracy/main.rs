//! How exact limits are: many clients at once against limits of several sizes, in several gateways that share counters,
//! through restarts of all that counts. Everything is on loopback, on free ports, and ends with this program.

mod crowd;
mod plan;
mod report;
mod site;
mod trial;
mod upstream;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use edgate_bench::machine::Machine;
use edgate_bench::page::insert;
use edgate_bench::program::{rewrite, root, say, stopped};
use edgate_bench::table::Table;
use plan::{Accuracy, CLOUDFLARE, Case, Event, Place, SPIN, cases};
use site::Site;
use std::path::Path;
use std::process::ExitCode;
use tokio::time::sleep;
use trial::Outcome;
use upstream::Seen;

/// Measures how exact limits are: how many of the requests of many clients are admitted.
#[derive(Parser)]
#[command(name = "edgate-accuracy", bin_name = "scripts/accuracy", version)]
struct Arguments {
    /// The platforms: all of them when none is named.
    #[arg(value_enum)]
    platforms: Vec<Platform>,
    /// Put the results into docs/limits.md.
    #[arg(long)]
    markdown: bool,
    /// Only limits that have this in their name: `quota-100-exact`, `rate`, `leased`, `killed`.
    #[arg(long, conflicts_with = "markdown")]
    only: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Platform {
    Cloudflare,
    Spin,
}

impl Arguments {
    fn places(&self) -> Vec<Place> {
        let named = |platform| self.platforms.is_empty() || self.platforms.contains(&platform);
        let cloudflare = CLOUDFLARE.into_iter().filter(|_| named(Platform::Cloudflare));
        cloudflare.chain(SPIN.into_iter().filter(|_| named(Platform::Spin))).collect()
    }
}

/// The clients are on this one thread; the upstream has another.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Whichever way it ends, what was started is dropped, and ends with it.
    let done = tokio::select! {
        biased;
        stopped = stopped() => stopped,
        done = run(&arguments) => done,
    };
    match done {
        Ok(wrong) if wrong.is_empty() => ExitCode::SUCCESS,
        Ok(wrong) => {
            wrong.iter().for_each(|what| eprintln!("error: {what}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Tries all, and says what is not as it should be.
async fn run(arguments: &Arguments) -> Result<Vec<String>> {
    let root = root()?;
    let heading = report::heading(&Machine::describe(&root));
    let mut outcomes = Vec::new();
    for place in arguments.places() {
        outcomes.extend(at(place, arguments.only.as_deref(), &root).await?);
    }
    ensure!(!outcomes.is_empty(), "no limit has that in its name");
    let tables = report::tables(&outcomes);
    println!("{heading}\n{}", tables.each_ref().map(Table::text).join("\n"));
    if arguments.markdown {
        ensure!(arguments.platforms.is_empty(), "the page has the results of all platforms: name none");
        let results = format!("{heading}\n{}", tables.each_ref().map(Table::markdown).join("\n"));
        rewrite(&root.join("docs/limits.md"), |page| insert(page, "scripts/accuracy", &results))?;
    }
    Ok(outcomes.iter().filter(|outcome| outcome.is_wrong()).map(wrong).collect())
}

async fn at(place: Place, only: Option<&str>, root: &Path) -> Result<Vec<Outcome>> {
    let mut cases = cases(place);
    cases.retain(|case| only.is_none_or(|word| case.name().contains(word)));
    let mut outcomes = Vec::with_capacity(cases.len());
    if cases.is_empty() {
        return Ok(outcomes);
    }
    let (address, seen) = upstream::start()?;
    let mut site = Site::start(place, root, address).await.with_context(|| place.text())?;
    // What is killed gives nothing back.
    let (quiet, eventful): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(|case| case.event == Event::Nothing);
    for case in quiet {
        outcomes.push(one(case, &mut site, &seen).await?);
    }
    if outcomes.iter().any(is_leased) {
        say(&format!("{}: waiting until what is leased has come back", place.text()));
        sleep(trial::RETURNED).await;
        for outcome in outcomes.iter_mut().filter(|outcome| is_leased(outcome)) {
            trial::again(outcome, &site, &seen).await?;
        }
    }
    for case in eventful {
        outcomes.push(one(case, &mut site, &seen).await?);
    }
    Ok(outcomes)
}

fn is_leased(outcome: &Outcome) -> bool {
    outcome.case.accuracy == Accuracy::Leased
}

async fn one(case: Case, site: &mut Site, seen: &Seen) -> Result<Outcome> {
    let name = format!("{}: {}", case.place.text(), case.name());
    say(&name);
    trial::run(case, site, seen).await.context(name)
}

fn wrong(outcome: &Outcome) -> String {
    let case = outcome.case;
    let (place, name) = (case.place.text(), case.name());
    format!("{place}, {name}: {} were admitted instead of {}", outcome.admitted, case.limit)
}
