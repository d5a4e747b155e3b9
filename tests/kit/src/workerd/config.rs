//! workerd's configuration, in Cap'n Proto's text form.

use super::{COMPATIBILITY_DATE, Format, Options};
use crate::running::Deployment;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The binding of edgate's Durable Objects, their class, and what tells their storage from that of other classes.
const CLAIMS: [&str; 3] = ["EDGATE_CLAIMS", "EdgateClaims", "edgate-claims"];

/// The configuration of one Worker that may reach everything, whose namespaces are kept at `values`, and whose Durable
/// Objects, if there are any, in the folder `objects`.
pub(super) fn render(
    options: &Options,
    deployment: &Deployment,
    values: SocketAddr,
    objects: Option<&Path>,
) -> Result<String> {
    let modules = modules(&options.build)?.join(",\n      ");
    let bindings = bindings(deployment, objects).join(",\n      ");
    let services: Vec<String> = deployment.stores.keys().map(|store| namespace(store, values)).collect();
    let services = services.concat() + &disk(objects)?;
    let objects = if objects.is_some() { namespaces() } else { String::new() };
    let structured = options.format == Format::Structured;
    Ok(format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "gateway", worker = (
      compatibilityDate = "{COMPATIBILITY_DATE}",
      globalOutbound = "network",
      modules = [
      {modules}],
      bindings = [
      {bindings}],
{objects}    )),
    (name = "network", network = (allow = ["private", "public"])),
{services}  ],
  sockets = [
    (name = "http", address = "127.0.0.1:0", http = (cfBlobHeader = "CF-Blob"), service = "gateway"),
  ],
  logging = (structuredLogging = {structured}),
);
"#
    ))
}

/// The namespace of the Durable Objects that decide claims.
fn namespaces() -> String {
    let [_, class, key] = CLAIMS;
    let namespace = format!("(className = \"{class}\", uniqueKey = \"{key}\", enableSql = true)");
    format!("      durableObjectNamespaces = [{namespace}],\n      durableObjectStorage = (localDisk = \"objects\"),\n")
}

/// Where the objects are kept.
fn disk(folder: Option<&Path>) -> Result<String> {
    let Some(folder) = folder else { return Ok(String::new()) };
    let folder = folder.canonicalize().with_context(|| format!("there is no {}", folder.display()))?;
    let path = quote(&folder.to_string_lossy());
    Ok(format!("    (name = \"objects\", disk = (path = {path}, writable = true)),\n"))
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

fn bindings(deployment: &Deployment, objects: Option<&Path>) -> Vec<String> {
    let text = |name: &str, value: &str| format!("(name = {}, text = {})", quote(name), quote(value));
    let values = deployment.bindings.iter().map(|(name, value)| match value {
        Value::String(value) => text(name, value),
        value => format!("(name = {}, json = {})", quote(name), quote(&value.to_string())),
    });
    let secrets = deployment.secrets.iter().map(|(name, value)| text(name, value));
    let stores = deployment.stores.keys();
    let stores = stores.map(|name| format!("(name = {}, kvNamespace = {})", quote(name), quote(&service(name))));
    let [name, class, _] = CLAIMS;
    let claims = objects.map(|_| format!("(name = \"{name}\", durableObjectNamespace = \"{class}\")"));
    values.chain(secrets).chain(stores).chain(claims).collect()
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
fn quote(text: &str) -> String {
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
