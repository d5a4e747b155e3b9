//! Starts the built gateway on a platform. Nothing is skipped where something is missing: it says what to do.

use anyhow::{Result, ensure};
use edgate_kit::running::{Deployment, Running};
use edgate_kit::scenario::HostName;
use edgate_kit::spin::{self, Spin};
use edgate_kit::workerd::{self, Counters, Format, Objects, Workerd};
use std::path::{Path, PathBuf};

/// Starts a gateway on workerd or on Spin; there, it may call the addresses in `allowed`.
pub async fn start(host: HostName, deployment: &Deployment, allowed: Vec<String>) -> Result<Running> {
    start_with(host, deployment, allowed, Counters::Own).await
}

/// Starts a gateway; on workerd, these are its counters.
pub async fn start_with(
    host: HostName,
    deployment: &Deployment,
    allowed: Vec<String>,
    counters: Counters,
) -> Result<Running> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if host == HostName::Workerd {
        let build = root.join("build/cloudflare");
        ensure!(build.join("index.js").exists(), "there is no {}: run scripts/build first", build.display());
        let workerd = root.join("node_modules/.bin/workerd");
        let options = workerd::Options { workerd, build, format: Format::Plain, objects: Objects::Temporary, counters };
        return Ok(Running::Workerd(Workerd::start(&options, deployment).await?));
    }
    Ok(Running::Spin(spin(deployment, allowed, None).await?))
}

/// Starts a gateway on Spin, which shares its stores with others that have the same folder for them.
pub async fn spin(deployment: &Deployment, allowed: Vec<String>, state: Option<&Path>) -> Result<Spin> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let wasm = root.join("build/spin/edgate.wasm");
    ensure!(wasm.exists(), "there is no {}: run scripts/build first", wasm.display());
    let program = spin::find_program(stand_in(root).as_deref()).await?;
    let options = spin::Options { program, wasm, allowed, state: state.map(Path::to_owned) };
    Spin::start(&options, deployment).await
}

/// The stand-in for `spin up`, where it has been built.
fn stand_in(root: &Path) -> Option<PathBuf> {
    let named = std::env::var_os("EDGATE_SPIN_HOST").map(PathBuf::from);
    let built = ["release", "debug"].map(|profile| root.join("target").join(profile).join("edgate-spin-host"));
    named.into_iter().chain(built).find(|path| path.exists())
}
