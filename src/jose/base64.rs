//! Base64url without padding (RFC 7515, section 2), in its one spelling: bits that are left over must be zero
//! (RFC 4648, section 3.5), or a token could be spelt in several ways and pass for several tokens.

use base64ct::{Base64UrlUnpadded, Encoding};

/// The bytes of a text. `None` where it has padding, whitespace, characters of another alphabet, or bits left over.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).ok()
}

/// The text of bytes.
pub fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// Whether a text has characters of the alphabet only. It may be no base64url for all that.
pub fn is_alphabet(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_only() {
        assert_eq!(decode(""), Some(vec![]));
        assert_eq!(decode("-_8"), Some(vec![0xfb, 0xff]));
        for bad in ["A", "AAAAA", "AA=", "AA==", "AAE=", "-_9", "AB", "+/8", "A A", "AA\n", " AA", "AA ", "AÄ", "A.A"]
        {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_is_encoded_decodes() {
        for length in 0..9 {
            let bytes: Vec<u8> = (0..length).map(|byte| byte * 31).collect();
            assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }
    }
}
