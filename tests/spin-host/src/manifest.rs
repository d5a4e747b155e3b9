//! What to run, read from a `spin.toml` of version 2.
//!
//! Templates (`{{ name }}`) are filled in here, once: variables cannot change while the host serves.
//! Keys this host has no use for are ignored, as long as ignoring them cannot go unnoticed by the
//! component: `files` is therefore refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use wasmtime::error::Context as _;
use wasmtime::{Result, bail, format_err};

use crate::allowed_hosts::AllowedHosts;
use crate::variables::{self, Declaration};

/// An application, checked and with every template filled in.
#[derive(Debug)]
pub struct App {
    /// Route patterns and the components behind them, in the manifest's order.
    pub routes: Vec<(String, String)>,
    pub components: BTreeMap<String, Component>,
}

#[derive(Debug)]
pub struct Component {
    pub id: String,
    /// Relative to the manifest until `load` has joined the two.
    pub source: PathBuf,
    pub environment: BTreeMap<String, String>,
    pub allowed_hosts: AllowedHosts,
    pub key_value_stores: BTreeSet<String>,
    pub variables: BTreeMap<String, String>,
}

/// Reads the manifest at `path`. `given` answers with the value of an application variable from
/// outside the manifest, if there is one.
pub fn load(path: &Path, given: impl Fn(&str) -> Option<String>) -> Result<App> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut app = parse(&text, given).with_context(|| path.display().to_string())?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for component in app.components.values_mut() {
        component.source = folder.join(&component.source);
    }
    Ok(app)
}

fn parse(text: &str, given: impl Fn(&str) -> Option<String>) -> Result<App> {
    let document: Document = toml::from_str(text).map_err(|error| one_line(text, &error))?;
    if document.spin_manifest_version != 2 {
        bail!("spin_manifest_version must be 2");
    }
    let variables = variables::resolve(document.variables, given)?;
    let components = document
        .component
        .into_iter()
        .map(|(id, section)| {
            let component = section.compile(&id, &variables).with_context(|| format!("component `{id}`"))?;
            Ok((id, component))
        })
        .collect::<Result<BTreeMap<_, _>>>()?;
    let routes: Vec<_> = document.trigger.http.into_iter().filter_map(Trigger::public).collect();
    if let Some((route, id)) = routes.iter().find(|(_, id)| !components.contains_key(id)) {
        bail!("route {route:?} names the component `{id}`, which the manifest does not have");
    }
    if routes.is_empty() {
        bail!("there is no [[trigger.http]] with a route");
    }
    Ok(App { routes, components })
}

/// Errors are for one line on stderr, where toml's own drawing of the place would take five.
fn one_line(text: &str, error: &toml::de::Error) -> wasmtime::Error {
    let message = error.message().replace('\n', ", ");
    match error.span() {
        Some(span) => format_err!("line {}: {message}", text[..span.start].lines().count().max(1)),
        None => format_err!("{message}"),
    }
}

#[derive(Deserialize)]
struct Document {
    spin_manifest_version: u32,
    #[serde(default)]
    variables: BTreeMap<String, Declaration>,
    trigger: Triggers,
    component: BTreeMap<String, Section>,
}

#[derive(Deserialize)]
struct Triggers {
    #[serde(default)]
    http: Vec<Trigger>,
}

#[derive(Deserialize)]
struct Trigger {
    route: Route,
    component: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Route {
    Pattern(String),
    /// Reached only from other components of the application, which this host does not offer.
    Private {},
}

impl Trigger {
    fn public(self) -> Option<(String, String)> {
        match self.route {
            Route::Pattern(pattern) => Some((pattern, self.component)),
            Route::Private {} => None,
        }
    }
}

#[derive(Deserialize)]
struct Section {
    source: PathBuf,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    key_value_stores: BTreeSet<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    files: Vec<toml::Value>,
}

impl Section {
    fn compile(self, id: &str, values: &BTreeMap<String, String>) -> Result<Component> {
        if !self.files.is_empty() {
            bail!("`files` is not supported by this host");
        }
        let hosts =
            self.allowed_outbound_hosts.iter().map(|host| variables::fill(host, values)).collect::<Result<Vec<_>>>()?;
        let variables = self
            .variables
            .iter()
            .map(|(name, template)| Ok((name.clone(), variables::fill(template, values)?)))
            .collect::<Result<_>>()?;
        Ok(Component {
            id: id.to_owned(),
            source: self.source,
            environment: self.environment,
            allowed_hosts: AllowedHosts::parse(&hosts)?,
            key_value_stores: self.key_value_stores,
            variables,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
spin_manifest_version = 2

[application]
name = "gateway"
authors = ["nobody"]

[variables]
upstream = { default = "http://127.0.0.1:8080" }
token = { required = true, secret = true }

[[trigger.http]]
route = "/..."
component = "gateway"

[[trigger.http]]
route = { private = true }
component = "gateway"

[component.gateway]
source = "gateway.wasm"
environment = { MODE = "test" }
allowed_outbound_hosts = ["{{ upstream }}", "https://*.example.com"]
key_value_stores = ["default"]
[component.gateway.variables]
authorization = "Bearer {{ token }}!"
plain = "as it is"
[component.gateway.build]
command = "false"
"#;

    fn token(name: &str) -> Option<String> {
        (name == "token").then(|| "secret".to_owned())
    }

    fn error(text: &str) -> String {
        format!("{:#}", parse(text, token).unwrap_err())
    }

    #[test]
    fn manifest_is_read_with_its_templates_filled_in() {
        let app = parse(MANIFEST, token).unwrap();
        assert_eq!(app.routes, [("/...".to_owned(), "gateway".to_owned())]);
        let component = &app.components["gateway"];
        assert_eq!(component.source, Path::new("gateway.wasm"));
        assert_eq!(component.environment["MODE"], "test");
        assert_eq!(component.variables["authorization"], "Bearer secret!");
        assert_eq!(component.variables["plain"], "as it is");
        assert!(component.key_value_stores.contains("default"));
        assert!(component.allowed_hosts.allow(&"http://127.0.0.1:8080/x".parse().unwrap()));
    }

    #[test]
    fn value_from_outside_replaces_the_default() {
        let app = parse(MANIFEST, |_| Some("http://127.0.0.1:9".to_owned())).unwrap();
        assert!(app.components["gateway"].allowed_hosts.allow(&"http://127.0.0.1:9/".parse().unwrap()));
    }

    #[test]
    fn source_is_relative_to_the_manifest() {
        let folder = std::env::temp_dir().join(format!("edgate-spin-host-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("spin.toml"), MANIFEST).unwrap();
        let app = load(&folder.join("spin.toml"), token).unwrap();
        assert_eq!(app.components["gateway"].source, folder.join("gateway.wasm"));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn required_variable_without_value_is_an_error() {
        let error = format!("{:#}", parse(MANIFEST, |_| None).unwrap_err());
        assert_eq!(error, "variable `token` is required: set it with --variable token=VALUE");
    }

    #[test]
    fn errors_are_one_line_and_name_the_place() {
        assert_eq!(error("spin_manifest_version = 2\n[component\n"), "line 2: unclosed table, expected `]`");
        assert!(error(&MANIFEST.replace("= 2", "= 1")).contains("must be 2"));
        assert!(error(&MANIFEST.replace("{{ token }}", "{{ tokn }}")).contains("unknown variable `tokn`"));
        assert!(error(&MANIFEST.replace("{{ token }}", "{{ token")).contains("unmatched"));
        assert!(error(&MANIFEST.replace("[component.gateway", "[component.other")).contains("does not have"));
        assert!(error(&MANIFEST.replace("required = true, ", "")).contains("`token` must have either"));
        assert!(error(&MANIFEST.replace("source =", "files = [\"x\"]\nsource =")).contains("`files`"));
    }
}
