//! The key that a client gives a request, and whose it is.

use crate::exchange::Exchange;
use crate::headers::{IDEMPOTENCY_KEY, has, joined};
use crate::interest::Interest;
use crate::limit::key::{Key, client};
use base64ct::{Base64UrlUnpadded, Encoding};
use http::HeaderMap;
use sfv::{BareItem, Item, Parser};
use sha2::{Digest, Sha256};

/// What the field says.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    Key(String),
    Nothing,
    Malformed,
}

/// Whose keys they are. Without that, one client would get the answers of another one.
#[derive(Debug)]
pub enum Whose {
    /// Whoever it has shown to be; its address, where it has shown nothing.
    Identity,
    Values(Key),
}

/// Before the names of places.
const PREFIX: &str = "idempotency.";

/// A key may have so many characters.
const MOST: usize = 255;

/// The key of a request. Section 2.1 of the draft: a structured field, of which the item is a string.
pub fn find(headers: &HeaderMap, unquoted: bool) -> Found {
    if !has(headers, &IDEMPOTENCY_KEY) {
        return Found::Nothing;
    }
    let text = joined(headers, &IDEMPOTENCY_KEY);
    let key = match Parser::new(&text).parse::<Item>() {
        Ok(Item { bare_item: BareItem::String(key), .. }) => Some(String::from(key)),
        _ => bare(&text).filter(|_| unquoted).map(str::to_owned),
    };
    match key.filter(|key| (1..=MOST).contains(&key.len())) {
        Some(key) => Found::Key(key),
        None => Found::Malformed,
    }
}

/// A key without quotation marks: one word, which no list of words looks like.
fn bare(text: &str) -> Option<&str> {
    let text = text.trim();
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
    text.bytes().all(plain).then_some(text)
}

impl Whose {
    pub fn describe(&self) -> String {
        match self {
            Whose::Identity => "by who the client is".to_owned(),
            Whose::Values(key) => key.describe(),
        }
    }

    pub fn interest(&self, interest: &mut Interest) {
        if let Whose::Values(key) = self {
            key.parts.iter().flat_map(|part| &part.sources).for_each(|source| source.interest(interest));
        }
    }

    /// The name of the place for a key of a client of a gateway.
    pub fn name(&self, gateway: &str, ex: &Exchange, key: &str) -> String {
        let mut hash = Sha256::new();
        add(&mut hash, gateway);
        match self {
            Whose::Identity => identity(ex, &mut hash),
            Whose::Values(key) => hash.update(key.values(ex).hash),
        }
        add(&mut hash, key);
        [PREFIX, &Base64UrlUnpadded::encode_string(&hash.finalize())].concat()
    }
}

fn identity(ex: &Exchange, hash: &mut Sha256) {
    let Some(identity) = &ex.identity else {
        return add(hash, &ex.client.address.map(client).unwrap_or_default());
    };
    let consumer = identity.consumer.as_ref().map(|consumer| consumer.name.as_str());
    for part in [identity.issuer.as_deref(), identity.subject.as_deref(), consumer] {
        hash.update([u8::from(part.is_some())]);
        add(hash, part.unwrap_or_default());
    }
}

/// With its length before it, no text is mistaken for a part of another one.
pub fn add(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn found(values: &[&str], unquoted: bool) -> Found {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&IDEMPOTENCY_KEY, HeaderValue::from_str(value).expect("it is a value"));
        }
        find(&headers, unquoted)
    }

    #[test]
    fn a_key_is_a_string_of_a_structured_field() {
        let key = |text: &str| Found::Key(text.to_owned());
        assert_eq!(found(&[], false), Found::Nothing);
        assert_eq!(found(&["\"8e03978e-40d5\""], false), key("8e03978e-40d5"));
        assert_eq!(found(&[" \"a\\\"b\";p=1 "], false), key("a\"b"));
        for malformed in ["8e03978e-40d5", "\"\"", "\"a", "a", "1", ":YQ==:", "\"a\", \"b\"", ""] {
            assert_eq!(found(&[malformed], false), Found::Malformed, "{malformed}");
        }
        assert_eq!(found(&["\"a\"", "\"a\""], false), Found::Malformed);
        assert_eq!(found(&[&format!("\"{}\"", "x".repeat(256))], false), Found::Malformed);
    }

    #[test]
    fn a_word_is_a_key_where_that_is_wanted() {
        assert_eq!(found(&["8e03978e-40d5"], true), Found::Key("8e03978e-40d5".to_owned()));
        assert_eq!(found(&["\"8e03978e-40d5\""], true), Found::Key("8e03978e-40d5".to_owned()));
        for malformed in ["a b", "a, b", "\"a", "", "é"] {
            assert_eq!(found(&[malformed], true), Found::Malformed, "{malformed}");
        }
        assert_eq!(found(&["a", "b"], true), Found::Malformed);
    }
}
