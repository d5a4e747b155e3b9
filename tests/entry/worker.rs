//! A Worker of `src/cloudflare/entry.js` with a script in the core's place.

use anyhow::{Context, Result};
use edgate_kit::running::{Deployment, Limiter, Running};
use edgate_kit::scenario::Request;
use edgate_kit::workerd::{Counters, Format, Objects, Options, Workerd};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long to wait for what should be seen.
pub const PATIENCE: Duration = Duration::from_secs(5);

pub fn run(test: impl Future<Output = Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if let Err(error) = runtime.block_on(test) {
        panic!("{error:#}");
    }
}

/// A new folder with the entry and what reads the scripts.
pub fn build() -> Result<PathBuf> {
    static FOLDERS: AtomicU32 = AtomicU32::new(0);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(env!("CARGO_CRATE_NAME")).join(number.to_string());
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let from = root.join("src/cloudflare");
    std::fs::copy(from.join("entry.js"), folder.join("index.js"))?;
    for file in std::fs::read_dir(&from)? {
        let name = file?.file_name();
        if Path::new(&name).extension().is_some_and(|extension| extension == "js") && name != "entry.js" {
            std::fs::copy(from.join(&name), folder.join(&name))?;
        }
    }
    std::fs::copy(root.join("tests/entry/edgate.js"), folder.join("edgate.js"))?;
    std::fs::write(folder.join("edgate_bg.wasm"), b"\0asm\x01\0\0\0")?;
    Ok(folder)
}

/// Starts a Worker that does what these scripts say, by path.
pub async fn start(scripts: Value, objects: Objects) -> Result<Running> {
    Ok(Running::Workerd(start_with(scripts, objects, Counters::Own).await?))
}

pub async fn start_with(scripts: Value, objects: Objects, counters: Counters) -> Result<Workerd> {
    let build = build()?;
    let workerd = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/.bin/workerd");
    anyhow::ensure!(workerd.exists(), "workerd is missing: run scripts/setup npm");
    let options = Options { workerd, build, format: Format::Plain, objects, counters };
    let bindings = vec![("SCRIPTS".to_owned(), scripts)];
    let limiters = BTreeMap::from([("REGIONAL_A".to_owned(), Limiter { limit: 3, period: 60 })]);
    Workerd::start(&options, &Deployment { bindings, limiters, ..Deployment::default() }).await
}

/// What a script was told.
pub async fn told(worker: &Running, request: &Request) -> Result<Vec<String>> {
    let response = worker.send(request).await?;
    serde_json::from_slice(&response.body.start)
        .with_context(|| format!("{}: {}", response.status, response.body.text()))
}

/// What a script was told after the request.
pub async fn replies(worker: &Running, path: &str) -> Result<Vec<String>> {
    Ok(told(worker, &Request::new("GET", path)).await?.split_off(1))
}

pub fn step(lines: &[&str]) -> Value {
    json!({ "lines": lines })
}
