//! The one decision about what a path means, made before any route is looked at. What is matched is what is sent on:
//! a path cannot match one route here and mean another to an upstream. RFC 3986, section 6.2, and stricter where
//! upstreams disagree.
//!
//! - Escapes of unreserved characters are decoded, other escapes are written in capitals; characters that a path
//!   cannot hold are escaped.
//! - Empty segments are dropped (`//a///b` is `/a/b`), dot segments resolved (`/a/../b` is `/b`), also when they are
//!   escaped (`%2e%2e`). A trailing slash stays.
//! - Refused: broken escapes, control characters, a backslash, encoded slashes and backslashes (unless the
//!   configuration keeps them), and dot segments in disguise (`..;x`, `..%2Fx`).

use crate::config::EncodedSlashes;
use std::borrow::Cow;

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadPath {
    /// It does not begin with a slash.
    NotAbsolute,
    /// A `%` without two hexadecimal digits.
    BrokenEscape,
    /// A control character, escaped or not.
    ControlCharacter,
    /// A backslash, or an encoded slash or backslash.
    EncodedSlash,
    /// A dot segment that only some servers would see.
    HiddenDotSegment,
}

impl BadPath {
    /// What a client is told.
    pub fn detail(self) -> &'static str {
        match self {
            BadPath::NotAbsolute => "The path does not begin with a slash.",
            BadPath::BrokenEscape => "The path has a `%` that is not followed by two hexadecimal digits.",
            BadPath::ControlCharacter => "The path has a control character.",
            BadPath::EncodedSlash => "The path has a backslash, or an encoded slash or backslash.",
            BadPath::HiddenDotSegment => "The path has a disguised dot segment.",
        }
    }
}

/// The path in its one spelling. Borrowed where it was spelt so already, which is the common case.
pub fn normalize(raw: &str, slashes: EncodedSlashes) -> Result<Cow<'_, str>, BadPath> {
    if is_normal(raw) {
        return Ok(Cow::Borrowed(raw));
    }
    if raw.is_empty() {
        return Ok(Cow::Borrowed("/"));
    }
    let Some(inside) = raw.strip_prefix('/') else { return Err(BadPath::NotAbsolute) };
    let mut path = String::with_capacity(raw.len() + 8);
    let mut ends_in_directory = false;
    for raw in inside.split('/') {
        let start = path.len();
        path.push('/');
        spell(raw, slashes, &mut path)?;
        let segment = &path[start + 1..];
        ends_in_directory = matches!(segment, "" | "." | "..");
        match segment {
            ".." => {
                path.truncate(start);
                path.truncate(path.rfind('/').unwrap_or(0));
            }
            "" | "." => path.truncate(start),
            segment if hides_dots(segment) => return Err(BadPath::HiddenDotSegment),
            _ => {}
        }
    }
    if ends_in_directory || path.is_empty() {
        path.push('/');
    }
    Ok(Cow::Owned(path))
}

/// Whether a path is in its one spelling already, encoded slashes allowed.
pub fn is_one_spelling(path: &str) -> bool {
    normalize(path, EncodedSlashes::Keep).is_ok_and(|normal| normal == path)
}

/// The query in a spelling that both platforms send on unchanged: what the WHATWG URL standard would escape in the
/// query of a special URL is escaped. `None` where it has a control character.
pub fn normalize_query(raw: &str) -> Option<Cow<'_, str>> {
    let escaped = |byte: u8| matches!(byte, b' ' | b'"' | b'#' | b'<' | b'>' | b'\'') || byte >= 0x80;
    if raw.bytes().any(|byte| byte.is_ascii_control()) {
        return None;
    }
    if !raw.bytes().any(escaped) {
        return Some(Cow::Borrowed(raw));
    }
    let mut query = String::with_capacity(raw.len() + 16);
    for byte in raw.bytes() {
        if escaped(byte) { escape(byte, &mut query) } else { query.push(char::from(byte)) }
    }
    Some(Cow::Owned(query))
}

/// Appends text to a path as part of one segment: everything but what a segment can hold is escaped.
pub fn escape_segment(text: &str, path: &mut String) {
    for byte in text.bytes() {
        if is_pchar(byte) { path.push(char::from(byte)) } else { escape(byte, path) }
    }
}

/// The text that a part of a normalized path stands for. Escapes that are no UTF-8 become U+FFFD.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, escape_at(bytes, at)) {
            (b'%', Some(value)) => {
                decoded.push(value);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

/// Whether nothing about a path needs a second look.
fn is_normal(raw: &str) -> bool {
    let bytes = raw.as_bytes();
    let mut last = 0;
    if bytes.first() != Some(&b'/') {
        return false;
    }
    for &byte in bytes {
        let fine = is_pchar(byte) || byte == b'/';
        // A dot or a slash after a slash, and any parameter, are looked at closely.
        if !fine || byte == b';' || (last == b'/' && matches!(byte, b'/' | b'.')) {
            return false;
        }
        last = byte;
    }
    true
}

/// Appends one segment in its one spelling.
fn spell(raw: &str, slashes: EncodedSlashes, path: &mut String) -> Result<(), BadPath> {
    let bytes = raw.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let value = match byte {
            b'%' => {
                at += 3;
                escape_at(bytes, at - 3).ok_or(BadPath::BrokenEscape)?
            }
            b'\\' => return Err(BadPath::EncodedSlash),
            byte => {
                at += 1;
                if is_pchar(byte) {
                    path.push(char::from(byte));
                    continue;
                }
                byte
            }
        };
        match value {
            value if value.is_ascii_control() => return Err(BadPath::ControlCharacter),
            b'/' | b'\\' if slashes == EncodedSlashes::Refuse => return Err(BadPath::EncodedSlash),
            value if is_unreserved(value) => path.push(char::from(value)),
            value => escape(value, path),
        }
    }
    Ok(())
}

/// Whether a segment would become a dot segment for a server that cuts parameters off or decodes slashes.
fn hides_dots(segment: &str) -> bool {
    let is_dots = |part: &str| matches!(part, "." | "..");
    let before_parameters = segment.split(';').next().unwrap_or_default();
    let decoded = segment.replace("%2F", "/").replace("%5C", "/");
    is_dots(before_parameters) || decoded.split('/').any(|part| is_dots(part.split(';').next().unwrap_or_default()))
}

fn escape_at(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    u8::try_from(digit(at + 1)? * 16 + digit(at + 2)?).ok()
}

fn escape(byte: u8, text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(char::from(DIGITS[usize::from(byte >> 4)]));
    text.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// RFC 3986, section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What may stand in a segment unescaped (RFC 3986, section 3.3).
fn is_pchar(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(raw: &str) -> Result<Cow<'_, str>, BadPath> {
        normalize(raw, EncodedSlashes::Refuse)
    }

    #[test]
    fn every_spelling_of_a_path_becomes_one() {
        for (raw, normal) in [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("//a///b//", "/a/b/"),
            ("/a/./b/../c", "/a/c"),
            ("/a/%2e%2E/b", "/b"),
            ("/../../a", "/a"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/%7euser/%c3%a9", "/~user/%C3%A9"),
            ("/é", "/%C3%A9"),
            ("/a b|{c}", "/a%20b%7C%7Bc%7D"),
            ("/.well-known/x", "/.well-known/x"),
            ("/...", "/..."),
            ("/a;v=1/b", "/a;v=1/b"),
            ("/%252e%252e/x", "/%252e%252e/x"),
        ] {
            assert_eq!(refuse(raw).as_deref(), Ok(normal), "{raw}");
        }
    }

    #[test]
    fn what_servers_disagree_about_is_refused() {
        for (raw, why) in [
            ("a", BadPath::NotAbsolute),
            ("/a%2", BadPath::BrokenEscape),
            ("/a%zz", BadPath::BrokenEscape),
            ("/a%00", BadPath::ControlCharacter),
            ("/a%0d%0a", BadPath::ControlCharacter),
            ("/a\\b", BadPath::EncodedSlash),
            ("/a%2fb", BadPath::EncodedSlash),
            ("/a%5cb", BadPath::EncodedSlash),
            ("/a/..;/b", BadPath::HiddenDotSegment),
            ("/a/.;x=1/b", BadPath::HiddenDotSegment),
            ("/a/%2e%2e;/b", BadPath::HiddenDotSegment),
        ] {
            assert_eq!(refuse(raw), Err(why), "{raw}");
        }
    }

    #[test]
    fn kept_slashes_cannot_hide_dot_segments() {
        let keep = |raw| normalize(raw, EncodedSlashes::Keep);
        assert_eq!(keep("/a%2fb").as_deref(), Ok("/a%2Fb"));
        assert_eq!(keep("/public/..%2fadmin"), Err(BadPath::HiddenDotSegment));
        assert_eq!(keep("/public/x%5c..%5cadmin"), Err(BadPath::HiddenDotSegment));
    }

    #[test]
    fn queries_keep_their_bytes() {
        assert_eq!(normalize_query("a=1&b=%2f+x").as_deref(), Some("a=1&b=%2f+x"));
        assert_eq!(normalize_query("a='<é>").as_deref(), Some("a=%27%3C%C3%A9%3E"));
        assert_eq!(normalize_query("a=\r"), None);
    }
}
