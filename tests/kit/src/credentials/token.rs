//! Tokens in the compact form (RFC 7515, section 7.1).

use super::algorithm::Algorithm;
use super::encoding::{base64url, from_base64url};
use super::key::Key;
use anyhow::{Context, Result};
use serde_json::Value;

/// Signs a header and claims, as these texts stand.
pub fn mint(key: &Key, algorithm: Algorithm, header: &str, claims: &str) -> Result<String> {
    let message = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()));
    let signature = key.sign(algorithm, message.as_bytes())?;
    Ok(format!("{message}.{}", base64url(&signature)))
}

/// The header and the claims of a token. Its signature is not looked at.
pub fn read(token: &str) -> Result<(Value, Value)> {
    let mut parts = token.split('.');
    let mut part = |what| {
        let text = parts.next().with_context(|| format!("`{token}` has no {what}"))?;
        serde_json::from_slice(&from_base64url(text)?).with_context(|| format!("the {what} of `{token}` is no JSON"))
    };
    Ok((part("header")?, part("claims")?))
}
