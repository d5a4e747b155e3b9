//! A Redis of a test's own, on a free port: it keeps nothing, and ends when it is dropped.

use crate::lines::Lines;
use crate::process::{Ending, Process};
use crate::upstream::reserve_port;
use anyhow::{Context, Result, anyhow, bail};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpSocket;
use tokio::process::Command;

/// How long Redis may take to start.
const START: Duration = Duration::from_secs(10);

/// A running Redis.
#[derive(Debug)]
pub struct Redis {
    address: SocketAddr,
    process: Process,
    /// Keeps the port, also while nobody listens there.
    _port: TcpSocket,
    folder: TempDir,
}

impl Redis {
    /// Starts `redis-server`: the one on the path, or the one that `scripts/setup redis` has unpacked.
    pub async fn start() -> Result<Redis> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let (port, address) = reserve_port()?;
        let process = spawn(address, folder.path()).await?;
        Ok(Redis { address, process, _port: port, folder })
    }

    /// `redis://127.0.0.1:1234`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it and starts another one in its place, which has forgotten everything.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.kill().await;
        self.process = spawn(self.address, self.folder.path()).await?;
        Ok(())
    }
}

/// Starts a server, and waits until it takes connections.
async fn spawn(address: SocketAddr, folder: &Path) -> Result<Process> {
    let mut command = Command::new(program()?);
    command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
    command.args(["--save", "", "--appendonly", "no", "--daemonize", "no"]);
    command.arg("--dir").arg(folder).stdin(Stdio::null());
    let lines = Lines::default();
    let mut process = Process::start(command, Ending::Kill, &lines, &lines)?;
    let ready = lines.wait_for(0, START, |line| line.contains("Ready to accept connections"));
    tokio::select! {
        line = ready => line.map(drop),
        error = process.ended() => Err(anyhow!("{error:#}: {}", lines.since(0).join("\n"))),
    }
    .context("Redis does not start")?;
    Ok(process)
}

fn program() -> Result<PathBuf> {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/redis/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([unpacked]);
    match folders.map(|folder| folder.join("redis-server")).find(|program| program.is_file()) {
        Some(program) => Ok(program),
        None => bail!("redis-server is missing: run scripts/setup redis, or install Redis with your system's packages"),
    }
}
