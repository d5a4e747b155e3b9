//! A Redis of a test's own, on a free port. It ends when it is dropped, and breaks as the test wants.

mod command;

use crate::lines::Lines;
use crate::process::{Ending, Process, start_again};
use crate::upstream::reserve_port;
use anyhow::{Context, Result, anyhow, bail};
use rustix::process::Signal;
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
    keeping: Keeping,
    folder: TempDir,
}

/// What a Redis knows when it is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// Nothing of what was before.
    Nothing,
    /// Every value: each command is on the disk before it is answered. Scripts are always forgotten.
    Values,
}

impl Redis {
    /// Starts one that keeps nothing: the `redis-server` on the path, or the one that `scripts/setup redis` has unpacked.
    pub async fn start() -> Result<Redis> {
        Redis::start_that_keeps(Keeping::Nothing).await
    }

    /// Starts one that knows this when it is started again.
    pub async fn start_that_keeps(keeping: Keeping) -> Result<Redis> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let (port, address) = reserve_port()?;
        let process = spawn(address, keeping, folder.path()).await?;
        Ok(Redis { address, process, _port: port, keeping, folder })
    }

    /// `redis://127.0.0.1:1234`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it, and starts another one in its place.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill().await;
        self.process = start_again(async || spawn(self.address, self.keeping, self.folder.path()).await).await?;
        Ok(())
    }

    /// Ends it at once. Nobody listens there until it is started again.
    pub async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// Stops it in the middle of whatever it does. Connections stay open, and nobody answers on them.
    pub fn pause(&self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }

    /// Starts it again, if it was killed.
    pub async fn start_unless_it_runs(&mut self) -> Result<()> {
        if self.process.runs() { Ok(()) } else { self.restart().await }
    }

    /// Writes something else over every value.
    pub async fn corrupt(&self) -> Result<()> {
        let script = "for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('SET', key, 'no state at all') end";
        self.command(&["EVAL", script, "0"]).await.map(drop)
    }

    /// Has it forget all scripts, as it may at any time.
    pub async fn forget_scripts(&self) -> Result<()> {
        self.command(&["SCRIPT", "FLUSH", "SYNC"]).await.map(drop)
    }

    /// Has it answer each command only after this time, of those that come in this time.
    pub async fn hold_back(&self, time: Duration) -> Result<()> {
        self.command(&["CLIENT", "PAUSE", &time.as_millis().to_string(), "ALL"]).await.map(drop)
    }

    /// Gives it a command. Gives back what it answers: the lines of a list one after the other, nothing for nothing.
    pub async fn command(&self, words: &[&str]) -> Result<String> {
        command::command(self.address, words).await.with_context(|| format!("Redis: {}", words.join(" ")))
    }
}

/// Starts a server, and waits until it takes connections.
async fn spawn(address: SocketAddr, keeping: Keeping, folder: &Path) -> Result<Process> {
    let mut command = Command::new(program()?);
    command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
    command.args(["--save", "", "--daemonize", "no"]);
    command.args(match keeping {
        Keeping::Nothing => &["--appendonly", "no"][..],
        Keeping::Values => &["--appendonly", "yes", "--appendfsync", "always"],
    });
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
