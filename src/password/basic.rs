//! The user and the password in `Authorization` (HTTP Basic, RFC 7617). In UTF-8, which a server may ask for with
//! `charset="UTF-8"` (section 2.1). Names are compared as bytes: they are not prepared as PRECIS would.

use base64ct::{Base64, Encoding};
use std::fmt;

/// The longest user and password together, with the colon between them, in bytes.
pub const MOST: usize = 768;

/// Why credentials are none, although their scheme is `Basic`. It tells nothing of what is in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// It is not in Base64 (RFC 4648, section 4), with its padding and in its one spelling.
    Base64,
    /// It is longer than [`MOST`].
    Length,
    Utf8,
    /// There is a control character.
    Control,
    /// There is no colon after the user.
    Colon,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::Base64 => "the credentials are not in Base64",
            Malformed::Length => "the credentials are too long",
            Malformed::Utf8 => "the credentials are not in UTF-8",
            Malformed::Control => "the credentials have a control character",
            Malformed::Colon => "the credentials have no colon",
        })
    }
}

/// Reads the value of `Authorization`. `None` for another scheme.
pub fn parse(authorization: &[u8]) -> Result<Option<(String, String)>, Malformed> {
    // RFC 9110, 11.1: the scheme is compared without regard to case; 11.4: spaces follow it. A server that splits at any
    // whitespace takes a tab for one.
    let scheme = authorization.split(|byte| matches!(byte, b' ' | b'\t')).next().unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"Basic") {
        return Ok(None);
    }
    let encoded = authorization.get(scheme.len()..).unwrap_or_default().trim_ascii();
    if encoded.len() > MOST.div_ceil(3) * 4 {
        return Err(Malformed::Length);
    }
    let encoded = str::from_utf8(encoded).map_err(|_| Malformed::Base64)?;
    let bytes = Base64::decode_vec(encoded).map_err(|_| Malformed::Base64)?;
    let text = String::from_utf8(bytes).map_err(|_| Malformed::Utf8)?;
    // RFC 7617, section 2: the user-id and password MUST NOT contain any control characters.
    if text.chars().any(char::is_control) {
        return Err(Malformed::Control);
    }
    // A user-id containing a colon character is invalid: the first one ends it.
    let (user, password) = text.split_once(':').ok_or(Malformed::Colon)?;
    Ok(Some((user.to_owned(), password.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(text: &[u8]) -> Vec<u8> {
        format!("Basic {}", Base64::encode_string(text)).into_bytes()
    }

    fn pair(user: &str, password: &str) -> Result<Option<(String, String)>, Malformed> {
        Ok(Some((user.to_owned(), password.to_owned())))
    }

    #[test]
    fn examples_of_the_specification_are_read() {
        assert_eq!(parse(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), pair("Aladdin", "open sesame"));
        // Section 2.1, in UTF-8.
        assert_eq!(parse(b"Basic dGVzdDoxMjPCow=="), pair("test", "123\u{a3}"));
    }

    #[test]
    fn scheme_is_read_in_any_case_and_others_are_left_alone() {
        for scheme in ["basic ", "BASIC ", "bAsIc  ", "Basic\t"] {
            assert_eq!(parse(format!("{scheme}YTpi").as_bytes()), pair("a", "b"), "{scheme}");
        }
        for other in ["", "Bearer YTpi", "Basically YTpi", "YTpi"] {
            assert_eq!(parse(other.as_bytes()), Ok(None), "{other}");
        }
    }

    #[test]
    fn passwords_may_have_colons_and_users_may_be_empty() {
        assert_eq!(parse(&basic(b"a:b:c")), pair("a", "b:c"));
        assert_eq!(parse(&basic(b":")), pair("", ""));
    }

    #[test]
    fn what_is_malformed_is_told_apart() {
        for (value, why) in [
            (b"Basic".to_vec(), Malformed::Colon),
            (b"Basic YTpi=".to_vec(), Malformed::Base64),
            (b"Basic YQ".to_vec(), Malformed::Base64),
            (b"Basic YTpiYz".to_vec(), Malformed::Base64),
            // Bits that belong to nothing.
            (b"Basic YTpiYx==".to_vec(), Malformed::Base64),
            (b"Basic YT pi".to_vec(), Malformed::Base64),
            (b"Basic _-pi".to_vec(), Malformed::Base64),
            (b"Basic \xff".to_vec(), Malformed::Base64),
            (basic(b"a"), Malformed::Colon),
            (basic(b"a:\xa3"), Malformed::Utf8),
            (basic(b"a:b\n"), Malformed::Control),
            (basic(b"a\0:b"), Malformed::Control),
            (basic(b"a:\x7f"), Malformed::Control),
            (basic("a:\u{85}".as_bytes()), Malformed::Control),
            (basic(&[b'a'; MOST + 1]), Malformed::Length),
        ] {
            assert_eq!(parse(&value), Err(why), "{}", String::from_utf8_lossy(&value));
        }
        let longest = format!("{}:", "a".repeat(MOST - 1));
        assert_eq!(parse(&basic(longest.as_bytes())), pair(&longest[..MOST - 1], ""));
    }
}
