//! Keys: the pairs that are shipped for tests, and secrets; how they sign, and what of them may be known.

use super::algorithm::Algorithm;
use super::encoding::{base64url, from_base64url, sha256};
use anyhow::{Context, Result, anyhow, bail};
use ed25519_dalek::pkcs8::EncodePublicKey;
use hmac::{Hmac, Mac};
use rsa::pkcs8::LineEnding;
use rsa::signature::{RandomizedSigner, SignatureEncoding, Signer};
use rsa::{BigUint, RsaPrivateKey, pkcs1v15, pss};
use serde_json::{Map, Value, json};
use sha2::{Sha256, Sha384, Sha512};

/// Private keys, as JSON Web Keys. They are for tests alone.
const SHIPPED: [(&str, &str); 8] = [
    ("rsa-1", include_str!("../../../data/keys/rsa-1.json")),
    ("rsa-2", include_str!("../../../data/keys/rsa-2.json")),
    ("rsa-weak", include_str!("../../../data/keys/rsa-weak.json")),
    ("p256-1", include_str!("../../../data/keys/p256-1.json")),
    ("p256-2", include_str!("../../../data/keys/p256-2.json")),
    ("p384-1", include_str!("../../../data/keys/p384-1.json")),
    ("ed25519-1", include_str!("../../../data/keys/ed25519-1.json")),
    ("ed25519-2", include_str!("../../../data/keys/ed25519-2.json")),
];

/// The members that each type of key cannot do without, in the order of RFC 7638, section 3.2.
const REQUIRED: [(&str, &[&str]); 4] = [
    ("RSA", &["e", "kty", "n"]),
    ("EC", &["crv", "kty", "x", "y"]),
    ("OKP", &["crv", "kty", "x"]),
    ("oct", &["k", "kty"]),
];

/// A key that signs.
#[derive(Clone)]
pub struct Key {
    material: Material,
    /// Itself, with its private members.
    jwk: Map<String, Value>,
}

#[derive(Clone)]
enum Material {
    Secret(Vec<u8>),
    Rsa(Box<RsaPrivateKey>),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

impl Key {
    /// One of the shipped keys.
    pub fn shipped(name: &str) -> Result<Key> {
        let Some((_, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) else {
            let names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
            bail!("`{name}` is none of the keys of tests/data: there are {}", names.join(", "));
        };
        Key::read(text).with_context(|| format!("the key {name}"))
    }

    /// The shipped key that goes with an algorithm.
    pub fn shipped_for(algorithm: Algorithm) -> Result<Key> {
        match algorithm {
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
                bail!("{} needs a `secret`", algorithm.name())
            }
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => Key::shipped("rsa-1"),
            Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => Key::shipped("rsa-1"),
            Algorithm::Es256 => Key::shipped("p256-1"),
            Algorithm::Es384 => Key::shipped("p384-1"),
            Algorithm::EdDsa => Key::shipped("ed25519-1"),
        }
    }

    /// A new key of the curve P-256, which nobody else has.
    pub fn generate() -> Result<Key> {
        let key = p256::ecdsa::SigningKey::random(&mut rsa::rand_core::OsRng);
        let point = key.verifying_key().to_encoded_point(false);
        let number = |bytes: Option<&p256::FieldBytes>| base64url(bytes.map(|bytes| &bytes[..]).unwrap_or_default());
        let (x, y, d) = (number(point.x()), number(point.y()), number(Some(&key.to_bytes())));
        Key::read(&json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "d": d }).to_string())
    }

    /// A shared secret.
    pub fn secret(secret: &[u8]) -> Key {
        let jwk = Map::from_iter([("kty".to_owned(), json!("oct")), ("k".to_owned(), json!(base64url(secret)))]);
        Key { material: Material::Secret(secret.to_vec()), jwk }
    }

    /// A private JSON Web Key.
    pub fn read(text: &str) -> Result<Key> {
        let jwk: Map<String, Value> = serde_json::from_str(text).context("it is no JSON object")?;
        let member = |name: &str| {
            let text = jwk.get(name).and_then(Value::as_str).with_context(|| format!("it has no `{name}`"))?;
            from_base64url(text)
        };
        let number = |name: &str| member(name).map(|bytes| BigUint::from_bytes_be(&bytes));
        let kind = |name: &str| jwk.get(name).and_then(Value::as_str).unwrap_or_default();
        let material = match (kind("kty"), kind("crv")) {
            ("RSA", _) => {
                let primes = vec![number("p")?, number("q")?];
                let key = RsaPrivateKey::from_components(number("n")?, number("e")?, number("d")?, primes)?;
                Material::Rsa(Box::new(key))
            }
            ("EC", "P-256") => Material::P256(p256::ecdsa::SigningKey::from_slice(&member("d")?)?),
            ("EC", "P-384") => Material::P384(p384::ecdsa::SigningKey::from_slice(&member("d")?)?),
            ("OKP", "Ed25519") => Material::Ed25519(member("d")?.as_slice().try_into()?),
            ("oct", _) => Material::Secret(member("k")?),
            (kty, crv) => bail!("a key of the type `{kty}` and the curve `{crv}` cannot sign here"),
        };
        Ok(Key { material, jwk })
    }

    /// What it signs tokens with unless something else is said.
    pub fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Secret(_) => Algorithm::Hs256,
            Material::Rsa(_) => Algorithm::Rs256,
            Material::P256(_) => Algorithm::Es256,
            Material::P384(_) => Algorithm::Es384,
            Material::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// Signs a message. Signatures of ECDSA are the two numbers, one after the other (RFC 7518, section 3.4).
    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>> {
        Ok(match (&self.material, algorithm) {
            (Material::Secret(secret), Algorithm::Hs256) => hmac::<Hmac<Sha256>>(secret, message)?,
            (Material::Secret(secret), Algorithm::Hs384) => hmac::<Hmac<Sha384>>(secret, message)?,
            (Material::Secret(secret), Algorithm::Hs512) => hmac::<Hmac<Sha512>>(secret, message)?,
            (Material::Rsa(key), algorithm) => return rsa_signature(key, algorithm, message),
            (Material::P256(key), Algorithm::Es256) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_vec()
            }
            (Material::P384(key), Algorithm::Es384) => {
                let signature: p384::ecdsa::Signature = key.sign(message);
                signature.to_vec()
            }
            (Material::Ed25519(key), Algorithm::EdDsa) => key.sign(message).to_vec(),
            (_, algorithm) => bail!("a key for {} cannot sign with {}", self.algorithm().name(), algorithm.name()),
        })
    }

    /// Itself, private members and all.
    pub fn private_jwk(&self) -> Map<String, Value> {
        self.jwk.clone()
    }

    /// What others may know of it. A secret has nothing of that kind.
    pub fn public_jwk(&self) -> Map<String, Value> {
        self.required().iter().filter(|name| **name != "k").map(|name| self.member(name)).collect()
    }

    /// Its thumbprint (RFC 7638) with SHA-256, in base64url.
    pub fn thumbprint(&self) -> String {
        // RFC 7638, section 3.3: the required members in lexicographic order, without white space.
        let members: Vec<String> =
            self.required().iter().map(|name| format!("{}:{}", json!(name), self.member(name).1)).collect();
        base64url(&sha256(format!("{{{}}}", members.join(",")).as_bytes()))
    }

    /// The public key as PEM: what a careless verifier might take for the secret of an HMAC.
    pub fn public_pem(&self) -> Result<String> {
        let pem = match &self.material {
            Material::Secret(_) => bail!("a secret has no public key"),
            Material::Rsa(key) => key.to_public_key().to_public_key_pem(LineEnding::LF),
            Material::P256(key) => p256::PublicKey::from(key.verifying_key()).to_public_key_pem(LineEnding::LF),
            Material::P384(key) => p384::PublicKey::from(key.verifying_key()).to_public_key_pem(LineEnding::LF),
            Material::Ed25519(key) => key.verifying_key().to_public_key_pem(LineEnding::LF),
        };
        pem.map_err(|error| anyhow!("no PEM: {error}"))
    }

    fn required(&self) -> &'static [&'static str] {
        let kty = self.member("kty").1;
        REQUIRED.iter().find(|(name, _)| kty == *name).map_or(&[], |(_, members)| members)
    }

    fn member(&self, name: &str) -> (String, Value) {
        (name.to_owned(), self.jwk.get(name).cloned().unwrap_or_default())
    }
}

fn hmac<M: Mac + hmac::digest::KeyInit>(secret: &[u8], message: &[u8]) -> Result<Vec<u8>> {
    let mut mac = <M as Mac>::new_from_slice(secret).map_err(|error| anyhow!("no HMAC with this secret: {error}"))?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().to_vec())
}

fn rsa_signature(key: &RsaPrivateKey, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>> {
    let key = key.clone();
    let random = &mut rsa::rand_core::OsRng;
    Ok(match algorithm {
        Algorithm::Rs256 => pkcs1v15::SigningKey::<Sha256>::new(key).try_sign(message)?.to_vec(),
        Algorithm::Rs384 => pkcs1v15::SigningKey::<Sha384>::new(key).try_sign(message)?.to_vec(),
        Algorithm::Rs512 => pkcs1v15::SigningKey::<Sha512>::new(key).try_sign(message)?.to_vec(),
        // RFC 7518, section 3.5, and RFC 9421, section 3.3.1: the salt is as long as the hash.
        Algorithm::Ps256 => pss::SigningKey::<Sha256>::new(key).try_sign_with_rng(random, message)?.to_vec(),
        Algorithm::Ps384 => pss::SigningKey::<Sha384>::new(key).try_sign_with_rng(random, message)?.to_vec(),
        Algorithm::Ps512 => pss::SigningKey::<Sha512>::new(key).try_sign_with_rng(random, message)?.to_vec(),
        other => bail!("a key for RS256 cannot sign with {}", other.name()),
    })
}
