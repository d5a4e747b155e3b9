//! The filter over all that an issuer took back: about 9 bits for each entry. It never misses one, and says of 1 in
//! 256 others that it may be there.
//!
//! It is a binary fuse filter of three segments with fingerprints of 8 bits (Graf and Lemire, 2022, as the crate `xorf`
//! has it). What is stored is edgate's own form of it, in characters that any store gives back as they were:
//!
//! - nothing behind the version, `1.`, is the filter of an empty list;
//! - else base64url (RFC 4648, section 5, without padding) of the seed in 8 bytes, of the segments' length, the same less
//!   1, and the length of all segments but the last two, in 4 bytes each with the small end first, and of the
//!   fingerprints.
//!
//! A key is the first 8 bytes of the entry's SHA-256, the big end first. A test holds the form against bytes that were
//! written once: if a version of `xorf` reads or hashes otherwise, it fails, and the form needs another number.

use super::{Kind, digest};
use base64ct::{Base64UrlUnpadded, Encoding};
use xorf::{BinaryFuse8, BinaryFuse8Ref, DmaSerializable, Filter as _, FilterRef};

/// The largest filter, in bytes: about 2.6 million entries. Spin's stores take 1 MB.
pub const MOST: usize = 4_000_000;

/// The version of the form.
const VERSION: &str = "1.";

/// How many bytes stand before the fingerprints.
const DESCRIPTOR: usize = BinaryFuse8::DESCRIPTOR_LEN;

/// Whether something may be taken back.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// `None` for an empty list. Every look-up lies in the fingerprints: [`Filter::parse`] has seen to it.
    fuse: Option<([u8; DESCRIPTOR], Vec<u8>)>,
}

impl Filter {
    /// The filter over entries, as it is stored. The same entries in any order make the same filter.
    pub fn build<'a>(entries: impl IntoIterator<Item = (Kind, &'a str)>) -> Result<String, String> {
        let mut keys: Vec<u64> = entries.into_iter().map(|(kind, value)| key(kind, value)).collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Ok(VERSION.to_owned());
        }
        let fuse = BinaryFuse8::try_from(keys).map_err(str::to_owned)?;
        let mut descriptor = [0; DESCRIPTOR];
        fuse.dma_copy_descriptor_to(&mut descriptor);
        let bytes = [&descriptor, fuse.dma_fingerprints()].concat();
        let text = format!("{VERSION}{}", Base64UrlUnpadded::encode_string(&bytes));
        if text.len() > MOST {
            return Err(format!("the filter has {} bytes, and may have {MOST}", text.len()));
        }
        Ok(text)
    }

    /// Reads a filter of the store. The error is for the operator.
    pub fn parse(value: &[u8]) -> Result<Filter, String> {
        if value.len() > MOST {
            return Err(format!("it has {} bytes, and may have {MOST}", value.len()));
        }
        // A file that was put into the store ends with a line break.
        let text = str::from_utf8(value).map_err(|error| error.to_string())?.trim_end();
        let rest = text.strip_prefix(VERSION).ok_or_else(|| format!("it does not begin with `{VERSION}`"))?;
        if rest.is_empty() {
            return Ok(Filter::default());
        }
        let bytes = Base64UrlUnpadded::decode_vec(rest).map_err(|error| format!("it is not in base64url: {error}"))?;
        let (descriptor, fingerprints) = bytes.split_first_chunk().ok_or("it is cut off")?;
        if !fits(descriptor, fingerprints.len()) {
            return Err("it is cut off, or no filter".to_owned());
        }
        Ok(Filter { fuse: Some((*descriptor, fingerprints.to_vec())) })
    }

    /// Whether there may be an entry. `false` is certain.
    pub fn may_contain(&self, kind: Kind, value: &str) -> bool {
        let fuse = self.fuse.as_ref();
        fuse.is_some_and(|(descriptor, bytes)| BinaryFuse8Ref::from_dma(descriptor, bytes).contains(&key(kind, value)))
    }
}

fn key(kind: Kind, value: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = digest(kind, value);
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Whether what a look-up reads is there: one fingerprint of any segment but the last two, and one of each of the two
/// segments that follow it.
fn fits(descriptor: &[u8; DESCRIPTOR], fingerprints: usize) -> bool {
    let numbers = descriptor[8..].as_chunks().0;
    let [segment, mask, first] = [0, 1, 2].map(|at| numbers.get(at).map_or(0, |bytes| u32::from_le_bytes(*bytes)));
    let length = segment.checked_mul(2).and_then(|two| two.checked_add(first));
    segment.is_power_of_two()
        && mask == segment - 1
        && first > 0
        && first.is_multiple_of(segment)
        && length.and_then(|length| usize::try_from(length).ok()) == Some(fingerprints)
}

// What they are made of is there on this machine only.
#[cfg(not(target_family = "wasm"))]
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("token-{number}")).collect()
    }

    fn built(values: &[String]) -> String {
        Filter::build(values.iter().map(|value| (Kind::Token, value.as_str()))).unwrap()
    }

    #[test]
    fn the_form_is_what_it_always_was() {
        const STORED: &str =
            "1.wVwCiewtCpEQAAAADwAAABAAAAAAAAAAAFUAoQAAAAAAAAAAAAAAAAAAAAAAAAAAAfUAAAAABgAANtgAAACOAAAN_wA";
        let values = list(10);
        assert_eq!(built(&values), STORED);
        let filter = Filter::parse(STORED.as_bytes()).unwrap();
        assert!(values.iter().all(|value| filter.may_contain(Kind::Token, value)));
        let others: Vec<u32> = (10..2_000).filter(|n| filter.may_contain(Kind::Token, &format!("token-{n}"))).collect();
        assert_eq!(others, [394, 539, 1157, 1502, 1756]);
    }

    #[test]
    fn an_empty_list_is_a_filter() {
        let text = Filter::build([]).unwrap();
        assert_eq!(text, "1.");
        for text in ["1.", "1.\n"] {
            let filter = Filter::parse(text.as_bytes()).unwrap();
            assert!(!list(1_000).iter().any(|value| filter.may_contain(Kind::Token, value)));
        }
    }

    #[test]
    fn small_lists_are_filters() {
        for count in 1..200 {
            let mut values = list(count);
            let filter = Filter::parse(built(&values).as_bytes()).unwrap();
            assert!(values.iter().all(|value| filter.may_contain(Kind::Token, value)), "{count}");
            let text = built(&values);
            values.reverse();
            values.push(values[0].clone());
            assert_eq!(built(&values), text);
        }
    }

    #[test]
    fn kinds_are_told_apart() {
        let filter = Filter::parse(Filter::build([(Kind::Subject, "abc")]).unwrap().as_bytes()).unwrap();
        assert!(filter.may_contain(Kind::Subject, "abc"));
        assert!(!filter.may_contain(Kind::Token, "abc"));
    }

    /// What is said of a hundred thousand entries in docs: the size, and how often it is wrong.
    #[test]
    fn a_hundred_thousand_entries_are_158_kb_and_wrong_once_in_256() {
        let values = list(100_000);
        let text = built(&values);
        assert!(text.len() < 160_000, "{}", text.len());
        let filter = Filter::parse(text.as_bytes()).unwrap();
        assert!(values.iter().all(|value| filter.may_contain(Kind::Token, value)));
        let wrong = (0..100_000).filter(|n| filter.may_contain(Kind::Token, &format!("other-{n}"))).count();
        assert!((300..500).contains(&wrong), "{wrong} of 100000");
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        let text = built(&list(10));
        for bad in ["", "1", "2.", "1.=", "1.A", "1.AAAA", &text[..text.len() - 4], &format!("{text}AAAA"), &text[2..]]
        {
            assert!(Filter::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Filter::parse(&vec![b'1'; MOST + 1]).is_err());
        assert!(Filter::parse(b"1.\xff").is_err());
    }

    proptest! {
        /// Whatever is stored, nothing panics: neither reading it nor asking it.
        #[test]
        fn any_bytes_can_be_asked(
            seed: u64,
            lengths in prop::array::uniform3(prop_oneof![0..40u32, any::<u32>()]),
            count in 0..100usize,
            value in ".*",
        ) {
            let lengths = lengths.map(u32::to_le_bytes).concat();
            let bytes = [&seed.to_le_bytes()[..], &lengths, &vec![0; count]].concat();
            let text = format!("1.{}", Base64UrlUnpadded::encode_string(&bytes));
            if let Ok(filter) = Filter::parse(text.as_bytes()) {
                filter.may_contain(Kind::Token, &value);
            }
        }

        /// The same where the lengths fit together.
        #[test]
        fn any_filter_can_be_asked(seed: u64, power in 0..6u32, segments in 1..9u32, value in ".*") {
            let segment = 1 << power;
            let lengths = [segment, segment - 1, segment * segments].map(u32::to_le_bytes).concat();
            let count = usize::try_from(segment * (segments + 2)).unwrap();
            let bytes = [&seed.to_le_bytes()[..], &lengths, &vec![0; count]].concat();
            let text = format!("1.{}", Base64UrlUnpadded::encode_string(&bytes));
            Filter::parse(text.as_bytes()).unwrap().may_contain(Kind::Token, &value);
        }
    }
}
