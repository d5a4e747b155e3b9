//! Whose requests count together: values of a request, and one hash over them.
//!
//! Every value stands in the hash with its length and with where it came from, so that no value can be mistaken for
//! another one, for two, or for none: what a client writes into a field is never a separator. Only the hash leaves the
//! instance.

use crate::exchange::Exchange;
use crate::rule::source::Source;
use crate::rule::value::Value;
use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

/// Whose requests count together. Without parts, all of them do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Key {
    pub parts: Vec<Part>,
}

/// A value of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// As it was written: `identity.subject or client.address`.
    pub text: String,
    /// The first of these that is there.
    pub sources: Vec<Source>,
}

/// A value that a request has for a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The value, and which of the part's sources has it.
    Value { source: usize, text: String },
    /// A query parameter that says several things, of which the upstream may read another one than edgate.
    Indefinite,
    /// Nothing: such requests count together, or leaving the value out would be a way around the limit.
    Nothing,
}

/// The values of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    pub hash: [u8; 32],
}

impl Key {
    /// The values that a request has.
    pub fn find(&self, ex: &Exchange) -> Vec<Found> {
        self.parts.iter().map(|part| part.find(ex)).collect()
    }

    /// The hash over them.
    pub fn values(&self, ex: &Exchange) -> Values {
        Values::of(&self.find(ex))
    }

    pub fn describe(&self) -> String {
        match self.parts.as_slice() {
            [] => "for all together".to_owned(),
            parts => format!("by {}", parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(" and ")),
        }
    }
}

impl Part {
    fn find(&self, ex: &Exchange) -> Found {
        for (position, source) in self.sources.iter().enumerate() {
            match source.of(ex) {
                Err(_) => return Found::Indefinite,
                Ok(Some(value)) => return Found::Value { source: position, text: text(source, value) },
                Ok(None) => {}
            }
        }
        Found::Nothing
    }
}

impl Values {
    /// The hash over values.
    pub fn of(found: &[Found]) -> Values {
        let mut hash = Sha256::new();
        for found in found {
            match found {
                Found::Nothing => hash.update([0]),
                Found::Indefinite => hash.update([1]),
                Found::Value { source, text } => {
                    hash.update([2]);
                    hash.update((*source as u64).to_be_bytes());
                    hash.update((text.len() as u64).to_be_bytes());
                    hash.update(text);
                }
            }
        }
        Values { hash: hash.finalize().into() }
    }

    /// The hash as text.
    pub fn name(&self) -> String {
        Base64UrlUnpadded::encode_string(&self.hash)
    }
}

/// A value as it counts.
fn text(source: &Source, value: Value<'_>) -> String {
    match (source, value) {
        (Source::Address, Value::Text(address)) => address.parse().map_or(address.into_owned(), client),
        (_, Value::Text(text)) => text.into_owned(),
        (_, Value::Json(value)) => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        (_, Value::List(names)) => serde_json::to_string(names).unwrap_or_default(),
    }
}

/// An address as it counts. Whoever has an IPv6 address has at least the 2^64 of its network (RFC 6177, section 2), so
/// those count together.
pub fn client(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let network = Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX));
            let network: Cow<'_, str> = network.to_string().into();
            [&network, "/64"].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::tests::request;
    use http::Method;

    fn key(parts: &[&[&str]]) -> Key {
        let source = |name: &&str| {
            let names = crate::config::names::path(name).expect("names");
            Source::find(&names, 0..0).expect("it is a value")
        };
        let part = |names: &&[&str]| Part { text: names.join(" or "), sources: names.iter().map(source).collect() };
        Key { parts: parts.iter().map(part).collect() }
    }

    fn hash(key: &Key, target: &str, fields: &[(&str, &str)]) -> [u8; 32] {
        key.values(&request(Method::GET, target, "/{a}", fields)).hash
    }

    #[test]
    fn separators_inside_values_make_no_other_key() {
        let key = key(&[&["header.a"], &["header.b"]]);
        let values = [("x,y", "z"), ("x", "y,z"), ("x\ty", "z"), ("x", "\ty"), ("x:1", ""), ("x", ":1"), ("", "x:1")];
        let mut seen = std::collections::BTreeSet::new();
        for (a, b) in values {
            assert!(seen.insert(hash(&key, "/p", &[("a", a), ("b", b)])), "{a:?} {b:?}");
        }
        // Absent is not empty.
        assert!(seen.insert(hash(&key, "/p", &[("a", "x")])));
        assert!(seen.insert(hash(&key, "/p", &[("b", "x")])));
        assert!(seen.insert(hash(&key, "/p", &[])));
    }

    #[test]
    fn the_source_of_a_value_is_part_of_it() {
        let either = key(&[&["header.user", "client.address"]]);
        let forged = hash(&either, "/p", &[("user", "192.0.2.1")]);
        assert_ne!(forged, hash(&either, "/p", &[]));
        assert_eq!(hash(&either, "/p", &[]), hash(&either, "/q", &[]));
    }

    #[test]
    fn a_parameter_that_says_two_things_counts_as_one_client() {
        let key = key(&[&["query.user"]]);
        let one = hash(&key, "/p?user=a&user=b", &[]);
        assert_eq!(one, hash(&key, "/p?user=c&user=d", &[]));
        assert_ne!(one, hash(&key, "/p?user=a", &[]));
        assert_eq!(hash(&key, "/p?user=a&user=a", &[]), hash(&key, "/p?user=a", &[]));
    }

    #[test]
    fn addresses_of_version_6_count_by_network() {
        let text = |address: &str| client(address.parse().expect("an address"));
        assert_eq!(text("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(text("2001:db8:1:2::"), "2001:db8:1:2::/64");
        assert_eq!(text("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(text("192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn long_values_and_strange_bytes_are_values_as_any() {
        let key = key(&[&["header.a"]]);
        let long = "x".repeat(30_000);
        assert_ne!(hash(&key, "/p", &[("a", &long)]), hash(&key, "/p", &[("a", &long[1..])]));
        assert_ne!(hash(&key, "/p", &[("a", "é")]), hash(&key, "/p", &[("a", "è")]));
    }

    #[test]
    fn cookies_are_found_by_name() {
        let key = key(&[&["cookie.session"]]);
        let ada = hash(&key, "/p", &[("cookie", "a=1; session=ada; b=2")]);
        assert_eq!(ada, hash(&key, "/p", &[("cookie", "a=1"), ("cookie", "session=\"ada\"")]));
        assert_ne!(ada, hash(&key, "/p", &[("cookie", "xsession=ada")]));
    }
}
