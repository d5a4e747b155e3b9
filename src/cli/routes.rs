//! `edgate routes`: every way in to every route, in the order in which they are preferred.

use super::Outcome;
use super::configuration::Configuration;
use super::manifest::Choice;
use crate::config::document::Sections;
use crate::config::limit::Admin;
use crate::config::words::Presence;
use crate::gateway::{Action, Gateway};
use crate::routing::condition::Conditions;
use crate::routing::{Entry, HostPattern};
use crate::upstream::proxy::Proxy;
use crate::upstream::rewrite::PathRewrite;
use std::path::Path;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A document, or a manifest. The first of edgate.toml, wrangler.toml and spin.toml in this folder when not given.
    pub file: Option<String>,
    #[command(flatten)]
    pub choice: Choice,
}

pub const EXAMPLES: &str = "\
Examples:
  edgate routes
  edgate routes wrangler.toml --env staging

Where several routes could take a request, the one further up does, if its conditions hold.";

pub fn run(folder: &Path, arguments: &Arguments) -> Outcome {
    let (input, configuration) = match super::sound(folder, arguments.file.as_deref(), &arguments.choice) {
        Ok(read) => read,
        Err(outcome) => return outcome,
    };
    match &configuration.gateway {
        Some(gateway) => Outcome::fine(table(gateway, &configuration)),
        None => Outcome::usage(format!("{} only says which store the routes are in", input.file.name)),
    }
}

fn table(gateway: &Gateway, configuration: &Configuration) -> String {
    let mut rows = Vec::new();
    for entry in gateway.router.entries() {
        let Some(route) = gateway.routes.get(entry.route.0) else { continue };
        rows.push([
            route.name.to_string(),
            methods(&entry.conditions),
            host(&entry.host),
            entry.pattern.text.clone(),
            conditions(&entry.conditions).join(", "),
            action(gateway, configuration.sections(), entry),
        ]);
    }
    columns(["ROUTE", "METHODS", "HOST", "PATH", "CONDITIONS", "ACTION"], &rows)
}

/// Rows with their columns below each other. A column without any text is left out, and so are empty titles.
pub fn columns<const N: usize>(titles: [&str; N], rows: &[[String; N]]) -> String {
    let used: Vec<usize> = (0..N).filter(|column| rows.iter().any(|row| !row[*column].is_empty())).collect();
    let titles = titles.map(str::to_owned);
    let titled = titles.iter().any(|title| !title.is_empty());
    let all: Vec<&[String; N]> = titled.then_some(&titles).into_iter().chain(rows).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = used.iter().map(|column| width(*column)).collect();
    let mut text = String::new();
    for row in &all {
        let cells: Vec<String> =
            used.iter().zip(&widths).map(|(column, width)| format!("{:width$}", row[*column])).collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text
}

pub fn methods(conditions: &Conditions) -> String {
    if conditions.methods.is_empty() { "any".to_owned() } else { conditions.methods.to_string() }
}

pub fn host(host: &HostPattern) -> String {
    match host {
        HostPattern::Exact(name) => name.clone(),
        HostPattern::Wildcard(suffix) => format!("*{suffix}"),
        HostPattern::Any => "any".to_owned(),
    }
}

/// The header and query conditions, each in words.
pub fn conditions(conditions: &Conditions) -> Vec<String> {
    let words = |what: &str, name: &str, wanted: &Presence| match wanted {
        Presence::Equals(value) => format!("{what} {name} = {value:?}"),
        Presence::Present => format!("{what} {name}"),
        Presence::Absent => format!("no {what} {name}"),
    };
    let headers = conditions.headers.iter().map(|(name, wanted)| words("header", name.as_str(), wanted));
    headers.chain(conditions.query.iter().map(|(name, wanted)| words("query", name, wanted))).collect()
}

/// What a route does: the upstream's URL as a pattern, or the answer.
pub fn action(gateway: &Gateway, sections: &Sections, entry: &Entry) -> String {
    let Some(route) = gateway.routes.get(entry.route.0) else { return String::new() };
    let section = sections.routes.get(&*route.name);
    let written =
        |table: &str, key: &str| section.and_then(|section| section.get(table)?.get(key)?.as_str()).unwrap_or_default();
    match &route.action {
        Action::Proxy(proxy) => {
            let targets = gateway.upstreams.get(proxy.upstream).map_or(&[][..], |upstream| &upstream.targets);
            let base = targets.first().map_or("", |target| target.base.as_str());
            let more = if targets.len() > 1 { format!(" (1 of {} targets)", targets.len()) } else { String::new() };
            let path = match &proxy.path {
                PathRewrite::Keep => entry.pattern.text.clone(),
                PathRewrite::Strip(prefix) => stripped(&entry.pattern.text, prefix),
                PathRewrite::Template(_) => written("rewrite", "path").to_owned(),
            };
            format!("{base}{path}{}{more}", query(proxy))
        }
        Action::Aggregate(aggregate) => {
            let names: Vec<&str> = aggregate.parts.iter().map(|part| &*part.name).collect();
            format!("aggregate of {}", names.join(", "))
        }
        Action::Batch(batch) => format!("batch of {} requests at most", batch.most),
        Action::Redirect(redirect) => format!("{} {}", redirect.status.as_u16(), written("redirect", "to")),
        Action::Respond(respond) => match &respond.media_type {
            Some(media_type) => {
                let media_type = String::from_utf8_lossy(media_type.as_bytes()).into_owned();
                format!("{} {}", respond.status.as_u16(), media_type.split(';').next().unwrap_or_default())
            }
            None => respond.status.as_u16().to_string(),
        },
        Action::Admin(Admin::Limits) => "shows and resets limits".to_owned(),
    }
}

/// A pattern without a prefix of as many segments.
fn stripped(pattern: &str, prefix: &str) -> String {
    let segments = prefix.split('/').count() - 1;
    let rest: String = pattern.split('/').skip(segments + 1).map(|segment| format!("/{segment}")).collect();
    if rest.is_empty() { "/".to_owned() } else { rest }
}

fn query(proxy: &Proxy) -> String {
    let set: Vec<&str> = proxy.query.set.iter().map(|(name, _)| name.as_str()).collect();
    match (proxy.query.is_identity(), set.as_slice()) {
        (true, _) => String::new(),
        (false, []) => " (query changed)".to_owned(),
        (false, set) => format!(" (query: sets {})", set.join(", ")),
    }
}
