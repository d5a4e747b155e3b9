//! JSON Object Signing: tokens (RFC 7515, 7519), keys (RFC 7517, 7518, 7638, 8037), and the rules that RFC 8725 asks of
//! whoever accepts them. It decides without I/O: what a signature of a public key is worth is the host's to say.
//!
//! Nothing here asks a token what to trust: the algorithm comes from the key ([`key::PublicKey::algorithms`]), and the
//! key from the issuer's set ([`key_set::KeySet::candidates`]).

pub mod token;

pub mod claims;
pub mod flaw;

pub mod algorithm;
pub mod base64;
pub mod key;
pub mod key_set;
pub mod secret;

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub mod es384;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub mod native;

#[cfg(test)]
mod tests;
