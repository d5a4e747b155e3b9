//! How a program here ends, where it finds the project, and what it says.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use tokio::signal::unix::{SignalKind, signal};

/// Waits until somebody asks this process to end.
///
/// # Errors
///
/// Always: it has been stopped.
pub async fn stopped<T>() -> Result<T> {
    let mut terminated = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot wait for signals")?,
        _ = terminated.recv() => {}
    }
    bail!("stopped")
}

/// The project's folder: scripts start their programs there.
pub fn root() -> Result<PathBuf> {
    let here = std::env::current_dir().context("there is no current folder")?;
    if !here.join("tests/bench").is_dir() {
        bail!("{} is not the project's folder: run the script, not the program", here.display());
    }
    Ok(here)
}

/// Writes a file, and the folder for it.
pub fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Changes a page of the documentation.
pub fn rewrite(path: &Path, change: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    write(path, &change(&text)?)
}

/// Says how far it is, apart from the results.
pub fn say(what: &str) {
    eprintln!("· {what}");
}
