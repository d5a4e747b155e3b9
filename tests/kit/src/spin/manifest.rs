//! The Spin manifest of a test run.

use super::Options;
use crate::running::Deployment;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A manifest with one component, `edgate`, at every path. The values of secrets are the defaults of its variables: the
/// file lives no longer than the test.
pub(super) fn render(options: &Options, deployment: &Deployment) -> Result<String> {
    let wasm = options.wasm.canonicalize().with_context(|| format!("there is no {}", options.wasm.display()))?;
    let environment: BTreeMap<&str, String> =
        deployment.bindings.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
    // Spin wants the names of variables in lower case.
    let secrets: BTreeMap<String, &str> =
        deployment.secrets.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str())).collect();
    let defaults = secrets.iter().map(|(name, value)| (name.clone(), json!({ "default": value, "secret": true })));
    let uses = secrets.keys().map(|name| (name.clone(), json!(format!("{{{{ {name} }}}}"))));
    let manifest = json!({
        "spin_manifest_version": 2,
        "application": { "name": "edgate" },
        "variables": Value::Object(defaults.collect()),
        "trigger": { "http": [{ "route": "/...", "component": "edgate" }] },
        "component": { "edgate": {
            "source": wasm,
            "environment": environment,
            "variables": Value::Object(uses.collect()),
            "allowed_outbound_hosts": options.allowed,
            "key_value_stores": deployment.stores.keys().collect::<Vec<_>>(),
        } },
    });
    toml::to_string(&manifest).context("cannot write the manifest")
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
