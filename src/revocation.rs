//! Tokens that are taken back before they expire: single ones by their `jti` (RFC 7519, 4.1.7), or all of a subject
//! that were issued before a moment. `edgate revoke` keeps the list; here is what a key-value store holds of it.
//!
//! | key | value |
//! |---|---|
//! | `edgate.revoked.ISSUER` | a filter over all entries of an issuer: whether one may be there |
//! | `edgate.revoked.ISSUER.HASH` | one entry |
//!
//! So a token that nobody took back costs no read beyond that of the filter, which is remembered. What the filter says
//! of one token in 256 is wrong, and one read of the entry's key corrects it. When the list is read, and what follows
//! where it cannot be, is not decided here.

pub mod filter;

use crate::config::json;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The largest entry, in bytes.
const MOST: usize = 1_000;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One token, by its `jti`.
    Token,
    /// The tokens of a subject, by their `sub`.
    Subject,
}

/// How long something is taken back, in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// When the last token that it is about has expired anyhow.
    pub until: u64,
    /// Of a subject: only tokens that were issued before this. All when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
}

/// The key of an issuer's filter. `issuer` is its name in the configuration, which has no dot.
pub fn filter_key(issuer: &str) -> String {
    format!("edgate.revoked.{issuer}")
}

/// The key of an entry. Half of a SHA-256 is enough to tell entries apart, and has one length whatever the value is.
pub fn entry_key(issuer: &str, kind: Kind, value: &str) -> String {
    let [hash @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = digest(kind, value);
    format!("edgate.revoked.{issuer}.{}", base16ct::lower::encode_string(&hash))
}

/// A value of one kind is never one of the other.
fn digest(kind: Kind, value: &str) -> [u8; 32] {
    let prefix = match kind {
        Kind::Token => "jti:",
        Kind::Subject => "sub:",
    };
    Sha256::new().chain_update(prefix).chain_update(value).finalize().into()
}

impl Entry {
    /// Reads a value of the store. The error is for the operator.
    pub fn parse(value: &[u8]) -> Result<Entry, String> {
        json::stored(value, MOST)
    }

    /// The value that [`Entry::parse`] reads.
    pub fn serialise(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether a token is taken back. `iat` is what the token says of when it was issued; one of a subject that does
    /// not say it, or says it in no number, counts as old. Both in seconds since 1970.
    #[expect(clippy::cast_precision_loss, reason = "seconds of this era have 38 bits")]
    pub fn applies(&self, kind: Kind, iat: Option<f64>, now: f64) -> bool {
        if now >= self.until as f64 {
            return false;
        }
        match (kind, self.before, iat) {
            (Kind::Token, _, _) | (Kind::Subject, None, _) | (Kind::Subject, Some(_), None) => true,
            (Kind::Subject, Some(before), Some(iat)) => iat.is_nan() || iat < before as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_they_always_were() {
        assert_eq!(filter_key("main"), "edgate.revoked.main");
        assert_eq!(entry_key("main", Kind::Token, "abc"), "edgate.revoked.main.ba45ec15fb920260deacfed089e818e0");
        assert_eq!(entry_key("main", Kind::Subject, "abc"), "edgate.revoked.main.a0c3ea31d9f1998fc945e8dde8568a80");
        // On Spin, a key may have 256 bytes.
        assert!(entry_key(&"a".repeat(64), Kind::Token, &"x".repeat(10_000)).len() < 256);
    }

    #[test]
    fn entries_are_read_as_they_are_written() {
        let token = Entry { until: 20, before: None };
        let subject = Entry { until: 20, before: Some(10) };
        assert_eq!(token.serialise(), r#"{"until":20}"#);
        assert_eq!(subject.serialise(), r#"{"until":20,"before":10}"#);
        for entry in [token, subject] {
            assert_eq!(Entry::parse(entry.serialise().as_bytes()), Ok(entry));
        }
        let bad = ["", "{}", "[20]", "20", r#"{"until":-1}"#, r#"{"until":"20"}"#, r#"{"until":1.5}"#];
        for bad in bad.into_iter().chain([r#"{"until":1,"until":2}"#, r#"{"until":1,"jti":"a"}"#]) {
            assert!(Entry::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Entry::parse(format!("{{\"until\":1{}}}", " ".repeat(MOST)).as_bytes()).is_err());
    }

    #[test]
    fn tokens_are_taken_back_until_they_have_expired() {
        let entry = Entry { until: 20, before: None };
        for (kind, iat) in [(Kind::Token, None), (Kind::Token, Some(1.0)), (Kind::Subject, None)] {
            assert!(entry.applies(kind, iat, 19.9));
            assert!(!entry.applies(kind, iat, 20.0));
        }
    }

    #[test]
    fn newer_tokens_of_a_subject_hold() {
        let entry = Entry { until: 20, before: Some(10) };
        assert!(entry.applies(Kind::Subject, Some(9.9), 15.0));
        assert!(!entry.applies(Kind::Subject, Some(10.0), 15.0));
        assert!(entry.applies(Kind::Subject, None, 15.0));
        assert!(entry.applies(Kind::Subject, Some(f64::NAN), 15.0));
        assert!(entry.applies(Kind::Token, Some(12.0), 15.0));
    }
}
