//! `edgate explain`: one request through the real gateway, on a host in memory whose upstreams answer 200. What is
//! told is what happened; only the near misses are thought up afterwards.

pub mod request;
pub mod story;

use super::Outcome;
use super::manifest::Choice;
use super::secrets;
use crate::body::Body;
use crate::config::LogAccess;
use crate::gateway::Gateway;
use crate::memory::{Answer, MemoryHost, finish};
use http::{HeaderMap, Response};
use request::Asked;
use serde_json::Value;
use std::cell::RefCell;
use std::net::IpAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The request's method.
    pub method: String,
    /// Its URL, or a path alone.
    pub url: String,
    /// A header field: 'Name: value'.
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    pub headers: Vec<String>,
    /// A document, or a manifest. The first of edgate.toml, wrangler.toml and spin.toml in this folder when not given.
    #[arg(long)]
    pub file: Option<String>,
    /// The address that the request comes from.
    #[arg(long, value_name = "ADDRESS", default_value = "192.0.2.1")]
    pub peer: IpAddr,
    #[command(flatten)]
    pub choice: Choice,
}

pub const EXAMPLES: &str = "\
Examples:
  edgate explain GET /orders/7
  edgate explain POST https://api.example.com/orders -H 'Content-Type: application/json'
  edgate explain GET '/a/%2e%2e/b?x=1' --peer 10.0.0.1 --file spin.toml

Nothing is sent: the upstream is taken to answer 200. Secrets are shown as ***.

Exit status: 0 when a route takes the request, 1 when none does, or the gateway refuses it.";

/// What happened to a request.
pub struct Told {
    pub response: Response<Body>,
    /// What the upstream was sent, if one was called.
    pub sent: Option<Sent>,
    /// The code of a refusal.
    pub reject: Option<String>,
    /// Whether a route took it.
    pub routed: bool,
}

/// A request as the upstream sees it.
#[derive(Clone)]
pub struct Sent {
    pub method: String,
    pub url: String,
    pub headers: HeaderMap,
    pub timeout: Duration,
    pub upgrade: bool,
}

pub fn run(folder: &Path, arguments: &Arguments) -> Outcome {
    let asked = match Asked::parse(arguments) {
        Ok(asked) => asked,
        Err(message) => return Outcome::usage(message),
    };
    let (input, mut configuration) = match super::sound(folder, arguments.file.as_deref(), &arguments.choice) {
        Ok(read) => read,
        Err(outcome) => return outcome,
    };
    let Some(mut gateway) = configuration.gateway.take() else {
        return Outcome::usage(format!("{} only says which store the routes are in", input.file.name));
    };
    // What is told of the refusal comes from the record.
    gateway.log.access = LogAccess::All;
    secrets::fill(folder, &gateway);
    match tell(&gateway, &asked) {
        Some(told) => story::write(&gateway, configuration.sections(), &asked, &told),
        None => Outcome::usage("the request waits for something that is not there"),
    }
}

/// Sends the request through the gateway.
fn tell(gateway: &Gateway, asked: &Asked) -> Option<Told> {
    let sent = Rc::new(RefCell::new(None));
    let seen = Rc::clone(&sent);
    let host = Rc::new(MemoryHost::new(move |request| {
        *seen.borrow_mut() = Some(Sent {
            method: request.method.to_string(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            timeout: request.timeout,
            upgrade: request.upgrade,
        });
        Answer { after: Duration::ZERO, result: Ok(Response::new(Body::Empty)) }
    }));
    let response = finish(gateway.handle(&(Rc::clone(&host) as _), asked.incoming()))?;
    let log = host.take_log();
    let record: Value = log.last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    let text = |key: &str| record.get(key).and_then(Value::as_str).map(str::to_owned);
    let sent = sent.borrow_mut().take();
    Some(Told { response, sent, reject: text("reject"), routed: text("route").is_some() })
}
