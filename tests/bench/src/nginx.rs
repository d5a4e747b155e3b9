//! nginx with its Lua module, as `scripts/setup nginx` unpacks it: one process, which makes aggregates.

use anyhow::{Context, Result, anyhow, ensure};
use edgate_kit::lines::Lines;
use edgate_kit::process::{Ending, Process};
use edgate_kit::upstream::reserve_port;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::Command;

/// How long nginx may take to start.
const START: Duration = Duration::from_secs(10);

/// Where it is.
#[derive(Debug, Clone)]
pub struct Place {
    /// What the packages have.
    unpacked: PathBuf,
    /// The folder of Lua libraries that are written in C, which has the machine's name in its path.
    libraries: PathBuf,
    /// The configuration and the script.
    scripts: PathBuf,
}

/// An nginx that runs. It ends when it is dropped.
#[derive(Debug)]
pub struct Nginx {
    address: SocketAddr,
    process: Process,
    _folder: TempDir,
    /// Keeps the port.
    _port: TcpSocket,
}

impl Place {
    /// `None` where it has not been unpacked.
    pub fn find(root: &Path) -> Option<Place> {
        let unpacked = root.join(".tools/nginx");
        let mut folders = std::fs::read_dir(unpacked.join("usr/lib")).ok()?.filter_map(Result::ok);
        let libraries = folders.find_map(|folder| Some(folder.path().join("lua/5.1")).filter(|path| path.is_dir()))?;
        let found = unpacked.join("bin/nginx").is_file();
        found.then(|| Place { unpacked, libraries, scripts: root.join("tests/bench/nginx") })
    }

    fn configuration(&self, folder: &Path, address: SocketAddr, upstream: SocketAddr) -> Result<String> {
        let template = self.scripts.join("nginx.conf");
        let text = std::fs::read_to_string(&template).with_context(|| format!("cannot read {}", template.display()))?;
        let values = [
            ("{modules}", self.unpacked.join("usr/lib/nginx/modules").display().to_string()),
            ("{lua}", self.unpacked.join("usr/share/lua/5.1").display().to_string()),
            ("{lua_libraries}", self.libraries.display().to_string()),
            ("{scripts}", self.scripts.display().to_string()),
            ("{folder}", folder.display().to_string()),
            ("{address}", address.to_string()),
            ("{upstream}", upstream.to_string()),
        ];
        Ok(values.iter().fold(text, |text, (name, value)| text.replace(name, value)))
    }
}

impl Nginx {
    /// Starts nginx before an upstream and waits until it listens.
    pub async fn start(place: &Place, upstream: SocketAddr) -> Result<Nginx> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let (port, address) = reserve_port()?;
        let path = folder.path().join("nginx.conf");
        let text = place.configuration(folder.path(), address, upstream)?;
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        let mut command = Command::new(place.unpacked.join("bin/nginx"));
        command.arg("-p").arg(folder.path()).arg("-c").arg(&path).stdin(Stdio::null());
        let lines = Lines::default();
        let mut process = Process::start(command, Ending::Kill, &lines, &lines)?;
        tokio::select! {
            listening = listening(address) => listening,
            error = process.ended() => Err(error),
        }
        .map_err(|error| anyhow!("nginx does not start: {error:#}: {}", lines.since(0).join("\n")))?;
        Ok(Nginx { address, process, _folder: folder, _port: port })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The identifier of its process, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }
}

/// nginx says nothing when it is ready.
async fn listening(address: SocketAddr) -> Result<()> {
    let start = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        ensure!(start.elapsed() < START, "not ready within {START:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
