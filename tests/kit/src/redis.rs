//! A Redis of a test's own, on a free port. It ends when it is dropped, and what it has kept with it.

use crate::lines::Lines;
use crate::process::{Ending, Process};
use crate::upstream::reserve_port;
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::Command;

/// How long Redis may take to start.
const START: Duration = Duration::from_secs(10);

/// The folder of what it has kept, in its own.
const KEPT: &str = "kept";

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
        self.kill().await;
        // It may have kept nothing yet.
        let _ = std::fs::remove_dir_all(self.folder.path().join(KEPT));
        self.start_again().await
    }

    /// Ends it without warning.
    pub async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// Starts it again, with what it had kept.
    pub async fn start_again(&mut self) -> Result<()> {
        self.kill().await;
        self.process = spawn(self.address, self.folder.path()).await?;
        Ok(())
    }

    /// Starts it again, if it was killed.
    pub async fn start_unless_it_runs(&mut self) -> Result<()> {
        if self.process.runs() { Ok(()) } else { self.start_again().await }
    }

    /// Stops it where it is: what is sent to it is taken, and not answered until [`Redis::go_on`].
    pub fn pause(&self) {
        self.process.pause();
    }

    pub fn go_on(&self) {
        self.process.go_on();
    }

    /// Has a command done.
    ///
    /// # Errors
    ///
    /// It says that it is none.
    pub async fn command(&self, words: &[&str]) -> Result<()> {
        let mut stream = TcpStream::connect(self.address).await.context("no connection to Redis")?;
        let words_of = |text: String, word: &&str| text + &format!("${}\r\n{word}\r\n", word.len());
        let command = words.iter().fold(format!("*{}\r\n", words.len()), words_of);
        stream.write_all(command.as_bytes()).await?;
        let mut reply = String::new();
        BufReader::new(stream).read_line(&mut reply).await?;
        ensure!(!reply.is_empty() && !reply.starts_with('-'), "{}: {reply}", words.join(" "));
        Ok(())
    }

    /// Writes something else over every value.
    pub async fn corrupt(&self) -> Result<()> {
        let script = "for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('SET', key, 'no state at all') end";
        self.command(&["EVAL", script, "0"]).await
    }

    /// Has it forget its scripts.
    pub async fn forget_scripts(&self) -> Result<()> {
        self.command(&["SCRIPT", "FLUSH"]).await
    }
}

/// Starts a server, and waits until it takes connections.
async fn spawn(address: SocketAddr, folder: &Path) -> Result<Process> {
    let mut command = Command::new(program()?);
    command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
    // Whatever was answered is in the file then, even where the process is killed.
    command.args(["--save", "", "--appendonly", "yes", "--appenddirname", KEPT, "--daemonize", "no"]);
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
