//! Gateways that share counters, and what happens to them.

use crate::plan::{Case, Event, Place, SEVERAL, cases};
use anyhow::{Context, Result, bail, ensure};
use edgate_bench::program::say;
use edgate_kit::crowd::becomes;
use edgate_kit::lines::Lines;
use edgate_kit::redis::{Keeping, Redis};
use edgate_kit::running::Deployment;
use edgate_kit::spin::{self, Spin};
use edgate_kit::workerd::{Counters, Format, Objects, Options, Workerd};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// How soon workerd lets an object go that nobody asks: 10 s, by what it says of itself, and a while on a busy machine.
const EVICTION: Duration = Duration::from_secs(40);

/// Some gateways. They end when they are dropped.
pub struct Site {
    gateways: Gateways,
    redis: Option<Redis>,
    deployment: Deployment,
    /// What several Spins share.
    _state: TempDir,
}

enum Gateways {
    Workerd(Vec<Workerd>),
    Spin { options: spin::Options, running: Vec<Spin> },
}

impl Site {
    /// Starts all that a place has, with the limits of all that is tried there.
    pub async fn start(place: Place, root: &Path, upstream: SocketAddr) -> Result<Site> {
        say(&format!("starting {}", place.text()));
        let redis = match place {
            Place::SpinRedis => Some(Redis::start_that_keeps(Keeping::Values).await?),
            _ => None,
        };
        let state = tempfile::tempdir().context("no temporary folder")?;
        let url = redis.as_ref().map(Redis::url);
        let deployment = deployment(place, upstream, url.as_deref());
        let gateways = match place {
            Place::Workerd => Gateways::Workerd(vec![Workerd::start(&on_workerd(root), &deployment).await?]),
            Place::SeveralWorkerd => {
                Gateways::Workerd(Workerd::start_several(&on_workerd(root), &deployment, SEVERAL).await?)
            }
            Place::SpinRedis | Place::SpinStore => {
                let allowed = std::iter::once(format!("http://{upstream}")).chain(url).collect();
                let shared = (place == Place::SpinStore).then(|| state.path().to_owned());
                let options = on_spin(root, allowed, shared).await?;
                Gateways::Spin { running: Vec::new(), options }
            }
        };
        let mut site = Site { gateways, redis, deployment, _state: state };
        site.mend().await?;
        Ok(site)
    }

    /// Where its gateways listen.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        match &self.gateways {
            Gateways::Workerd(all) => all.iter().map(Workerd::address).collect(),
            Gateways::Spin { running, .. } => running.iter().map(Spin::address).collect(),
        }
    }

    /// What its gateways log.
    pub fn logs(&self) -> Vec<Lines> {
        match &self.gateways {
            Gateways::Workerd(all) => all.iter().map(|workerd| workerd.lines().clone()).collect(),
            Gateways::Spin { running, .. } => running.iter().map(|spin| spin.lines().clone()).collect(),
        }
    }

    /// Lets something happen.
    pub async fn happens(&mut self, event: Event) -> Result<()> {
        match (event, &mut self.gateways, &mut self.redis) {
            (Event::Nothing, ..) => Ok(()),
            (Event::CountersKilled, _, Some(redis)) => redis.restart().await,
            (Event::CountersKilled, Gateways::Workerd(all), None) => {
                all.first_mut().context("there is no workerd")?.restart().await
            }
            (Event::GatewayKilled, Gateways::Workerd(all), _) => {
                all.last_mut().context("there is no workerd")?.restart().await
            }
            (Event::GatewayKilled, Gateways::Spin { running, .. }, _) => {
                running.pop().map(drop).context("there is no Spin")
            }
            (Event::Evicted, Gateways::Workerd(all), _) => {
                let process = all.first().and_then(Workerd::process_id).context("there is no workerd")?;
                evicted(process).await
            }
            (Event::CountersKilled | Event::Evicted, Gateways::Spin { .. }, _) => bail!("nothing there could happen"),
        }
    }

    /// Starts those that are missing.
    pub async fn mend(&mut self) -> Result<()> {
        let Gateways::Spin { options, running } = &mut self.gateways else { return Ok(()) };
        while running.len() < SEVERAL {
            running.push(Spin::start(options, &self.deployment).await?);
        }
        Ok(())
    }
}

/// The configuration: the limits of all that is tried at a place, and a route for each.
fn deployment(place: Place, upstream: SocketAddr, redis: Option<&str>) -> Deployment {
    let platform = match place {
        Place::Workerd | Place::SeveralWorkerd => "cloudflare",
        Place::SpinRedis | Place::SpinStore => "spin",
    };
    let mut general = json!({ "targets": [platform], "log": { "access": "all" } });
    if let Some(redis) = redis {
        general["redis"] = json!(redis);
    }
    let upstream = json!({ "url": format!("http://{upstream}") });
    let common = [("EDGATE".to_owned(), general), ("UPSTREAM_COUNTING".to_owned(), upstream)];
    let cases = cases(place);
    let sections = cases.iter().flat_map(Case::sections);
    let bindings: Vec<(String, Value)> = common.into_iter().chain(sections).collect();
    let stores = match place {
        Place::SpinStore => BTreeMap::from([("default".to_owned(), BTreeMap::new())]),
        _ => BTreeMap::new(),
    };
    let limiters = cases.iter().filter_map(Case::limiter).collect();
    Deployment { bindings, stores, limiters, ..Deployment::default() }
}

fn on_workerd(root: &Path) -> Options {
    Options {
        workerd: root.join("node_modules/.bin/workerd"),
        build: root.join("build/cloudflare"),
        format: Format::Plain,
        objects: Objects::Temporary,
        counters: Counters::Own,
    }
}

async fn on_spin(root: &Path, allowed: Vec<String>, state: Option<PathBuf>) -> Result<spin::Options> {
    let stand_in = std::env::var_os("EDGATE_SPIN_HOST").map(PathBuf::from);
    let program = spin::find_program(stand_in.as_deref()).await?;
    Ok(spin::Options { program, wasm: root.join("build/spin/edgate.wasm"), allowed, state })
}

/// Waits until a workerd has let go of all objects: none of their files is open any more.
async fn evicted(process: u32) -> Result<()> {
    let gone = becomes(EVICTION, || open_objects(process) == Some(0)).await;
    ensure!(gone, "after {EVICTION:?} objects are still in the memory of workerd, or nobody can tell");
    Ok(())
}

/// How many files of objects a process has open. `None` where the operating system does not say.
fn open_objects(process: u32) -> Option<usize> {
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    let targets = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    // Beside each class of objects there is one file for the alarms of all of them.
    let is_object = |target: &PathBuf| {
        target.extension().is_some_and(|extension| extension == "sqlite") && !target.ends_with("metadata.sqlite")
    };
    Some(targets.filter(is_object).count())
}
