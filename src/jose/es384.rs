//! ES384 (RFC 7518, section 3.4), which jwt-compact lacks, by p384, as jwt-compact has ES256 by p256.

use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{Algorithm, AlgorithmSignature};
use p384::ecdsa::signature::{Signer, Verifier};
use p384::ecdsa::{Signature, SigningKey, VerifyingKey};
use std::borrow::Cow;
use std::num::NonZeroUsize;

/// ECDSA using P-384 and SHA-384.
#[derive(Debug, Clone, Copy)]
pub struct Es384;

/// `r` and `s`, each as long as the order, and neither zero nor as large as that.
#[derive(Debug)]
pub struct Es384Signature(Signature);

impl AlgorithmSignature for Es384Signature {
    const LENGTH: Option<NonZeroUsize> = NonZeroUsize::new(96);

    fn try_from_slice(slice: &[u8]) -> anyhow::Result<Es384Signature> {
        Signature::from_slice(slice).map(Es384Signature).map_err(anyhow::Error::msg)
    }

    fn as_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.0.to_bytes().to_vec())
    }
}

impl Algorithm for Es384 {
    type SigningKey = SigningKey;
    type VerifyingKey = VerifyingKey;
    type Signature = Es384Signature;

    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed("ES384")
    }

    fn sign(&self, signing_key: &SigningKey, message: &[u8]) -> Es384Signature {
        Es384Signature(signing_key.sign(message))
    }

    fn verify_signature(&self, signature: &Es384Signature, verifying_key: &VerifyingKey, message: &[u8]) -> bool {
        verifying_key.verify(message, &signature.0).is_ok()
    }
}

/// The key of a JSON Web Key. `None` where that is none of P-384, or its point is not on the curve.
pub fn verifying_key(jwk: &JsonWebKey<'_>) -> Option<VerifyingKey> {
    match jwk {
        JsonWebKey::EllipticCurve { curve, x, y, .. } if curve == "P-384" => {
            // SEC 1, 2.3.3: 4 means that both coordinates follow.
            VerifyingKey::from_sec1_bytes(&[&[4], x.as_ref(), y.as_ref()].concat()).ok()
        }
        _ => None,
    }
}
