//! Signatures of requests (HTTP Message Signatures, RFC 9421) and digests of contents (RFC 9530), decided without I/O:
//! what a signature of a public key is worth is the host's to say, what the time is and whether a nonce was seen is the
//! caller's.
//!
//! What comes first costs least:
//!
//! 1. [`candidate::find`] reads what the message offers. The caller picks the candidates whose key it knows.
//! 2. [`rules::Rules::check`] says whether a candidate covers what it must, and is of its time; [`key`] whether its
//!    algorithm is the key's.
//! 3. [`candidate::Candidate::base`] is the text that must have been signed. A secret's signature is checked by
//!    [`key::check_mac`].
//! 4. Where the candidate covers the digest of the content ([`candidate::Candidate::covers_content`]), the content is
//!    read, and [`digest::check_digest`] says whether it is what the digest says.
//!
//! Deliberately absent: signatures of responses (`@status`, `req`), of trailers (`tr`), and asking for signatures
//! (`Accept-Signature`).

pub mod candidate;
pub mod component;
pub mod digest;
pub mod flaw;
pub mod key;
pub mod rules;

mod structured;
mod value;

#[cfg(test)]
mod tests;

use http::HeaderMap;

/// A request, as it came: what a signature covers is compared byte by byte, before anything is normalized.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    pub method: &'a str,
    /// In lower case.
    pub scheme: &'a str,
    /// In lower case, without the scheme's own port (RFC 9110, section 4.2.3).
    pub authority: &'a str,
    /// As received, escapes and all.
    pub path: &'a str,
    /// What follows the `?`, as received; `None` where there is no `?`.
    pub query: Option<&'a str>,
    /// The whole header section.
    pub headers: &'a HeaderMap,
    /// Whether content comes with it, which a signature must cover then.
    pub has_content: bool,
}
