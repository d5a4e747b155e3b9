//! The key set of an issuer: where it is, and how it stays fresh. Rotation never causes an outage:
//!
//! - It is fetched once for all routes and all requests of an instance, and kept in a key-value store where there is one,
//!   so that an instance that starts asks nobody.
//! - It is fetched again, behind the requests, before it is too old.
//! - A token with an unknown `kid` has it fetched at once (OpenID Connect Core 1.0, section 10.1.1), and so has one that
//!   names no key and was signed with none of the set; but only once per cooldown: whoever sends random names must not
//!   make edgate attack the issuer.
//! - While the issuer cannot be reached, the old set serves for as long as the configuration says.

use crate::body::Body;
use crate::event::{Level, Subject, event};
use crate::host::{HostError, MadeOf, Outgoing, SharedHost, Timestamp};
use crate::jose::algorithm::Algorithm;
use crate::jose::key::PublicKey;
use crate::jose::key_set::KeySet;
use crate::renewed::{Held, Renewed};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Where a key set comes from.
pub struct KeySource {
    /// The issuer's name in the configuration.
    pub name: Rc<str>,
    pub place: Location,
    pub limits: Limits,
    /// The store that instances share.
    pub store: Option<Rc<str>>,
    /// The set, as it was fetched last.
    pub cell: Rc<Renewed<KeySet>>,
    /// Counts the changes of the set.
    pub changes: Cell<u64>,
    /// What the discovery document said last.
    pub discovered: RefCell<Option<String>>,
    /// When the issuer was last asked.
    pub asked: Cell<Option<Timestamp>>,
}

/// Where a key set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// At this address.
    KeySet(String),
    /// Where a discovery document says.
    Discovery {
        /// The document.
        url: String,
        /// What it must say of the issuer, byte for byte (OpenID Connect Discovery 1.0, section 4.3; RFC 8414, section
        /// 3.3).
        issuer: String,
        /// Where it may lead.
        origins: Vec<String>,
    },
}

/// How much, how often, how long.
#[derive(Debug, Clone)]
pub struct Limits {
    pub refresh: Duration,
    pub cooldown: Duration,
    pub stale: Duration,
    pub timeout: Duration,
    /// In bytes.
    pub max_size: u64,
    pub max_keys: usize,
    /// Thumbprints; empty for any key.
    pub pins: Vec<String>,
}

/// What there is for a token.
pub enum Found {
    /// Keys that it may be signed with.
    Keys(Vec<Rc<PublicKey>>),
    /// The issuer has no such key.
    Unknown,
    /// There is no key set that may be used.
    Unavailable,
}

/// While there is no key set at all, the issuer is asked again after this time.
const RETRY: Duration = Duration::from_secs(1);

/// A key set may have several keys of one name; more than this are not tried.
const MOST_TRIED: usize = 4;

/// What begins the keys in a store.
const KEY: &str = "edgate.keys.";

impl KeySource {
    /// The keys for a token. Waits for a fetch of the set, at most `patience`, only where no key of the set will do.
    pub async fn find(
        self: &Rc<Self>,
        host: &SharedHost,
        algorithm: Algorithm,
        id: Option<&str>,
        patience: Duration,
    ) -> Found {
        let begun = host.now();
        if self.usable(begun).is_none() {
            if self.cell.since_tried(begun) >= ms(RETRY) {
                self.fetch(host, Why::Missing);
            }
            self.cell.settled(host, patience).await;
        }
        let now = host.now();
        let Some(held) = self.usable(now) else { return Found::Unavailable };
        let keys = candidates(&held.value, algorithm, id);
        if !keys.is_empty() {
            self.keep_fresh(host);
            return Found::Keys(keys);
        }
        let spent = Duration::try_from_secs_f64(now.since(begun) / 1000.0).unwrap_or(Duration::MAX);
        self.find_newer(host, algorithm, id, patience.saturating_sub(spent)).await
    }

    /// The keys for a token that those of the set will not do for: waits for a set that is newer, where one may be
    /// fetched.
    pub async fn find_newer(
        self: &Rc<Self>,
        host: &SharedHost,
        algorithm: Algorithm,
        id: Option<&str>,
        patience: Duration,
    ) -> Found {
        let now = host.now();
        // A set that another instance fetched a moment ago is as fresh as can be. One that was in the store may be older
        // than the key.
        let age = self.cell.held().map_or(f64::INFINITY, |held| now.since(held.since));
        let asked = self.asked.get().map_or(f64::INFINITY, |asked| now.since(asked));
        if age.min(asked) >= ms(self.limits.cooldown) {
            self.fetch(host, Why::UnknownKey);
        }
        self.cell.settled(host, patience).await;
        match self.usable(host.now()) {
            None => Found::Unavailable,
            Some(held) => match candidates(&held.value, algorithm, id) {
                keys if keys.is_empty() => Found::Unknown,
                keys => Found::Keys(keys),
            },
        }
    }

    /// Has the set fetched again, behind the request, where it is old.
    pub fn keep_fresh(self: &Rc<Self>, host: &SharedHost) {
        let now = host.now();
        let is_old = self.cell.held().is_some_and(|held| now.since(held.since) >= ms(self.limits.refresh));
        if is_old && self.cell.since_tried(now) >= ms(self.limits.cooldown) {
            self.fetch(host, Why::Old);
        }
    }

    /// Whether a token says which key of the set it is signed with. A name that is not there has the set fetched again;
    /// where there is no name, a signature that does not hold is all there is to go by.
    pub fn is_named(&self, id: Option<&str>) -> bool {
        self.cell.held().is_some_and(|held| held.value.is_named(id))
    }

    /// How often the set has changed in this instance.
    pub fn generation(&self) -> u64 {
        self.changes.get()
    }

    fn usable(&self, now: Timestamp) -> Option<Held<KeySet>> {
        let longest = ms(self.limits.refresh) + ms(self.limits.stale);
        self.cell.held().filter(|held| now.since(held.since) < longest)
    }

    fn fetch(self: &Rc<Self>, host: &SharedHost, why: Why) {
        let (source, task_host) = (Rc::clone(self), Rc::clone(host));
        // The store, the discovery document, the key set.
        let longest = self.limits.timeout * 3;
        self.cell.begin(host, longest, async move { source.renew(&task_host, why).await });
    }

    /// The newest set there is: another instance's, or the issuer's.
    async fn renew(self: &Rc<Self>, host: &SharedHost, why: Why) -> Option<Held<KeySet>> {
        let before = self.cell.held();
        if let Some(stored) = self.stored(host).await {
            let age = host.now().since(stored.since);
            let newer = before.as_ref().is_none_or(|before| stored.since > before.since);
            let enough = match why {
                Why::Missing | Why::Old => age < ms(self.limits.refresh),
                Why::UnknownKey => age < ms(self.limits.cooldown),
            };
            if newer && enough {
                return Some(self.adopt(stored));
            }
            // Old keys are better than none, should the issuer not answer.
            if before.is_none() {
                return Some(match self.asked_of_issuer(host).await {
                    Some(held) => self.adopt(held),
                    None => self.adopt(stored),
                });
            }
        }
        let held = self.asked_of_issuer(host).await?;
        Some(self.adopt(held))
    }

    /// Counts a change. What is there may have changed since this fetch began, where it took very long.
    fn adopt(&self, held: Held<KeySet>) -> Held<KeySet> {
        if self.cell.held().is_none_or(|before| !same(&before.value, &held.value)) {
            self.changes.set(self.changes.get() + 1);
        }
        held
    }

    async fn asked_of_issuer(self: &Rc<Self>, host: &SharedHost) -> Option<Held<KeySet>> {
        // What the issuer does while its answer is on its way is not in it.
        let since = host.now();
        self.asked.set(Some(since));
        match self.ask(host).await {
            Ok((set, text)) => {
                if !set.ignored.is_empty() {
                    let ignored = set.ignored.join("; ");
                    event(
                        host,
                        Level::Info,
                        Subject::Issuer(&self.name),
                        &format!("keys that cannot be used: {ignored}"),
                    );
                }
                // Nobody waits until the others have it.
                let (source, task_host) = (Rc::clone(self), Rc::clone(host));
                host.wait_until(Box::pin(async move { source.share(&task_host, &text, since).await }));
                Some(Held { value: Rc::new(set), since })
            }
            Err(why) => {
                self.discovered.replace(None);
                let message = format!("the keys of the issuer could not be fetched: {why}");
                event(host, Level::Warning, Subject::Issuer(&self.name), &message);
                None
            }
        }
    }

    /// The set as the issuer gives it, and its text.
    async fn ask(&self, host: &SharedHost) -> Result<(KeySet, Bytes), String> {
        let url = match &self.place {
            Location::KeySet(url) => url.clone(),
            Location::Discovery { url, issuer, origins } => {
                let known = self.discovered.borrow().clone();
                match known {
                    Some(known) => known,
                    None => {
                        let found = key_set_of(&self.get(host, url).await?, issuer, origins)?;
                        self.discovered.replace(Some(found.clone()));
                        found
                    }
                }
            }
        };
        let text = self.get(host, &url).await?;
        let set = KeySet::parse(&text, self.limits.max_keys, &self.limits.pins)?;
        if set.keys.is_empty() {
            return Err("there is no key in it that can be used".to_owned());
        }
        Ok((set, text))
    }

    async fn get(&self, host: &SharedHost, url: &str) -> Result<Bytes, String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let request = Outgoing {
            method: Method::GET,
            url: url.to_owned(),
            headers: &headers,
            made_of: MadeOf::Nothing,
            body: Body::Empty,
            timeout: self.limits.timeout,
            upgrade: false,
            reads: None,
        };
        let response = host.fetch(request).await.map_err(|error| error.to_string())?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(format!("{url} answered {}", status.as_u16()));
        }
        host.collect(response.into_body(), self.limits.max_size, self.limits.timeout).await.map_err(|error| match error
        {
            HostError::BodyTooLarge => format!("{url} is larger than {} bytes", self.limits.max_size),
            error => error.to_string(),
        })
    }

    /// The set in the store, if it came from where this one would.
    async fn stored(&self, host: &SharedHost) -> Option<Held<KeySet>> {
        let store = self.store.as_ref()?;
        let value = match host.get(store, &self.key()).await {
            Ok(value) => value?,
            Err(error) => {
                let message = format!("the store `{store}` cannot be read: {error}");
                event(host, Level::Warning, Subject::Issuer(&self.name), &message);
                return None;
            }
        };
        let value: Value = serde_json::from_slice(&value).ok()?;
        if value.get("from")?.as_str()? != self.origin() {
            return None;
        }
        let since = Timestamp(value.get("fetched")?.as_f64()?);
        // A clock that runs ahead must not keep others from asking.
        if since > host.now() {
            return None;
        }
        let text = value.get("keys")?.to_string();
        let set = KeySet::parse(text.as_bytes(), self.limits.max_keys, &self.limits.pins).ok()?;
        (!set.keys.is_empty()).then(|| Held { value: Rc::new(set), since })
    }

    async fn share(&self, host: &SharedHost, text: &Bytes, since: Timestamp) {
        let Some(store) = &self.store else { return };
        let Ok(keys) = serde_json::from_slice::<Value>(text) else { return };
        let value = json!({ "from": self.origin(), "fetched": since.0.floor(), "keys": keys }).to_string();
        let ttl = self.limits.refresh + self.limits.stale;
        if let Err(error) = host.put(store, &self.key(), Bytes::from(value), Some(ttl)).await {
            let message = format!("the keys could not be kept in the store `{store}`: {error}");
            event(host, Level::Warning, Subject::Issuer(&self.name), &message);
        }
    }

    fn key(&self) -> String {
        [KEY, &self.name].concat()
    }

    fn origin(&self) -> &str {
        match &self.place {
            Location::KeySet(url) | Location::Discovery { url, .. } => url,
        }
    }
}

/// Why a set is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Missing,
    Old,
    UnknownKey,
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn candidates(set: &KeySet, algorithm: Algorithm, id: Option<&str>) -> Vec<Rc<PublicKey>> {
    set.candidates(algorithm, id).take(MOST_TRIED).map(|key| Rc::clone(&key.public)).collect()
}

/// Whether two sets have the same keys under the same names, for the same algorithms.
fn same(one: &KeySet, other: &KeySet) -> bool {
    fn facts(set: &KeySet) -> impl Iterator<Item = (Option<&str>, &str, &[Algorithm])> {
        set.keys.iter().map(|key| (key.id.as_deref(), key.public.thumbprint.as_str(), key.algorithms))
    }
    facts(one).eq(facts(other))
}

/// The address of the key set in a discovery document.
fn key_set_of(document: &[u8], issuer: &str, origins: &[String]) -> Result<String, String> {
    let document: Value =
        serde_json::from_slice(document).map_err(|error| format!("the discovery document is no JSON: {error}"))?;
    let member = |name: &str| document.get(name).and_then(Value::as_str);
    if member("issuer") != Some(issuer) {
        return Err("the discovery document is another issuer's".to_owned());
    }
    let url = member("jwks_uri").ok_or("the discovery document names no key set")?;
    let parsed = url::Url::parse(url).map_err(|_| "the discovery document's `jwks_uri` is no URL")?;
    let origin = parsed.origin().ascii_serialization();
    if !origins.contains(&origin) {
        return Err(format!("its key set is at {origin}: add that to `key_origins`, if it is right"));
    }
    Ok(url.to_owned())
}
