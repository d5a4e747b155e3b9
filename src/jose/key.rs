//! Keys (RFC 7517, RFC 7518 section 6, RFC 8037 section 2).

use super::algorithm::Algorithm;
use jwt_compact::jwk::JsonWebKey;

/// A public key that signatures are checked with.
#[derive(Debug, Clone)]
pub struct PublicKey {
    /// Without anything private.
    pub jwk: JsonWebKey<'static>,
    /// RFC 7638, SHA-256, in base64url.
    pub thumbprint: String,
}

/// A private key that edgate signs with.
#[derive(Debug, Clone)]
pub struct SigningKey {
    pub algorithm: Algorithm,
    pub jwk: JsonWebKey<'static>,
    pub thumbprint: String,
}
