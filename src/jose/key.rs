//! Keys (RFC 7517; RFC 7518, section 6; RFC 8037, section 2): public ones that signatures are checked with, and private
//! ones that edgate signs with. A key that is here is strong enough, and of a type that has algorithms.

use super::algorithm::Algorithm;
use super::base64;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
use super::native;
use crate::config::json;
use jwt_compact::alg::SecretBytes;
use jwt_compact::jwk::JsonWebKey;
use serde_json::{Map, Value};
use sha2::Sha256;
use std::borrow::Cow;

/// A public key that signatures are checked with.
#[derive(Debug, Clone)]
pub struct PublicKey {
    /// Without anything private.
    pub jwk: JsonWebKey<'static>,
    /// RFC 7638, SHA-256, in base64url.
    pub thumbprint: String,
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pub(super) native: native::Verifier,
}

/// A private key that edgate signs with.
#[derive(Debug, Clone)]
pub struct SigningKey {
    /// ES256 or EdDSA.
    pub algorithm: Algorithm,
    pub jwk: JsonWebKey<'static>,
    pub thumbprint: String,
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pub(super) native: native::Signer,
}

impl PublicKey {
    /// Reads a JSON Web Key. Private members are left out. The error says what is wrong with the key, as a sentence, and
    /// nothing of what is in it.
    pub fn parse(value: &Value) -> Result<PublicKey, String> {
        let members = value.as_object().ok_or("it is not a JSON object")?;
        let jwk = match text(members, "kty")? {
            "RSA" => rsa(members)?,
            "EC" => elliptic(members)?,
            "OKP" => edwards(members)?,
            "oct" => return Err("it is a secret, and no public key".to_owned()),
            _ => return Err("its type (`kty`) is not RSA, EC or OKP".to_owned()),
        };
        PublicKey::of(jwk)
    }

    /// Reads a key that its owner sends along to prove that it has the private one. RFC 9449, section 4.2: it "MUST NOT
    /// contain a private key".
    pub fn parse_embedded(value: &Value) -> Result<PublicKey, String> {
        const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
        if PRIVATE.iter().any(|name| value.get(name).is_some()) {
            return Err("it has private members".to_owned());
        }
        PublicKey::parse(value)
    }

    /// The algorithms of its type: RFC 8725, section 3.1, has a key used with those only.
    pub fn algorithms(&self) -> &'static [Algorithm] {
        const RSA: [Algorithm; 6] = [
            Algorithm::Rs256,
            Algorithm::Rs384,
            Algorithm::Rs512,
            Algorithm::Ps256,
            Algorithm::Ps384,
            Algorithm::Ps512,
        ];
        match &self.jwk {
            JsonWebKey::Rsa { .. } => &RSA,
            JsonWebKey::EllipticCurve { curve, .. } if curve == "P-256" => &[Algorithm::Es256],
            JsonWebKey::EllipticCurve { curve, .. } if curve == "P-384" => &[Algorithm::Es384],
            JsonWebKey::KeyPair { curve, .. } if curve == "Ed25519" => &[Algorithm::EdDsa],
            _ => &[],
        }
    }

    /// As JSON, with the public members and nothing else: what WebCrypto imports.
    pub fn to_json(&self) -> String {
        self.jwk.to_string()
    }

    fn of(jwk: JsonWebKey<'static>) -> Result<PublicKey, String> {
        Ok(PublicKey {
            thumbprint: base64::encode(&jwk.thumbprint::<Sha256>()),
            #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
            native: native::Verifier::of(&jwk)?,
            jwk,
        })
    }
}

impl SigningKey {
    /// Reads a private JSON Web Key, for ES256 (P-256) or EdDSA (Ed25519). Its public members must be there too. Where
    /// keys are not WebCrypto's, they must belong to the private one.
    pub fn parse(text: &str, algorithm: Algorithm) -> Result<SigningKey, String> {
        // The parser's error would show a part of the secret.
        let value = json::parse(text).map_err(|_| "it is not JSON")?;
        let PublicKey { jwk, thumbprint, .. } = PublicKey::parse(&value)?;
        let members = value.as_object().ok_or("it is not a JSON object")?;
        let named = members.get("alg").map(|name| name.as_str().and_then(Algorithm::of));
        if named.is_some_and(|named| named != Some(algorithm)) {
            return Err(format!("its `alg` is not {}", algorithm.name()));
        }
        let private = || Ok::<_, String>(Some(SecretBytes::owned(octets(members, "d", 32)?)));
        let jwk = match (algorithm, jwk) {
            (Algorithm::Es256, JsonWebKey::EllipticCurve { curve, x, y, .. }) if curve == "P-256" => {
                JsonWebKey::EllipticCurve { curve, x, y, secret: private()? }
            }
            (Algorithm::EdDsa, JsonWebKey::KeyPair { curve, x, .. }) => {
                JsonWebKey::KeyPair { curve, x, secret: private()? }
            }
            (Algorithm::Es256, _) => return Err("ES256 takes a key of P-256".to_owned()),
            (Algorithm::EdDsa, _) => return Err("EdDSA takes a key of Ed25519".to_owned()),
            _ => return Err("edgate signs by ES256 and EdDSA only".to_owned()),
        };
        Ok(SigningKey {
            algorithm,
            #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
            native: native::Signer::of(&jwk)?,
            jwk,
            thumbprint,
        })
    }

    /// As JSON, with the private member: what WebCrypto imports.
    pub fn to_json(&self) -> String {
        self.jwk.to_string()
    }
}

/// RFC 7518, 6.3.1, and 3.3: "A key of size 2048 bits or larger MUST be used with these algorithms." What is larger than
/// 8192 bits costs more than a signature should.
fn rsa(members: &Map<String, Value>) -> Result<JsonWebKey<'static>, String> {
    // Leading zeros should not be there, and some libraries write them.
    let modulus = number(members, "n")?;
    let public_exponent = number(members, "e")?;
    let (Some(first), Some(last)) = (modulus.first(), modulus.last()) else {
        return Err("its modulus is zero".to_owned());
    };
    let bits = modulus.len() * 8 - first.leading_zeros() as usize;
    if !(2048..=8192).contains(&bits) {
        return Err(format!("its modulus has {bits} bits: not 2048 to 8192"));
    }
    if last % 2 == 0 {
        return Err("its modulus is even".to_owned());
    }
    let exponent = public_exponent.iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    if public_exponent.len() > 4 || exponent < 3 || exponent % 2 == 0 {
        return Err("its exponent is not an odd number of 3 to 4294967295".to_owned());
    }
    Ok(JsonWebKey::Rsa { modulus: modulus.into(), public_exponent: public_exponent.into(), private_parts: None })
}

/// RFC 7518, 6.2.1. Whether the point is on the curve is seen where the key is made the platform's own.
fn elliptic(members: &Map<String, Value>) -> Result<JsonWebKey<'static>, String> {
    let (curve, length) = match text(members, "crv")? {
        "P-256" => ("P-256", 32),
        "P-384" => ("P-384", 48),
        _ => return Err("its curve (`crv`) is not P-256 or P-384".to_owned()),
    };
    let x = octets(members, "x", length)?.into();
    let y = octets(members, "y", length)?.into();
    Ok(JsonWebKey::EllipticCurve { curve: Cow::Borrowed(curve), x, y, secret: None })
}

/// RFC 8037, section 2.
fn edwards(members: &Map<String, Value>) -> Result<JsonWebKey<'static>, String> {
    if text(members, "crv")? != "Ed25519" {
        return Err("its curve (`crv`) is not Ed25519".to_owned());
    }
    let x = octets(members, "x", 32)?;
    if is_of_small_order(&x) {
        return Err("its point has a small order, so that anybody can sign for it".to_owned());
    }
    Ok(JsonWebKey::KeyPair { curve: Cow::Borrowed("Ed25519"), x: x.into(), secret: None })
}

/// Whether a point of edwards25519 is one of the eight of small order, in any of their spellings. Platforms disagree
/// about them, and nobody has such a key by chance.
fn is_of_small_order(point: &[u8]) -> bool {
    /// The y coordinates of those of order 8, in little endian.
    const ORDER_8: [&str; 2] =
        ["JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU", "xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o"];
    let Some((last, head)) = point.split_last() else { return false };
    // The highest bit is the sign of x.
    let last = last & 0x7f;
    let (Some(first), Some(rest)) = (head.first(), head.get(1..)) else { return false };
    // 0 and 1; and p - 1, p and p + 1, where p is 2^255 - 19.
    let zeros = last == 0 && rest.iter().all(|byte| *byte == 0) && *first <= 1;
    let prime = last == 0x7f && rest.iter().all(|byte| *byte == 0xff) && (0xec..=0xee).contains(first);
    zeros || prime || ORDER_8.iter().any(|y| base64::decode(y).is_some_and(|y| y == [head, &[last]].concat()))
}

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Result<&'m str, String> {
    members.get(name).and_then(Value::as_str).ok_or_else(|| format!("its `{name}` is not a string"))
}

fn bytes(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, String> {
    base64::decode(text(members, name)?).ok_or_else(|| format!("its `{name}` is not base64url without padding"))
}

fn octets(members: &Map<String, Value>, name: &str, length: usize) -> Result<Vec<u8>, String> {
    let bytes = bytes(members, name)?;
    if bytes.len() == length { Ok(bytes) } else { Err(format!("its `{name}` is not {length} bytes long")) }
}

/// A number without leading zeros, in big endian.
fn number(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, String> {
    let mut bytes = bytes(members, name)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    Ok(bytes)
}

#[cfg(test)]
mod tests;
