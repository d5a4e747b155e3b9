//! The names of algorithms: those of tokens (RFC 7518, RFC 8037) and those of signed requests (RFC 9421, 6.2.2).

use anyhow::{Result, bail};

/// How something is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

/// Names in tokens.
const TOKENS: [(&str, Algorithm); 12] = [
    ("HS256", Algorithm::Hs256),
    ("HS384", Algorithm::Hs384),
    ("HS512", Algorithm::Hs512),
    ("RS256", Algorithm::Rs256),
    ("RS384", Algorithm::Rs384),
    ("RS512", Algorithm::Rs512),
    ("PS256", Algorithm::Ps256),
    ("PS384", Algorithm::Ps384),
    ("PS512", Algorithm::Ps512),
    ("ES256", Algorithm::Es256),
    ("ES384", Algorithm::Es384),
    ("EdDSA", Algorithm::EdDsa),
];

/// Names in signed requests.
const SIGNED: [(&str, Algorithm); 6] = [
    ("hmac-sha256", Algorithm::Hs256),
    ("ed25519", Algorithm::EdDsa),
    ("ecdsa-p256-sha256", Algorithm::Es256),
    ("ecdsa-p384-sha384", Algorithm::Es384),
    ("rsa-pss-sha512", Algorithm::Ps512),
    ("rsa-v1_5-sha256", Algorithm::Rs256),
];

impl Algorithm {
    /// By its name in a token's `alg`.
    pub fn of_token(name: &str) -> Result<Algorithm> {
        find(&TOKENS, name)
    }

    /// By its name in a signature's `alg`.
    pub fn of_signed(name: &str) -> Result<Algorithm> {
        find(&SIGNED, name)
    }

    /// Its name in a token's `alg`.
    pub fn name(self) -> &'static str {
        TOKENS.iter().find(|(_, algorithm)| *algorithm == self).map_or("", |(name, _)| name)
    }
}

fn find(table: &[(&str, Algorithm)], name: &str) -> Result<Algorithm> {
    let Some((_, algorithm)) = table.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = table.iter().map(|(known, _)| *known).collect();
        bail!("`{name}` is no algorithm that this signs with: there are {}", known.join(", "));
    };
    Ok(*algorithm)
}
