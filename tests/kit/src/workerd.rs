//! Cloudflare's runtime, as a bare `workerd` process on a free port: its configuration, its bindings, its output.
//!
//! A test says what Cloudflare's edge knows of a client (`request.cf`) as JSON in the field `CF-Blob`, which workerd
//! takes away. Without it there is nothing known: `request.cf` is null.

pub(crate) mod blob;
mod config;
mod objects;
mod values;

use crate::client;
use crate::lines::Lines;
use crate::process::{Ending, Process, start_again};
use crate::running::Deployment;
use crate::scenario::Request;
use anyhow::{Context, Result, anyhow, ensure};
use config::Places;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
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

/// What it has beside that, as workerd's configuration lists it.
const COMPATIBILITY_FLAGS: &str = "\"enable_request_signal\"";

/// The socket of the gateway.
const HTTP: &str = "http";

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

/// Where edgate's Durable Objects are: `EDGATE_CLAIMS` and `EDGATE_LIMITS`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Objects {
    /// They are not bound.
    None,
    /// They end with workerd.
    #[default]
    Temporary,
    /// They are kept in this folder.
    Folder(PathBuf),
}

/// Whose counters the gateway asks, as `EDGATE_LIMITS`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Counters {
    /// Its own, which are among its objects.
    #[default]
    Own,
    /// Its own, which others may ask too, at [`Workerd::counters`].
    Offered,
    /// Those of another process.
    At(SocketAddr),
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// The `workerd` binary.
    pub workerd: PathBuf,
    /// The folder with `index.js`; further modules and `.wasm` files are there and in folders below.
    pub build: PathBuf,
    pub format: Format,
    pub objects: Objects,
    pub counters: Counters,
}

/// A workerd that serves a gateway. It ends when it is dropped.
#[derive(Debug)]
pub struct Workerd {
    options: Box<Options>,
    deployment: Box<Deployment>,
    ports: BTreeMap<String, u16>,
    lines: Lines,
    values: Values,
    process: Process,
    folder: TempDir,
}

impl Workerd {
    /// Starts workerd and waits until it listens.
    pub async fn start(options: &Options, deployment: &Deployment) -> Result<Workerd> {
        let values = Values::start(&deployment.stores).await?;
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let lines = Lines::default();
        let places = Places { values: values.address(), temporary: folder.path(), ports: &BTreeMap::new() };
        let config = config::render(options, deployment, &places)?;
        let (process, ports) = serve((options, deployment), &config, folder.path(), &lines).await?;
        let (options, deployment) = (Box::new(options.clone()), Box::new(deployment.clone()));
        Ok(Workerd { options, deployment, ports, lines, values, process, folder })
    }

    /// Starts several that share the counters of the first.
    pub async fn start_several(options: &Options, deployment: &Deployment, count: usize) -> Result<Vec<Workerd>> {
        let offering = Options { counters: Counters::Offered, ..options.clone() };
        let mut all = vec![Workerd::start(&offering, deployment).await?];
        let asking =
            Options { counters: Counters::At(all[0].counters().context("it offers none")?), ..options.clone() };
        for _ in 1..count {
            all.push(Workerd::start(&asking, deployment).await?);
        }
        Ok(all)
    }

    /// Kills it, wherever it is, and starts it again where it was, with the values and objects it had.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.kill().await;
        let places = Places { values: self.values.address(), temporary: self.folder.path(), ports: &self.ports };
        let config = config::render(&self.options, &self.deployment, &places)?;
        let started = (&*self.options, &*self.deployment);
        let start = async || serve(started, &config, self.folder.path(), &self.lines).await;
        (self.process, self.ports) = start_again(start).await?;
        Ok(())
    }

    /// Ends it without warning, until [`Workerd::restart`].
    pub async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// Starts it again, if it was killed.
    pub async fn start_unless_it_runs(&mut self) -> Result<()> {
        if self.process.runs() { Ok(()) } else { self.restart().await }
    }

    /// Writes something else over what its Durable Objects have kept. They begin anew with that.
    pub async fn corrupt_objects(&mut self) -> Result<()> {
        self.process.kill().await;
        let folder = objects::folder(&self.options.objects, self.folder.path()).context("it has no objects")?;
        objects::corrupt(&self.options.workerd.with_file_name("node"), folder).await?;
        self.restart().await
    }

    /// Stops it where it is: what is sent to it is taken, and not answered until [`Workerd::resume`].
    pub fn pause(&self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.at(HTTP)
    }

    /// Where it offers its counters to others, if it does.
    pub fn counters(&self) -> Option<SocketAddr> {
        self.ports.contains_key(objects::OFFERED).then(|| self.at(objects::OFFERED))
    }

    /// Has it do what it does on a schedule, for a time in milliseconds since 1970, and waits until that is done.
    pub async fn tick(&self, time_ms: u64) -> Result<()> {
        ensure!(self.deployment.scheduled, "it was started without a schedule");
        let request = Request::new("GET", &format!("/?time={time_ms}"));
        let response = client::send(self.at(config::CLOCK), &request).await?;
        ensure!(response.body.text() == "ok", "what was to be done on a schedule has failed: {response:?}");
        Ok(())
    }

    fn at(&self, socket: &str) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.get(socket).copied().unwrap_or_default()).into()
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

/// Runs workerd with a configuration, and waits until it listens. Gives back the ports, by the names of sockets.
async fn serve(
    (options, deployment): (&Options, &Deployment),
    config: &str,
    folder: &Path,
    lines: &Lines,
) -> Result<(Process, BTreeMap<String, u16>)> {
    let path = folder.join("config.capnp");
    std::fs::write(&path, config).with_context(|| format!("cannot write {}", path.display()))?;
    let sockets = 1 + usize::from(options.counters == Counters::Offered) + usize::from(deployment.scheduled);
    let mark = lines.count();
    let (control, mut process) = spawn((options, deployment), &path, lines)?;
    let ports = tokio::select! {
        ports = timeout(START, listening(control, sockets)) => ports.map_err(|_| anyhow!("not ready within {START:?}")).flatten(),
        error = process.ended() => Err(error),
    };
    let ports = ports.with_context(|| format!("workerd does not start: {}", lines.since(mark).join("\n")))?;
    Ok((process, ports))
}

/// The control messages go to a pipe that takes the place of standard input: the one descriptor, beside the outputs,
/// that a child gets without unsafe code.
fn spawn(
    (options, deployment): (&Options, &Deployment),
    config: &Path,
    lines: &Lines,
) -> Result<(pipe::Receiver, Process)> {
    let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    let control = pipe::Receiver::from_owned_fd(reader.into()).context("cannot read a pipe")?;
    let mut command = Command::new(&options.workerd);
    command.args(["serve", "--import-path", "/", "--control-fd", "0"]);
    command.args(deployment.scheduled.then_some("--experimental")).arg(config);
    command.stdin(Stdio::from(writer));
    let process = Process::start(command, Ending::Kill, lines, lines)?;
    Ok((control, process))
}

/// Waits for `{"event":"listen","socket":"http","port":1234}` of so many sockets. A pipe that closes means that the
/// process is ending, which is seen elsewhere, with the reason.
async fn listening(control: pipe::Receiver, sockets: usize) -> Result<BTreeMap<String, u16>> {
    let mut messages = BufReader::new(control).lines();
    let mut ports = BTreeMap::new();
    while ports.len() < sockets {
        let Some(line) = messages.next_line().await.context("the control pipe broke")? else {
            return std::future::pending().await;
        };
        let message: Value = serde_json::from_str(&line).with_context(|| format!("no control message: {line}"))?;
        if message["event"] == "listen" {
            let socket = message["socket"].as_str().with_context(|| format!("no socket in {line}"))?;
            let port = message["port"].as_u64().and_then(|port| u16::try_from(port).ok());
            ports.insert(socket.to_owned(), port.with_context(|| format!("no port in {line}"))?);
        }
    }
    Ok(ports)
}
