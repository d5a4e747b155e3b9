//! Header fields that a proxy must understand: which belong to one connection, which end lists, which may not be
//! logged. RFC 9110.

pub mod forwarded;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Fields of one connection, never passed on (RFC 9110, section 7.6.1). `Trailer` is not one of them: it describes
/// the content.
pub static HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    // RFC 9113, section 8.2.2, and RFC 7540, section 3.2.1.
    HeaderName::from_static("http2-settings"),
    // The client's proof for the proxy in front of it, and that proxy's demand, mean nothing further on
    // (RFC 9110, sections 11.7.1 and 11.7.2).
    header::PROXY_AUTHORIZATION,
    header::PROXY_AUTHENTICATE,
];

/// draft-ietf-httpapi-idempotency-key-header: whoever sends it says that the request may be repeated.
pub static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Fields that a configuration may not edit by hand: the platforms or edgate itself write them, and a wrong one breaks
/// the framing of messages.
pub fn is_reserved(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(name)
        || [header::HOST, header::CONTENT_LENGTH, header::VIA, header::EXPECT, header::TRAILER].contains(name)
        || ["cdn-loop", "x-request-id"].contains(&name.as_str())
        || name.as_str().starts_with("spin-")
}

/// Fields whose values are, or may be, credentials.
pub fn is_secret(name: &HeaderName) -> bool {
    let named = [
        header::AUTHORIZATION,
        header::PROXY_AUTHORIZATION,
        header::COOKIE,
        header::SET_COOKIE,
        HeaderName::from_static("dpop"),
    ];
    let tells = ["token", "secret", "api-key", "apikey", "password", "session", "signature"];
    named.contains(name) || tells.iter().any(|tell| name.as_str().contains(tell))
}

/// Takes away what belongs to the connection the message came by, and whatever `Connection` names.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    remove_named_by_connection(headers);
    remove_where(headers, |name| HOP_BY_HOP.contains(name));
}

/// Takes away whatever `Connection` names.
pub fn remove_named_by_connection(headers: &mut HeaderMap) {
    if has(headers, &header::CONNECTION) {
        let named: Vec<HeaderName> =
            elements(headers, &header::CONNECTION).filter_map(|option| option.parse().ok()).collect();
        for name in named {
            headers.remove(name);
        }
    }
}

/// Whether a field is there. A section is short, and names compare faster than they hash.
pub fn has(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.keys().any(|known| known == name)
}

/// Whether two names are one for servers that hand fields on as CGI does (RFC 3875, section 4.1.18), to which `_` and `-`
/// are the same.
pub fn is_spelling(name: &HeaderName, other: &HeaderName) -> bool {
    let dashed = |byte: u8| if byte == b'_' { b'-' } else { byte };
    name.as_str().bytes().map(dashed).eq(other.as_str().bytes().map(dashed))
}

/// Removes a field in all its spellings.
pub fn remove_spellings(headers: &mut HeaderMap, name: &HeaderName) {
    remove_where(headers, |known| is_spelling(known, name));
}

/// Takes away the fields whose names are meant.
pub fn remove_where(headers: &mut HeaderMap, meant: impl Fn(&HeaderName) -> bool) {
    while let Some(name) = headers.keys().find(|name| meant(name)).cloned() {
        headers.remove(name);
    }
}

/// Whether a client can take trailers: the only thing in `TE` that a proxy may pass on (RFC 9110, section 10.1.4).
pub fn takes_trailers(headers: &HeaderMap) -> bool {
    has(headers, &header::TE) && elements(headers, &header::TE).any(|coding| coding.eq_ignore_ascii_case("trailers"))
}

/// Whether the message asks for a WebSocket (RFC 6455, section 4.2.1).
pub fn asks_for_websocket(headers: &HeaderMap) -> bool {
    has(headers, &header::UPGRADE)
        && elements(headers, &header::UPGRADE).any(|protocol| protocol.eq_ignore_ascii_case("websocket"))
        && elements(headers, &header::CONNECTION).any(|option| option.eq_ignore_ascii_case("upgrade"))
}

/// The elements of a list-valued field, in order, over all its lines (RFC 9110, section 5.6.1). Quoted strings that
/// hold commas are not understood: none of the fields asked for here has them.
pub fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> + use<'a> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|element| !element.is_empty())
}

/// Adds an element at the end of a list-valued field, on the one line that holds them all.
pub fn append_element(headers: &mut HeaderMap, name: &HeaderName, element: &HeaderValue) {
    let value = match has(headers, name) {
        false => Some(element.clone()),
        true => {
            let list = joined(headers, name);
            let element = String::from_utf8_lossy(element.as_bytes());
            let separator = if list.is_empty() { "" } else { ", " };
            HeaderValue::try_from([&list, separator, &element].concat()).ok()
        }
    };
    if let Some(value) = value {
        headers.insert(name, value);
    }
}

/// All lines of a field as one (RFC 9110, section 5.3).
pub fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let lines = headers.get_all(name).into_iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    lines.collect::<Vec<_>>().join(", ")
}

/// The one value of `Content-Length`. `Err` where the field is there and says nothing definite (RFC 9110, section
/// 8.6).
pub fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Ambiguous> {
    if !has(headers, &header::CONTENT_LENGTH) {
        return Ok(None);
    }
    let mut length = None;
    for element in elements(headers, &header::CONTENT_LENGTH) {
        let digits = element.bytes().all(|byte| byte.is_ascii_digit());
        let value = element.parse::<u64>().ok().filter(|_| digits).ok_or(Ambiguous)?;
        if length.is_some_and(|other| other != value) {
            return Err(Ambiguous);
        }
        length = Some(value);
    }
    length.map(Some).ok_or(Ambiguous)
}

/// A field that must say one thing says none, or several.
#[derive(Debug, PartialEq, Eq)]
pub struct Ambiguous;

/// The values of a cookie (RFC 6265, section 4.2.1): several where the client sends several. A field with octets beyond
/// ASCII has cookies all the same, and spaces around a name are none of it: servers read both so (RFC 6265bis, section
/// 5.6), and must not find a cookie that was not seen here.
pub fn cookies(headers: &HeaderMap, name: &str) -> impl Iterator<Item = String> {
    let values = pairs(headers).filter_map(move |pair| value_of(pair, name));
    values.map(|value| String::from_utf8_lossy(value).trim_matches('"').to_owned())
}

/// Takes a cookie away, and the field where nothing is left of it.
pub fn remove_cookie(headers: &mut HeaderMap, name: &str) {
    if cookies(headers, name).next().is_none() {
        return;
    }
    let kept: Vec<&[u8]> = pairs(headers).filter(|pair| value_of(pair, name).is_none()).collect();
    let value = HeaderValue::try_from(kept.join(&b"; "[..]));
    headers.remove(header::COOKIE);
    if let Ok(value) = value
        && !value.is_empty()
    {
        headers.insert(header::COOKIE, value);
    }
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(&header::COOKIE).into_iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).map(<[u8]>::trim_ascii)
}

fn value_of<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (known, value) = pair.split_at(pair.iter().position(|byte| *byte == b'=')?);
    (known.trim_ascii() == name.as_bytes()).then(|| value.get(1..).unwrap_or_default().trim_ascii())
}

/// How much of a header section there is: names and values, and 4 bytes for each field, as on the wire of HTTP/1.1.
pub fn section_size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// Whether a problem document in JSON is something the client takes (RFC 9110, section 12.5.1). Most that say nothing
/// about JSON say `*/*`, or nothing at all.
pub fn accepts_json(headers: &HeaderMap) -> bool {
    if !has(headers, &header::ACCEPT) {
        return true;
    }
    elements(headers, &header::ACCEPT).any(|range| {
        let media_type = range.split(';').next().unwrap_or_default().trim();
        let refused = range.split(';').skip(1).any(|parameter| is_zero_weight(parameter.trim()));
        let json = ["*/*", "application/*", "application/json", "application/problem+json"];
        !refused && json.iter().any(|known| media_type.eq_ignore_ascii_case(known))
    })
}

/// `q=0`, `q=0.0`, .. mean "not this" (RFC 9110, section 12.4.2).
fn is_zero_weight(parameter: &str) -> bool {
    let weight = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
    weight.is_some_and(|weight| weight.starts_with('0') && weight.bytes().all(|byte| matches!(byte, b'0' | b'.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::try_from(*value).unwrap());
        }
        map
    }

    #[test]
    fn fields_that_connection_names_go_with_it() {
        let mut map = headers(&[
            ("connection", "close, X-Secret-Hop"),
            ("x-secret-hop", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("accept", "*/*"),
        ]);
        remove_hop_by_hop(&mut map);
        assert_eq!(map.len(), 1);
        assert!(map.contains_key("accept"));
    }

    #[test]
    fn content_length_says_one_thing_or_nothing() {
        assert_eq!(content_length(&headers(&[])), Ok(None));
        assert_eq!(content_length(&headers(&[("content-length", "12")])), Ok(Some(12)));
        assert_eq!(content_length(&headers(&[("content-length", "12, 12")])), Ok(Some(12)));
        for bad in ["", "+1", "1, 2", "-1", "0x1", "99999999999999999999"] {
            assert_eq!(content_length(&headers(&[("content-length", bad)])), Err(Ambiguous), "{bad}");
        }
    }

    #[test]
    fn cookies_are_seen_and_removed_however_they_are_written() {
        let section = |lines: &[&str]| -> HeaderMap {
            lines.iter().map(|line| (header::COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap())).collect()
        };
        for (lines, values, kept) in [
            (&["a=1; s=x; b=2"][..], &["x"][..], Some("a=1; b=2")),
            (&["s=x"], &["x"], None),
            (&["s=x; a=1", "s=\"y\";b=2"], &["x", "y"], Some("a=1; b=2")),
            (&["s =x; a=1", "\ts\t= y"], &["x", "y"], Some("a=1")),
            (&["s=x; a=\u{e9}"], &["x"], Some("a=\u{e9}")),
            (&["s=\u{e9}; a", "b=2;"], &["\u{e9}"], Some("a; b=2; ")),
            (&["as=x; S=y; s", "=s"], &[], Some("as=x; S=y; s")),
        ] {
            let mut headers = section(lines);
            assert_eq!(cookies(&headers, "s").collect::<Vec<_>>(), values, "{lines:?}");
            remove_cookie(&mut headers, "s");
            let left = headers.get(header::COOKIE).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            assert_eq!(left.as_deref(), kept, "{lines:?}");
        }
    }

    #[test]
    fn problem_documents_are_json_unless_the_client_refuses() {
        for (accept, json) in [
            ("text/html,application/xhtml+xml,*/*;q=0.8", true),
            ("application/json", true),
            ("text/plain", false),
            ("text/plain, application/json;q=0", false),
            ("*/*;q=0.000", false),
        ] {
            assert_eq!(accepts_json(&headers(&[("accept", accept)])), json, "{accept}");
        }
        assert!(accepts_json(&headers(&[])));
    }
}
