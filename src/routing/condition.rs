//! What a request must be beside its host and path for a route to take it: methods, header fields, query parameters.

use crate::config::words::Presence;
use crate::headers::joined;
use http::{HeaderMap, HeaderName, Method};
use std::borrow::Cow;
use std::fmt;

/// A set of the methods that can be routed by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Methods(u8);

/// The methods that can be routed by name, in the order of `Allow`.
pub static METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

impl Methods {
    /// Every one of them.
    pub fn all() -> Methods {
        Methods((1 << METHODS.len()) - 1)
    }

    /// Adds a method; `false` where it cannot be routed by name.
    pub fn insert(&mut self, method: &Method) -> bool {
        let bit = bit(method);
        self.0 |= bit;
        bit != 0
    }

    pub fn contains(self, method: &Method) -> bool {
        self.0 & bit(method) != 0
    }

    /// The methods in one of both.
    pub fn union(self, other: Methods) -> Methods {
        Methods(self.0 | other.0)
    }

    /// The methods in both.
    pub fn intersection(self, other: Methods) -> Methods {
        Methods(self.0 & other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The value of `Allow`: HEAD comes with GET, and OPTIONS is always answered.
    pub fn allow(self) -> String {
        let mut all = self;
        if all.contains(&Method::GET) {
            all.insert(&Method::HEAD);
        }
        all.insert(&Method::OPTIONS);
        all.to_string()
    }
}

fn bit(method: &Method) -> u8 {
    METHODS.iter().position(|known| known == method).map_or(0, |position| 1 << position)
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = METHODS.iter().filter(|method| self.contains(method)).map(Method::as_str).collect();
        f.write_str(&names.join(", "))
    }
}

/// The conditions of one route.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conditions {
    /// Empty: any method.
    pub methods: Methods,
    pub headers: Vec<(HeaderName, Presence)>,
    pub query: Vec<(String, Presence)>,
}

/// What the conditions of routes are held against.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The host without its port, in small letters.
    pub host: &'a str,
    /// The normalized path.
    pub path: &'a str,
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
    pub query: Option<&'a str>,
}

/// Whether a route takes a method, and how it says so. The more definite comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Takes {
    /// It names the method.
    Named,
    /// It names GET, and the method is HEAD (RFC 9110, section 9.3.2).
    ThroughGet,
    /// It takes any method.
    Any,
}

impl Conditions {
    /// How a route takes a method, if it does.
    pub fn takes(&self, method: &Method) -> Option<Takes> {
        if self.methods.is_empty() {
            Some(Takes::Any)
        } else if self.methods.contains(method) {
            Some(Takes::Named)
        } else {
            (*method == Method::HEAD && self.methods.contains(&Method::GET)).then_some(Takes::ThroughGet)
        }
    }

    /// The first header or query condition that does not hold, in words.
    pub fn unmet(&self, facts: &Facts<'_>) -> Option<String> {
        let header = self.headers.iter().find(|(name, wanted)| !header_holds(facts.headers, name, wanted));
        if let Some((name, wanted)) = header {
            return Some(format!("header `{name}` {}", wanted.words()));
        }
        let query = self.query.iter().find(|(name, wanted)| !query_holds(facts.query, name, wanted));
        query.map(|(name, wanted)| format!("query parameter `{name}` {}", wanted.words()))
    }

    /// Whether the header and query conditions hold.
    pub fn hold(&self, facts: &Facts<'_>) -> bool {
        self.headers.iter().all(|(name, wanted)| header_holds(facts.headers, name, wanted))
            && self.query.iter().all(|(name, wanted)| query_holds(facts.query, name, wanted))
    }

    /// How many there are: the more, the more specific; first of headers, then of the query.
    pub fn weight(&self) -> (usize, usize) {
        (self.headers.len(), self.query.len())
    }

    /// Whether no request can meet both.
    pub fn exclude(&self, other: &Conditions) -> bool {
        let headers =
            self.headers.iter().any(|(name, a)| other.headers.iter().any(|(also, b)| name == also && a.excludes(b)));
        let query =
            self.query.iter().any(|(name, a)| other.query.iter().any(|(also, b)| name == also && a.excludes(b)));
        headers || query
    }
}

impl Presence {
    fn words(&self) -> String {
        match self {
            Presence::Equals(value) => format!("is not {value:?}"),
            Presence::Present => "is missing".to_owned(),
            Presence::Absent => "is there".to_owned(),
        }
    }

    fn excludes(&self, other: &Presence) -> bool {
        match (self, other) {
            (Presence::Equals(a), Presence::Equals(b)) => a != b,
            (Presence::Absent, Presence::Absent) => false,
            (Presence::Absent, _) | (_, Presence::Absent) => true,
            _ => false,
        }
    }
}

fn header_holds(headers: &HeaderMap, name: &HeaderName, wanted: &Presence) -> bool {
    match wanted {
        Presence::Present => headers.contains_key(name),
        Presence::Absent => !headers.contains_key(name),
        // All lines together must say it (RFC 9110, section 5.3): an upstream that reads another line than edgate would
        // see another request.
        Presence::Equals(value) => headers.contains_key(name) && joined(headers, name) == *value,
    }
}

fn query_holds(query: Option<&str>, name: &str, wanted: &Presence) -> bool {
    let mut values = parameters(query).filter(|(key, _)| key == name).map(|(_, value)| value).peekable();
    match wanted {
        Presence::Present => values.peek().is_some(),
        Presence::Absent => values.peek().is_none(),
        Presence::Equals(wanted) => values.peek().is_some() && values.all(|value| value == *wanted),
    }
}

/// The parameters of a query, decoded as forms are (WHATWG URL, `application/x-www-form-urlencoded`).
pub fn parameters(query: Option<&str>) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
}
