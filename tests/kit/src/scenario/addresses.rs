//! Where the upstreams really are. A scenario calls them `NAME.test`; on a real host each is a server on a loopback
//! port. In the configuration every `NAME.test` is replaced; elsewhere only `{address:NAME.test}` is.

use super::Scenario;
use anyhow::{Context, Result, bail};
use regex::{Captures, Regex};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::LazyLock;

/// The address of each upstream.
pub type Addresses = BTreeMap<String, SocketAddr>;

/// A host name, whole, with its port.
static HOST: LazyLock<Regex> = LazyLock::new(|| regex(r"([A-Za-z0-9.-]+)(:\d+)?"));
static URL_HOST: LazyLock<Regex> = LazyLock::new(|| regex(r"://([A-Za-z0-9.-]+\.test)(?:[:/?#]|$)"));
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| regex(r"\{address:([^}]*)\}"));

fn regex(text: &str) -> Regex {
    Regex::new(text).expect("a regular expression of this file is valid")
}

impl Scenario {
    /// The same scenario with real addresses. A name that has none stays as it is in the configuration, and is an
    /// error in `{address:NAME.test}`.
    pub fn with_addresses(&self, addresses: &Addresses) -> Result<Scenario> {
        let mut source = toml::Value::Table(self.source.clone());
        if let Some(config) = source.get_mut("config") {
            replace(config, &mut |text| Ok(with_hosts(text, addresses)))?;
        }
        replace(&mut source, &mut |text| with_placeholders(text, addresses))?;
        let toml::Value::Table(source) = source else { bail!("a scenario is a table") };
        let scenario: Scenario = source.clone().try_into().context("with real addresses it is no valid scenario")?;
        Ok(Scenario { source, ..scenario })
    }
}

/// The upstreams that URLs in `value` name.
pub(super) fn names_in(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => URL_HOST.captures_iter(text).map(|found| found[1].to_owned()).collect(),
        Value::Array(items) => items.iter().flat_map(names_in).collect(),
        Value::Object(table) => table.values().flat_map(names_in).collect(),
        _ => Vec::new(),
    }
}

fn replace(value: &mut toml::Value, change: &mut impl FnMut(&str) -> Result<String>) -> Result<()> {
    match value {
        toml::Value::String(text) => *text = change(text)?,
        toml::Value::Array(items) => items.iter_mut().try_for_each(|item| replace(item, change))?,
        toml::Value::Table(table) => table.iter_mut().try_for_each(|(_, value)| replace(value, change))?,
        _ => {}
    }
    Ok(())
}

fn with_hosts(text: &str, addresses: &Addresses) -> String {
    let real = |found: &Captures<'_>| match addresses.get(&found[1]) {
        Some(address) => address.to_string(),
        None => found[0].to_owned(),
    };
    HOST.replace_all(text, real).into_owned()
}

fn with_placeholders(text: &str, addresses: &Addresses) -> Result<String> {
    let mut unknown = None;
    let real = |found: &Captures<'_>| match addresses.get(&found[1]) {
        Some(address) => address.to_string(),
        None => {
            unknown = Some(found[1].to_owned());
            String::new()
        }
    };
    let replaced = PLACEHOLDER.replace_all(text, real).into_owned();
    unknown.map_or(Ok(replaced), |name| bail!("{{address:{name}}} names no upstream of this scenario"))
}
