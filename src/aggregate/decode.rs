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

/// Decodes an answer.
pub fn decode(how: Decode, bytes: Bytes) -> Result<Document, Failure> {
    match how {
        Decode::Json => Ok(Document::parse(bytes.into())?),
        Decode::Xml => xml::decode(text(&bytes)?).ok_or(Failure::Unreadable),
        Decode::Text => Ok(Document::string(text(&bytes)?)),
    }
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
        let decoded = |bytes: &'static [u8]| decode(Decode::Text, Bytes::from_static(bytes));
        assert_eq!(decoded(b"\xef\xbb\xbfa\"b\n").unwrap().raw().text(), r#""a\"b\n""#);
        assert_eq!(decoded(b"\x1f\x8b"), Err(Failure::Unreadable));
    }
}
