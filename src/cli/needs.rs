//! What a configuration needs its platform to declare: secrets, addresses it may call, key-value stores, places where
//! claims are decided and requests are counted. Read from the sections themselves, so that it is known of a configuration
//! with mistakes too.

use super::limiters::Limiter;
use super::objects::{CLAIMS, Class, LIMITS};
use crate::compile::address;
use crate::config::credentials::Credentials;
use crate::config::diagnostic::{Diagnostic, Place, Step};
use crate::config::document::{Kind, Sections, place_of};
use crate::config::identity::{Consumer, Issuer};
use crate::config::limit::{Accuracy, Limit};
use crate::config::read::read;
use crate::config::sorted::Sorted;
use crate::config::upstream::Upstream;
use crate::config::words::{Secret, SecretName, Text};
use crate::config::{Gateway, HeaderEdits, Route};
use crate::limit::binding;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use url::Url;

/// What a configuration needs, each with the place that says so.
#[derive(Debug, Default, Clone)]
pub struct Needs {
    /// By name, in capitals.
    pub secrets: BTreeMap<String, Place>,
    /// Scheme, host and, where it is not the scheme's own, port.
    pub origins: BTreeMap<String, Place>,
    /// Key-value stores, by binding or label.
    pub stores: BTreeMap<String, Place>,
    /// What happens once only. Durable Objects see to it on Workers, the Redis of `redis` on Spin.
    pub claims: Option<Place>,
    /// What all instances count together. Durable Objects do on Workers; on Spin the Redis of `redis`, or else the store of
    /// [`Needs::spin_stores`].
    pub counters: Option<Place>,
    /// Workers' own rate limiters, by binding.
    pub limiters: BTreeMap<String, Limiter>,
    /// What is done on a schedule: each minute. Workers only.
    pub schedule: Option<Place>,
    /// The label of `gateway.counters`.
    label: Option<(String, Place)>,
    /// The origin of `gateway.redis`.
    redis: Option<(String, Place)>,
}

/// The store where instances on Spin count, where no other is named.
const COUNTERS: &str = "default";

impl Needs {
    /// What these sections need.
    pub fn of(sections: &Sections) -> Needs {
        let mut needs = Needs::default();
        needs.add(sections);
        needs
    }

    /// Adds what more sections need.
    pub fn add(&mut self, sections: &Sections) {
        let gateway = sections.gateway.as_ref().and_then(|value| section(place_of(Kind::Gateway, ""), value));
        if let Some((place, gateway)) = gateway {
            self.gateway(&place, gateway);
        }
        for (place, upstream) in all(Kind::Upstream, &sections.upstreams) {
            self.upstream(&place, &upstream);
        }
        for (place, issuer) in all(Kind::Issuer, &sections.issuers) {
            self.issuer(&place, issuer);
        }
        for (place, consumer) in all::<Consumer>(Kind::Consumer, &sections.consumers) {
            for (index, key) in consumer.signature_keys.iter().enumerate() {
                self.secret(&place.key("signature_keys").index(index).key("secret"), key.secret.as_ref());
            }
        }
        for (place, limit) in all::<Limit>(Kind::Limit, &sections.limits) {
            self.limit(place, &limit);
        }
        for (place, route) in all::<Route>(Kind::Route, &sections.routes) {
            if route.idempotency.is_some() {
                self.claims(place.key("idempotency"));
            }
            self.edits(&place.key("request_headers"), route.request_headers.as_ref());
            self.edits(&place.key("response_headers"), route.response_headers.as_ref());
            for (index, part) in route.aggregate.iter().flat_map(|aggregate| &aggregate.parts).enumerate() {
                let place = place.key("aggregate").key("parts").index(index);
                self.fields(&place.key("headers"), &part.headers);
            }
        }
        // What decides nothing is not called.
        let decides = self.claims.is_some() || self.counters.is_some();
        if let Some((origin, place)) = self.redis.as_ref().filter(|_| decides) {
            self.origins.entry(origin.clone()).or_insert(place.clone());
        }
    }

    /// The stores that Spin opens, by label: where instances count without a Redis, too.
    pub fn spin_stores(&self) -> BTreeMap<String, Place> {
        let mut stores = self.stores.clone();
        if let Some(place) = self.counters.as_ref().filter(|_| self.redis.is_none()) {
            let (label, place) = self.label.clone().unwrap_or_else(|| (COUNTERS.to_owned(), place.clone()));
            stores.entry(label).or_insert(place);
        }
        stores
    }

    /// The classes of Durable Objects that Workers needs, each with what needs it.
    pub fn objects(&self) -> Vec<(&'static Class, &Place)> {
        let all = [(&CLAIMS, &self.claims), (&LIMITS, &self.counters)];
        all.into_iter().filter_map(|(class, place)| Some((class, place.as_ref()?))).collect()
    }

    fn gateway(&mut self, place: &Place, gateway: Gateway) {
        if let Some(source) = gateway.source {
            self.store(place.key("source").key("store"), Some(source.store));
        }
        self.store(place.key("store"), gateway.store);
        self.store(place.key("api_key").key("store"), gateway.api_key.store);
        if gateway.signature.nonce {
            self.claims(place.key("signature").key("nonce"));
        }
        let redis = place.key("redis");
        let origin = gateway.redis.and_then(|address| Some((redis_origin(&address)?, redis)));
        self.redis = self.redis.take().or(origin);
        self.label = self.label.take().or(gateway.counters.map(|label| (label, place.key("counters"))));
    }

    fn limit(&mut self, place: Place, limit: &Limit) {
        match limit.accuracy.unwrap_or(Accuracy::Exact) {
            Accuracy::Exact | Accuracy::Leased => drop(self.counters.get_or_insert(place)),
            Accuracy::Regional => {
                let limiter = limit.rate.as_deref().and_then(|rate| Limiter::of(rate, place.key("rate")));
                if let (Some(Step::Key(name)), Some(limiter)) = (place.path.last(), limiter) {
                    self.limiters.insert(binding(name), limiter);
                }
            }
            Accuracy::Local => {}
        }
    }

    fn upstream(&mut self, place: &Place, upstream: &Upstream) {
        if let Some(url) = &upstream.url {
            self.origin(place.key("url"), url);
        }
        for (index, target) in upstream.targets.iter().enumerate() {
            let place = place.key("targets").index(index);
            self.origin(if target.table { place.key("url") } else { place }, &target.url);
        }
        if upstream.health.is_some() {
            self.schedule.get_or_insert(place.key("health"));
        }
        let token = upstream.internal_token.as_ref();
        self.secret(&place.key("internal_token").key("secret"), token.map(|token| &token.secret));
        if let Some(credentials) = &upstream.credentials {
            self.credentials(&place.key("credentials"), credentials);
        }
    }

    fn credentials(&mut self, place: &Place, credentials: &Credentials) {
        if let Some(field) = &credentials.header {
            self.text(&place.key("header").key("value"), &field.value);
        }
        if let Some(basic) = &credentials.basic {
            let place = place.key("basic");
            if let Text::Secret(user) = &basic.user {
                self.text(&place.key("user"), user);
            }
            self.secret(&place.key("password"), Some(&basic.password));
        }
        if let Some(aws) = &credentials.aws {
            let place = place.key("aws");
            self.secret(&place.key("access_key_id"), Some(&aws.access_key_id));
            self.secret(&place.key("secret_access_key"), Some(&aws.secret_access_key));
            self.secret(&place.key("session_token"), aws.session_token.as_ref());
        }
        if let Some(client) = &credentials.client_credentials {
            let place = place.key("client_credentials");
            self.origin(place.key("url"), &client.url);
            self.secret(&place.key("client_secret"), Some(&client.client_secret));
        }
    }

    fn issuer(&mut self, place: &Place, issuer: Issuer) {
        self.secret(&place.key("secret"), issuer.secret.as_ref());
        if let Some(dpop) = &issuer.dpop {
            self.claims(place.key("dpop"));
            self.secret(&place.key("dpop").key("nonce"), dpop.nonce.as_ref());
        }
        if let Some(introspection) = &issuer.introspection {
            let place = place.key("introspection");
            self.origin(place.key("url"), &introspection.url);
            self.secret(&place.key("client_secret"), Some(&introspection.client_secret));
        }
        let elsewhere = issuer.jwks_uri.is_some() || issuer.keys.is_some() || issuer.secret.is_some();
        if issuer.discovery.is_some() || !(elsewhere || issuer.introspection.is_some()) {
            self.origin(place.key("issuer"), &issuer.issuer);
        }
        if let Some(uri) = &issuer.jwks_uri {
            self.origin(place.key("jwks_uri"), uri);
        }
        for (index, origin) in issuer.key_origins.iter().enumerate() {
            self.origin(place.key("key_origins").index(index), origin);
        }
        let store = issuer.revocation.and_then(|revocation| revocation.store);
        self.store(place.key("revocation").key("store"), store);
    }

    fn edits(&mut self, place: &Place, edits: Option<&HeaderEdits>) {
        let Some(edits) = edits else { return };
        self.fields(&place.key("set"), &edits.set);
        self.fields(&place.key("add"), &edits.add);
    }

    fn fields(&mut self, place: &Place, fields: &Sorted<String, Text>) {
        for (name, value) in fields {
            if let Text::Secret(secret) = value {
                self.text(&place.key(name), secret);
            }
        }
    }

    fn text(&mut self, place: &Place, text: &Secret) {
        self.secrets.entry(text.secret.clone()).or_insert(place.key("secret"));
    }

    fn secret(&mut self, place: &Place, secret: Option<&SecretName>) {
        if let Some(secret) = secret {
            self.secrets.entry(secret.secret.clone()).or_insert(place.key("secret"));
        }
    }

    fn store(&mut self, place: Place, store: Option<String>) {
        if let Some(store) = store {
            self.stores.entry(store).or_insert(place);
        }
    }

    fn origin(&mut self, place: Place, url: &str) {
        if let Some(url) = address(url).ok().filter(|url| matches!(url.scheme(), "http" | "https")) {
            self.origins.entry(url.origin().ascii_serialization()).or_insert(place);
        }
    }

    fn claims(&mut self, place: Place) {
        self.claims.get_or_insert(place);
    }
}

/// The sections of a kind that can be read. What cannot has been reported by others.
fn all<T: DeserializeOwned>(kind: Kind, sections: &BTreeMap<String, Value>) -> impl Iterator<Item = (Place, T)> {
    sections.iter().filter_map(move |(name, value)| section(place_of(kind, name), value))
}

fn section<T: DeserializeOwned>(place: Place, value: &Value) -> Option<(Place, T)> {
    let section = read::<T>(&place, value, &mut Vec::<Diagnostic>::new())?.section;
    Some((place, section))
}

/// As `allowed_outbound_hosts` has it, which knows no port of its own for `rediss`.
pub fn redis_origin(address: &str) -> Option<String> {
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "redis" | "rediss"))?;
    Some(format!("{}://{}:{}", url.scheme(), url.host_str()?, url.port().unwrap_or(6379)))
}

/// The Spin variable that holds a secret.
pub fn variable_of(secret: &str) -> String {
    secret.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn needs(document: Value) -> Needs {
        Needs::of(&Sections::from_document(document, &mut Vec::new()))
    }

    fn keys(map: &BTreeMap<String, Place>) -> Vec<(String, String)> {
        map.iter().map(|(key, place)| (key.clone(), place.to_string())).collect()
    }

    fn check(found: &BTreeMap<String, Place>, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(key, place)| ((*key).to_owned(), (*place).to_owned())).collect();
        assert_eq!(keys(found), expected);
    }

    #[test]
    fn secrets_are_found_wherever_they_may_stand() {
        let needs = needs(json!({
            "upstream": { "u": { "url": "https://u.test", "internal_token": { "secret": { "secret": "A" } } } },
            "issuer": {
                "i": { "issuer": "https://i.test", "secret": { "secret": "B" }, "dpop": { "nonce": { "secret": "C" } } },
                "o": { "issuer": "https://o.test", "introspection": {
                    "url": "https://o.test/ask", "client_id": "x", "client_secret": { "secret": "D" },
                } },
            },
            "consumer": { "c": { "signature_keys": [
                { "id": "1", "algorithm": "ed25519", "key": {} },
                { "id": "2", "algorithm": "hmac-sha256", "secret": { "secret": "E" } },
            ] } },
            "route": { "p": { "match": { "path": "/" }, "aggregate": { "parts": [
                { "name": "a", "upstream": "u", "path": "/", "headers": { "x-key": { "secret": "F" } } },
            ] } } },
        }));
        check(
            &needs.secrets,
            &[
                ("A", "upstream.u.internal_token.secret.secret"),
                ("B", "issuer.i.secret.secret"),
                ("C", "issuer.i.dpop.nonce.secret"),
                ("D", "issuer.o.introspection.client_secret.secret"),
                ("E", "consumer.c.signature_keys[1].secret.secret"),
                ("F", "route.p.aggregate.parts[0].headers.x-key.secret"),
            ],
        );
        assert_eq!(needs.claims.map(|place| place.to_string()).as_deref(), Some("issuer.i.dpop"));
    }

    #[test]
    fn what_upstreams_are_shown_comes_from_secrets() {
        let needs = needs(json!({ "upstream": {
            "a": { "url": "https://a.test", "credentials": { "header": { "name": "x", "value": { "secret": "A" } } } },
            "b": { "url": "https://a.test", "credentials": {
                "basic": { "user": { "secret": "B" }, "password": { "secret": "C" } },
            } },
            "c": { "url": "https://a.test", "credentials": { "client_credentials": {
                "url": "https://login.test/token", "client_id": "x", "client_secret": { "secret": "D" },
            } } },
        } }));
        check(
            &needs.secrets,
            &[
                ("A", "upstream.a.credentials.header.value.secret"),
                ("B", "upstream.b.credentials.basic.user.secret"),
                ("C", "upstream.b.credentials.basic.password.secret"),
                ("D", "upstream.c.credentials.client_credentials.client_secret.secret"),
            ],
        );
        let token = ("https://login.test", "upstream.c.credentials.client_credentials.url");
        check(&needs.origins, &[("https://a.test", "upstream.a.url"), token]);
    }

    #[test]
    fn every_target_is_called() {
        let needs = needs(json!({ "upstream": {
            "many": { "targets": ["https://a.test/v1", { "url": "http://b.test:8080", "weight": 2 }, "nonsense"] },
            "one": { "url": "https://c.test" },
        } }));
        check(
            &needs.origins,
            &[
                ("http://b.test:8080", "upstream.many.targets[1].url"),
                ("https://a.test", "upstream.many.targets[0]"),
                ("https://c.test", "upstream.one.url"),
            ],
        );
    }

    #[test]
    fn issuers_are_called_where_their_keys_are() {
        let needs = needs(json!({ "issuer": {
            "discovered": { "issuer": "https://a.test/tenant", "key_origins": ["https://keys.test"] },
            "named": { "issuer": "https://b.test", "jwks_uri": "https://jwks.test:8443/keys" },
            "held": { "issuer": "https://c.test", "keys": { "keys": [] } },
            "asked": { "issuer": "https://d.test", "introspection": {
                "url": "https://ask.test/", "client_id": "x", "client_secret": { "secret": "S" },
            } },
        } }));
        check(
            &needs.origins,
            &[
                ("https://a.test", "issuer.discovered.issuer"),
                ("https://ask.test", "issuer.asked.introspection.url"),
                ("https://jwks.test:8443", "issuer.named.jwks_uri"),
                ("https://keys.test", "issuer.discovered.key_origins[0]"),
            ],
        );
    }

    #[test]
    fn stores_are_found_by_name() {
        let needs = needs(json!({
            "gateway": { "store": "A", "api_key": { "store": "B" } },
            "issuer": { "i": { "issuer": "https://i.test", "revocation": { "store": "C" } },
                "j": { "issuer": "https://j.test", "revocation": {} } },
        }));
        let places = [("A", "gateway.store"), ("B", "gateway.api_key.store"), ("C", "issuer.i.revocation.store")];
        check(&needs.stores, &places);
        assert_eq!(needs.claims, None);
    }

    #[test]
    fn what_is_done_once_is_a_claim() {
        let route = json!({ "match": { "path": "/" }, "upstream": "u", "idempotency": { "key": "client.address" } });
        let needs = needs(json!({ "gateway": { "redis": "redis://127.0.0.1" }, "route": { "pay": route } }));
        assert_eq!(needs.claims.as_ref().map(Place::to_string).as_deref(), Some("route.pay.idempotency"));
        check(&needs.origins, &[("redis://127.0.0.1:6379", "gateway.redis")]);
        assert_eq!(needs.objects().len(), 1);
    }

    #[test]
    fn redis_is_not_called_without_a_cause() {
        let gateway = |nonce: bool| {
            json!({ "gateway": {
            "redis": "redis://:password@127.0.0.1", "signature": { "nonce": nonce },
        } })
        };
        assert!(needs(gateway(false)).origins.is_empty());
        let needs = needs(gateway(true));
        check(&needs.origins, &[("redis://127.0.0.1:6379", "gateway.redis")]);
        assert_eq!(needs.claims.map(|place| place.to_string()).as_deref(), Some("gateway.signature.nonce"));
    }

    fn limit(more: Value) -> Value {
        let mut limit = json!({ "key": "client.address" });
        let all = more.as_object().unwrap().iter().map(|(key, value)| (key.clone(), value.clone()));
        limit.as_object_mut().unwrap().extend(all);
        limit
    }

    #[test]
    fn what_all_instances_count_needs_counters() {
        let regional = limit(json!({ "rate": "50/10s", "accuracy": "regional" }));
        let local = limit(json!({ "rate": "1/1s", "accuracy": "local" }));
        let alone = needs(json!({ "limit": { "per-client": regional, "own": local } }));
        assert!(alone.counters.is_none() && alone.objects().is_empty() && alone.spin_stores().is_empty());
        let limiter = &alone.limiters["REGIONAL_PER_CLIENT"];
        assert_eq!((limiter.limit, limiter.period), (50, 10));
        assert_eq!(limiter.place.to_string(), "limit.per-client.rate");
        for more in [json!({ "concurrency": 5 }), json!({ "quota": "9/day", "accuracy": "leased" })] {
            let counted = needs(json!({ "limit": { "all": limit(more) } }));
            assert_eq!(counted.counters.as_ref().map(Place::to_string).as_deref(), Some("limit.all"));
            check(&counted.spin_stores(), &[("default", "limit.all")]);
            assert!(counted.stores.is_empty() && counted.limiters.is_empty());
        }
    }

    #[test]
    fn instances_on_spin_count_in_redis_or_in_a_store() {
        let counted =
            |gateway: Value| needs(json!({ "gateway": gateway, "limit": { "all": limit(json!({ "rate": "1/1s" })) } }));
        let store = counted(json!({ "counters": "numbers", "store": "SHARED" }));
        check(&store.spin_stores(), &[("SHARED", "gateway.store"), ("numbers", "gateway.counters")]);
        check(&store.stores, &[("SHARED", "gateway.store")]);
        let redis = counted(json!({ "counters": "numbers", "redis": "redis://127.0.0.1" }));
        assert!(redis.spin_stores().is_empty());
        check(&redis.origins, &[("redis://127.0.0.1:6379", "gateway.redis")]);
    }
}
