//! Templates that are filled in with what a request carries: paths, query parameters, header fields, `Location`.
//!
//! A value is escaped for the place it goes to, so that none can leave its place: a query parameter in a path cannot
//! add a segment, and one in a header field cannot add a field: [`crate::policy::transform`] says what happens to the
//! characters that no field can hold.

pub mod names;

use crate::config::Platform;
use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::config::template::{Piece, parse};
use crate::exchange::Exchange;
use crate::headers::forwarded::is_host;
use crate::headers::{has, joined};
use crate::identity::Identity;
use crate::part::Reference;
use crate::path::{escape_segment, unescape};
use crate::raw::push_string;
use http::HeaderName;
use serde_json::Value;
use std::borrow::Cow;

/// A template whose placeholders are known to exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub parts: Vec<Part>,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Literal(String),
    Value(Source),
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `{path.id}`: a parameter of the route's pattern.
    Path(String),
    /// `{query.page}`: the first of that name.
    Query(String),
    /// `{header.accept-language}`: all lines of that name as one (RFC 9110, section 5.3), as Workers shows them.
    Header(HeaderName),
    /// `{request.host}`: as the client asked for it, with its port.
    Host,
    /// `{request.path}`: the normalized path.
    RequestPath,
    /// `{request.method}`.
    Method,
    /// `{request.scheme}`: as the client used it.
    Scheme,
    /// `{request.id}`.
    Id,
    /// `{client.address}`: empty where the platform does not know it.
    ClientAddress,
    /// `{client.country}`: Workers alone knows it.
    ClientCountry,
    /// `{claim.email}`: a claim of the client's token.
    Claim(Vec<String>),
    /// `{consumer.plan}`: of the metadata of the client's consumer.
    Metadata(Vec<String>),
    /// `{identity.subject}`, and what else is known of whoever the client is.
    Identity(Fact),
    /// `{part.user.body.id}`: what a part of an aggregate has answered.
    Part(Reference),
    /// `{item.id}`: of what a part of an aggregate is repeated for.
    Item(Vec<String>),
}

/// What is known of whoever a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    Subject,
    Consumer,
    Issuer,
    Method,
    /// With commas between them.
    Groups,
    /// With spaces between them (RFC 6749, section 3.3).
    Scopes,
}

/// What a value must not break out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// A path, or an URL's path: escapes stay, everything else that is no path character is escaped.
    Path,
    /// The same for one whose values must all be there: without one, it may mean all that there is.
    WholePath,
    /// An absolute URL, or a path with or without a query: a host is put into it as it is, a path as for `Path`, and
    /// what follows a `?` can add no parameter and end no value.
    Url,
    /// Plain text: escapes of the path are decoded.
    Text,
}

/// Placeholders without a name of their own.
pub const FIXED: [(&str, Source); 13] = [
    ("request.host", Source::Host),
    ("request.path", Source::RequestPath),
    ("request.method", Source::Method),
    ("request.scheme", Source::Scheme),
    ("request.id", Source::Id),
    ("client.address", Source::ClientAddress),
    ("client.country", Source::ClientCountry),
    ("identity.subject", Source::Identity(Fact::Subject)),
    ("identity.consumer", Source::Identity(Fact::Consumer)),
    ("identity.issuer", Source::Identity(Fact::Issuer)),
    ("identity.method", Source::Identity(Fact::Method)),
    ("identity.groups", Source::Identity(Fact::Groups)),
    ("identity.scopes", Source::Identity(Fact::Scopes)),
];

impl Template {
    /// Compiles a template for a route whose patterns all bind `parameters`.
    pub fn compile(
        text: &str,
        place: &Place,
        parameters: &Parameters<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Template> {
        let pieces = match parse(text) {
            Ok(pieces) => pieces,
            Err(malformed) => {
                let place = place.clone().within(malformed.range);
                let message = format!("the template cannot be parsed: {}", malformed.reason);
                diagnostics.push(Diagnostic::new(Code::BadTemplate, place, message, "here"));
                return None;
            }
        };
        let before = diagnostics.len();
        let parts: Vec<Part> = pieces
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Literal(literal) => Some(Part::Literal(literal)),
                Piece::Placeholder { name, range } => match names::source(&name, parameters) {
                    Ok(source) => Some(Part::Value(source)),
                    Err((code, message, help)) => {
                        let place = place.clone().within(range);
                        diagnostics.push(Diagnostic::new(code, place, message, "no such value").help(help));
                        None
                    }
                },
            })
            .collect();
        (diagnostics.len() == before).then_some(Template { parts })
    }

    /// The text, with its values filled in. `None` where one is not there.
    pub fn expand(&self, ex: &Exchange, goal: Goal) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Value(source) if goal == Goal::Url => source.append_to_url(ex, &mut text)?,
                Part::Value(source) => source.append(ex, goal, &mut text)?,
            }
        }
        Some(text)
    }

    /// Every source in it.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.parts.iter().filter_map(|part| match part {
            Part::Value(source) => Some(source),
            Part::Literal(_) => None,
        })
    }

    /// The text with `x` for every value, to see what the literals make of it.
    pub fn sample(&self) -> String {
        let part = |part: &Part| match part {
            Part::Literal(literal) => literal.clone(),
            Part::Value(Source::RequestPath) => "/x".to_owned(),
            Part::Value(_) => "x".to_owned(),
        };
        self.parts.iter().map(part).collect()
    }

    /// The text of a template without placeholders.
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(literal)] => Some(literal),
            _ => None,
        }
    }
}

/// The parameters of a route's patterns.
pub struct Parameters<'a> {
    /// Those that every pattern binds.
    pub all: Vec<&'a str>,
    /// Those that some pattern binds.
    pub some: Vec<&'a str>,
    /// Whether a pattern could not be read: what it binds is not known, and reported as its own mistake.
    pub unsure: bool,
    /// Whether the route finds out who the client is.
    pub identity: bool,
    /// A platform, of those that the configuration is for, that does not know the country of a client.
    pub without_country: Option<Platform>,
    /// The parts of an aggregate, inside of one.
    pub parts: Option<&'a [&'a str]>,
    /// Whether there is an item to be filled in.
    pub item: bool,
}

impl Source {
    fn append(&self, ex: &Exchange, goal: Goal, text: &mut String) -> Option<()> {
        // What comes from the path is escaped already.
        let escaped = match self {
            Source::Path(name) => Some(ex.parameter(name)?),
            Source::RequestPath => Some(ex.path.as_str()),
            _ => None,
        };
        match (escaped, goal) {
            (Some(""), Goal::WholePath) => return None,
            (Some(value), Goal::Path | Goal::WholePath | Goal::Url) => text.push_str(value),
            (Some(value), Goal::Text) => text.push_str(&unescape(value)),
            (None, Goal::Path | Goal::WholePath | Goal::Url) => {
                let value = self.plain(ex)?;
                if value.is_empty() && goal == Goal::WholePath {
                    return None;
                }
                escape_segment(&value, text);
            }
            (None, Goal::Text) => text.push_str(&self.plain(ex)?),
        }
        Some(())
    }

    /// Writes a value as JSON: what is JSON as it is, anything else as a string. `None` where it is not there.
    pub fn push_json(&self, ex: &Exchange, out: &mut String) -> Option<()> {
        match self {
            Source::Part(reference) => ex.parts.push_json(reference, out),
            Source::Item(path) => ex.parts.push_item(path, out),
            Source::Claim(path) => {
                out.push_str(&ex.identity.as_deref()?.claim(path)?.to_string());
                Some(())
            }
            Source::Metadata(path) => {
                out.push_str(&ex.identity.as_deref()?.metadata(path)?.to_string());
                Some(())
            }
            source => {
                let mut text = String::new();
                source.append(ex, Goal::Text, &mut text)?;
                push_string(&text, out);
                Some(())
            }
        }
    }

    /// Appends a value to what is there of a URL, as it must be written at that place.
    fn append_to_url(&self, ex: &Exchange, text: &mut String) -> Option<()> {
        let authority = text.split_once("://").is_some_and(|(_, rest)| !rest.contains(['/', '?']));
        if text.contains('?') {
            let mut plain = String::new();
            self.append(ex, Goal::Text, &mut plain)?;
            text.extend(url::form_urlencoded::byte_serialize(plain.as_bytes()));
            return Some(());
        }
        match self {
            Source::Host if authority => text.push_str(is_host(&ex.client.host).then_some(&ex.client.host)?),
            source => source.append(ex, Goal::Path, text)?,
        }
        Some(())
    }

    /// The value of a source that is no part of the path.
    fn plain<'a>(&self, ex: &'a Exchange) -> Option<Cow<'a, str>> {
        match self {
            Source::Path(_) | Source::RequestPath => None,
            Source::Query(name) => ex.query_parameter(name),
            Source::Header(name) if has(&ex.headers, name) => Some(Cow::Owned(joined(&ex.headers, name))),
            Source::Header(_) => None,
            Source::Host => Some(Cow::Borrowed(&ex.client.host)),
            Source::Method => Some(Cow::Borrowed(ex.method.as_str())),
            Source::Scheme => Some(Cow::Borrowed(ex.client.scheme)),
            Source::Id => Some(Cow::Borrowed(&ex.id)),
            Source::ClientAddress => {
                Some(ex.client.address.map(|address| address.to_string()).unwrap_or_default().into())
            }
            Source::ClientCountry => ex.facts.country.as_deref().map(Cow::Borrowed),
            Source::Claim(path) => ex.identity.as_deref()?.claim(path).and_then(plain),
            Source::Metadata(path) => ex.identity.as_deref()?.metadata(path).and_then(plain),
            Source::Identity(fact) => fact.of(ex.identity.as_deref()?),
            Source::Part(reference) => ex.parts.text(reference).map(Cow::Owned),
            Source::Item(path) => ex.parts.item_text(path).map(Cow::Owned),
        }
    }
}

impl Fact {
    fn of(self, identity: &Identity) -> Option<Cow<'_, str>> {
        match self {
            Fact::Subject => identity.subject.as_deref().map(Cow::Borrowed),
            Fact::Consumer => identity.consumer.as_ref().map(|consumer| Cow::Borrowed(consumer.name.as_str())),
            Fact::Issuer => identity.issuer.as_deref().map(Cow::Borrowed),
            Fact::Method => Some(Cow::Borrowed(identity.method.name())),
            Fact::Groups => (!identity.groups.is_empty()).then(|| identity.groups.join(",").into()),
            Fact::Scopes => (!identity.scopes.is_empty()).then(|| identity.scopes.join(" ").into()),
        }
    }
}

/// A JSON value as text: a string as it is, several with commas between them, an object as JSON.
fn plain(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            let items: Vec<Cow<'_, str>> = items.iter().filter_map(plain).collect();
            Some(items.join(",").into())
        }
        other => Some(other.to_string().into()),
    }
}
