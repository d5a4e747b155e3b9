//! What a request through edgate costs. Every gateway runs before the same upstream and is idle but for its turn; turns
//! go round, so that whatever else the machine does falls on all of them alike. `docs/performance.md` says what is
//! measured and how.

// What is compared.
mod aggregated;
mod contestant;
mod limited;
mod plan;
mod resilient;
mod tokens;

// The two ends, and what is between them.
mod gateway;
mod load;
mod nginx;
mod upstream;

// What is measured.
mod cpu;
mod first_answer;
mod memory;
mod rounds;
mod size;
mod statistics;

// What is said about it.
mod report;
mod targets;

use anyhow::{Context, Result};
use clap::Parser;
use edgate_bench::machine::Machine;
use edgate_bench::program::{rewrite, root, say, stopped, write};
use gateway::Places;
use plan::Plan;
use report::Report;
use std::process::ExitCode;
use std::time::Duration;

/// Measures edgate against Workers written in JavaScript, on the same workerd, in one interleaved run.
#[derive(Parser)]
#[command(name = "edgate-bench", bin_name = "scripts/bench", version, after_help = SCRIPT)]
struct Arguments {
    /// Fewer rows, fewer rounds, less warm-up: under a minute, and rough.
    #[arg(long)]
    quick: bool,
    /// End with 1 if a target is missed.
    #[arg(long)]
    check: bool,
    /// Put the results into docs/performance.md.
    #[arg(long, conflicts_with = "quick")]
    markdown: bool,
    /// Measure Spin's interfaces too (`edgate-spin-host`, or `spin` 4.1 where there is one).
    #[arg(long)]
    spin: bool,
    /// Only rows whose workload has this in its name, and what they are held against.
    #[arg(long, conflicts_with = "markdown")]
    only: Option<String>,
    /// How many connections a gateway gets its requests on.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..))]
    connections: u8,
    /// How often every row has its turn [default: 15; 5 with --quick].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// How long a turn is, in seconds [default: 1; 0.6 with --quick].
    #[arg(long)]
    seconds: Option<f64>,
}

/// What the script does by itself.
const SCRIPT: &str = "With --no-build the script builds no gateway and measures what is in build/. \
With --native [FILTER] it runs the benchmarks of the crate's own code instead.";

impl Arguments {
    fn plan(&self, nginx: bool) -> Result<Plan> {
        let mut plan = if self.quick { Plan::quick(nginx)? } else { Plan::full(nginx)? };
        if self.spin {
            plan.rows.push(plan::on_spin());
            plan.rows.extend(limited::on_spin());
            plan.rows.extend(aggregated::on_spin());
            plan.crowds.push(memory::on_spin());
        }
        if let Some(word) = &self.only {
            plan.keep(word);
        }
        plan.connections = self.connections.into();
        if let Some(rounds) = self.rounds {
            plan.rounds = rounds.into();
        }
        if let Some(seconds) = self.seconds {
            plan.turn = Duration::try_from_secs_f64(seconds).context("--seconds")?;
        }
        Ok(plan)
    }
}

/// The load is made on this one thread; the upstream has another.
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
        Ok(missed) if missed && arguments.check => ExitCode::FAILURE,
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, and says whether a target is missed.
async fn run(arguments: &Arguments) -> Result<bool> {
    let root = root()?;
    let places = Places::find(&root)?;
    let machine = Machine::describe(&root);
    if places.nginx.is_none() {
        say("left out: nginx with Lua is not here (scripts/setup nginx)");
    }
    let report = measure(&places, &arguments.plan(places.nginx.is_some())?, machine).await?;
    print!("{}", report.text());
    write(&root.join("target/bench.json"), &report.json())?;
    if arguments.markdown {
        rewrite(&root.join("docs/performance.md"), |page| report.insert_into(page))?;
    }
    Ok(report.missed())
}

async fn measure(places: &Places, plan: &Plan, machine: Machine) -> Result<Report> {
    let upstreams = upstream::start()?;
    let bundle = size::of(&places.edgate)?;
    let first_answers = first_answer::measure(places, plan, &upstreams).await?;
    let outcomes = rounds::measure(places, plan, &upstreams).await?;
    let memories = memory::measure(places, &plan.crowds, &upstreams).await?;
    let targets = targets::judge(&outcomes, &memories, &first_answers, bundle);
    Ok(Report { machine, plan: plan.clone(), outcomes, memories, first_answers, bundle, targets })
}
