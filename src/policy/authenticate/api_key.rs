//! API keys. A key is never kept, only its SHA-256: the configuration has some, a key-value store may have as many as one
//! likes. A typo shows in the key's own checksum, before anything is looked up.

use super::{Authenticate, Outcome};
use crate::api_key::entry::{self, Entry};
use crate::api_key::{self, PREFIX};
use crate::config::words::Method;
use crate::consumers::{StoredKey, StoredKeys};
use crate::event::{Level, Subject, event};
use crate::exchange::Exchange;
use crate::host::SharedHost;
use crate::identity::{Consumer, Identity};
use crate::refusal::{Kind, Refusal};
use std::rc::Rc;

impl Authenticate {
    pub(super) async fn api_key(&self, host: &SharedHost, ex: &Exchange) -> Outcome {
        let Some(key) = self.places.api_key(ex)? else { return Ok(None) };
        let ours = key.starts_with(PREFIX);
        if (ours || !self.places.imported_keys) && api_key::check(&key).is_err() {
            return Err(invalid("typo", "the key is none that edgate made, or has a typo"));
        }
        let Some(hash) = api_key::hash(&key) else { return Err(invalid("too-large", "the key is too long")) };
        let now = host.now().0 / 1000.0;
        if let Some(known) = self.consumers.api_keys.find(&hash) {
            let consumer = self.consumers.at(known.consumer).filter(|_| entry::holds(known.expires, now));
            return consumer.map(|consumer| Some(identity(consumer))).ok_or_else(expired);
        }
        let Some(stored) = &self.consumers.stored else { return Err(unknown()) };
        match stored.find(host, &hash).await? {
            Some(found) if entry::holds(found.expires, now) => Ok(Some(identity(Rc::clone(&found.consumer)))),
            Some(_) => Err(expired()),
            None => Err(unknown()),
        }
    }
}

impl StoredKeys {
    /// What the store says of a key.
    async fn find(&self, host: &SharedHost, hash: &[u8; 32]) -> Result<Option<Rc<StoredKey>>, Refusal> {
        if let Some(known) = self.known.borrow_mut().get(hash, host.now().0) {
            return Ok(known);
        }
        let value = host.get(&self.store, &entry::key(hash)).await.map_err(|error| {
            let message = format!("the store `{}` of API keys cannot be read: {error}", self.store);
            event(host, Level::Warning, Subject::Consumers, &message);
            unavailable()
        })?;
        let found = match value.map(|value| Entry::parse(&value)).transpose() {
            Ok(found) => found.map(|entry| {
                let Entry { consumer: name, groups, metadata, expires } = entry;
                Rc::new(StoredKey { consumer: Rc::new(Consumer { name, groups, metadata }), expires })
            }),
            Err(why) => {
                let key = entry::key(hash);
                event(host, Level::Warning, Subject::Consumers, &format!("the entry `{key}` cannot be read: {why}"));
                return Err(unavailable());
            }
        };
        let now = host.now().0;
        let until = now + self.cache.as_secs_f64() * 1000.0;
        if until > now {
            self.known.borrow_mut().put(*hash, found.clone(), until);
        }
        Ok(found)
    }
}

fn identity(consumer: Rc<Consumer>) -> Rc<Identity> {
    Rc::new(Identity::of(Method::ApiKey, consumer))
}

fn invalid(reason: &'static str, detail: &str) -> Refusal {
    Refusal::new(Method::ApiKey, Kind::Invalid, reason, detail)
}

fn unknown() -> Refusal {
    invalid("unknown-key", "nobody has this key")
}

fn expired() -> Refusal {
    invalid("expired", "the key has expired")
}

fn unavailable() -> Refusal {
    Refusal::new(Method::ApiKey, Kind::Unavailable, "keys-unavailable", "the store of API keys could not be read")
}
