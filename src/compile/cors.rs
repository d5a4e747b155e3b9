//! The section `cors`: origins as browsers write them, so that each can be met, and lists that browsers understand.

use super::route::placed;
use super::{bad_header_name, within};
use crate::config;
use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::policy::cors::{Cors, Origin, Origins, is_label};
use crate::routing::condition::METHODS;
use http::{HeaderName, HeaderValue, Method};
use std::net::Ipv6Addr;
use std::time::Duration as Std;

type Diagnostics = Vec<Diagnostic>;

const MAX_AGE: Std = Std::from_secs(600);
const DAY: Std = Std::from_secs(86_400);

/// Compiles the section. `None` after a mistake.
pub fn compile(section: &config::identity::Cors, place: &Place, diagnostics: &mut Diagnostics) -> Option<Cors> {
    let before = diagnostics.len();
    within(section.max_age, Std::ZERO..=DAY, &place.key("max_age"), diagnostics);
    let origins = origins(section, &place.key("origins"), diagnostics);
    if section.credentials {
        credentials(&origins, place, diagnostics);
    }
    let methods = section.methods.as_ref().map(|items| methods(items, &place.key("methods"), diagnostics));
    let headers = section.headers.as_ref().map(|items| {
        let star = "take the key away: then pages may send what they ask for";
        fields(items, &place.key("headers"), Some(star), diagnostics)
    });
    // Fetch, "CORS protocol and credentials": with them, `*` is the name of a field.
    let star = section.credentials.then_some("name the fields: with credentials, `*` means none");
    let expose = fields(&section.expose, &place.key("expose"), star, diagnostics);
    let expose = expose.iter().map(HeaderName::as_str).collect::<Vec<_>>().join(", ");
    let cors = Cors {
        origins,
        methods,
        headers,
        expose: HeaderValue::try_from(expose).ok().filter(|expose| !expose.is_empty()),
        credentials: section.credentials,
        max_age: section.max_age.map_or(MAX_AGE, |max_age| max_age.0),
        private_network: section.private_network,
    };
    (diagnostics.len() == before).then_some(cors)
}

fn origins(section: &config::identity::Cors, place: &Place, diagnostics: &mut Diagnostics) -> Origins {
    let items = placed(&section.origins, place);
    if items.is_empty() {
        let message = "pages of no origin may call";
        let help = "name the origins: \"https://app.example.com\", \"https://*.example.com\", or `*` for all";
        diagnostics.push(Diagnostic::new(Code::OutOfRange, place.clone(), message, "no origin").help(help));
    }
    if let Some((star, _)) = items.iter().find(|(_, text)| *text == "*") {
        if items.len() > 1 {
            let message = "`*` is every origin, and there are others beside it";
            let help = "take `*` away, or the others";
            diagnostics.push(Diagnostic::new(Code::BadOrigin, star.clone(), message, "every origin").help(help));
        }
        return Origins::Any;
    }
    let mut origins = Vec::new();
    for (place, text) in items {
        match origin(text) {
            Ok(origin) => origins.push(origin),
            Err((why, help)) => {
                let message = format!("`{text}` {why}");
                diagnostics.push(Diagnostic::new(Code::BadOrigin, place, message, "never sent").help(help));
            }
        }
    }
    Origins::Of(origins)
}

/// With credentials, a page acts for its user: no origin may stand for pages of anybody.
fn credentials(origins: &Origins, place: &Place, diagnostics: &mut Diagnostics) {
    let (message, why) = match origins {
        Origins::Any => ("credentials cannot be sent to every origin", "every origin"),
        Origins::Of(origins) if origins.contains(&Origin::Exact("null".to_owned())) => {
            ("credentials cannot be sent to `null`, which pages of anybody can be", "`null` among them")
        }
        Origins::Of(_) => return,
    };
    let diagnostic = Diagnostic::new(Code::BadOrigin, place.key("credentials"), message, "with credentials")
        .help("name the origins that may send credentials")
        .related(place.key("origins"), why);
    diagnostics.push(diagnostic);
}

/// An origin as browsers write it (HTML, "ASCII serialisation of an origin"). What they never write is refused, since it
/// would match nothing.
fn origin(text: &str) -> Result<Origin, (&'static str, String)> {
    let fail = |why, help: &str| Err((why, help.to_owned()));
    if text == "null" {
        return Ok(Origin::Exact(text.to_owned()));
    }
    let Some((scheme, authority)) = text.split_once("://") else {
        return fail("has no scheme", "write \"https://app.example.com\"");
    };
    if !text.is_ascii() {
        return fail("is not in its ASCII form", "write its host as `xn--..`");
    }
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(("has capitals", format!("write \"{}\"", text.to_ascii_lowercase())));
    }
    if let Some(at) = authority.find(['/', '?', '#']) {
        return Err(("has a path", format!("write \"{scheme}://{}\"", &authority[..at])));
    }
    // RFC 3986, section 3.1.
    let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    if !scheme.starts_with(|c: char| c.is_ascii_lowercase()) || !scheme.bytes().all(in_scheme) {
        return fail("has no scheme that browsers know", "write \"https://app.example.com\"");
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if let Some(port) = port {
        if port.starts_with('0') || port.starts_with('+') || port.parse::<u16>().is_err() {
            return fail("has a port that is none", "a port is a number from 1 to 65535");
        }
        if matches!((scheme, port), ("http", "80") | ("https", "443")) {
            return Err(("has the port that browsers leave out", format!("write \"{scheme}://{host}\"")));
        }
    }
    match host.strip_prefix("*.") {
        Some(name) if is_name(name) => {
            Ok(Origin::Below { scheme: scheme.to_owned(), authority: authority["*.".len()..].to_owned() })
        }
        None if is_name(host) || is_address(host) => Ok(Origin::Exact(text.to_owned())),
        _ if host.contains('*') => {
            fail("has a `*` that is not the first label", "write \"https://*.example.com\", or `*` for all origins")
        }
        _ => fail("has no host", "write \"https://app.example.com\", or \"https://app.example.com:8443\""),
    }
}

fn is_name(host: &str) -> bool {
    host.len() <= 253 && host.split('.').all(is_label)
}

/// An IPv6 address in brackets, in its one spelling (RFC 5952).
fn is_address(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    address.is_some_and(|text| text.parse::<Ipv6Addr>().is_ok_and(|address| address.to_string() == text))
}

fn methods(items: &[String], place: &Place, diagnostics: &mut Diagnostics) -> Vec<Method> {
    let mut methods = Vec::new();
    for (index, text) in items.iter().enumerate() {
        let capitals = text.to_ascii_uppercase();
        let miswritten = *text != capitals && METHODS.iter().any(|known| known.as_str() == capitals);
        let help = match text.as_str() {
            "*" => "take the key away: then it is the route's methods".to_owned(),
            // Fetch, "forbidden method".
            "CONNECT" | "TRACE" | "TRACK" => "browsers let no page use it".to_owned(),
            _ if miswritten => format!("write `{capitals}`"),
            _ => match text.parse::<Method>() {
                Ok(method) => {
                    methods.push(method);
                    continue;
                }
                Err(_) => "methods are words like GET, PUT and DELETE".to_owned(),
            },
        };
        let message = format!("`{text}` is no method that a page can use");
        diagnostics
            .push(Diagnostic::new(Code::BadMethod, place.index(index), message, "not a page's method").help(help));
    }
    // A route that takes GET takes HEAD.
    if methods.contains(&Method::GET) && !methods.contains(&Method::HEAD) {
        methods.push(Method::HEAD);
    }
    methods
}

/// The names of fields in a list. `star` says what to write instead of `*`, where that means nothing.
fn fields(items: &[String], place: &Place, star: Option<&str>, diagnostics: &mut Diagnostics) -> Vec<HeaderName> {
    let mut names = Vec::new();
    for (index, text) in items.iter().enumerate() {
        match (text.parse::<HeaderName>(), star) {
            (Ok(_), Some(help)) if text == "*" => {
                let message = "`*` does not stand for all fields here";
                let place = place.index(index);
                diagnostics.push(Diagnostic::new(Code::BadHeader, place, message, "not a field name").help(help));
            }
            (Ok(name), _) => names.push(name),
            (Err(_), _) => diagnostics.push(bad_header_name(text, place.index(index))),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn compiled(section: Value) -> (Option<Cors>, Vec<(Code, String)>) {
        let section: config::identity::Cors = serde_json::from_value(section).expect("it can be read");
        let mut diagnostics = Vec::new();
        let cors = compile(&section, &Place::of(["gateway", "cors"]), &mut diagnostics);
        let found = diagnostics.into_iter().map(|diagnostic| (diagnostic.code, diagnostic.place.to_string()));
        (cors, found.collect())
    }

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        for (text, good) in [
            ("https://app.example.com", true),
            ("http://localhost:3000", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("https://*.example.com", true),
            ("https://*.example.com:8443", true),
            ("http://*.localhost", true),
            ("capacitor://localhost", true),
            ("moz-extension://0b1c2d3e-1111-2222-3333-444455556666", true),
            ("null", true),
            ("", false),
            ("Null", false),
            ("app.example.com", false),
            ("https://", false),
            ("://app.example.com", false),
            ("1s://app.example.com", false),
            ("https://app.example.com/", false),
            ("https://app.example.com/path", false),
            ("https://app.example.com?a", false),
            ("https://App.example.com", false),
            ("HTTPS://app.example.com", false),
            ("https://bücher.example", false),
            ("https://user@app.example.com", false),
            ("https://app.example.com:443", false),
            ("http://app.example.com:80", false),
            ("https://app.example.com:80", true),
            ("https://app.example.com:0", false),
            ("https://app.example.com:65536", false),
            ("https://app.example.com:", false),
            ("https://app.example.com:+1", false),
            ("https://app..example.com", false),
            ("https://app.example.com.", false),
            ("https://*", false),
            ("https://*example.com", false),
            ("https://app.*.com", false),
            ("https://*.*.example.com", false),
            ("*.example.com", false),
            ("http://[::0:1]", false),
            ("http://[::1", false),
        ] {
            assert_eq!(origin(text).is_ok(), good, "{text}");
            if let Ok(origin) = origin(text) {
                assert_eq!(origin.to_string(), text);
            }
        }
    }

    #[test]
    fn every_mistake_is_told_where_it_stands() {
        let all = |key: &str, value: Value| {
            let mut section = json!({ "origins": ["https://a.example"] });
            section[key] = value;
            section
        };
        for (section, code, place) in [
            (json!({}), Code::OutOfRange, "origins"),
            (json!({ "origins": "a.example" }), Code::BadOrigin, "origins"),
            (json!({ "origins": ["https://a.example", "b"] }), Code::BadOrigin, "origins[1]"),
            (json!({ "origins": ["https://a.example", "*"] }), Code::BadOrigin, "origins[1]"),
            (json!({ "origins": "*", "credentials": true }), Code::BadOrigin, "credentials"),
            (json!({ "origins": ["null"], "credentials": true }), Code::BadOrigin, "credentials"),
            (all("methods", json!(["GET", "get"])), Code::BadMethod, "methods[1]"),
            (all("methods", json!(["*"])), Code::BadMethod, "methods[0]"),
            (all("methods", json!(["TRACE"])), Code::BadMethod, "methods[0]"),
            (all("methods", json!(["A B"])), Code::BadMethod, "methods[0]"),
            (all("headers", json!(["x-a", "x b"])), Code::BadHeader, "headers[1]"),
            (all("headers", json!(["*"])), Code::BadHeader, "headers[0]"),
            (all("expose", json!(["é"])), Code::BadHeader, "expose[0]"),
            (all("max_age", json!("25h")), Code::OutOfRange, "max_age"),
            (
                json!({ "origins": "https://a.example", "credentials": true, "expose": ["*"] }),
                Code::BadHeader,
                "expose[0]",
            ),
        ] {
            let (cors, found) = compiled(section.clone());
            assert_eq!(found, [(code, format!("gateway.cors.{place}"))], "{section}");
            assert!(cors.is_none(), "{section}");
        }
    }

    #[test]
    fn a_section_says_everything() {
        let (cors, found) = compiled(json!({
            "origins": ["https://a.example", "https://*.b.example"], "methods": ["GET", "PROPFIND"], "headers": ["X-A"],
            "expose": ["X-B", "ETag"], "credentials": true, "max_age": "1d", "private_network": true,
        }));
        assert_eq!(found, []);
        let below = Origin::Below { scheme: "https".to_owned(), authority: "b.example".to_owned() };
        let expected = Cors {
            origins: Origins::Of(vec![Origin::Exact("https://a.example".to_owned()), below]),
            methods: Some(vec![Method::GET, "PROPFIND".parse().expect("it is a method"), Method::HEAD]),
            headers: Some(vec![HeaderName::from_static("x-a")]),
            expose: Some(HeaderValue::from_static("x-b, etag")),
            credentials: true,
            max_age: DAY,
            private_network: true,
        };
        assert_eq!(cors, Some(expected));
        let (cors, _) = compiled(json!({ "origins": "*", "expose": ["*"] }));
        let cors = cors.expect("it has no mistake");
        assert_eq!((cors.origins, cors.max_age), (Origins::Any, MAX_AGE));
        assert_eq!(cors.expose, Some(HeaderValue::from_static("*")));
    }
}
