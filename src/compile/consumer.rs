//! The sections of consumers, all of them together: a key, a user or a certificate is one consumer's.

use super::issuer::{fits_hs256, once};
use super::{issuer, secret_slot, store, within};
use crate::api_key::directory::{Directory, Known};
use crate::api_key::{entry, from_hex};
use crate::bounded::Bounded;
use crate::config::diagnostic::{Code, Diagnostic, Place, did_you_mean};
use crate::config::document::{Kind, Sections, place_of};
use crate::config::identity::{self as section, ApiKeys};
use crate::config::read::{Read, read};
use crate::config::sorted::Sorted;
use crate::consumers::{CertificateOf, Consumers, KeyMaterial, Passwords, SignatureKey, StoredKeys};
use crate::http_signature::key::KeyAlgorithm;
use crate::identity::Consumer;
use crate::jose::key::PublicKey;
use crate::password::Hash;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration as Std;

/// What the store said of keys, remembered at some 200 bytes each.
const KNOWN_KEYS: usize = 10_000;

const KEY_CACHE: Std = Std::from_secs(60);

type Diagnostics = Vec<Diagnostic>;

/// One consumer while it is compiled.
struct One<'a> {
    name: &'a str,
    place: &'a Place,
    section: &'a section::Consumer,
    /// Its position among the consumers.
    position: usize,
}

/// What was found so far, with the place of each.
#[derive(Default)]
struct Found {
    consumers: Consumers,
    keys: Vec<(Known, Place)>,
    users: Sorted<String, Place>,
    key_ids: Sorted<String, Place>,
    names: Sorted<String, Place>,
    certificates: Vec<(CertificateOf, Place)>,
}

/// Compiles every consumer.
pub fn compile(
    sections: &Sections,
    api_key: &ApiKeys,
    scope: &issuer::Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Consumers {
    let mut found = Found::default();
    for (name, value) in &sections.consumers {
        let place = place_of(Kind::Consumer, name);
        let Some(Read { section, .. }) = read::<section::Consumer>(&place, value, diagnostics) else { continue };
        let position = found.consumers.list.len();
        let section::Consumer { groups, metadata, .. } = &section;
        let consumer = Consumer { name: name.clone(), groups: groups.clone(), metadata: metadata.clone() };
        found.consumers.list.push(Rc::new(consumer));
        let one = One { name, place: &place, section: &section, position };
        found.names(&one, diagnostics);
        found.api_keys(&one, diagnostics);
        found.passwords(&one, diagnostics);
        found.signature_keys(&one, diagnostics);
        found.certificates(&one, scope, diagnostics);
    }
    let place = place_of(Kind::Gateway, "").key("api_key");
    within(api_key.cache, Std::ZERO..=Std::from_secs(3_600), &place.key("cache"), diagnostics);
    found.finish(api_key, diagnostics)
}

impl Found {
    fn names(&mut self, one: &One<'_>, diagnostics: &mut Diagnostics) {
        let One { name, place, section, position } = *one;
        let aliases = section.aliases.iter().enumerate();
        let aliases = aliases.map(|(index, alias)| (alias.clone(), place.key("aliases").index(index)));
        for (name, place) in std::iter::once((name.to_owned(), place.clone().name())).chain(aliases) {
            match self.names.get(&name) {
                Some(first) => diagnostics.push(twice("name", &name, &place, first)),
                None => {
                    self.consumers.names.insert(name.clone(), position);
                    self.names.insert(name, place);
                }
            }
        }
    }

    fn api_keys(&mut self, one: &One<'_>, diagnostics: &mut Diagnostics) {
        let One { place, section, position, .. } = *one;
        for (index, key) in section.api_keys.iter().enumerate() {
            let place = place.key("api_keys").index(index);
            let hash = from_hex(&key.sha256);
            if hash.is_none() {
                let message = "it is no SHA-256 in hexadecimal, which has 64 digits";
                let help = "`edgate key new` makes a key and what stands here; the key itself never does";
                let place = place.key("sha256");
                diagnostics.push(Diagnostic::new(Code::BadKey, place, message, "not such a hash").help(help));
            }
            let expires = key.expires.as_deref().map(entry::seconds).transpose();
            match (hash, expires) {
                (Some(hash), Ok(expires)) => {
                    if let Some((_, first)) = self.keys.iter().find(|(known, _)| known.hash == hash) {
                        diagnostics.push(twice("API key", &key.sha256, &place.key("sha256"), first));
                        continue;
                    }
                    self.keys.push((Known { hash, consumer: position, expires }, place.key("sha256")));
                }
                (_, Err(why)) => {
                    let help = "write 2027-01-01T00:00:00Z";
                    let place = place.key("expires");
                    diagnostics.push(Diagnostic::new(Code::BadValue, place, why, "not such a time").help(help));
                }
                (None, Ok(_)) => {}
            }
        }
    }

    fn passwords(&mut self, one: &One<'_>, diagnostics: &mut Diagnostics) {
        let One { name, place, section, position } = *one;
        for (index, password) in section.passwords.iter().enumerate() {
            let place = place.key("passwords").index(index);
            let user = password.user.as_deref().unwrap_or(name);
            let at = if password.user.is_some() { place.key("user") } else { place.clone() };
            // RFC 7617, section 2.
            if user.is_empty() || user.contains([':', '\u{7f}']) || user.contains(char::is_control) {
                let message = "a user's name has no colon and no control character";
                diagnostics.push(Diagnostic::new(Code::BadValue, at, message, "not such a name"));
                continue;
            }
            if let Some(first) = self.users.get(user) {
                diagnostics.push(twice("user", user, &at, first));
                continue;
            }
            match Hash::parse(&password.hash) {
                Ok(hash) => {
                    self.consumers.passwords.users.insert(user.to_owned(), (hash, position));
                    self.users.insert(user.to_owned(), at);
                }
                Err(why) => {
                    let help = "`edgate key hash-password` makes one";
                    let message = format!("the hash cannot be used: {why}");
                    let place = place.key("hash");
                    diagnostics.push(Diagnostic::new(Code::BadKey, place, message, "not such a hash").help(help));
                }
            }
        }
    }

    fn signature_keys(&mut self, one: &One<'_>, diagnostics: &mut Diagnostics) {
        let One { place, section, position, .. } = *one;
        for (index, key) in section.signature_keys.iter().enumerate() {
            let place = place.key("signature_keys").index(index);
            if key.id.is_empty() {
                let message = "a key without a name is named by no signature";
                diagnostics.push(Diagnostic::new(Code::BadValue, place.key("id"), message, "empty"));
                continue;
            }
            if let Some(first) = self.key_ids.get(&key.id) {
                diagnostics.push(twice("`keyid`", &key.id, &place.key("id"), first));
                continue;
            }
            self.key_ids.insert(key.id.clone(), place.key("id"));
            let Some(algorithm) = KeyAlgorithm::of(&key.algorithm) else {
                let known = KeyAlgorithm::ALL.map(KeyAlgorithm::name);
                let help = did_you_mean(&key.algorithm, known)
                    .unwrap_or_else(|| format!("it can be one of {}", known.join(", ")));
                let message = format!("`{}` is no algorithm of signed requests", key.algorithm);
                let place = place.key("algorithm");
                diagnostics.push(Diagnostic::new(Code::UnknownValue, place, message, "unknown algorithm").help(help));
                continue;
            };
            if let Some(material) = material(key, algorithm, &place, diagnostics) {
                let key_of = SignatureKey { algorithm, key: material, consumer: position };
                self.consumers.signature_keys.insert(key.id.clone(), key_of);
            }
        }
    }

    fn certificates(&mut self, one: &One<'_>, scope: &issuer::Scope<'_>, diagnostics: &mut Diagnostics) {
        let One { place, section, position, .. } = *one;
        if !section.certificates.is_empty() {
            no_certificates(&place.key("certificates"), scope, diagnostics);
        }
        for (index, rule) in section.certificates.iter().enumerate() {
            let place = place.key("certificates").index(index);
            if rule.sha256.is_none() && rule.subject.is_none() {
                let message = "nothing says which certificate it is";
                let help = "add `sha256` or `subject`";
                diagnostics.push(Diagnostic::new(Code::MissingKey, place.clone(), message, "needed here").help(help));
                continue;
            }
            let sha256 = rule.sha256.as_ref().map(|text| text.replace(':', "").to_ascii_lowercase());
            if sha256.as_deref().is_some_and(|text| from_hex(text).is_none()) {
                let message = "it is no SHA-256 in hexadecimal, which has 64 digits";
                diagnostics.push(Diagnostic::new(Code::BadKey, place.key("sha256"), message, "not such a hash"));
            }
            let certificate = CertificateOf { sha256, subject: rule.subject.clone(), consumer: position };
            match self.certificates.iter().find(|(known, _)| known.is_same(&certificate)) {
                Some((_, first)) => {
                    let what = rule.subject.as_deref().or(rule.sha256.as_deref()).unwrap_or_default();
                    diagnostics.push(twice("certificate", what, &place, first));
                }
                None => self.certificates.push((certificate, place)),
            }
        }
    }

    fn finish(self, api_key: &ApiKeys, diagnostics: &mut Diagnostics) -> Consumers {
        let keys = self.keys.into_iter().map(|(known, _)| known).collect();
        let certificates = self.certificates.into_iter().map(|(certificate, _)| certificate).collect();
        let hashes: Vec<Hash> = self.consumers.passwords.users.values().map(|(hash, _)| hash.clone()).collect();
        let passwords = Passwords { decoy: Hash::like(&hashes), ..self.consumers.passwords };
        let place = place_of(Kind::Gateway, "").key("api_key").key("store");
        let stored = store(api_key.store.as_deref(), &place, diagnostics).map(|store| StoredKeys {
            store,
            cache: api_key.cache.map_or(KEY_CACHE, |cache| cache.0),
            known: RefCell::new(Bounded::new(KNOWN_KEYS)),
        });
        // Every hash stands once: that was seen above.
        let api_keys = Directory::compile(keys).unwrap_or_default();
        Consumers { api_keys, stored, passwords, certificates, ..self.consumers }
    }
}

/// The key of a signature's section: a secret or a public key, as its algorithm has it.
fn material(
    key: &section::SignatureKey,
    algorithm: KeyAlgorithm,
    place: &Place,
    diagnostics: &mut Diagnostics,
) -> Option<KeyMaterial> {
    let mut fail = |code, place: Place, message: String, label: &str| {
        diagnostics.push(Diagnostic::new(code, place, message, label));
        None
    };
    match (algorithm.public(), &key.secret, &key.key) {
        (None, Some(secret), None) => {
            let place = place.key("secret").key("secret");
            secret_slot(&secret.secret, &place, fits_hs256, diagnostics).map(KeyMaterial::Secret)
        }
        (Some(public), None, Some(value)) => match PublicKey::parse(value) {
            Ok(parsed) if parsed.algorithms().contains(&public) => Some(KeyMaterial::Public(Box::new(parsed))),
            Ok(_) => {
                let message = format!("the key does not go with {}", algorithm.name());
                fail(Code::BadKey, place.key("key"), message, "of another type")
            }
            Err(why) => {
                let message = format!("the key cannot be used: {why}");
                fail(Code::BadKey, place.key("key"), message, "not such a key")
            }
        },
        (None, _, _) => {
            let message = "`hmac-sha256` needs `secret`, and nothing else".to_owned();
            fail(Code::MissingKey, place.clone(), message, "needed here")
        }
        (Some(_), _, _) => {
            let message = format!("`{}` needs `key`, a public one, and nothing else", algorithm.name());
            fail(Code::MissingKey, place.clone(), message, "needed here")
        }
    }
}

/// What asks for client certificates is refused where nobody knows them.
pub fn no_certificates(place: &Place, scope: &issuer::Scope<'_>, diagnostics: &mut Diagnostics) {
    for target in scope.targets.iter().filter(|target| !target.certificates) {
        let message = format!("{} does not tell which certificate a client has", target.platform);
        let help = "take it away, or name the platforms that this configuration is for: `gateway.targets`";
        diagnostics.push(Diagnostic::new(Code::Unsupported, place.clone(), message, "not on this platform").help(help));
    }
}

/// What may be one consumer's only.
fn twice(what: &str, value: &str, place: &Place, first: &Place) -> Diagnostic {
    let message = format!("the {what} `{value}` stands twice");
    Diagnostic::new(Code::DuplicateIdentity, place.clone(), message, "again").related(first.clone(), "the first")
}

/// Nonces of signed requests pass once.
pub fn nonces(gateway: &section::Signatures, scope: &issuer::Scope<'_>, diagnostics: &mut Diagnostics) {
    if gateway.nonce {
        let place = place_of(Kind::Gateway, "").key("signature").key("nonce");
        once(&place, "nonces pass once", scope, diagnostics);
    }
}
