//! The scenario format: a configuration, exchanges of a client with the gateway, what its upstreams see and answer,
//! and what must come of it. One file replays in memory, on workerd and on Spin. This decides what a scenario may say;
//! it does not run one, and does not interpret the gateway's configuration. `tests/scenarios/README.md` shows its use.

// What it says.
pub mod answer;
pub mod content;
pub mod counters;
pub mod credentials;
pub mod expected;
pub mod service;

// Whether it makes sense.
mod check;

// What is put into it before it is played, and while it is.
pub mod addresses;
mod minting;
mod placeholders;
pub mod play;
mod scene;

use answer::Answer;
use anyhow::{Context, Result};
use content::{Content, FieldsForm, RequestBody, Stored};
use counters::Happening;
use credentials::{KeyForm, ProofForm, SignatureForm, TokenForm};
use expected::{ExpectedJson, ExpectedRequest, ExpectedResponse};
use serde::Deserialize;
use serde_json::Value;
use service::Service;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

/// One scenario file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, as one sentence.
    pub title: String,
    /// More about it, in prose.
    pub about: Option<String>,
    /// Hosts that it cannot run on, with the reason.
    #[serde(default)]
    pub skip: BTreeMap<HostName, String>,
    /// The gateway's configuration document. `http://NAME.test` in it is the upstream of that name.
    #[serde(default, deserialize_with = "content::json")]
    pub config: Value,
    /// Secrets by name.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// The content of the key-value stores at the beginning: store, key, value.
    #[serde(default)]
    pub store: Stores,
    /// Keys by name, for what follows.
    #[serde(default)]
    pub keys: BTreeMap<String, KeyForm>,
    /// Tokens by name.
    #[serde(default)]
    pub tokens: BTreeMap<String, TokenForm>,
    /// Proofs of possession by name.
    #[serde(default)]
    pub proofs: BTreeMap<String, ProofForm>,
    /// Signatures of requests by name.
    #[serde(default)]
    pub signatures: BTreeMap<String, SignatureForm>,
    /// What upstreams answer in every exchange.
    #[serde(default, rename = "service")]
    pub services: Vec<Service>,
    /// What happens, in order.
    #[serde(default, rename = "exchange")]
    pub exchanges: Vec<Exchange>,
    /// The file as it was read, from which [`Scenario::with_addresses`] makes another scenario.
    #[serde(skip)]
    source: toml::Table,
}

/// Values of key-value stores: store, key, value.
pub type Stores = BTreeMap<String, BTreeMap<String, Stored>>;

/// A host that scenarios run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostName {
    Memory,
    Workerd,
    Spin,
}

/// One request of the client, and what comes of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// What it shows, where the title does not say it.
    pub name: Option<String>,
    /// Changes to the key-value stores before it.
    #[serde(default)]
    pub store: Stores,
    /// What happens to the counters of limits before it.
    pub counters: Option<Happening>,
    pub request: Request,
    /// What the upstreams see and answer: in order for each of them, in any order between them.
    #[serde(default, rename = "upstream")]
    pub upstreams: Vec<UpstreamStep>,
    /// What upstreams answer in every exchange from this one on.
    #[serde(default, rename = "service")]
    pub services: Vec<Service>,
    /// How many requests reach an upstream during this exchange, also behind it: by `NAME.test`, or `NAME.test/PATH`
    /// for those to one path.
    #[serde(default)]
    pub calls: BTreeMap<String, u64>,
    /// What the client must see.
    pub response: Option<ExpectedResponse>,
    /// Fields of the response to keep, by the name that `{captured:NAME}` has for them later.
    #[serde(default)]
    pub capture: BTreeMap<String, String>,
    /// What the access record must say.
    pub log: Option<ExpectedJson>,
    /// Texts that no line of the log may have, beside those that [`play::Play::unspeakable`] knows of.
    #[serde(default)]
    pub never_logged: Vec<String>,
    /// What else must be logged during this exchange, also behind it: a part of one record each.
    #[serde(default)]
    pub events: Vec<ExpectedJson>,
    /// What key-value stores must hold behind it: store, key, a part of the value, which is JSON.
    #[serde(default)]
    pub stored: BTreeMap<String, BTreeMap<String, ExpectedJson>>,
}

/// The client's request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    #[serde(default = "get")]
    pub method: String,
    /// The request target as it stands in the request line.
    pub target: String,
    /// The `Host` field.
    #[serde(default = "gateway_host")]
    pub host: String,
    /// Further fields.
    #[serde(default)]
    pub headers: FieldsForm,
    pub body: Option<RequestBody>,
    /// The client's address.
    #[serde(default = "loopback")]
    pub peer: IpAddr,
    /// How much time passes before it.
    #[serde(default, deserialize_with = "crate::units::optional_duration")]
    pub advance: Option<Duration>,
    /// How often it is sent, one after the other. Every answer must be as expected.
    #[serde(default = "once")]
    pub repeat: usize,
    /// How often it is sent at the same time: `response.statuses` says what comes of it. In memory one after the other.
    pub at_once: Option<usize>,
    /// The exchanges that follow do not wait for the end of its answer.
    #[serde(default)]
    pub background: bool,
    /// Before it, all requests in the background have come to their end.
    #[serde(default)]
    pub join: bool,
    /// When the client goes away.
    pub abandon: Option<Abandon>,
    /// Opens a WebSocket, sends this text and waits for one.
    pub websocket: Option<String>,
    /// The signatures that are added to it.
    #[serde(default, deserialize_with = "content::one_or_many")]
    pub sign: Vec<String>,
    /// The client's country, as Cloudflare's edge knows it.
    pub country: Option<String>,
    /// The client's certificate, as Cloudflare's edge has checked it.
    pub certificate: Option<Certificate>,
}

/// What Cloudflare's edge says of a client's certificate.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Certificate {
    /// Whether an authority that the edge trusts has signed it.
    pub verified: bool,
    /// The SHA-256 of its DER form, in hexadecimal.
    pub sha256: String,
    /// The subject's distinguished name (RFC 2253).
    pub subject: String,
    /// The issuer's.
    pub issuer: String,
    pub serial: String,
    /// When it ends, as Cloudflare writes it: `Dec 22 19:39:00 2026 GMT`.
    pub not_after: String,
}

/// When a client closes its connection early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Abandon {
    /// When an upstream has seen the request, before the response.
    BeforeHead,
    /// After the head of the response.
    AfterHead,
}

/// What one upstream sees, and what it answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamStep {
    /// `NAME.test`.
    pub at: String,
    #[serde(default)]
    pub expect: ExpectedRequest,
    #[serde(default)]
    pub answer: Answer,
}

fn get() -> String {
    "GET".to_owned()
}

fn once() -> usize {
    1
}

fn gateway_host() -> String {
    "gateway.test".to_owned()
}

fn loopback() -> IpAddr {
    Ipv4Addr::LOCALHOST.into()
}

/// Reads a scenario file.
pub fn load(path: &Path) -> Result<Scenario> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| format!("{} is no valid scenario", path.display()))
}

/// Reads a scenario.
pub fn parse(text: &str) -> Result<Scenario> {
    let mut scenario: Scenario = toml::from_str(text)?;
    scenario.source = toml::from_str(text)?;
    scenario.check()?;
    Ok(scenario)
}

impl Scenario {
    /// The upstreams it names, in its exchanges and in its configuration.
    pub fn upstream_names(&self) -> BTreeSet<String> {
        let steps = self.exchanges.iter().flat_map(|exchange| &exchange.upstreams).map(|step| &step.at);
        let mut names: BTreeSet<String> =
            steps.chain(self.all_services().map(|service| &service.at)).cloned().collect();
        names.extend(addresses::names_in(&self.config));
        names
    }

    /// Which exchange stands at a position, for people.
    pub fn exchange_name(&self, position: usize) -> String {
        let exchange = &self.exchanges[position];
        let name = exchange.name.as_deref().unwrap_or(&exchange.request.target);
        format!("exchange {} ({name})", position + 1)
    }

    /// Whether an exchange counts requests: none may then be taken for one of the next exchange.
    pub fn counts_calls(&self) -> bool {
        self.exchanges.iter().any(|exchange| !exchange.calls.is_empty())
    }

    fn all_services(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().chain(self.exchanges.iter().flat_map(|exchange| &exchange.services))
    }
}

impl Exchange {
    /// What the upstream of this name does, in order.
    pub fn steps_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a UpstreamStep> {
        self.upstreams.iter().filter(move |step| step.at == name)
    }
}

impl Request {
    /// A request that only has a method and a target.
    pub fn new(method: &str, target: &str) -> Request {
        Request {
            method: method.to_owned(),
            target: target.to_owned(),
            host: gateway_host(),
            headers: FieldsForm::default(),
            body: None,
            peer: loopback(),
            advance: None,
            repeat: once(),
            at_once: None,
            background: false,
            join: false,
            abandon: None,
            websocket: None,
            sign: Vec::new(),
            country: None,
            certificate: None,
        }
    }

    /// Whether it has a field of this name.
    pub fn has(&self, name: &str) -> bool {
        self.headers.0.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
    }

    /// Adds a member to a field that is a list or a dictionary (RFC 8941).
    fn add_member(&mut self, name: &str, member: String) {
        match self.headers.0.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(name)) {
            Some((_, value)) => *value = format!("{value}, {member}"),
            None => self.headers.0.push((name.to_owned(), member)),
        }
    }

    /// All its fields as they are sent: `Host`, the given ones, and those that frame the body. A length or coding
    /// that the scenario states itself is left alone.
    pub fn fields(&self) -> Vec<(String, String)> {
        let mut fields = vec![("host".to_owned(), self.host.clone())];
        fields.extend(self.headers.0.iter().cloned());
        let framed = |name: &str| name == "content-length" || name == "transfer-encoding";
        if let Some(body) = &self.body
            && !self.headers.0.iter().any(|(name, _)| framed(&name.to_ascii_lowercase()))
        {
            fields.push(if body.chunked {
                ("transfer-encoding".to_owned(), "chunked".to_owned())
            } else {
                ("content-length".to_owned(), body.content.length().to_string())
            });
        }
        fields
    }

    /// The content of its body.
    pub fn content(&self) -> &Content {
        self.body.as_ref().map_or(&content::NOTHING, |body| &body.content)
    }
}

/// A TOML value as the JSON it means; dates become their text.
fn json_of(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(value) => Value::Bool(value),
        toml::Value::Datetime(date) => Value::String(date.to_string()),
        toml::Value::Array(items) => Value::Array(items.into_iter().map(json_of).collect()),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(key, value)| (key, json_of(value))).collect())
        }
    }
}
