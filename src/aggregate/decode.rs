//! From the bytes of an answer to JSON. What is JSON already stays as it is.

mod xml;

use super::failure::Failure;
use crate::config::aggregate::Decode;
use crate::raw::Document;
use bytes::Bytes;

/// What a media type says (RFC 9110, section 8.3; RFC 6839, sections 3.1 and 4.1).
pub fn by_media_type(content_type: Option<&str>) -> Option<Decode> {
    // Without one, JSON is the least that is meant by an answer.
    let Some(value) = content_type else { return Some(Decode::Json) };
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "application/json" | "text/json" => Some(Decode::Json),
        "application/xml" | "text/xml" => Some(Decode::Xml),
        "text/plain" => Some(Decode::Text),
        other if other.ends_with("+json") => Some(Decode::Json),
        other if other.ends_with("+xml") => Some(Decode::Xml),
        _ => None,
    }
}

/// What the configuration says of it.
pub fn name(how: Option<Decode>) -> &'static str {
    match how {
        None => "",
        Some(Decode::Json) => "json",
        Some(Decode::Xml) => "xml",
        Some(Decode::Text) => "text",
    }
}

/// Decodes an answer. One that says that it is written in other characters than those of UTF-8 is not guessed at.
pub fn decode(how: Decode, content_type: Option<&str>, bytes: Bytes) -> Result<Document, Failure> {
    let parameters = content_type.into_iter().flat_map(|value| value.split(';').skip(1));
    let charset = parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    // RFC 8259, section 8.1: JSON has no other characters, whatever is said.
    if how != Decode::Json && charset.is_some_and(|(_, charset)| !is_utf8(charset.trim().trim_matches('"'))) {
        return Err(Failure::Unreadable);
    }
    match how {
        Decode::Json => Ok(Document::parse(bytes.into())?),
        Decode::Xml => xml::decode(text(&bytes)?).ok_or(Failure::Unreadable),
        Decode::Text => Ok(Document::string(text(&bytes)?)),
    }
}

/// Whether a name of characters is that of UTF-8, or of a part of it.
fn is_utf8(charset: &str) -> bool {
    ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known))
}

fn text(bytes: &[u8]) -> Result<&str, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|_| Failure::Unreadable)?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_say_what_an_answer_is_written_in() {
        for (content_type, how) in [
            (None, Some(Decode::Json)),
            (Some("application/json"), Some(Decode::Json)),
            (Some("Application/JSON ; charset=utf-8"), Some(Decode::Json)),
            (Some("application/problem+json"), Some(Decode::Json)),
            (Some("text/xml;charset=utf-8"), Some(Decode::Xml)),
            (Some("application/atom+xml"), Some(Decode::Xml)),
            (Some("text/plain"), Some(Decode::Text)),
            (Some("text/html"), None),
            (Some("application/octet-stream"), None),
            (Some(""), None),
        ] {
            assert_eq!(by_media_type(content_type), how, "{content_type:?}");
        }
    }

    #[test]
    fn text_is_a_string_and_nothing_else_is_text() {
        let decoded = |bytes: &'static [u8]| decode(Decode::Text, None, Bytes::from_static(bytes));
        assert_eq!(decoded(b"\xef\xbb\xbfa\"b\n").unwrap().raw().text(), r#""a\"b\n""#);
        assert_eq!(decoded(b"\x1f\x8b"), Err(Failure::Unreadable));
    }

    #[test]
    fn other_characters_are_not_guessed_at() {
        let decoded = |how, content_type| decode(how, Some(content_type), Bytes::from_static(b"\"a\"")).is_ok();
        for (content_type, fits) in [
            ("text/plain; charset=UTF-8", true),
            ("text/plain; format=flowed; charset=\"utf-8\"", true),
            ("text/plain;charset=us-ascii", true),
            ("text/plain; charset=iso-8859-1", false),
        ] {
            assert_eq!(decoded(Decode::Text, content_type), fits, "{content_type}");
        }
        assert!(decoded(Decode::Json, "application/json; charset=latin1"));
        let xml = |text: &'static str| decode(Decode::Xml, None, Bytes::from_static(text.as_bytes())).is_ok();
        assert!(xml("<?xml version='1.0' encoding='UTF-8'?><a/>") && xml("<?xml version='1.0'?><a/>"));
        assert!(!xml("<?xml version='1.0' encoding='ISO-8859-1'?><a/>"));
    }
}
