//! Signatures of public keys by RustCrypto, through jwt-compact, for hosts without WebCrypto. A key that is no key is
//! refused when it is read, and parsed once.

use super::algorithm::{Algorithm, holds};
use super::es384::{self, Es384};
use super::key::{PublicKey, SigningKey};
use jwt_compact::alg::{Ed25519, Es256, Rsa, RsaPublicKey};
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{Algorithm as Implementation, AlgorithmSignature};
use rsa::BigUint;

/// A public key as the implementation of its algorithm has it.
#[derive(Debug, Clone)]
pub enum Verifier {
    Rsa(RsaPublicKey),
    Es256(<Es256 as Implementation>::VerifyingKey),
    Es384(<Es384 as Implementation>::VerifyingKey),
    Ed25519(<Ed25519 as Implementation>::VerifyingKey),
}

/// A private key as the implementation of its algorithm has it.
#[derive(Debug, Clone)]
pub enum Signer {
    Es256(<Es256 as Implementation>::SigningKey),
    Ed25519(<Ed25519 as Implementation>::SigningKey),
}

impl Verifier {
    /// Parses a key. The error says, as a sentence, why it is none.
    pub fn of(jwk: &JsonWebKey<'_>) -> Result<Verifier, String> {
        const NOT_ON_CURVE: &str = "its point is not on the curve";
        match jwk {
            JsonWebKey::Rsa { modulus, public_exponent, .. } => {
                let (modulus, exponent) = (BigUint::from_bytes_be(modulus), BigUint::from_bytes_be(public_exponent));
                let key = RsaPublicKey::new_with_max_size(modulus, exponent, 8192);
                key.map(Verifier::Rsa).map_err(|_| "its modulus and exponent are not a key".to_owned())
            }
            JsonWebKey::EllipticCurve { curve, .. } if curve == "P-384" => {
                es384::verifying_key(jwk).map(Verifier::Es384).ok_or_else(|| NOT_ON_CURVE.to_owned())
            }
            JsonWebKey::EllipticCurve { .. } => {
                jwk.try_into().map(Verifier::Es256).map_err(|_| NOT_ON_CURVE.to_owned())
            }
            JsonWebKey::KeyPair { .. } => jwk.try_into().map(Verifier::Ed25519).map_err(|_| NOT_ON_CURVE.to_owned()),
            _ => Err("it is not a public key".to_owned()),
        }
    }
}

impl Signer {
    /// Parses a private key of P-256 or Ed25519.
    pub fn of(jwk: &JsonWebKey<'_>) -> Result<Signer, String> {
        let signer = match jwk {
            JsonWebKey::EllipticCurve { .. } => jwk.try_into().map(Signer::Es256),
            _ => jwk.try_into().map(Signer::Ed25519),
        };
        signer.map_err(|_| "its private and its public members do not belong together".to_owned())
    }
}

/// Whether a signature holds. One that cannot be a signature does not, nor does any by an algorithm of another key type.
pub fn verify(algorithm: Algorithm, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    match (algorithm, &key.native, &key.jwk) {
        (Algorithm::Es256, Verifier::Es256(key), _) => holds(&Es256, key, message, signature),
        (Algorithm::Es384, Verifier::Es384(key), _) => holds(&Es384, key, message, signature),
        (Algorithm::EdDsa, Verifier::Ed25519(key), _) => {
            // Not by jwt-compact, which takes points of small order for `R`.
            let signature = <Ed25519 as Implementation>::Signature::try_from_slice(signature);
            signature.is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
        }
        (algorithm, Verifier::Rsa(key), JsonWebKey::Rsa { modulus, .. }) => {
            // RFC 8017, 8.1.2 and 8.2.2: as long as the modulus; 5.2.2: and smaller than it, or another spelling of the
            // same signature would pass. Neither has leading zeros, so that bytes compare as numbers do.
            let fits = signature.len() == modulus.len() && signature < modulus.as_ref();
            fits && algorithm.name().parse::<Rsa>().is_ok_and(|rsa| holds(&rsa, key, message, signature))
        }
        _ => false,
    }
}

/// Signs a message. `None` where the key is not one that can.
pub fn sign(key: &SigningKey, message: &[u8]) -> Option<Vec<u8>> {
    match (key.algorithm, &key.native) {
        (Algorithm::Es256, Signer::Es256(key)) => Some(Es256.sign(key, message).as_bytes().into_owned()),
        (Algorithm::EdDsa, Signer::Ed25519(key)) => Some(Ed25519.sign(key, message).as_bytes().into_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
