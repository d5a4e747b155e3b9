//! What the measurements were made on: numbers of one machine say nothing about another.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// The machine and the versions of what runs on it.
#[derive(Debug, Clone)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub system: String,
    pub workerd: String,
    pub hono: String,
    pub rust: String,
    /// How busy it was before anything was started, where that is known.
    pub load: Option<String>,
}

impl Machine {
    /// Describes the machine this runs on.
    pub fn describe(root: &Path) -> Machine {
        let version = |package: &str| version(root, package).unwrap_or_else(unknown);
        Machine {
            cpu: cpu().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            system: said_by("uname", &["-sr"]).unwrap_or_else(|| std::env::consts::OS.to_owned()),
            workerd: version("workerd"),
            hono: version("hono"),
            rust: said_by("rustc", &["--version"])
                .and_then(|text| text.split(' ').nth(1).map(str::to_owned))
                .unwrap_or_else(unknown),
            load: std::fs::read_to_string("/proc/loadavg")
                .ok()
                .and_then(|text| text.split(' ').next().map(str::to_owned)),
        }
    }

    /// In one line.
    pub fn line(&self) -> String {
        let Machine { cpu, cores, system, workerd, hono, rust, load } = self;
        let load = load.as_ref().map(|load| format!("; load before: {load}")).unwrap_or_default();
        format!("{cpu}, {cores} cores, {system}; workerd {workerd}, hono {hono}, Rust {rust}{load}")
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn cpu() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn said_by(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn version(root: &Path, package: &str) -> Option<String> {
    let text = std::fs::read_to_string(root.join("node_modules").join(package).join("package.json")).ok()?;
    let value: Value = serde_json::from_str(&text).ok()?;
    Some(value["version"].as_str()?.to_owned())
}
