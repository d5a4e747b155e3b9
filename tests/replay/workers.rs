//! The built gateway on workerd, with what a test says of its Durable Objects.

use anyhow::{Context, Result, ensure};
use edgate_kit::workerd::{Counters, Format, Objects, Options};
use std::path::{Path, PathBuf};

/// How to start it, with counters of its own.
pub fn options() -> Result<Options> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let build = root.join("build/cloudflare");
    ensure!(build.join("index.js").exists(), "there is no {}: run scripts/build first", build.display());
    let workerd = root.join("node_modules/.bin/workerd");
    Ok(Options { workerd, build, format: Format::Plain, objects: Objects::Temporary, counters: Counters::Own })
}

/// The same with a door to its counters: `counter.js`.
pub fn with_door() -> Result<Options> {
    let options = options()?;
    let build = door(&options.build).context("cannot make a Worker with a door")?;
    Ok(Options { build, ..options })
}

fn door(built: &Path) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("door");
    std::fs::create_dir_all(folder.join("edgate"))?;
    put(&folder.join("edgate/edgate_bg.wasm"), &std::fs::read(built.join("edgate_bg.wasm"))?)?;
    let index = std::fs::read_to_string(built.join("index.js"))?;
    ensure!(index.matches("wasm.decide(").count() == 1, "the core decides in no place, or in many");
    // What is thrown there is what a trap throws.
    let index = index.replace("wasm.decide(", "(globalThis.insideDecide?.(),wasm.decide)(");
    put(&folder.join("edgate/index.js"), index.as_bytes())?;
    put(&folder.join("index.js"), include_bytes!("counter.js"))?;
    Ok(folder)
}

/// Writes a file in one step, for whoever is reading it.
fn put(path: &Path, content: &[u8]) -> Result<()> {
    let new = path.with_extension(format!("{:?}.new", std::thread::current().id()));
    std::fs::write(&new, content)?;
    Ok(std::fs::rename(&new, path)?)
}
