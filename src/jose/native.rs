//! Signatures of public keys by RustCrypto, for hosts without WebCrypto.

use super::algorithm::Algorithm;
use super::key::{PublicKey, SigningKey};

/// Whether a signature holds. One that cannot be a signature does not.
pub fn verify(_algorithm: Algorithm, _key: &PublicKey, _message: &[u8], _signature: &[u8]) -> bool {
    false
}

/// Signs a message. `None` where the key is not one that can.
pub fn sign(_key: &SigningKey, _message: &[u8]) -> Option<Vec<u8>> {
    None
}
