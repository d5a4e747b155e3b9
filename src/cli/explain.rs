//! `edgate explain`: one request through the real gateway, on a host in memory whose upstreams answer 200. What is
//! told is what happened; only the near misses are thought up afterwards.

pub mod hint;
pub mod issuers;
pub mod limits;
pub mod plan;
pub mod request;
pub mod story;
pub mod upstreams;

use super::Outcome;
use super::configuration::targets;
use super::manifest::Choice;
use super::secrets;
use super::world::World;
use crate::body::Body;
use crate::config::Platform;
use crate::config::document::Sections;
use crate::exchange::Exchange;
use crate::gateway::Gateway;
use crate::host::{MadeOf, Outgoing, SharedHost, Timestamp};
use crate::memory::clock::finish;
use crate::memory::counters::Limiter;
use crate::memory::{Answer, MemoryHost};
use bytes::Bytes;
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
    /// The country that it comes from, as Workers would know it: `NO`.
    #[arg(long, value_name = "CODE")]
    pub country: Option<String>,
    #[command(flatten)]
    pub network: Network,
    #[command(flatten)]
    pub choice: Choice,
}

/// Whether issuers may be asked.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Network {
    /// Asks no issuer for its keys, nor about a token.
    #[arg(long)]
    pub offline: bool,
}

pub const EXAMPLES: &str = "\
Examples:
  edgate explain GET /orders/7
  edgate explain POST https://api.example.com/orders -H 'Content-Type: application/json'
  edgate explain GET '/a/%2e%2e/b?x=1' --peer 10.0.0.1 --file spin.toml
  edgate explain GET /me -H \"Authorization: Bearer $TOKEN\"

The upstream is not called: it is taken to answer 200. Issuers are asked for their keys, unless
--offline is given. Secrets come from .dev.vars, and are *** where it has none of the name.

Exit status: 0 when a route takes the request, 1 when none does, or the gateway refuses it.";

/// What happened to a request.
pub struct Told {
    pub response: Response<Body>,
    /// What was known of it in the end, with the header section that policies saw first.
    pub ex: Exchange,
    /// What the upstream was sent, if one was called.
    pub sent: Option<Sent>,
    /// What the upstreams of parts were sent.
    pub asked: Vec<Sent>,
    /// What was logged beside the record: why an issuer could not be asked, for one.
    pub events: Vec<String>,
    /// When it was, in seconds since 1970.
    pub now: u64,
}

/// What is explained.
pub struct Scene<'a> {
    pub gateway: &'a Gateway,
    pub sections: &'a Sections,
    pub platforms: Vec<Platform>,
    /// The secrets that nobody knows here.
    pub unknown: Vec<String>,
}

/// A request as the upstream sees it.
#[derive(Clone)]
pub struct Sent {
    pub method: String,
    pub url: String,
    pub headers: HeaderMap,
    pub content: Bytes,
    pub timeout: Duration,
    pub upgrade: bool,
}

pub fn run(folder: &Path, world: &World, arguments: &Arguments) -> Outcome {
    let asked = match Asked::parse(arguments) {
        Ok(asked) => asked,
        Err(message) => return Outcome::usage(message),
    };
    let (input, mut configuration) = match super::sound(folder, arguments.file.as_deref(), &arguments.choice) {
        Ok(read) => read,
        Err(outcome) => return outcome,
    };
    let Some(gateway) = configuration.gateway.take() else {
        return Outcome::usage(format!("{} only says which store the routes are in", input.file.name));
    };
    let unknown = secrets::fill(folder, &gateway);
    let sections = configuration.sections();
    let platforms = input.kind.platform().map_or_else(|| targets(&input.sections), |platform| vec![platform]);
    let scene = Scene { gateway: &gateway, sections, platforms, unknown };
    match tell(&gateway, &asked, world, arguments.network) {
        Some(told) => story::write(&scene, &asked, &told),
        None => Outcome::usage("the request waits for something that is not there"),
    }
}

/// Sends the request through the gateway. `None` where it waits for something that is not there.
pub fn tell(gateway: &Gateway, asked: &Asked, world: &World, network: Network) -> Option<Told> {
    let sent: Rc<RefCell<Vec<(MadeOf, Sent)>>> = Rc::default();
    let seen = Rc::clone(&sent);
    let token_endpoints = upstreams::token_endpoints(gateway);
    let host = MemoryHost::new(move |request| {
        if request.made_of == MadeOf::Nothing && token_endpoints.contains(&request.url) {
            return upstreams::token();
        }
        // What an upstream gets says that it has been here. Anything else is asked of an issuer.
        if request.made_of == MadeOf::Nothing && !request.headers.contains_key("cdn-loop") {
            return issuers::ask(request, network);
        }
        seen.borrow_mut().push((request.made_of, Sent::of(request)));
        // Parts answer in JSON, and nobody knows what.
        let body = if request.made_of == MadeOf::Nothing { Body::bytes("{}") } else { Body::Empty };
        Answer { after: Duration::ZERO, result: Ok(Response::new(body)) }
    });
    let now = (world.now)();
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this era have 41 bits")]
    let host = host.at(Timestamp(now as f64 * 1000.0));
    let limiters = gateway.limits.iter().map(|limit| (limit.binding(), Limiter::new(1, 1)));
    let host = Rc::new(host.with_limiters(limiters.collect()));
    for store in hint::stores(gateway) {
        host.set_value(&store, "of edgate explain", "");
    }
    let shared: SharedHost = host.clone();
    let (response, mut ex) = finish(gateway.trace(&shared, asked.incoming()))?;
    ex.headers = gateway.received(&shared, asked.incoming()).headers;
    let message = |line: &String| {
        let event: Value = serde_json::from_str(line).ok()?;
        Some(event.get("message")?.as_str()?.to_owned())
    };
    let events = host.take_log().iter().filter_map(message).collect();
    let (of_client, of_parts): (Vec<_>, Vec<_>) = sent.take().into_iter().partition(|(of, _)| *of == MadeOf::Client);
    let sent = of_client.into_iter().next().map(|(_, sent)| sent);
    let asked = of_parts.into_iter().map(|(_, sent)| sent).collect();
    Some(Told { response, ex, sent, asked, events, now })
}

impl Sent {
    fn of(request: &Outgoing<'_>) -> Sent {
        Sent {
            method: request.method.to_string(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            content: match &request.body {
                Body::Bytes(bytes) => bytes.clone(),
                Body::Empty | Body::Host(_) => Bytes::new(),
            },
            timeout: request.timeout,
            upgrade: request.upgrade,
        }
    }
}
