//! Starts contestants, each as a process of its own, and knows what each has used of the CPU.

use crate::contestant::Contestant;
use crate::cpu;
use anyhow::{Context, Result, ensure};
use edgate_kit::running::{Deployment, Running};
use edgate_kit::spin::{self, Spin};
use edgate_kit::workerd::{self, Counters, Format, Objects, Workerd};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where everything is that can be started.
#[derive(Debug)]
pub struct Places {
    workerd: PathBuf,
    /// The built Worker.
    pub edgate: PathBuf,
    component: PathBuf,
    workers: PathBuf,
    /// Where hono's Workers are after bundling, each in a folder of its own.
    bundled: PathBuf,
}

/// The Workers that are written with hono.
const HONO: &str = "hono";
const HONO_JWT: &str = "hono-jwt";

/// A contestant that runs. It ends when it is dropped.
#[derive(Debug)]
pub struct Gateway(Running);

impl Places {
    /// Finds the runtimes and the Workers, and bundles what needs it.
    pub fn find(root: &Path) -> Result<Places> {
        let places = Places {
            workerd: root.join("node_modules/.bin/workerd"),
            edgate: root.join("build/cloudflare"),
            component: root.join("build/spin/edgate.wasm"),
            workers: root.join("tests/bench/workers"),
            bundled: root.join("target/bench"),
        };
        for path in [&places.workerd, &places.edgate.join("index.js")] {
            ensure!(path.exists(), "there is no {}: run scripts/bench without --no-build", path.display());
        }
        for worker in [HONO, HONO_JWT] {
            places.bundle(root, worker)?;
        }
        Ok(places)
    }

    fn bundle(&self, root: &Path, worker: &str) -> Result<()> {
        let mut esbuild = Command::new(root.join("node_modules/.bin/esbuild"));
        esbuild.args(["--bundle", "--minify", "--format=esm", "--log-level=warning"]);
        esbuild.arg(self.workers.join(worker).join("index.js"));
        esbuild.arg(format!("--outfile={}", self.bundled.join(worker).join("index.js").display()));
        let status = esbuild.status().context("cannot start esbuild")?;
        ensure!(status.success(), "esbuild ended with {status}");
        Ok(())
    }

    fn worker(&self, contestant: Contestant) -> PathBuf {
        match contestant {
            Contestant::Js => self.workers.join("proxy"),
            Contestant::JsConstant => self.workers.join("constant"),
            Contestant::Hono => self.bundled.join(HONO),
            Contestant::HonoTokens(_) => self.bundled.join(HONO_JWT),
            Contestant::Edgate { .. } | Contestant::EdgateConstant => self.edgate.clone(),
            Contestant::EdgateTokens(_) | Contestant::Spin => self.edgate.clone(),
        }
    }
}

impl Gateway {
    /// Starts a contestant and waits until it listens.
    pub async fn start(contestant: Contestant, places: &Places, upstream: SocketAddr) -> Result<Gateway> {
        let deployment = Deployment { bindings: contestant.bindings(upstream)?, ..Deployment::default() };
        Ok(Gateway(match contestant {
            Contestant::Spin => Running::Spin(on_spin(places, upstream, &deployment).await?),
            _ => Running::Workerd(on_workerd(places, contestant, &deployment).await?),
        }))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// The CPU time it has used so far. `None` where the operating system is not asked.
    pub fn cpu(&self) -> Option<Duration> {
        cpu::used(self.0.process_id()?)
    }
}

/// Starts a Worker.
pub async fn on_workerd(places: &Places, contestant: Contestant, deployment: &Deployment) -> Result<Workerd> {
    let build = places.worker(contestant);
    let options = workerd::Options {
        workerd: places.workerd.clone(),
        build,
        format: Format::Plain,
        objects: Objects::None,
        counters: Counters::Own,
    };
    Workerd::start(&options, deployment).await.with_context(|| format!("{contestant:?}"))
}

/// The stand-in for `spin` is built beside this program.
async fn on_spin(places: &Places, upstream: SocketAddr, deployment: &Deployment) -> Result<Spin> {
    let own = std::env::current_exe().context("this program has no path")?;
    let stand_in = own.with_file_name("edgate-spin-host");
    let program = spin::find_program(stand_in.exists().then_some(stand_in.as_path())).await?;
    let allowed = vec![format!("http://{upstream}")];
    Spin::start(&spin::Options { program, wasm: places.component.clone(), allowed }, deployment).await
}
