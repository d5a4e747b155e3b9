//! Where a rule finds its values: their names, and what a request has of them.

use super::value::{Kind, Value};
use super::words::LETTERS;
use super::{Indefinite, Mistake};
use crate::config::diagnostic::did_you_mean;
use crate::exchange::Exchange;
use crate::headers::forwarded::host_of;
use crate::headers::{has, joined};
use crate::interest::Interest;
use crate::part::{Of, Reference};
use crate::path::unescape;
use crate::routing::condition::parameters;
use http::header::{self, HeaderMap, HeaderName};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::ops::Range;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `claim.realm_access.roles`: of the token.
    Claim(Vec<String>),
    /// `consumer.plan`: of the consumer's metadata.
    Metadata(Vec<String>),
    Subject,
    /// The consumer's name.
    Consumer,
    /// The issuer's name in the configuration.
    Issuer,
    /// How the client has shown who it is: `token`.
    Shown,
    Groups,
    Scopes,
    /// `path.id`: a parameter of the route's pattern, decoded.
    Path(String),
    /// `query.page`, decoded.
    Query(String),
    /// `header.accept-language`: all lines of that name as one (RFC 9110, section 5.3).
    Header(HeaderName),
    /// `cookie.session`: the first of that name (RFC 6265, section 4.2).
    Cookie(String),
    /// The name of the route.
    Route,
    Method,
    /// As the client asked for it, in small letters and without its port: as routes see it.
    Host,
    /// The normalized path, escapes and all.
    RequestPath,
    Address,
    Country,
    /// `part.user.body.active`: what a part of an aggregate has answered.
    Part(Reference),
}

/// What stands before a name of the configuration's, of a token's or of the client's.
const ROOTS: [&str; 7] = ["claim", "consumer", "path", "query", "header", "cookie", "part"];

/// Values without a name of their own.
const FIXED: [(&str, Source); 12] = [
    ("identity.subject", Source::Subject),
    ("identity.consumer", Source::Consumer),
    ("identity.issuer", Source::Issuer),
    ("identity.method", Source::Shown),
    ("identity.groups", Source::Groups),
    ("identity.scopes", Source::Scopes),
    ("request.route", Source::Route),
    ("request.method", Source::Method),
    ("request.host", Source::Host),
    ("request.path", Source::RequestPath),
    ("client.address", Source::Address),
    ("client.country", Source::Country),
];

impl Source {
    /// The source that names lead to.
    pub fn find(names: &[String], range: Range<usize>) -> Result<Source, Mistake> {
        let [root, rest @ ..] = names else { return Err(unknown(names, range)) };
        match (root.as_str(), rest) {
            ("part", rest) => Reference::find(rest).map(Source::Part).map_err(|reason| {
                Mistake::new(range, reason)
                    .help("write `part.NAME.body.PATH`, `part.NAME.status` or `part.NAME.header.NAME`")
            }),
            ("claim" | "consumer" | "path" | "query" | "header" | "cookie", []) => {
                let reason = format!("`{root}` is not a value by itself");
                Err(Mistake::new(range, reason).help(format!("a name follows it: `{root}.NAME`")))
            }
            ("claim", rest) => Ok(Source::Claim(rest.to_vec())),
            ("consumer", rest) => Ok(Source::Metadata(rest.to_vec())),
            ("path", [name]) => Ok(Source::Path(name.clone())),
            ("query", [name]) => Ok(Source::Query(name.clone())),
            ("cookie", [name]) => Ok(Source::Cookie(name.clone())),
            ("header", [name]) => name.parse().map(Source::Header).map_err(|_| {
                let reason = format!("`{name}` is no name of a header field");
                Mistake::new(range, reason).help("names are letters, digits and hyphens")
            }),
            ("path" | "query" | "header" | "cookie", rest) => {
                let reason = format!("one name follows `{root}`");
                Err(Mistake::new(range, reason)
                    .help(format!("write `{root}[\"{}\"]` for a name with dots", rest.join("."))))
            }
            _ => {
                let written = names.join(".");
                let fixed = FIXED.iter().find(|(known, _)| *known == written);
                fixed.map(|(_, source)| source.clone()).ok_or_else(|| unknown(names, range))
            }
        }
    }

    /// Adds what it reads of requests.
    pub fn interest(&self, interest: &mut Interest) {
        match self {
            Source::Header(name) => drop(interest.request.insert(name.clone())),
            Source::Cookie(_) => drop(interest.request.insert(header::COOKIE)),
            Source::Country => interest.country = true,
            _ => {}
        }
    }

    /// Whether it tells who the client is.
    pub fn is_of_identity(&self) -> bool {
        match self {
            Source::Claim(_) | Source::Metadata(_) => true,
            Source::Subject | Source::Consumer | Source::Issuer | Source::Shown => true,
            Source::Groups | Source::Scopes => true,
            Source::Path(_) | Source::Query(_) | Source::Header(_) | Source::Cookie(_) => false,
            Source::Route | Source::Method | Source::Host | Source::RequestPath => false,
            Source::Address | Source::Country | Source::Part(_) => false,
        }
    }

    /// What its values are, as far as that is known before there is a request.
    pub fn kind(&self) -> Kind {
        match self {
            Source::Claim(_) | Source::Metadata(_) => Kind::Any,
            Source::Groups | Source::Scopes => Kind::List,
            Source::Part(Reference { of: Of::Body(_), .. }) => Kind::Any,
            Source::Part(Reference { of: Of::Status, .. }) => Kind::Number,
            _ => Kind::Text,
        }
    }

    /// The value of a request, if it has one. Null is none.
    pub fn of<'a>(&self, ex: &'a Exchange) -> Result<Option<Value<'a>>, Indefinite> {
        if let Source::Query(name) = self {
            return query(ex, name);
        }
        if let Source::Part(reference) = self {
            return Ok(ex.parts.value(reference).map(|value| Value::Json(Cow::Owned(value))));
        }
        Ok(if self.is_of_identity() { self.of_identity(ex) } else { self.of_request(ex).map(Value::Text) })
    }

    fn of_identity<'a>(&self, ex: &'a Exchange) -> Option<Value<'a>> {
        let identity = ex.identity.as_deref()?;
        let text = |text: &'a str| Value::Text(Cow::Borrowed(text));
        let json = |value: &'a Json| (!value.is_null()).then_some(Value::Json(Cow::Borrowed(value)));
        match self {
            Source::Claim(names) => identity.claim(names).and_then(json),
            Source::Metadata(names) => identity.metadata(names).and_then(json),
            Source::Subject => identity.subject.as_deref().map(text),
            Source::Consumer => identity.consumer.as_ref().map(|consumer| text(&consumer.name)),
            Source::Issuer => identity.issuer.as_deref().map(text),
            Source::Shown => Some(text(identity.method.name())),
            Source::Groups => Some(Value::List(&identity.groups)),
            Source::Scopes => Some(Value::List(&identity.scopes)),
            _ => None,
        }
    }

    fn of_request<'a>(&self, ex: &'a Exchange) -> Option<Cow<'a, str>> {
        match self {
            Source::Path(name) => ex.parameter(name).map(unescape),
            Source::Header(name) => has(&ex.headers, name).then(|| Cow::Owned(joined(&ex.headers, name))),
            Source::Cookie(name) => cookie(&ex.headers, name).map(Cow::Owned),
            Source::Route => ex.matched.as_ref().map(|matched| Cow::Borrowed(&*matched.name)),
            Source::Method => Some(Cow::Borrowed(ex.method.as_str())),
            Source::Host => Some(Cow::Owned(host_of(&ex.client.host).to_ascii_lowercase())),
            Source::RequestPath => Some(Cow::Borrowed(&ex.path)),
            Source::Address => ex.client.address.map(|address| Cow::Owned(address.to_canonical().to_string())),
            Source::Country => ex.facts.country.as_deref().map(Cow::Borrowed),
            _ => None,
        }
    }
}

/// The value of a cookie. HTTP/2 and 3 may send them on several lines (RFC 9113, section 8.2.3).
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    if !has(headers, &header::COOKIE) {
        return None;
    }
    let lines = headers.get_all(header::COOKIE).into_iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    let found = |line: Cow<'_, str>| {
        let pairs = line.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value.trim_matches('"').to_owned())
    };
    lines.into_iter().find_map(found)
}

/// The one thing that a query parameter says, once or several times.
fn query<'a>(ex: &'a Exchange, name: &str) -> Result<Option<Value<'a>>, Indefinite> {
    let mut values = parameters(ex.query.as_deref()).filter(|(key, _)| key == name).map(|(_, value)| value);
    let Some(first) = values.next() else { return Ok(None) };
    match values.all(|other| other == first) {
        true => Ok(Some(Value::Text(first))),
        false => Err(Indefinite),
    }
}

/// What may be meant by a name whose first word is misspelt: `claims.email`.
fn nearly(written: &str) -> Vec<String> {
    let Some((_, rest)) = written.split_once('.') else { return Vec::new() };
    ROOTS.iter().map(|root| format!("{root}.{rest}")).collect()
}

fn unknown(names: &[String], range: Range<usize>) -> Mistake {
    let written = names.join(".");
    let meant = nearly(&written);
    let fixed = FIXED.iter().map(|(known, _)| *known).chain(LETTERS).chain(["true", "false"]);
    let help = did_you_mean(&written, fixed.chain(meant.iter().map(String::as_str)));
    let help = help.unwrap_or_else(|| match names {
        [word] => format!("a text stands in quotes: `\"{word}\"`"),
        _ => {
            let fixed: Vec<&str> = FIXED.iter().map(|(known, _)| *known).collect();
            let named = "claim.PATH, consumer.PATH, path.NAME, query.NAME, header.NAME, cookie.NAME";
            format!("values are {named}, {}", fixed.join(", "))
        }
    });
    Mistake::new(range, format!("there is no value `{written}`")).help(help)
}
