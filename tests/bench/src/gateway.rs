//! Starts contestants, each as a process of its own, and knows what each has used of the CPU.

use crate::aggregated::By;
use crate::contestant::Contestant;
use crate::cpu;
use crate::limited::{Kept, Place, Room};
use crate::load;
use crate::nginx::{self, Nginx};
use crate::plan::get;
use crate::upstream::Addresses;
use anyhow::{Context, Result, ensure};
use edgate_kit::redis::Redis;
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
    /// Where Workers of several modules are after bundling, each in a folder of its own.
    bundled: PathBuf,
    /// `None` where it is not there.
    pub nginx: Option<nginx::Place>,
}

/// The Workers of several modules: those that are written with hono, and those with Durable Objects before the proxy.
const HONO: &str = "hono";
const HONO_JWT: &str = "hono-jwt";
const HONO_AGGREGATE: &str = "hono-aggregate";
const OBJECT: &str = "object";
const OBJECT_MEMORY: &str = "object-memory";

/// A contestant that runs. It ends when it is dropped.
#[derive(Debug)]
pub struct Gateway {
    server: Server,
    /// Its counters, where they are there.
    _redis: Option<Redis>,
}

/// What serves.
#[derive(Debug)]
enum Server {
    Platform(Running),
    Nginx(Nginx),
}

impl Places {
    /// Finds the runtimes and the Workers, and bundles what needs it.
    pub fn find(root: &Path) -> Result<Places> {
        let places = Places {
            workerd: root.join("node_modules/.bin/workerd"),
            edgate: root.join("build/cloudflare"),
            component: root.join("build/spin/edgate.wasm"),
            workers: root.join("tests/bench/workers"),
            bundled: root.join("target/bench"),
            nginx: nginx::Place::find(root),
        };
        for path in [&places.workerd, &places.edgate.join("index.js")] {
            ensure!(path.exists(), "there is no {}: run scripts/bench without --no-build", path.display());
        }
        for worker in [HONO, HONO_JWT, HONO_AGGREGATE, OBJECT, OBJECT_MEMORY] {
            places.bundle(root, worker)?;
        }
        Ok(places)
    }

    fn bundle(&self, root: &Path, worker: &str) -> Result<()> {
        let mut esbuild = Command::new(root.join("node_modules/.bin/esbuild"));
        esbuild.args(["--bundle", "--minify", "--format=esm", "--log-level=warning"]);
        esbuild.arg("--external:cloudflare:workers");
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
            Contestant::JsLimited(Kept::Storage, _) => self.bundled.join(OBJECT),
            Contestant::JsLimited(Kept::Memory, _) => self.bundled.join(OBJECT_MEMORY),
            Contestant::Edgate { .. } | Contestant::EdgateConstant => self.edgate.clone(),
            Contestant::EdgateTokens(_) | Contestant::Limited(..) | Contestant::Resilient => self.edgate.clone(),
            Contestant::Aggregating(By::Edgate) => self.edgate.clone(),
            Contestant::Aggregating(By::Hono | By::Nginx) => self.bundled.join(HONO_AGGREGATE),
            Contestant::Spin | Contestant::SpinLimited(..) | Contestant::Aggregating(By::Spin) => {
                self.component.clone()
            }
        }
    }
}

impl Gateway {
    /// Starts a contestant and waits until it listens.
    pub async fn start(contestant: Contestant, places: &Places, upstreams: &Addresses) -> Result<Gateway> {
        if contestant == Contestant::Aggregating(By::Nginx) {
            let place = places.nginx.as_ref().context("nginx is not there")?;
            let server = Server::Nginx(Nginx::start(place, upstreams[0]).await?);
            return Ok(Gateway { server, _redis: None });
        }
        let redis = match contestant {
            Contestant::SpinLimited(Place::Redis, ..) => Some(Redis::start().await?),
            _ => None,
        };
        let deployment = contestant.deployment(upstreams, redis.as_ref().map(Redis::url))?;
        let running = match contestant {
            Contestant::Spin | Contestant::SpinLimited(..) | Contestant::Aggregating(By::Spin) => {
                let allowed = upstreams.iter().map(|upstream| format!("http://{upstream}"));
                let allowed = allowed.chain(redis.as_ref().map(Redis::url));
                Running::Spin(on_spin(places.worker(contestant), allowed.collect(), &deployment).await?)
            }
            _ => Running::Workerd(on_workerd(places, contestant, &deployment).await?),
        };
        if contestant.room() == Room::Nothing {
            // All that there is.
            load::once(running.address(), &get(0)).await.with_context(|| format!("{contestant:?}"))?;
        }
        Ok(Gateway { server: Server::Platform(running), _redis: redis })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        match &self.server {
            Server::Platform(running) => running.address(),
            Server::Nginx(nginx) => nginx.address(),
        }
    }

    /// The identifier of its process, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        match &self.server {
            Server::Platform(running) => running.process_id(),
            Server::Nginx(nginx) => nginx.process_id(),
        }
    }

    /// The CPU time it has used so far. `None` where the operating system is not asked.
    pub fn cpu(&self) -> Option<Duration> {
        cpu::used(self.process_id()?)
    }
}

/// Starts a Worker.
pub async fn on_workerd(places: &Places, contestant: Contestant, deployment: &Deployment) -> Result<Workerd> {
    let objects = match contestant {
        Contestant::JsLimited(..) | Contestant::Limited(..) => Objects::Temporary,
        _ => Objects::None,
    };
    let options = workerd::Options {
        workerd: places.workerd.clone(),
        build: places.worker(contestant),
        format: Format::Plain,
        objects,
        counters: Counters::Own,
    };
    Workerd::start(&options, deployment).await.with_context(|| format!("{contestant:?}"))
}

/// The stand-in for `spin` is built beside this program.
async fn on_spin(wasm: PathBuf, allowed: Vec<String>, deployment: &Deployment) -> Result<Spin> {
    let own = std::env::current_exe().context("this program has no path")?;
    let stand_in = own.with_file_name("edgate-spin-host");
    let program = spin::find_program(stand_in.exists().then_some(stand_in.as_path())).await?;
    Spin::start(&spin::Options { program, wasm, allowed, state: None }, deployment).await
}
