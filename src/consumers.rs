//! The known clients: who a key, a password, a signature or a certificate belongs to. The configuration has some, a
//! key-value store may have many more.

use crate::api_key::directory::Directory;
use crate::bounded::Bounded;
use crate::config::sorted::Sorted;
use crate::http_signature::key::KeyAlgorithm;
use crate::identity::Consumer;
use crate::jose::key::PublicKey;
use crate::password::Hash;
use crate::secret::SecretSlot;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// The known clients.
#[derive(Default)]
pub struct Consumers {
    pub list: Vec<Rc<Consumer>>,
    /// Positions by name and by alias.
    pub names: Sorted<String, usize>,
    pub api_keys: Directory,
    pub stored: Option<StoredKeys>,
    pub passwords: Passwords,
    /// By `keyid`.
    pub signature_keys: Sorted<String, SignatureKey>,
    pub certificates: Vec<CertificateOf>,
}

/// API keys in a key-value store.
pub struct StoredKeys {
    pub store: Rc<str>,
    pub cache: Duration,
    /// What the store said, by hash: `None` for a key that it does not have.
    pub known: RefCell<Bounded<Option<Rc<StoredKey>>>>,
}

/// A key in a store.
#[derive(Debug)]
pub struct StoredKey {
    pub consumer: Rc<Consumer>,
    /// In seconds since 1970.
    pub expires: Option<u64>,
}

/// Users and their passwords.
pub struct Passwords {
    /// The hash and the consumer's position.
    pub users: Sorted<String, (Hash, usize)>,
    /// For users who do not exist: so it takes as long to refuse them.
    pub decoy: Option<Hash>,
    /// What was found out about a pair, by its hash: a password is slow to check by intention.
    pub known: RefCell<Bounded<Option<usize>>>,
}

/// A key for signed requests.
pub struct SignatureKey {
    pub algorithm: KeyAlgorithm,
    pub key: KeyMaterial,
    /// The consumer's position.
    pub consumer: usize,
}

/// What a signature is checked with.
pub enum KeyMaterial {
    Secret(SecretSlot),
    Public(Box<PublicKey>),
}

/// Whose certificates these are: those with all that is given.
#[derive(Debug)]
pub struct CertificateOf {
    /// In lower-case hexadecimal.
    pub sha256: Option<String>,
    pub subject: Option<String>,
    /// The consumer's position.
    pub consumer: usize,
}

impl CertificateOf {
    /// Whether just the same certificates are meant.
    pub fn is_same(&self, other: &CertificateOf) -> bool {
        self.sha256 == other.sha256 && self.subject == other.subject
    }
}

impl Default for Passwords {
    fn default() -> Passwords {
        Passwords { users: Sorted::new(), decoy: None, known: RefCell::new(Bounded::new(REMEMBERED)) }
    }
}

/// How many pairs of user and password are remembered, at some 100 bytes each.
pub const REMEMBERED: usize = 2_000;

impl Consumers {
    /// The consumer of a name or an alias.
    pub fn named(&self, name: &str) -> Option<Rc<Consumer>> {
        self.at(*self.names.get(name)?)
    }

    pub fn at(&self, position: usize) -> Option<Rc<Consumer>> {
        self.list.get(position).map(Rc::clone)
    }

    /// The secrets among the keys for signed requests.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretSlot> {
        self.signature_keys.values().filter_map(|key| match &key.key {
            KeyMaterial::Secret(secret) => Some(secret),
            KeyMaterial::Public(_) => None,
        })
    }
}
