//! Secrets by name: a configuration holds the name, the platform the value, which is filled in once, when the
//! configuration is loaded. A secret that does not fit its purpose is refused then, and never shown.

use crate::jose::secret::Secret;
use std::cell::OnceCell;
use std::fmt;

/// A place for a secret.
pub struct SecretSlot {
    /// Its name, in capitals.
    pub name: String,
    /// What it must be: `Err` says what is wrong, without showing it.
    pub fits: fn(&str) -> Result<(), &'static str>,
    value: OnceCell<String>,
    mac: OnceCell<Secret>,
}

impl SecretSlot {
    pub fn new(name: &str, fits: fn(&str) -> Result<(), &'static str>) -> SecretSlot {
        SecretSlot { name: name.to_owned(), fits, value: OnceCell::new(), mac: OnceCell::new() }
    }

    /// Fills it in.
    pub fn fill(&self, secret: String) -> Result<(), &'static str> {
        (self.fits)(&secret)?;
        self.value.set(secret).or(Ok(()))
    }

    pub fn is_filled(&self) -> bool {
        self.value.get().is_some()
    }

    /// The secret. Empty only in a gateway that was never loaded, and so never serves.
    pub fn get(&self) -> &str {
        self.value.get().map_or("", String::as_str)
    }

    /// The secret as one that signs and verifies by HMAC.
    pub fn mac(&self) -> &Secret {
        self.mac.get_or_init(|| Secret::new(self.get().as_bytes()))
    }
}

impl fmt::Debug for SecretSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretSlot").field("name", &self.name).finish_non_exhaustive()
    }
}
