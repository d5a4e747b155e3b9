//! What a key-value store says of an API key: one entry for each, under the key's hash. `edgate key new` writes it.

use super::hex;
use crate::config::json;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::{Duration, SystemTime};

/// The largest entry, in bytes.
pub const MOST: usize = 16_000;

/// The last moment that RFC 3339 can write: 9999-12-31T23:59:59Z.
pub const LAST: u64 = 253_402_300_799;

/// Whose key it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry {
    pub consumer: String,
    pub groups: Vec<String>,
    pub metadata: Map<String, Value>,
    /// When it ends, in seconds since 1970.
    pub expires: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    consumer: String,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
    expires: Option<String>,
}

/// The entry's key in the store.
pub fn key(hash: &[u8; 32]) -> String {
    format!("edgate.key.{}", hex(hash))
}

impl Entry {
    /// Reads a value of the store. The error is for the operator.
    pub fn parse(value: &[u8]) -> Result<Entry, String> {
        let raw: Raw = json::stored(value, MOST)?;
        if raw.consumer.is_empty() {
            return Err("`consumer` is empty".to_owned());
        }
        let expires = raw.expires.as_deref().map(seconds).transpose()?;
        Ok(Entry { consumer: raw.consumer, groups: raw.groups, metadata: raw.metadata, expires })
    }

    /// The value that [`Entry::parse`] reads.
    pub fn serialise(&self) -> String {
        let mut entry = serde_json::json!({ "consumer": self.consumer });
        if !self.groups.is_empty() {
            entry["groups"] = serde_json::json!(self.groups);
        }
        if !self.metadata.is_empty() {
            entry["metadata"] = serde_json::json!(self.metadata);
        }
        if let Some(expires) = self.expires {
            entry["expires"] = serde_json::json!(rfc3339(expires));
        }
        entry.to_string()
    }
}

/// Whether a key that ends at `expires` still holds, both in seconds since 1970.
pub fn holds(expires: Option<u64>, now: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "seconds of this era have 38 bits")]
    expires.is_none_or(|expires| now < expires as f64)
}

/// A moment as RFC 3339 has it, in UTC, as seconds since 1970. A fraction is left out.
pub fn seconds(text: &str) -> Result<u64, String> {
    let moment = humantime::parse_rfc3339(text).map_err(|error| format!("{text:?} is no time of RFC 3339: {error}"))?;
    moment.duration_since(SystemTime::UNIX_EPOCH).map(|since| since.as_secs()).map_err(|error| error.to_string())
}

/// Seconds since 1970 as RFC 3339 has them; [`LAST`] for all that come after it.
pub fn rfc3339(seconds: u64) -> String {
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.min(LAST))).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str =
        r#"{"consumer":"acme","groups":["paying"],"metadata":{"plan":"gold"},"expires":"2027-01-01T00:00:00Z"}"#;

    #[test]
    fn entries_are_read_as_they_are_written() {
        let entry = Entry::parse(VALUE.as_bytes()).unwrap();
        assert_eq!((entry.consumer.as_str(), entry.expires), ("acme", Some(1_798_761_600)));
        assert_eq!(entry.metadata["plan"], "gold");
        assert_eq!(Entry::parse(entry.serialise().as_bytes()), Ok(entry));
        let least = Entry { consumer: "acme".to_owned(), ..Entry::default() };
        assert_eq!(least.serialise(), r#"{"consumer":"acme"}"#);
        assert_eq!(Entry::parse(b"{\"consumer\":\"acme\"}"), Ok(least));
        assert_eq!(key(&[0xab; 32]), format!("edgate.key.{}", "ab".repeat(32)));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let parse = |value: &str| Entry::parse(value.as_bytes()).unwrap_err();
        assert!(parse("").contains("EOF"));
        assert!(parse("[\"acme\"]").contains("no object"));
        assert!(parse("{}").contains("consumer"));
        assert!(parse(r#"{"consumer":""}"#).contains("empty"));
        assert!(parse(r#"{"consumer":"a","consumer":"b"}"#).contains("twice"));
        assert!(parse(r#"{"consumer":"a","metadata":{"x":1,"x":2}}"#).contains("twice"));
        assert!(parse(r#"{"consumer":"a","expire":"2027-01-01T00:00:00Z"}"#).contains("unknown field"));
        assert!(parse(r#"{"consumer":"a","expires":"2027-01-01"}"#).contains("RFC 3339"));
        assert!(parse(r#"{"consumer":"a","expires":1798761600}"#).contains("invalid type"));
        assert!(parse(&format!(r#"{{"consumer":"{}"}}"#, "a".repeat(MOST))).contains("may have 16000"));
        assert!(Entry::parse(b"{\"consumer\":\"\xff\"}").is_err());
    }

    #[test]
    fn keys_end_when_they_expire() {
        assert!(holds(None, 1e12));
        assert!(holds(Some(10), 9.999));
        assert!(!holds(Some(10), 10.0));
        assert!(!holds(Some(10), f64::NAN));
    }

    #[test]
    fn moments_are_written_as_they_are_read() {
        assert_eq!(rfc3339(1_798_761_600), "2027-01-01T00:00:00Z");
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59Z");
        assert_eq!(seconds("9999-12-31T23:59:59Z"), Ok(LAST));
        assert_eq!(seconds("2027-01-01T00:00:00.9Z"), Ok(1_798_761_600));
        for bad in ["", "2027-01-01", "2027-01-01T00:00:00", "2027-01-01T00:00:00+01:00", "1969-01-01T00:00:00Z"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
