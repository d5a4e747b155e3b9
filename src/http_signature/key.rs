//! The algorithms of signatures (RFC 9421, section 3.3). The algorithm is the key's, never the message's.

use super::candidate::Candidate;
use super::flaw::Flaw;
use crate::jose::algorithm::Algorithm;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// How a key signs: the registry of section 6.2, without anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAlgorithm {
    HmacSha256,
    Ed25519,
    EcdsaP256Sha256,
    EcdsaP384Sha384,
    RsaPssSha512,
    RsaV15Sha256,
}

impl KeyAlgorithm {
    pub const ALL: [KeyAlgorithm; 6] = [
        KeyAlgorithm::HmacSha256,
        KeyAlgorithm::Ed25519,
        KeyAlgorithm::EcdsaP256Sha256,
        KeyAlgorithm::EcdsaP384Sha384,
        KeyAlgorithm::RsaPssSha512,
        KeyAlgorithm::RsaV15Sha256,
    ];

    /// Its name in `alg`, and in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            KeyAlgorithm::HmacSha256 => "hmac-sha256",
            KeyAlgorithm::Ed25519 => "ed25519",
            KeyAlgorithm::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            KeyAlgorithm::EcdsaP384Sha384 => "ecdsa-p384-sha384",
            KeyAlgorithm::RsaPssSha512 => "rsa-pss-sha512",
            KeyAlgorithm::RsaV15Sha256 => "rsa-v1_5-sha256",
        }
    }

    /// The algorithm of a name, spelt exactly.
    pub fn of(name: &str) -> Option<KeyAlgorithm> {
        KeyAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The same algorithm of JSON Web Signatures; `None` for a secret's. Signatures are the same bytes: the two numbers
    /// of ECDSA one after the other (sections 3.3.4 and 3.3.5), a salt of 64 bytes with RSA-PSS (section 3.3.1).
    pub fn public(self) -> Option<Algorithm> {
        match self {
            KeyAlgorithm::HmacSha256 => None,
            KeyAlgorithm::Ed25519 => Some(Algorithm::EdDsa),
            KeyAlgorithm::EcdsaP256Sha256 => Some(Algorithm::Es256),
            KeyAlgorithm::EcdsaP384Sha384 => Some(Algorithm::Es384),
            KeyAlgorithm::RsaPssSha512 => Some(Algorithm::Ps512),
            KeyAlgorithm::RsaV15Sha256 => Some(Algorithm::Rs256),
        }
    }

    /// "If the algorithm is specified in more than one location [..], the resolved algorithms MUST be the same" (section
    /// 3.2).
    pub fn check(self, candidate: &Candidate) -> Result<(), Flaw> {
        match &candidate.algorithm {
            Some(named) if named != self.name() => Err(Flaw::WrongAlgorithm),
            _ => Ok(()),
        }
    }
}

/// Whether a signature is that of a secret over a signature base: HMAC with SHA-256 (section 3.3.3), compared in
/// constant time. That the secret is long enough is for the configuration to see.
pub fn check_mac(secret: &[u8], base: &str, signature: &[u8]) -> Result<(), Flaw> {
    let mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| Flaw::WrongSignature)?;
    mac.chain_update(base).verify_slice(signature).map_err(|_| Flaw::WrongSignature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_registrys() {
        for algorithm in KeyAlgorithm::ALL {
            assert_eq!(KeyAlgorithm::of(algorithm.name()), Some(algorithm));
        }
        for name in ["", "none", "HS256", "hmac-sha512", "Ed25519", "rsa-v1_5-sha1", "ed25519 "] {
            assert_eq!(KeyAlgorithm::of(name), None);
        }
    }

    #[test]
    fn only_secrets_have_no_public_algorithm() {
        for algorithm in KeyAlgorithm::ALL {
            let public = algorithm.public();
            assert_eq!(public.is_none(), algorithm == KeyAlgorithm::HmacSha256);
            assert!(public.is_none_or(|public| !public.is_symmetric()));
        }
    }
}
