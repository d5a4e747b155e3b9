//! `edgate token`: what is in a token, and whether the issuers of a configuration would have it. What is told of it is what
//! the gateway itself finds: the token goes through a route that takes the tokens of every issuer.

use super::explain::request::Asked;
use super::explain::{Network, story, tell};
use super::manifest::Choice;
use super::routes::columns;
use super::{Exit, Outcome, secrets};
use crate::compile;
use crate::config::document::Sections;
use crate::config::units::Duration;
use crate::exchange::Exchange;
use crate::gateway::Gateway;
use crate::jose::token::{EmbeddedKey, parse};
use serde_json::{Map, Value, json};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration as Std, SystemTime};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show what is in a token, without asking whether it holds.
    Decode {
        /// The token, or `-` to read it from standard input.
        token: String,
    },
    /// Tell whether a token holds, and exactly why not.
    Verify {
        /// The token, or `-` to read it from standard input.
        token: String,
        /// The issuers whose tokens are accepted: all of the configuration when not given.
        #[arg(long = "issuer", value_name = "NAME")]
        issuers: Vec<String>,
        /// A DPoP proof, for GET https://localhost/.
        #[arg(long, value_name = "PROOF")]
        proof: Option<String>,
        /// A document, or a manifest. The first of edgate.toml, wrangler.toml and spin.toml in this folder when not given.
        #[arg(long)]
        file: Option<String>,
        #[command(flatten)]
        network: Network,
        #[command(flatten)]
        choice: Choice,
    },
}

pub const EXAMPLES: &str = "\
Examples:
  edgate token decode eyJhbGciOi..
  edgate token verify eyJhbGciOi.. --issuer main
  pbpaste | edgate token verify -

Issuers are asked for their keys, unless --offline is given. Secrets come from .dev.vars.

Exit status: 0 when the token holds, 1 when it does not, 2 when the command was wrong.";

pub fn run(folder: &Path, arguments: &Arguments) -> Outcome {
    match &arguments.command {
        Command::Decode { token } => match read(token) {
            Ok(token) => decode(&token),
            Err(message) => Outcome::usage(message),
        },
        Command::Verify { token, issuers, proof, file, network, choice } => {
            let token = match read(token) {
                Ok(token) => token,
                Err(message) => return Outcome::usage(message),
            };
            let mut configuration = match super::sound(folder, file.as_deref(), choice) {
                Ok((_, configuration)) => configuration,
                Err(outcome) => return outcome,
            };
            let sections = std::mem::take(&mut configuration.parts);
            let sections = sections.stored.unwrap_or(sections.bindings);
            match prepare(sections, issuers) {
                Ok(gateway) => {
                    secrets::fill(folder, &gateway);
                    verify(&gateway, &token, proof.as_deref(), *network)
                }
                Err(message) => Outcome::usage(message),
            }
        }
    }
}

/// The token itself, however it was copied.
fn read(text: &str) -> Result<String, String> {
    let text = match text {
        "-" => std::io::read_to_string(std::io::stdin()).map_err(|error| format!("standard input: {error}"))?,
        text => text.to_owned(),
    };
    let token = text.trim();
    let bare = ["Authorization:", "authorization:"].into_iter().find_map(|name| token.strip_prefix(name));
    let token = bare.unwrap_or(token).trim();
    let bare = ["Bearer ", "bearer ", "DPoP "].into_iter().find_map(|scheme| token.strip_prefix(scheme));
    Ok(bare.unwrap_or(token).trim().to_owned())
}

fn decode(token: &str) -> Outcome {
    match shown(token) {
        Ok(out) => Outcome { exit: Exit::Fine, out, err: String::new() },
        Err(why) => Outcome { exit: Exit::Mistakes, out: String::new(), err: format!("error: {why}\n") },
    }
}

/// What stands in it.
fn shown(token: &str) -> Result<String, String> {
    let parsed = parse(token, EmbeddedKey::Taken).map_err(|flaw| format!("this is no JSON Web Token: {flaw}"))?;
    let mut header = Map::new();
    header.insert("alg".to_owned(), parsed.header.alg.as_str().into());
    for (name, value) in [("typ", &parsed.header.typ), ("kid", &parsed.header.kid)] {
        if let Some(value) = value {
            header.insert(name.to_owned(), value.as_str().into());
        }
    }
    if let Some(jwk) = parsed.header.jwk {
        header.insert("jwk".to_owned(), jwk);
    }
    let mut text = format!("header\n{}\nclaims\n{}\n", pretty(&header), pretty(&parsed.claims));
    let times = [("iat", "issued"), ("nbf", "valid"), ("exp", "expires")];
    let times = times.into_iter().filter_map(|(name, words)| {
        let at = parsed.claims.get(name)?.as_f64()?;
        Some([words.to_owned(), moment(at)])
    });
    text += &columns([""; 2], &times.collect::<Vec<_>>());
    Ok(text)
}

fn pretty(members: &Map<String, Value>) -> String {
    let text = serde_json::to_string_pretty(members).unwrap_or_default();
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// `2026-11-24T08:00:00Z, 5m ago`.
fn moment(seconds: f64) -> String {
    let Ok(since_epoch) = Std::try_from_secs_f64(seconds) else { return format!("{seconds}, which is no time") };
    let at = SystemTime::UNIX_EPOCH.checked_add(since_epoch);
    let Some(at) = at.filter(|_| seconds < 253_402_300_800.0) else { return format!("{seconds}, which is no time") };
    let whole = |duration: Std| Duration(Std::from_secs(duration.as_secs()));
    let now = SystemTime::now();
    let relative = match now.duration_since(at) {
        Ok(ago) => format!("{} ago", whole(ago)),
        Err(ahead) => format!("in {}", whole(ahead.duration())),
    };
    format!("{}, {relative}", humantime::format_rfc3339_seconds(at))
}

/// A gateway with one route, which takes the tokens of these issuers, and answers.
fn prepare(mut sections: Sections, issuers: &[String]) -> Result<Gateway, String> {
    if sections.issuers.is_empty() {
        return Err("the configuration has no issuer".to_owned());
    }
    let all = sections.issuers.keys().cloned().collect();
    let issuers: Vec<String> = if issuers.is_empty() { all } else { issuers.to_vec() };
    if let Some(unknown) = issuers.iter().find(|name| !sections.issuers.contains_key(*name)) {
        let known: Vec<&str> = sections.issuers.keys().map(String::as_str).collect();
        return Err(format!("no issuer is named `{unknown}`: there are {}", known.join(", ")));
    }
    let route = json!({ "match": { "path": "/" }, "authenticate": { "issuers": issuers }, "respond": {} });
    sections.routes = [("token".to_owned(), route)].into();
    sections.upstreams.clear();
    let loaded = compile::load(&sections, None);
    loaded.gateway.ok_or_else(|| "these issuers cannot be told apart: name one with --issuer".to_owned())
}

fn verify(gateway: &Gateway, token: &str, proof: Option<&str>, network: Network) -> Outcome {
    let scheme = if proof.is_some() { "DPoP" } else { "Bearer" };
    let mut fields = vec![format!("Authorization: {scheme} {token}")];
    fields.extend(proof.map(|proof| format!("DPoP: {proof}")));
    let asked = match Asked::new("GET", "https://localhost/", &fields, Ipv4Addr::LOCALHOST.into()) {
        Ok(asked) => asked,
        Err(message) => return Outcome::usage(message),
    };
    match tell(gateway, &asked, network) {
        Some(told) => verdict(token, &told.ex, &told.events),
        None => Outcome::usage("the token waits for something that is not there"),
    }
}

fn verdict(token: &str, ex: &Exchange, events: &[String]) -> Outcome {
    let mut rows = story::Rows::new();
    story::identity(ex, &mut rows);
    rows.extend(events.iter().map(|event| ["event".to_owned(), event.clone()]));
    let holds = ex.identity.is_some();
    let said = if holds { "the token holds" } else { "the token is refused" };
    let shown = shown(token).unwrap_or_default();
    let out = format!("{said}\n\n{}\n{shown}", columns([""; 2], &rows));
    Outcome { exit: if holds { Exit::Fine } else { Exit::Mistakes }, out, err: String::new() }
}
