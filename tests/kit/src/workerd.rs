//! Cloudflare's runtime, as a bare `workerd` process on a free port: its configuration, its bindings, its output.
//!
//! A test says what Cloudflare's edge knows of a client (`request.cf`) as JSON in the field `CF-Blob`, which workerd
//! takes away. Without it there is nothing known: `request.cf` is null.

pub(crate) mod blob;
mod config;
mod values;

use crate::lines::Lines;
use crate::process::{Ending, Process};
use crate::running::Deployment;
use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::process::Command;
use tokio::time::timeout;
use values::Values;

/// The Workers runtime that the gateway is written for; the same stands in `wrangler.toml`.
pub const COMPATIBILITY_DATE: &str = "2026-11-01";

/// How long workerd may take to start.
const START: Duration = Duration::from_secs(20);

/// How workerd writes what is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// The text as it was logged: `console.log` on standard output, `console.warn` and `console.error` on the other.
    #[default]
    Plain,
    /// Each message as one JSON object with `timestamp`, `level` and `message`.
    Structured,
}

/// Where the Durable Objects that decide claims are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Claims {
    /// They are not bound.
    None,
    /// They are bound as `EDGATE_CLAIMS`, and end with workerd.
    #[default]
    Temporary,
    /// They are kept in this folder. workerd has SQL for objects on a disk only.
    Folder(PathBuf),
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// The `workerd` binary.
    pub workerd: PathBuf,
    /// The folder with `index.js`; further modules and `.wasm` files are there and in folders below.
    pub build: PathBuf,
    pub format: Format,
    pub claims: Claims,
}

/// A workerd that serves a gateway. It ends when it is dropped.
#[derive(Debug)]
pub struct Workerd {
    address: SocketAddr,
    lines: Lines,
    values: Values,
    process: Process,
    _folder: TempDir,
}

impl Workerd {
    /// Starts workerd and waits until it listens.
    pub async fn start(options: &Options, deployment: &Deployment) -> Result<Workerd> {
        let values = Values::start(&deployment.stores).await?;
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let path = folder.path().join("config.capnp");
        let objects = match &options.claims {
            Claims::None => None,
            Claims::Temporary => Some(folder.path()),
            Claims::Folder(folder) => Some(folder.as_path()),
        };
        let config = config::render(options, deployment, values.address(), objects)?;
        std::fs::write(&path, config).with_context(|| format!("cannot write {}", path.display()))?;
        let lines = Lines::default();
        let (control, mut process) = spawn(options, &path, &lines)?;
        let port = tokio::select! {
            port = timeout(START, port(control)) => port.map_err(|_| anyhow!("not ready within {START:?}")).flatten(),
            error = process.ended() => Err(error),
        };
        let port = port.with_context(|| format!("workerd does not start: {}", lines.since(0).join("\n")))?;
        let address = (Ipv4Addr::LOCALHOST, port).into();
        Ok(Workerd { address, lines, values, process, _folder: folder })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The identifier of its process, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// What it logs, on both outputs.
    pub fn lines(&self) -> &Lines {
        &self.lines
    }

    /// Changes a value of a key-value namespace, by its binding.
    pub fn set_value(&self, binding: &str, key: &str, value: &str) {
        self.values.set(binding, key, value.as_bytes());
    }

    /// A value of a key-value namespace, by its binding.
    pub fn value(&self, binding: &str, key: &str) -> Option<Vec<u8>> {
        self.values.get(binding, key)
    }
}

/// The control messages go to a pipe that takes the place of standard input: the one descriptor, beside the outputs,
/// that a child gets without unsafe code.
fn spawn(options: &Options, config: &Path, lines: &Lines) -> Result<(pipe::Receiver, Process)> {
    let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    let control = pipe::Receiver::from_owned_fd(reader.into()).context("cannot read a pipe")?;
    let mut command = Command::new(&options.workerd);
    command.args(["serve", "--import-path", "/", "--control-fd", "0"]).arg(config);
    command.stdin(Stdio::from(writer));
    let process = Process::start(command, Ending::Kill, lines, lines)?;
    Ok((control, process))
}

/// Waits for `{"event":"listen","socket":"http","port":1234}`. A pipe that closes means that the process is ending,
/// which is seen elsewhere, with the reason.
async fn port(control: pipe::Receiver) -> Result<u16> {
    let mut messages = BufReader::new(control).lines();
    loop {
        let Some(line) = messages.next_line().await.context("the control pipe broke")? else {
            return std::future::pending().await;
        };
        let message: Value = serde_json::from_str(&line).with_context(|| format!("no control message: {line}"))?;
        if message["event"] == "listen" {
            let port = message["port"].as_u64().and_then(|port| u16::try_from(port).ok());
            return port.with_context(|| format!("no port in {line}"));
        }
    }
}
