//! How large the Worker is: what Cloudflare stores, and what counts there, compressed.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The weight of a folder, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub bytes: usize,
    /// Each file by itself, with `gzip -9`, as scripts/build counts.
    pub gzipped: usize,
}

/// What the Worker weighed, compressed, before it knew tokens, keys, passwords and signatures; in units of 1024 bytes.
pub const BEFORE_IDENTITY: f64 = 281.0;

/// Weighs a folder.
pub fn of(folder: &Path) -> Result<Size> {
    let mut size = Size { bytes: 0, gzipped: 0 };
    for path in files(folder)? {
        size.bytes += std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?.len();
        let output = Command::new("gzip").args(["-9", "-c"]).arg(&path).output().context("cannot start gzip")?;
        ensure!(output.status.success(), "gzip ended with {}", output.status);
        size.gzipped += output.stdout.len();
    }
    Ok(size)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let place = || format!("cannot list {}", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(place)? {
        let path = entry.with_context(place)?.path();
        if path.is_dir() { paths.extend(files(&path)?) } else { paths.push(path) }
    }
    Ok(paths)
}
