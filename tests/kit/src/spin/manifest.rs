//! The Spin manifest of a test run.

use super::Options;
use crate::running::Deployment;
use anyhow::{Context, Result};
use toml::Table;

/// A manifest with one component, `edgate`, at every path.
pub(super) fn render(options: &Options, deployment: &Deployment) -> Result<String> {
    let wasm = options.wasm.canonicalize().with_context(|| format!("there is no {}", options.wasm.display()))?;
    let secrets = deployment.secrets.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
    let manifest = Manifest { wasm: wasm.to_string_lossy().into_owned(), secrets: secrets.collect() };
    toml::to_string(&manifest.table(options, deployment)).context("cannot write the manifest")
}

struct Manifest<'a> {
    wasm: String,
    /// In lower case, as Spin wants the names of variables.
    secrets: Vec<(String, &'a String)>,
}

impl Manifest<'_> {
    fn table(&self, options: &Options, deployment: &Deployment) -> Table {
        let application = Table::from_iter([("name".to_owned(), "edgate".into())]);
        let trigger = Table::from_iter([("route".to_owned(), "/...".into()), ("component".to_owned(), "edgate".into())]);
        let triggers = Table::from_iter([("http".to_owned(), vec![trigger].into())]);
        let components = Table::from_iter([("edgate".to_owned(), self.component(options, deployment).into())]);
        Table::from_iter([
            ("spin_manifest_version".to_owned(), 2.into()),
            ("application".to_owned(), application.into()),
            ("variables".to_owned(), self.variables().into()),
            ("trigger".to_owned(), triggers.into()),
            ("component".to_owned(), components.into()),
        ])
    }

    /// Their values are defaults in the manifest, which lives as long as the test.
    fn variables(&self) -> Table {
        let variables = self.secrets.iter().map(|(name, value)| {
            let variable = [("default".to_owned(), (*value).clone().into()), ("secret".to_owned(), true.into())];
            (name.clone(), Table::from_iter(variable).into())
        });
        variables.collect()
    }

    fn component(&self, options: &Options, deployment: &Deployment) -> Table {
        let environment = deployment.bindings.iter().map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text.into())
        });
        let variables = self.secrets.iter().map(|(name, _)| (name.clone(), format!("{{{{ {name} }}}}").into()));
        let stores: Vec<String> = deployment.stores.keys().cloned().collect();
        Table::from_iter([
            ("source".to_owned(), self.wasm.clone().into()),
            ("environment".to_owned(), environment.collect::<Table>().into()),
            ("variables".to_owned(), variables.collect::<Table>().into()),
            ("allowed_outbound_hosts".to_owned(), options.allowed.clone().into()),
            ("key_value_stores".to_owned(), stores.into()),
        ])
    }
}
