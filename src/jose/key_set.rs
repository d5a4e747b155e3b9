//! An issuer's keys (RFC 7517, section 5), and which of them a token may be checked with.

use super::algorithm::Algorithm;
use super::key::PublicKey;
use crate::config::json;
use serde_json::{Map, Value};
use std::rc::Rc;

/// The keys of an issuer that can be used.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    pub keys: Vec<Key>,
    /// Which keys of the set are not used, and why, for the log: the first 20 of them.
    pub ignored: Vec<String>,
}

/// A key of an issuer.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its `kid`. Several keys may have the same (RFC 7517, section 4.5).
    pub id: Option<String>,
    /// What it may be used with: those of its type, or of them the one that its `alg` names. Never empty.
    pub algorithms: &'static [Algorithm],
    pub public: Rc<PublicKey>,
}

/// More notes than this say nothing new.
const MOST_NOTES: usize = 20;

impl KeySet {
    /// Reads a key set. RFC 7517, section 5: keys that are not understood, or not for this, are left out one by one.
    /// Where there are `pins` (thumbprints by RFC 7638), all others are left out too.
    ///
    /// An error means that it is no key set, or has more than `most_keys` keys.
    pub fn parse(bytes: &[u8], most_keys: usize, pins: &[String]) -> Result<KeySet, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
        let value = json::parse(text).map_err(|error| format!("it is not JSON: {error}"))?;
        KeySet::read(&value, most_keys, pins)
    }

    /// As [`KeySet::parse`], for one that stands in the configuration.
    pub fn read(value: &Value, most_keys: usize, pins: &[String]) -> Result<KeySet, String> {
        let keys = value.get("keys").and_then(Value::as_array).ok_or("it is not an object with a list of `keys`")?;
        if keys.len() > most_keys {
            return Err(format!("it has {} keys: more than {most_keys}", keys.len()));
        }
        let mut set = KeySet::default();
        for (index, value) in keys.iter().enumerate() {
            match Key::parse(value, pins) {
                Ok(key) => set.keys.push(key),
                Err(why) if set.ignored.len() < MOST_NOTES => set.ignored.push(note(index, value, &why)),
                Err(_) => {}
            }
        }
        Ok(set)
    }

    /// The keys that a token with this algorithm and this `kid` may be signed with. The number of signatures to check
    /// for one token is for the caller to limit.
    ///
    /// A token that names its key is checked with that one only, so that an unknown name is seen, and the set fetched
    /// again. There are issuers, though, whose tokens have a `kid` (a certificate's thumbprint, say) and whose keys have
    /// none: where no key of the set has a name, the token's says nothing. A token without one may be signed with any.
    pub fn candidates(&self, algorithm: Algorithm, kid: Option<&str>) -> impl Iterator<Item = &Key> {
        let named = self.is_named(kid);
        let fits = move |key: &&Key| key.algorithms.contains(&algorithm) && (!named || key.id.as_deref() == kid);
        self.keys.iter().filter(fits)
    }

    /// Whether a token's `kid` says which key it is: not where no key has a name.
    pub fn is_named(&self, kid: Option<&str>) -> bool {
        kid.is_some() && self.keys.iter().any(|key| key.id.is_some())
    }
}

impl Key {
    fn parse(value: &Value, pins: &[String]) -> Result<Key, String> {
        let members = value.as_object().ok_or("it is not a JSON object")?;
        let usage = text(members, "use")?;
        if usage.is_some_and(|usage| usage != "sig") {
            return Err("it is not for signatures (`use`)".to_owned());
        }
        // RFC 7517, 4.3.
        match members.get("key_ops") {
            None => {}
            Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => {}
            Some(_) => return Err("it is not for checking signatures (`key_ops`)".to_owned()),
        }
        let id = text(members, "kid")?.map(str::to_owned);
        let public = PublicKey::parse(value)?;
        let algorithms = match text(members, "alg")? {
            None => public.algorithms(),
            Some(name) => narrow(public.algorithms(), name).ok_or("its `alg` is none of its type that edgate knows")?,
        };
        if !pins.is_empty() && !pins.contains(&public.thumbprint) {
            return Err(format!("its thumbprint {} is not one of `pins`", public.thumbprint));
        }
        Ok(Key { id, algorithms, public: Rc::new(public) })
    }
}

/// The algorithm of this name alone.
fn narrow(algorithms: &'static [Algorithm], name: &str) -> Option<&'static [Algorithm]> {
    let named = Algorithm::of(name)?;
    algorithms.iter().find(|algorithm| **algorithm == named).map(std::slice::from_ref)
}

/// A member that must be a string where it is there.
fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Result<Option<&'m str>, String> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("its `{name}` is not a string")),
    }
}

/// One line about a key that is not used. What it says of itself is cut short, and quoted.
fn note(index: usize, value: &Value, why: &str) -> String {
    const MOST_CHARACTERS: usize = 64;
    match value.get("kid").and_then(Value::as_str) {
        None => format!("key {}: {why}", index + 1),
        Some(id) => format!("key {} ({:?}): {why}", index + 1, id.chars().take(MOST_CHARACTERS).collect::<String>()),
    }
}

#[cfg(test)]
mod tests;
