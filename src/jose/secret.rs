//! Secrets that sign and verify by HMAC (RFC 7518, section 3.2). It is done here on every platform: a secret needs no
//! parsing, and HMAC no WebCrypto.

use super::algorithm::{Algorithm, holds};
use jwt_compact::alg::{Hs256, Hs256Key, Hs384, Hs384Key, Hs512, Hs512Key, SecretBytes};
use jwt_compact::{Algorithm as _, AlgorithmSignature};
use std::fmt;

/// A secret. It is wiped from memory when it goes, and compares in constant time.
#[derive(Clone, PartialEq)]
pub struct Secret(SecretBytes<'static>);

impl Secret {
    pub fn new(bytes: impl Into<Vec<u8>>) -> Secret {
        Secret(SecretBytes::owned(bytes.into()))
    }

    /// Whether an algorithm may be used with it. RFC 7518, 3.2: "A key of the same size as the hash output (for
    /// instance, 256 bits for "HS256") or larger MUST be used with this algorithm."
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        least_length(algorithm).is_some_and(|least| self.0.len() >= least)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// How many bytes a secret must have. `None` for an algorithm without secrets.
pub fn least_length(algorithm: Algorithm) -> Option<usize> {
    match algorithm {
        Algorithm::Hs256 => Some(32),
        Algorithm::Hs384 => Some(48),
        Algorithm::Hs512 => Some(64),
        _ => None,
    }
}

/// Whether a MAC holds, in constant time. Never with a secret that does not fit the algorithm.
pub fn hmac_verify(algorithm: Algorithm, secret: &Secret, message: &[u8], signature: &[u8]) -> bool {
    secret.fits(algorithm)
        && match algorithm {
            Algorithm::Hs256 => holds(&Hs256, &Hs256Key::new(&secret.0), message, signature),
            Algorithm::Hs384 => holds(&Hs384, &Hs384Key::new(&secret.0), message, signature),
            Algorithm::Hs512 => holds(&Hs512, &Hs512Key::new(&secret.0), message, signature),
            _ => false,
        }
}

/// The MAC of a message. `None` with a secret that does not fit the algorithm.
pub fn hmac_sign(algorithm: Algorithm, secret: &Secret, message: &[u8]) -> Option<Vec<u8>> {
    if !secret.fits(algorithm) {
        return None;
    }
    match algorithm {
        Algorithm::Hs256 => Some(Hs256.sign(&Hs256Key::new(&secret.0), message).as_bytes().into_owned()),
        Algorithm::Hs384 => Some(Hs384.sign(&Hs384Key::new(&secret.0), message).as_bytes().into_owned()),
        Algorithm::Hs512 => Some(Hs512.sign(&Hs512Key::new(&secret.0), message).as_bytes().into_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_as_long_as_the_hash_at_least() {
        for (algorithm, least) in [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)] {
            let secret = Secret::new(vec![7; least]);
            let mac = hmac_sign(algorithm, &secret, b"message").expect("it is long enough");
            assert_eq!(mac.len(), least);
            assert!(hmac_verify(algorithm, &secret, b"message", &mac));
            let short = Secret::new(vec![7; least - 1]);
            assert!(!short.fits(algorithm));
            assert_eq!(hmac_sign(algorithm, &short, b"message"), None);
            // As an attacker would make it, who knows the short secret.
            assert!(!hmac_verify(algorithm, &short, b"message", &mac));
        }
    }

    #[test]
    fn macs_of_other_lengths_do_not_hold() {
        let secret = Secret::new([7; 64]);
        let mac = hmac_sign(Algorithm::Hs256, &secret, b"message").expect("it is long enough");
        for length in 0..mac.len() {
            assert!(!hmac_verify(Algorithm::Hs256, &secret, b"message", &mac[..length]));
        }
        assert!(!hmac_verify(Algorithm::Hs256, &secret, b"message", &[&mac[..], &[0]].concat()));
        assert!(!hmac_verify(Algorithm::Hs512, &secret, b"message", &mac));
        assert!(!hmac_verify(Algorithm::Hs256, &secret, b"another", &mac));
    }

    #[test]
    fn algorithms_of_public_keys_have_no_secrets() {
        let secret = Secret::new([7; 64]);
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()) {
            assert_eq!(hmac_sign(algorithm, &secret, b"message"), None);
            assert!(!hmac_verify(algorithm, &secret, b"message", &[0; 32]));
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(format!("{:?}", Secret::new("correct horse battery staple")), "Secret(..)");
    }
}
