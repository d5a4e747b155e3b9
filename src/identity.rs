//! Who a client is, whichever way it showed it: one shape for tokens, API keys, passwords, signatures and certificates.

use crate::config::words::Method;
use serde_json::{Map, Value};
use std::rc::Rc;

/// A client that has shown who it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// How it showed it.
    pub method: Method,
    /// Who it is: `sub` of a token, else the consumer's name.
    pub subject: Option<String>,
    /// The name of the issuer whose token it is.
    pub issuer: Option<Rc<str>>,
    /// Its consumer, where there is one.
    pub consumer: Option<Rc<Consumer>>,
    /// Of the token and of the consumer together.
    pub groups: Vec<String>,
    pub scopes: Vec<String>,
    /// The token's claims; nothing for the other methods.
    pub claims: Map<String, Value>,
}

/// What is known of a consumer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Consumer {
    pub name: String,
    pub groups: Vec<String>,
    pub metadata: Map<String, Value>,
}

impl Identity {
    /// A consumer that has shown who it is by other means than a token.
    pub fn of(method: Method, consumer: Rc<Consumer>) -> Identity {
        Identity {
            method,
            subject: Some(consumer.name.clone()),
            issuer: None,
            groups: consumer.groups.clone(),
            scopes: Vec::new(),
            claims: Map::new(),
            consumer: Some(consumer),
        }
    }

    /// A claim, by the names that lead to it.
    pub fn claim<'a>(&'a self, path: &[String]) -> Option<&'a Value> {
        let (first, rest) = path.split_first()?;
        find(self.claims.get(first)?, rest)
    }

    /// A value of the consumer's metadata, by the names that lead to it.
    pub fn metadata<'a>(&'a self, path: &[String]) -> Option<&'a Value> {
        let (first, rest) = path.split_first()?;
        find(self.consumer.as_ref()?.metadata.get(first)?, rest)
    }
}

/// A value inside another one.
pub fn find<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.as_object()?.get(name))
}

/// The words of a claim that lists some: a list of strings, or one string with spaces between them (RFC 8693, section
/// 4.2). Whatever else it is lists nothing.
pub fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
