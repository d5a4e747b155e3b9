//! `edgate limits`: what is left of the limits of a gateway that runs, and their counters begun anew. It asks a route of
//! the gateway with `admin = "limits"`, as anybody would who may: [`crate::admin`] answers.

mod ask;
mod told;

use super::Outcome;
use super::world::World;
use ask::Asked;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use url::Url;

/// Where the route is, where `--url` does not say.
const URL: &str = "EDGATE_ADMIN_URL";

/// A token, sent as `Authorization: Bearer`.
const TOKEN: &str = "EDGATE_ADMIN_TOKEN";

/// An API key, sent as `X-API-Key`.
const KEY: &str = "EDGATE_ADMIN_KEY";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the limits, and what their keys are.
    #[command(after_help = EXAMPLES)]
    List {
        #[command(flatten)]
        gateway: Gateway,
    },
    /// Show what is left for one key.
    #[command(after_help = EXAMPLES)]
    Show {
        #[command(flatten)]
        counter: Counter,
        #[command(flatten)]
        gateway: Gateway,
    },
    /// Have the counter of one key begin anew.
    #[command(after_help = EXAMPLES)]
    Reset {
        #[command(flatten)]
        counter: Counter,
        #[command(flatten)]
        gateway: Gateway,
    },
}

/// Which counter.
#[derive(Debug, clap::Args)]
struct Counter {
    /// The limit's name.
    limit: String,
    /// The values of its key, each as the key names it: `client.address=192.0.2.1`.
    #[arg(value_name = "SOURCE=VALUE")]
    values: Vec<String>,
    /// A value of the key that the requests do not have.
    #[arg(long, value_name = "SOURCE")]
    without: Vec<String>,
}

/// Where the gateway is, and what is said to it.
#[derive(Debug, clap::Args)]
struct Gateway {
    /// The route's address, else that of EDGATE_ADMIN_URL.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A header field to send: 'Name: value'.
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    headers: Vec<String>,
    /// Print the answer as it comes, in JSON.
    #[arg(long)]
    json: bool,
}

pub const EXAMPLES: &str = "\
Examples:
  edgate limits list --url https://gate.example.com/_edgate/limits
  edgate limits show per-client client.address=192.0.2.1
  edgate limits show per-user identity.consumer=acme --without client.country --json
  edgate limits reset per-user identity.consumer=acme

The address is that of a route with `admin = \"limits\"`, and may stand in EDGATE_ADMIN_URL. Credentials
stand in EDGATE_ADMIN_TOKEN (sent as `Authorization: Bearer`) or in EDGATE_ADMIN_KEY (`X-API-Key`), or
in fields given with --header. They are never printed.

Exit status: 0 when the gateway has answered, 1 when it refuses, or cannot be reached, 2 when the
command was wrong.";

pub fn run(world: &World, arguments: &Arguments) -> Outcome {
    let (method, counter, gateway) = match &arguments.command {
        Command::List { gateway } => (Method::GET, None, gateway),
        Command::Show { counter, gateway } => (Method::GET, Some(counter), gateway),
        Command::Reset { counter, gateway } => (Method::DELETE, Some(counter), gateway),
    };
    let asked = url(world, gateway, counter)
        .and_then(|url| Ok(Asked { method, url, headers: headers(world, &gateway.headers)? }));
    let asked = match asked {
        Ok(asked) => asked,
        Err(message) => return Outcome::usage(message),
    };
    let warning = asked.warning().map(|warning| format!("warning: {warning}\n")).unwrap_or_default();
    let answer = ask::send(&asked).and_then(|body| match (gateway.json, counter) {
        (true, _) => Ok(body + "\n"),
        (false, None) => told::list(&body),
        (false, Some(_)) => told::counter(&body),
    });
    match answer {
        Ok(out) => Outcome { err: warning, ..Outcome::fine(out) },
        Err(message) => {
            let refused = Outcome::mistake(message);
            Outcome { err: warning + &refused.err, ..refused }
        }
    }
}

/// The address with the question.
fn url(world: &World, gateway: &Gateway, counter: Option<&Counter>) -> Result<Url, String> {
    let given = gateway.url.clone().or_else(|| (world.variable)(URL)).filter(|url| !url.is_empty());
    let text = given.ok_or_else(|| format!("say where the gateway is: --url, or {URL} in the environment"))?;
    let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let mut url = url.ok_or("the address is no http or https URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("credentials do not stand in the address: use {TOKEN}, {KEY} or --header"));
    }
    url.set_fragment(None);
    let Some(Counter { limit, values, without }) = counter else { return Ok(url) };
    let mut pairs = url.query_pairs_mut();
    pairs.append_pair("limit", limit);
    for text in values {
        let (source, value) =
            text.split_once('=').ok_or_else(|| format!("`{text}` is no value of a key: write SOURCE=VALUE"))?;
        pairs.append_pair(source, value);
    }
    for source in without {
        pairs.append_pair("without", source);
    }
    drop(pairs);
    Ok(url)
}

/// The fields to send. Nothing that is wrong with them is told in their own words.
fn headers(world: &World, given: &[String]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for field in given {
        let (name, value) = field.split_once(':').ok_or("--header takes a field as 'Name: value'")?;
        let name: HeaderName = name.trim().parse().map_err(|_| "--header: this is no name of a field")?;
        headers.append(name, secret(value.trim(), "--header")?);
    }
    let variables = [(TOKEN, header::AUTHORIZATION, "Bearer "), (KEY, HeaderName::from_static("x-api-key"), "")];
    for (variable, name, scheme) in variables {
        let value = (world.variable)(variable).filter(|value| !value.is_empty());
        if let Some(value) = value.filter(|_| !headers.contains_key(&name)) {
            headers.insert(name, secret(&format!("{scheme}{}", value.trim()), variable)?);
        }
    }
    Ok(headers)
}

fn secret(value: &str, of: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::try_from(value).map_err(|_| format!("{of}: no field can have this value"))?;
    value.set_sensitive(true);
    Ok(value)
}
