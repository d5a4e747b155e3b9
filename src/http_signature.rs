//! Signatures of requests (HTTP Message Signatures, RFC 9421) and digests of contents (RFC 9530), decided without I/O:
//! what a signature of a public key is worth is the host's to say, what the time is and whether a nonce was seen is the
//! caller's.
//!
//! [`candidate::find`] reads what the message offers; [`candidate::Candidate::base`] is the text that must have been
//! signed.
//!
//! Deliberately absent: signatures of responses (`@status`, `req`), of trailers (`tr`), and asking for signatures
//! (`Accept-Signature`).

pub mod candidate;
pub mod component;
pub mod flaw;

mod structured;
mod value;

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
