//! JSON Object Signing: tokens (RFC 7515, 7519), keys (RFC 7517, 7518, 7638, 8037), and the rules that RFC 8725 asks of
//! whoever accepts them. It decides without I/O: what a signature of a public key is worth is the host's to say.

pub mod token;

pub mod flaw;

pub mod algorithm;
pub mod base64;
pub mod key;
pub mod secret;

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub mod native;
