//! `edgate token`: what is in a token, and whether the issuers of a configuration would have it. What is told of it is what
//! the gateway itself finds: the token goes through a route that takes the tokens of every issuer.

use super::explain::request::Asked;
use super::explain::{Network, Told, story, tell};
use super::manifest::Choice;
use super::routes::columns;
use super::world::World;
use super::{Exit, Outcome, moment, secrets};
use crate::compile;
use crate::config::document::Sections;
use crate::gateway::Gateway;
use crate::jose::token::{EmbeddedKey, parse};
use serde_json::{Map, Value, json};
use std::net::Ipv4Addr;
use std::path::Path;

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
        /// A DPoP proof.
        #[arg(long, value_name = "PROOF")]
        proof: Option<String>,
        /// The method that the proof is for.
        #[arg(long, default_value = "GET", requires = "proof")]
        method: String,
        /// The URL that the proof is for.
        #[arg(long, default_value = "https://localhost/", requires = "proof")]
        url: String,
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
  edgate token verify eyJhbGciOi.. --proof eyJ0eXAiOi.. --url https://api.example.com/orders
  pbpaste | edgate token verify -

Issuers are asked for their keys, unless --offline is given. Secrets come from .dev.vars. What was
revoked is not known here.

Exit status: 0 when the token holds, 1 when it does not, 2 when the command was wrong.";

pub fn run(folder: &Path, world: &World, arguments: &Arguments) -> Outcome {
    match &arguments.command {
        Command::Decode { token } => match read(token) {
            Ok(token) => decode(&token, (world.now)()),
            Err(message) => Outcome::usage(message),
        },
        Command::Verify { token, issuers, proof, method, url, file, network, choice } => {
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
            let asked = match asked(&token, proof.as_deref(), method, url) {
                Ok(asked) => asked,
                Err(message) => return Outcome::usage(message),
            };
            let (gateway, unknown) = match gateway(folder, sections, issuers) {
                Ok(gateway) => gateway,
                Err(message) => return Outcome::usage(message),
            };
            match tell(&gateway, &asked, world, *network) {
                Some(told) => verdict(&token, &gateway, &told, &unknown),
                None => Outcome::usage("the token waits for something that is not there"),
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

fn decode(token: &str, now: u64) -> Outcome {
    match shown(token, now) {
        Ok(out) => Outcome { exit: Exit::Fine, out, err: String::new() },
        Err(why) => Outcome { exit: Exit::Mistakes, out: String::new(), err: format!("error: {why}\n") },
    }
}

/// What stands in it.
fn shown(token: &str, now: u64) -> Result<String, String> {
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
        Some([words.to_owned(), moment::told(at, now)])
    });
    text += &columns([""; 2], &times.collect::<Vec<_>>());
    Ok(text)
}

fn pretty(members: &Map<String, Value>) -> String {
    let text = serde_json::to_string_pretty(members).unwrap_or_default();
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// A request that shows the token.
fn asked(token: &str, proof: Option<&str>, method: &str, url: &str) -> Result<Asked, String> {
    let scheme = if proof.is_some() { "DPoP" } else { "Bearer" };
    let mut fields = vec![format!("Authorization: {scheme} {token}")];
    fields.extend(proof.map(|proof| format!("DPoP: {proof}")));
    Asked::new(method, url, &fields, Ipv4Addr::LOCALHOST.into())
}

/// A gateway with one route, which takes the tokens of these issuers, and the secrets that are not known.
fn gateway(folder: &Path, mut sections: Sections, issuers: &[String]) -> Result<(Gateway, Vec<String>), String> {
    if sections.issuers.is_empty() {
        return Err("the configuration has no issuer".to_owned());
    }
    let all = sections.issuers.keys().cloned().collect();
    let issuers: Vec<String> = if issuers.is_empty() { all } else { issuers.to_vec() };
    if let Some(unknown) = issuers.iter().find(|name| !sections.issuers.contains_key(*name)) {
        let known: Vec<&str> = sections.issuers.keys().map(String::as_str).collect();
        return Err(format!("no issuer is named `{unknown}`: there are {}", known.join(", ")));
    }
    let path = json!(["/", "/{*rest}"]);
    let tokens = json!({ "issuers": issuers });
    // What holds for all routes else is not asked about.
    let route =
        json!({ "match": { "path": path }, "authenticate": tokens, "access": "none", "cors": "none", "respond": {} });
    sections.routes = [("token".to_owned(), route)].into();
    sections.upstreams.clear();
    let gateway = compile::load(&sections, None).gateway;
    let gateway = gateway.ok_or("issuers that cannot be told apart: name one with --issuer")?;
    let unknown = secrets::fill(folder, &gateway);
    Ok((gateway, unknown))
}

fn verdict(token: &str, gateway: &Gateway, told: &Told, unknown: &[String]) -> Outcome {
    let mut rows = story::Rows::new();
    story::client(gateway, told, unknown, &mut rows);
    let holds = told.ex.identity.is_some();
    let said = if holds { "the token holds" } else { "the token is refused" };
    let mut out = format!("{said}\n\n{}", columns([""; 2], &rows));
    if let Ok(shown) = shown(token, told.now) {
        out += &format!("\n{shown}");
    }
    Outcome { exit: if holds { Exit::Fine } else { Exit::Mistakes }, out, err: String::new() }
}
