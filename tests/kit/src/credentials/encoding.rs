//! How bytes are written: base64 in its two alphabets, hexadecimal, and hashes in them.

use anyhow::{Result, anyhow};
use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

/// RFC 4648, section 4, with padding.
pub fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// RFC 4648, section 5, without padding, as tokens have it (RFC 7515, section 2).
pub fn base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// The bytes behind [`base64url`].
pub fn from_base64url(text: &str) -> Result<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).map_err(|error| anyhow!("`{text}` is no base64url: {error}"))
}

pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

/// In lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A value of `Content-Digest` (RFC 9530).
pub fn content_digest<'a>(blocks: impl Iterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    blocks.for_each(|block| hash.update(block));
    format!("sha-256=:{}:", base64(&hash.finalize()))
}
