//! edgate's own API keys: 256 random bits with a mark before them and a checksum behind them, so that a scanner for
//! leaked secrets knows one when it sees it, and a typo is refused without a look-up. Keys are kept nowhere: what is
//! configured or stored is their SHA-256, which needs neither salt nor slowness, since nobody guesses 256 bits.
//!
//! `edgate_` + 43 characters of randomness + 6 of CRC-32 (IEEE 802.3) over all that stands before them, both numbers
//! in base 62, big end first.
//!
//! Where a request holds its key, and what is done about one that is unknown, is not decided here.

pub mod directory;
pub mod entry;

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};
use sha2::{Digest, Sha256};
use std::fmt;

/// What every key begins with.
pub const PREFIX: &str = "edgate_";

/// The longest text that is looked at as a key, in bytes, also of keys that edgate did not make.
pub const MOST: usize = 512;

/// Base 62, in the order of ASCII.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// That of IEEE 802.3, gzip and PNG, without a table.
const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// 62^43 is the first power above 2^256.
const RANDOM: usize = 43;
/// 62^6 is the first power above 2^32.
const CHECKSUM: usize = 6;

/// Why a text is no key of edgate's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typo {
    /// It does not begin with [`PREFIX`].
    Prefix,
    /// It is too short or too long.
    Length,
    /// A character is none of base 62.
    Character,
    /// The checksum is another one.
    Checksum,
}

impl fmt::Display for Typo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Typo::Prefix => write!(f, "it does not begin with `{PREFIX}`"),
            Typo::Length => write!(f, "it has not {} characters", PREFIX.len() + RANDOM + CHECKSUM),
            Typo::Character => f.write_str("it has a character that is neither a letter nor a digit of ASCII"),
            Typo::Checksum => f.write_str("its checksum does not fit: a character is wrong"),
        }
    }
}

/// A new key, out of cryptographically secure randomness.
pub fn make(random: [u8; 32]) -> String {
    let mut key = PREFIX.to_owned();
    key += &base62(&random, RANDOM);
    key += &checksum(&key);
    key
}

/// Whether a text can be a key that edgate made. Whether it is one, only a look-up can say.
pub fn check(text: &str) -> Result<(), Typo> {
    let rest = text.strip_prefix(PREFIX).ok_or(Typo::Prefix)?;
    if rest.len() != RANDOM + CHECKSUM {
        return Err(Typo::Length);
    }
    if !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Typo::Character);
    }
    let (before, sum) = text.split_at(text.len() - CHECKSUM);
    if checksum(before) == sum { Ok(()) } else { Err(Typo::Checksum) }
}

/// What a key is known by: its SHA-256. `None` for a text that is empty or longer than [`MOST`].
pub fn hash(text: &str) -> Option<[u8; 32]> {
    (1..=MOST).contains(&text.len()).then(|| Sha256::digest(text).into())
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

/// A SHA-256 in hexadecimal, of small or capital letters.
pub fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let length = base16ct::mixed::decode(text, &mut hash).ok()?.len();
    (length == hash.len()).then_some(hash)
}

fn checksum(text: &str) -> String {
    base62(&CRC.checksum(text.as_bytes()).to_be_bytes(), CHECKSUM)
}

/// A number, big end first, in so many digits of base 62.
fn base62(number: &[u8], digits: usize) -> String {
    let mut number = number.to_vec();
    let mut text = vec!['0'; digits];
    for digit in text.iter_mut().rev() {
        let mut rest = 0u16;
        for byte in &mut number {
            let part = rest << 8 | u16::from(*byte);
            *byte = u8::try_from(part / 62).unwrap_or_default();
            rest = part % 62;
        }
        *digit = ALPHABET.get(usize::from(rest)).copied().map_or('0', char::from);
    }
    text.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_they_always_were() {
        assert_eq!(make([0; 32]), "edgate_00000000000000000000000000000000000000000000zQZoh");
        let last = make([0xff; 32]);
        assert_eq!(last, "edgate_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp12sv8uR");
        assert_eq!(check(&last), Ok(()));
        assert_eq!(
            hash(&last).map(|hash| hex(&hash)).as_deref(),
            Some("f21dee5ee558173eeb7d140be38182522843b0f041d4d93d7782878623b85ec3")
        );
    }

    #[test]
    fn every_bit_counts() {
        let mut keys = std::collections::BTreeSet::new();
        for bit in 0..256 {
            let mut random = [0; 32];
            random[bit / 8] = 1 << (bit % 8);
            keys.insert(make(random));
        }
        assert_eq!(keys.len(), 256);
        assert!(keys.iter().all(|key| key.len() == 56 && check(key) == Ok(())));
    }

    #[test]
    fn a_typo_anywhere_is_found() {
        let key = make([7; 32]);
        for at in 0..key.len() {
            for wrong in ["0", "z", "-", "\u{e9}", ""] {
                let text = format!("{}{wrong}{}", &key[..at], &key[at + 1..]);
                assert!(text == key || check(&text).is_err(), "{text}");
            }
            // Two neighbours that changed places.
            if let Some((a, b)) = key.get(at..at + 1).zip(key.get(at + 1..at + 2)) {
                let text = format!("{}{b}{a}{}", &key[..at], &key[at + 2..]);
                assert!(text == key || check(&text).is_err(), "{text}");
            }
        }
        assert_eq!(check(""), Err(Typo::Prefix));
        assert_eq!(check(&key.replace("edgate_", "ghp_")), Err(Typo::Prefix));
        assert_eq!(check(&key[..55]), Err(Typo::Length));
        assert_eq!(check(&format!("{key}0")), Err(Typo::Length));
        assert_eq!(check(&key.replacen(&key[20..21], "-", 1)), Err(Typo::Character));
    }

    #[test]
    fn hashes_are_of_texts_of_bounded_length() {
        assert_eq!(hash(""), None);
        assert_eq!(hash(&"a".repeat(MOST + 1)), None);
        // FIPS 180-2, B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash("abc"), from_hex(abc));
        assert_eq!(from_hex(&abc.to_uppercase()), from_hex(abc));
        for bad in ["", "00", &abc[1..], &format!("{abc}00"), &abc.replace('b', "g")] {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
    }
}
