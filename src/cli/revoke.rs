//! `edgate revoke`: takes tokens back before they expire. A file keeps the list; what it comes to in a key-value store
//! is printed, or written into another file.

mod list;

use super::pairs::{self, Pair};
use super::world::World;
use super::{Outcome, moment};
use crate::api_key::entry::rfc3339;
use crate::config::document::is_name;
use crate::revocation::filter::Filter;
use crate::revocation::{Entry, Kind, entry_key, filter_key};
use list::{List, Row};
use std::path::Path;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Whose tokens: the issuer's name in the configuration.
    #[arg(long, value_name = "NAME")]
    pub issuer: String,
    /// One token, by its `jti`.
    #[arg(long, value_name = "ID", group = "what", requires = "until")]
    pub jti: Option<String>,
    /// All tokens of a subject, by its `sub`.
    #[arg(long, value_name = "SUB", group = "what", requires = "until")]
    pub subject: Option<String>,
    /// Only tokens that were issued before this, `now` or a time. All when not given, also those to come.
    #[arg(long, value_name = "TIME", requires = "subject")]
    pub before: Option<String>,
    /// When the last of these tokens has expired: a time in UTC, or how long from now.
    #[arg(long, value_name = "TIME", requires = "what")]
    pub until: Option<String>,
    /// The file that keeps the list, made where there is none.
    #[arg(long, value_name = "FILE")]
    pub list: String,
    /// Write what goes into the store into a file, for `wrangler kv bulk put`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<String>,
    /// The store's name, as `revocation.store` or `gateway.store` has it.
    #[arg(long, value_name = "NAME", default_value = "REVOKED")]
    pub store: String,
}

pub const EXAMPLES: &str = "\
Examples:
  edgate revoke --issuer main --jti 9f3c --until 1h --list revoked.json --out pairs.json
  edgate revoke --issuer main --subject user-7 --before now --until 1d --list revoked.json
  edgate revoke --issuer main --list revoked.json --out pairs.json

The last one takes nothing back: it makes all of the list anew, for an empty store. A file keeps the
lists of all issuers. What has expired by itself leaves it, and so does what you take out of it.

Without --out, what goes into the store is all that is printed to the standard output.

Spin has no command for stores wherever it runs: `spin up --key-value` writes into the store
`default` when it starts, Fermyon Cloud has `spin cloud key-value set`, and elsewhere there are the
tools of what is behind the store, or the component spin-kv-explorer. A value may have 1 MB there.";

/// How much later than the entry itself says a store may forget it, in seconds. Workers wants a minute at least.
const SLACK: u64 = 3_600;

pub fn run(folder: &Path, world: &World, arguments: &Arguments) -> Outcome {
    revoke(folder, world, arguments).unwrap_or_else(|outcome| outcome)
}

fn revoke(folder: &Path, world: &World, arguments: &Arguments) -> Result<Outcome, Outcome> {
    if arguments.out.as_ref() == Some(&arguments.list) {
        return Err(Outcome::usage("--out and --list are the same file: one would replace the other"));
    }
    let now = (world.now)();
    let row = row(arguments, now).map_err(Outcome::usage)?;
    let mut list = list::read(folder, &arguments.list).map_err(Outcome::usage)?;
    let gone = list.drop_expired(now);
    let named = row.as_ref().map(|row| (row.kind, row.value.clone()));
    if let Some(row) = row {
        list.add(row);
    }
    let issuer = &arguments.issuer;
    let pairs = pairs(&list, issuer, named.as_ref()).map_err(Outcome::usage)?;
    let json = pairs::json(&pairs);
    if let Some(out) = &arguments.out {
        pairs::write(folder, out, &json)?;
    }
    pairs::write(folder, &arguments.list, &list.text())?;
    let count = list.of(issuer).count();
    let over = if gone == 0 { String::new() } else { format!(", without {gone} that ended") };
    let commands = pairs::commands(&pairs, arguments.out.as_deref(), &arguments.store);
    let told = format!("{} has {count} of {issuer}{over}.\n\n{commands}", arguments.list);
    Ok(match arguments.out {
        Some(_) => Outcome::fine(told),
        None => Outcome { err: told, ..Outcome::fine(json) },
    })
}

/// What is to be taken back.
fn row(arguments: &Arguments, now: u64) -> Result<Option<Row>, String> {
    let Arguments { issuer, jti, subject, before, until, .. } = arguments;
    if !is_name(issuer) {
        return Err(format!("{issuer:?} is no name of an issuer: small letters and digits, joined by hyphens"));
    }
    let (kind, value) = match (jti, subject) {
        (Some(jti), _) => (Kind::Token, jti),
        (None, Some(subject)) => (Kind::Subject, subject),
        (None, None) => return Ok(None),
    };
    let until = until.as_deref().ok_or("--until is missing")?;
    let until = moment::to_come(until, now).map_err(|message| format!("--until: {message}"))?;
    let before = match before.as_deref() {
        None => None,
        Some("now") => Some(now),
        Some(text) => Some(moment::parse(text, now).map_err(|message| format!("--before: {message}"))?),
    };
    Row::checked(issuer, kind, value, Entry { until, before }).map(Some)
}

/// The entry that is new, or all of them, and the filter over all of them: the entries first, so that the filter is
/// never ahead of them.
fn pairs(list: &List, issuer: &str, named: Option<&(Kind, String)>) -> Result<Vec<Pair>, String> {
    let wanted = |row: &&Row| named.is_none_or(|(kind, value)| row.kind == *kind && row.value == *value);
    let mut pairs: Vec<Pair> = list
        .of(issuer)
        .filter(wanted)
        .map(|row| Pair {
            key: entry_key(issuer, row.kind, &row.value),
            value: row.entry.serialise(),
            expiration: Some(row.entry.until + SLACK),
        })
        .collect();
    let filter = Filter::build(list.of(issuer).map(|row| (row.kind, row.value.as_str())))?;
    pairs.push(Pair { key: filter_key(issuer), value: filter, expiration: None });
    Ok(pairs)
}
