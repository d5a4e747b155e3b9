//! workerd's configuration, in Cap'n Proto's text form.

use super::objects::{self, OFFERED, Parts};
use super::{COMPATIBILITY_DATE, COMPATIBILITY_FLAGS, Format, Options};
use crate::running::Deployment;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where things are that belong to one run.
pub(super) struct Places<'a> {
    /// Who keeps the values of key-value namespaces.
    pub values: SocketAddr,
    /// The folder of Durable Objects that end with the run.
    pub temporary: &'a Path,
    /// The ports to listen on, by the names of sockets. A free one where there is none.
    pub ports: &'a BTreeMap<String, u16>,
}

/// The name of the socket, and of the service, that has things done on a schedule.
pub(super) const CLOCK: &str = "clock";

/// The configuration of one Worker that may reach everything.
pub(super) fn render(options: &Options, deployment: &Deployment, places: &Places<'_>) -> Result<String> {
    let modules = modules(&options.build)?.join(",\n      ");
    let folder = objects::folder(&options.objects, places.temporary);
    let Parts { bindings: more, worker, services, offered, extensions } =
        objects::parts(deployment, folder, &options.counters)?;
    let bindings: Vec<String> = bindings(deployment).into_iter().chain(more).collect();
    let bindings = bindings.join(",\n      ");
    let namespaces: Vec<String> = deployment.stores.keys().map(|store| namespace(store, places.values)).collect();
    let services = namespaces.concat() + &services + &clock(deployment);
    let gateway = socket(super::HTTP, "(cfBlobHeader = \"CF-Blob\")", "gateway", places);
    let counters = if offered { socket(OFFERED, "()", OFFERED, places) } else { String::new() };
    let scheduled = if deployment.scheduled { socket(CLOCK, "()", CLOCK, places) } else { String::new() };
    let extensions = extensions.join(", ");
    let structured = options.format == Format::Structured;
    Ok(format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "gateway", worker = (
      compatibilityDate = "{COMPATIBILITY_DATE}",
      compatibilityFlags = [{COMPATIBILITY_FLAGS}],
      globalOutbound = "network",
      modules = [
      {modules}],
      bindings = [
      {bindings}],
{worker}    )),
    (name = "network", network = (allow = ["private", "public"])),
{services}  ],
  sockets = [
{gateway}{counters}{scheduled}  ],
  extensions = [{extensions}],
  logging = (structuredLogging = {structured}),
);
"#
    ))
}

/// Who has things done on a schedule: for this, workerd wants to be told that it may try things out.
fn clock(deployment: &Deployment) -> String {
    if !deployment.scheduled {
        return String::new();
    }
    let module = quote(include_str!("clock.js"));
    format!(
        "    (name = \"{CLOCK}\", worker = (
      compatibilityDate = \"{COMPATIBILITY_DATE}\",
      compatibilityFlags = [\"service_binding_extra_handlers\"],
      modules = [(name = \"clock.js\", esModule = {module})],
      bindings = [(name = \"GATEWAY\", service = \"gateway\")],
    )),\n"
    )
}

fn socket(name: &str, http: &str, service: &str, places: &Places<'_>) -> String {
    let port = places.ports.get(name).copied().unwrap_or(0);
    format!("    (name = \"{name}\", address = \"127.0.0.1:{port}\", http = {http}, service = \"{service}\"),\n")
}

/// All modules below `build`, named by their paths there; the main one first, as workerd wants it.
fn modules(build: &Path) -> Result<Vec<String>> {
    let build = build.canonicalize().with_context(|| format!("there is no {}", build.display()))?;
    let mut paths = files(&build)?;
    let main = build.join("index.js");
    ensure!(paths.contains(&main), "there is no {}", main.display());
    paths.sort_by_key(|path| (*path != main, path.clone()));
    let modules = paths.iter().filter_map(|path| {
        let kind = match path.extension()?.to_str()? {
            "js" | "mjs" => "esModule",
            "wasm" => "wasm",
            _ => return None,
        };
        let name = path.strip_prefix(&build).ok()?.to_string_lossy();
        Some(format!("(name = {}, {kind} = embed {})", quote(&name), quote(&path.to_string_lossy())))
    });
    Ok(modules.collect())
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

fn bindings(deployment: &Deployment) -> Vec<String> {
    let text = |name: &str, value: &str| format!("(name = {}, text = {})", quote(name), quote(value));
    let values = deployment.bindings.iter().map(|(name, value)| match value {
        Value::String(value) => text(name, value),
        value => format!("(name = {}, json = {})", quote(name), quote(&value.to_string())),
    });
    let secrets = deployment.secrets.iter().map(|(name, value)| text(name, value));
    let stores = deployment.stores.keys();
    let stores = stores.map(|name| format!("(name = {}, kvNamespace = {})", quote(name), quote(&service(name))));
    values.chain(secrets).chain(stores).collect()
}

/// One server keeps all namespaces; a field tells it which one is meant.
fn namespace(store: &str, values: SocketAddr) -> String {
    let header = format!("(name = \"{}\", value = {})", super::values::STORE, quote(store));
    let http = format!("(injectRequestHeaders = [{header}])");
    let external = format!("(address = \"{values}\", http = {http})");
    format!("    (name = {}, external = {external}),\n", quote(&service(store)))
}

fn service(store: &str) -> String {
    format!("values of {store}")
}

/// A text literal: Cap'n Proto has C's escapes, and takes UTF-8 as it is.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c if c.is_ascii_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
