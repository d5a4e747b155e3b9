//! Spin: `spin up` where there is one, else a stand-in that takes the same flags. This writes the manifest, starts the
//! process, and reads what the component logs from the files that Spin keeps.

mod manifest;

use crate::lines::{Lines, follow};
use crate::process::{Ending, Process};
use crate::running::Deployment;
use crate::upstream::reserve_port;
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::{NamedTempFile, TempDir};
use tokio::process::Command;
use tokio::task::JoinSet;

/// The oldest Spin that runs the gateway: major, minor.
pub const OLDEST: (u32, u32) = (4, 1);

/// How long Spin may take to start: a debug build of a runtime compiles the component slowly.
const START: Duration = Duration::from_secs(120);

/// What runs the component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// The real one.
    Spin(PathBuf),
    /// A host that takes the same flags and keeps values as files.
    StandIn(PathBuf),
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Options {
    pub program: Program,
    /// The component.
    pub wasm: PathBuf,
    /// `allowed_outbound_hosts`.
    pub allowed: Vec<String>,
    /// The folder that has the values of key-value stores, where several have the same; else one of its own.
    pub state: Option<PathBuf>,
}

/// A Spin that serves a gateway. It ends when it is dropped.
#[derive(Debug)]
pub struct Spin {
    address: SocketAddr,
    lines: Lines,
    /// Where the stand-in keeps values.
    values: Option<PathBuf>,
    process: Process,
    _following: JoinSet<()>,
    _folder: TempDir,
}

/// The program that `SPIN` names; else `spin`, where it is new enough; else the stand-in.
pub async fn find_program(stand_in: Option<&Path>) -> Result<Program> {
    if let Some(path) = std::env::var_os("SPIN").map(PathBuf::from) {
        let version = version(&path).await.with_context(|| format!("SPIN is {}", path.display()))?;
        ensure!(version >= OLDEST, "SPIN is version {version:?}, older than {OLDEST:?}");
        return Ok(Program::Spin(path));
    }
    let spin = PathBuf::from("spin");
    if version(&spin).await.is_ok_and(|version| version >= OLDEST) {
        return Ok(Program::Spin(spin));
    }
    let stand_in = stand_in.context("there is no `spin` of version 4.1 or later, and no stand-in was given")?;
    Ok(Program::StandIn(stand_in.to_owned()))
}

/// Reads `spin 4.1.0 (...)`.
async fn version(spin: &Path) -> Result<(u32, u32)> {
    let output = Command::new(spin).arg("--version").stdin(Stdio::null()).output().await.context("it does not run")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers = text.strip_prefix("spin ").unwrap_or_default().split('.').map_while(|part| part.parse().ok());
    match numbers.collect::<Vec<u32>>()[..] {
        [major, minor, ..] => Ok((major, minor)),
        _ => bail!("`{}` is no version of Spin", text.trim()),
    }
}

impl Spin {
    /// Starts Spin and waits until it listens.
    pub async fn start(options: &Options, deployment: &Deployment) -> Result<Spin> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let manifest = folder.path().join("spin.toml");
        let text = manifest::render(options, deployment)?;
        std::fs::write(&manifest, text).with_context(|| format!("cannot write {}", manifest.display()))?;
        let own = folder.path().join("state");
        let state = options.state.clone().unwrap_or_else(|| own.clone());
        let logs = own.join("logs");
        let values = matches!(options.program, Program::StandIn(_)).then(|| state.join("kv"));
        let (_port, address) = reserve_port()?;
        let mut command = command(&options.program, &manifest, &state, address);
        if options.state.is_some() {
            command.arg("--log-dir").arg(&logs);
        }
        match &values {
            Some(folder) => write_all(folder, &deployment.stores)?,
            None => {
                command.args(key_values(&deployment.stores)?);
            }
        }
        let (lines, spoken) = (Lines::default(), Lines::default());
        let mut process = Process::start(command, Ending::Ask, &spoken, &spoken)?;
        let serving = spoken.wait_for(0, START, |line| line.contains("Serving http://"));
        let serving = tokio::select! {
            line = serving => line,
            error = process.ended() => Err(error.context(spoken.since(0).join("\n"))),
        };
        let address = address_in(&serving.context("Spin does not start")?)?;
        let mut following = JoinSet::new();
        for name in ["edgate_stdout.txt", "edgate_stderr.txt"] {
            following.spawn(follow(logs.join(name), lines.clone()));
        }
        Ok(Spin { address, lines, values, process, _following: following, _folder: folder })
    }

    /// The identifier of its process, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the component logs, on both outputs.
    pub fn lines(&self) -> &Lines {
        &self.lines
    }

    /// Changes a value of a store. Only the stand-in keeps values where they can be changed.
    pub fn set_value(&self, store: &str, key: &str, value: &str) -> Result<()> {
        let folder = self.values.as_deref().context("cannot change a value that the real Spin keeps")?;
        write_value(folder, store, key, value)
    }

    /// Writes something else over all values of a store. Only the stand-in keeps values where they can be changed.
    pub fn overwrite(&self, store: &str) -> Result<()> {
        let folder = self.values.as_deref().context("cannot change a value that the real Spin keeps")?.join(store);
        for file in std::fs::read_dir(&folder).with_context(|| format!("there is no {}", folder.display()))? {
            std::fs::write(file?.path(), "no state at all")?;
        }
        Ok(())
    }

    /// A value of a store, without the time until which the component wants it kept. Only the stand-in keeps values where
    /// they can be read.
    pub fn value(&self, store: &str, key: &str) -> Result<Option<String>> {
        let folder = self.values.as_deref().context("cannot read a value that the real Spin keeps")?;
        let Ok(value) = std::fs::read_to_string(file_of(folder, store, key)) else { return Ok(None) };
        let kept = value.strip_prefix("edgate-expires:").and_then(|rest| rest.split_once('\n'));
        Ok(Some(kept.map_or(value.as_str(), |(_, value)| value).to_owned()))
    }
}

fn command(program: &Program, manifest: &Path, state: &Path, address: SocketAddr) -> Command {
    let (Program::Spin(path) | Program::StandIn(path)) = program;
    let mut command = Command::new(path);
    command.arg("up").arg("--from").arg(manifest).arg("--state-dir").arg(state);
    // What the component logs is read from files, so it need not be among what Spin says.
    command.args(["--quiet", "--listen", &address.to_string()]).stdin(Stdio::null());
    command
}

/// Reads `Serving http://127.0.0.1:1234`.
fn address_in(line: &str) -> Result<SocketAddr> {
    let text = line.split("http://").nth(1).unwrap_or_default().trim().trim_end_matches('/');
    text.parse().map_err(|error| anyhow!("no address in `{line}`: {error}"))
}

/// The real Spin takes initial values for its default store only.
fn key_values(stores: &BTreeMap<String, BTreeMap<String, String>>) -> Result<Vec<String>> {
    let other = stores.iter().find(|(store, values)| *store != "default" && !values.is_empty());
    ensure!(other.is_none(), "the real Spin takes initial values for the store `default` only");
    let values = stores.values().flatten();
    Ok(values.flat_map(|(key, value)| ["--key-value".to_owned(), format!("{key}={value}")]).collect())
}

fn write_all(folder: &Path, stores: &BTreeMap<String, BTreeMap<String, String>>) -> Result<()> {
    for (store, values) in stores {
        values.iter().try_for_each(|(key, value)| write_value(folder, store, key, value))?;
    }
    Ok(())
}

/// The file appears whole: it is written elsewhere and moved to its place.
fn write_value(folder: &Path, store: &str, key: &str, value: &str) -> Result<()> {
    let path = file_of(folder, store, key);
    let place = || format!("cannot write {}", path.display());
    std::fs::create_dir_all(folder.join(store)).with_context(place)?;
    let mut file = NamedTempFile::new_in(folder).with_context(place)?;
    file.write_all(value.as_bytes()).with_context(place)?;
    file.persist(&path).map(drop).with_context(place)
}

/// Where the stand-in keeps a value.
fn file_of(folder: &Path, store: &str, key: &str) -> PathBuf {
    let name: String = key.bytes().map(|byte| format!("{byte:02x}")).collect();
    folder.join(store).join(name)
}
