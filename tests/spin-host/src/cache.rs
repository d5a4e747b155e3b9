//! Keeps compiled components on disk: compiling takes seconds, loading what was compiled
//! milliseconds, and the tests start this host about a hundred times.
//!
//! An entry is named after the bytes of the component and everything in this host that shapes the
//! machine code, so an entry never becomes stale; it is swept away when it has not been made anew
//! for a week.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use wasmtime::component::Component;
use wasmtime::error::Context as _;
use wasmtime::{Engine, Result};

const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The component at `path`, from the cache if it is there.
pub fn load(engine: &Engine, path: &Path) -> Result<Component> {
    let wasm = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let not_a_component = || format!("{} is not a component that can run here", path.display());
    let Some((folder, lock)) = open() else {
        return Component::new(engine, wasm).with_context(not_a_component);
    };
    let entry = folder.join(format!("{:016x}.cwasm", key(engine, &wasm)));
    if !entry.exists() {
        // Hosts that start at the same time wait for the first of them to compile.
        lock.lock()?;
    }
    if !entry.exists() {
        sweep(&folder);
        let compiled = engine.precompile_component(&wasm).with_context(not_a_component)?;
        let unfinished = entry.with_extension(std::process::id().to_string());
        fs::write(&unfinished, compiled)?;
        fs::rename(unfinished, &entry)?;
    }
    // SAFETY: the file came from `precompile_component`; only this host writes to the folder, and
    // it replaces and removes files there but never changes one that may be mapped.
    unsafe { Component::deserialize_file(engine, &entry) }
}

/// The first folder that can be written to, with the file in it that serves as its lock.
fn open() -> Option<(PathBuf, File)> {
    let beside_the_build = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.parent()?.to_owned()));
    [beside_the_build, Some(std::env::temp_dir())].into_iter().flatten().find_map(|folder| {
        let folder = folder.join("spin-host-cache");
        fs::create_dir_all(&folder).ok()?;
        let lock = File::options().create(true).append(true).open(folder.join("lock")).ok()?;
        Some((folder, lock))
    })
}

fn key(engine: &Engine, wasm: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.write(wasm);
    hasher.finish()
}

/// Failures are left alone: they cost disk space at worst.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|metadata| metadata.modified()).map(|time| time.elapsed());
        if matches!(age, Ok(Ok(age)) if age > KEPT) && entry.path().extension().is_some() {
            let _ = fs::remove_file(entry.path());
        }
    }
}
