//! Whether a signature holds, by a public JSON Web Key: for what the gateway signs, and for what this signs itself.

use super::algorithm::Algorithm;
use super::encoding::from_base64url;
use super::key::Key;
use super::token;
use anyhow::{Context, Result, ensure};
use rsa::signature::Verifier;
use rsa::{BigUint, RsaPublicKey, pkcs1v15, pss};
use serde_json::Value;
use sha2::{Sha256, Sha384, Sha512};

/// The header and the claims of a token whose signature holds.
///
/// # Errors
///
/// It does not hold, or the token cannot be read.
pub fn verified(token: &str, jwk: &Value) -> Result<(Value, Value)> {
    let (header, claims) = token::read(token)?;
    let algorithm = Algorithm::of_token(header["alg"].as_str().context("its header has no `alg`")?)?;
    let (message, signature) = token.rsplit_once('.').context("it has no signature")?;
    let holds = holds(jwk, algorithm, message.as_bytes(), &from_base64url(signature)?)?;
    ensure!(holds, "its signature does not hold with the key {jwk}");
    Ok((header, claims))
}

/// Whether a signature of a message holds. A secret is a JSON Web Key with `k`.
///
/// # Errors
///
/// The key is none for this algorithm, or the signature cannot be one.
pub fn holds(jwk: &Value, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<bool> {
    let member = |name: &str| from_base64url(jwk[name].as_str().with_context(|| format!("the key has no `{name}`"))?);
    let point = || Ok::<_, anyhow::Error>([vec![4], member("x")?, member("y")?].concat());
    let rsa = || {
        let [n, e] = [member("n")?, member("e")?].map(|bytes| BigUint::from_bytes_be(&bytes));
        Ok::<_, anyhow::Error>(RsaPublicKey::new(n, e)?)
    };
    let v15 = || pkcs1v15::Signature::try_from(signature);
    let pss = || pss::Signature::try_from(signature);
    Ok(match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
            Key::secret(&member("k")?).sign(algorithm, message)? == signature
        }
        Algorithm::Rs256 => pkcs1v15::VerifyingKey::<Sha256>::new(rsa()?).verify(message, &v15()?).is_ok(),
        Algorithm::Rs384 => pkcs1v15::VerifyingKey::<Sha384>::new(rsa()?).verify(message, &v15()?).is_ok(),
        Algorithm::Rs512 => pkcs1v15::VerifyingKey::<Sha512>::new(rsa()?).verify(message, &v15()?).is_ok(),
        Algorithm::Ps256 => pss::VerifyingKey::<Sha256>::new(rsa()?).verify(message, &pss()?).is_ok(),
        Algorithm::Ps384 => pss::VerifyingKey::<Sha384>::new(rsa()?).verify(message, &pss()?).is_ok(),
        Algorithm::Ps512 => pss::VerifyingKey::<Sha512>::new(rsa()?).verify(message, &pss()?).is_ok(),
        Algorithm::Es256 => {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point()?)?;
            key.verify(message, &p256::ecdsa::Signature::from_slice(signature)?).is_ok()
        }
        Algorithm::Es384 => {
            let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(&point()?)?;
            key.verify(message, &p384::ecdsa::Signature::from_slice(signature)?).is_ok()
        }
        Algorithm::EdDsa => {
            let key = ed25519_dalek::VerifyingKey::try_from(member("x")?.as_slice())?;
            key.verify_strict(message, &ed25519_dalek::Signature::from_slice(signature)?).is_ok()
        }
    })
}
