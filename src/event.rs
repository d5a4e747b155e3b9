//! What happens beside the requests, as JSON lines in the platform's log: a configuration was loaded, the keys of an
//! issuer could not be fetched. No secret and no token is ever in one.

use crate::host::SharedHost;

/// Whether somebody should look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Info,
    Warning,
}

/// Logs what happened to the configuration, an issuer, a limit, or a target of an upstream.
pub fn event(host: &SharedHost, level: Level, subject: Subject<'_>, message: &str) {
    let level = match level {
        Level::Info => "info",
        Level::Warning => "warning",
    };
    let mut record = serde_json::json!({ "kind": subject.kind(), "level": level });
    if let Some(record) = record.as_object_mut() {
        match subject {
            Subject::Issuer(name) => drop(record.insert("issuer".to_owned(), name.into())),
            Subject::Limit(name) => drop(record.insert("limit".to_owned(), name.into())),
            Subject::Upstream(name) => drop(record.insert("upstream".to_owned(), name.into())),
            Subject::Target(name, number) => {
                record.insert("upstream".to_owned(), name.into());
                record.insert("target".to_owned(), number.into());
            }
            Subject::Configuration | Subject::Consumers | Subject::Claims => {}
        }
        record.insert("message".to_owned(), message.into());
    }
    host.log(&record.to_string());
}

/// What something happened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    Configuration,
    /// The issuer of this name.
    Issuer(&'a str),
    /// The store of consumers.
    Consumers,
    /// The place where it is decided what happens once.
    Claims,
    /// The limit of this name.
    Limit(&'a str),
    /// The upstream of this name.
    Upstream(&'a str),
    /// The target of this number, of the upstream of this name.
    Target(&'a str, usize),
}

impl Subject<'_> {
    fn kind(self) -> &'static str {
        match self {
            Subject::Configuration => "configuration",
            Subject::Issuer(_) => "issuer",
            Subject::Consumers => "consumers",
            Subject::Claims => "claims",
            Subject::Limit(_) => "limit",
            Subject::Upstream(_) | Subject::Target(..) => "upstream",
        }
    }
}
