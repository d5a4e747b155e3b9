//! The value of a component in a request (RFC 9421, sections 2.1 and 2.2): one line of text, or a flaw. Nothing is
//! guessed, and nothing that is not there is taken to be empty.

use super::Message;
use super::component::{Component, Form, Identifier};
use super::flaw::Flaw;
use super::structured::{dictionary, respell, write_member};
use crate::headers::{has, joined};
use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{Item, List, ListEntry};
use url::form_urlencoded::{byte_serialize, parse};

/// Why a component has no value.
enum Lack {
    Missing,
    Unclear,
}

/// The value of a component.
pub fn value(identifier: &Identifier, message: &Message<'_>) -> Result<String, Flaw> {
    let value = match &identifier.component {
        Component::Field(name, form) => field(message.headers, name, form),
        component => derived(component, message).and_then(printable),
    };
    value.map_err(|lack| match lack {
        Lack::Missing => Flaw::MissingComponent(identifier.text.clone()),
        Lack::Unclear => Flaw::UnclearComponent(identifier.text.clone()),
    })
}

/// Section 2.2.
fn derived(component: &Component, message: &Message<'_>) -> Result<String, Lack> {
    match component {
        // The method's name is case-sensitive (section 2.2.1).
        Component::Method => Ok(message.method.to_owned()),
        // The full absolute target URI (section 2.2.2).
        Component::TargetUri => {
            Ok([message.scheme, "://", message.authority, path(message)?, &suffix(message)].concat())
        }
        Component::Authority => Ok(message.authority.to_owned()),
        Component::Scheme => Ok(message.scheme.to_owned()),
        // The origin form, or the asterisk of OPTIONS; a gateway is never asked in the other forms (section 2.2.5).
        Component::RequestTarget => Ok([message.path, &suffix(message)].concat()),
        Component::Path => Ok(path(message)?.to_owned()),
        // "Including the leading `?` character", which stands by itself where there is no query (section 2.2.7).
        Component::Query => Ok(["?", message.query.unwrap_or_default()].concat()),
        Component::QueryParam(name) => query_parameter(message.query, name),
        Component::Field(name, form) => field(message.headers, name, form),
    }
}

/// An empty path is one slash, and nothing else is normalized (section 2.2.6).
fn path<'a>(message: &Message<'a>) -> Result<&'a str, Lack> {
    match message.path {
        "" => Ok("/"),
        path if path.starts_with('/') => Ok(path),
        _ => Err(Lack::Missing),
    }
}

fn suffix(message: &Message<'_>) -> String {
    message.query.map(|query| ["?", query].concat()).unwrap_or_default()
}

/// Section 2.2.8: both the name and the value are parsed as a form's, and written with escapes again.
fn query_parameter(query: Option<&str>, name: &str) -> Result<String, Lack> {
    let parameters = parse(query.unwrap_or_default().as_bytes());
    let mut named = parameters.filter(|(known, _)| escape(known) == name);
    let (known, value) = named.next().ok_or(Lack::Missing)?;
    // "If a parameter name occurs multiple times in a request, the named query parameter MUST NOT be included." Bytes
    // that are no UTF-8 all become the same character: whoever signs it has not signed them.
    let lossy = [known, value.clone()].iter().any(|text| text.contains(char::REPLACEMENT_CHARACTER));
    if named.next().is_some() || lossy {
        return Err(Lack::Unclear);
    }
    Ok(escape(&value))
}

/// The "percent-encode after encoding" process with the set of a form, a space as `%20`.
fn escape(text: &str) -> String {
    // A plus that stood in the text is `%2B` by now.
    byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// "Derived component values MUST be limited to printable characters and spaces", and "MUST NOT start or end with
/// whitespace characters" (section 2.2).
fn printable(value: String) -> Result<String, Lack> {
    let printable = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if printable && value.trim() == value { Ok(value) } else { Err(Lack::Unclear) }
}

/// Section 2.1. "If the field cannot be found in the message", there is no signature base (section 2.5).
fn field(headers: &HeaderMap, name: &HeaderName, form: &Form) -> Result<String, Lack> {
    if !has(headers, name) {
        return Err(Lack::Missing);
    }
    match form {
        Form::Plain => plain(headers, name).ok_or(Lack::Unclear),
        // An implementation that does not know the type of a field must not sign it so (section 2.5). edgate knows no
        // types: it takes values whose type makes no difference, which are nearly all.
        Form::Strict => respell(&joined(headers, name)).ok_or(Lack::Unclear),
        Form::Member(key) => {
            let mut members = dictionary(headers, name).ok_or(Lack::Unclear)?;
            let member = members.swap_remove(key.as_str()).ok_or(Lack::Missing)?;
            write_member(member).ok_or(Lack::Unclear)
        }
        Form::Wrapped => Ok(wrapped(headers, name)),
    }
}

/// The lines without the whitespace around them, as one. There is no line folding to undo: a [`HeaderValue`] has no
/// line ends. `None` where it is not ASCII, which the signature base is.
fn plain(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines = headers.get_all(name).into_iter().map(|line| std::str::from_utf8(trim(line)).ok());
    let value = lines.collect::<Option<Vec<_>>>()?.join(", ");
    value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')).then_some(value)
}

/// The lines without the whitespace around them, as Byte Sequences.
fn wrapped(headers: &HeaderMap, name: &HeaderName) -> String {
    let lines = headers.get_all(name).into_iter().map(|line| ListEntry::Item(Item::new(trim(line))));
    sfv::FieldType::serialize(&lines.collect::<List>()).unwrap_or_default()
}

fn trim(line: &HeaderValue) -> &[u8] {
    line.as_bytes().trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(headers: &HeaderMap) -> Message<'_> {
        Message {
            method: "POST",
            scheme: "https",
            authority: "www.example.com",
            path: "/path",
            query: Some("param=value"),
            headers,
            has_content: false,
        }
    }

    /// The line of the signature base.
    #[track_caller]
    fn line(message: &Message<'_>, component: &str) -> String {
        let identifier = Identifier::parse(component).expect("it is a component");
        match value(&identifier, message) {
            Ok(value) => [&identifier.text, ": ", &value].concat(),
            Err(flaw) => flaw.code().to_owned(),
        }
    }

    fn fields(lines: &[(&'static str, &[u8])]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap()))
            .collect()
    }

    /// Sections 2.2.1 to 2.2.7.
    #[test]
    fn derived_components_are_as_rfc_9421_has_them() {
        let headers = HeaderMap::new();
        let message = message(&headers);
        for (component, expected) in [
            ("@method", r#""@method": POST"#),
            ("@target-uri", r#""@target-uri": https://www.example.com/path?param=value"#),
            ("@authority", r#""@authority": www.example.com"#),
            ("@scheme", r#""@scheme": https"#),
            ("@request-target", r#""@request-target": /path?param=value"#),
            ("@path", r#""@path": /path"#),
            ("@query", r#""@query": ?param=value"#),
        ] {
            assert_eq!(line(&message, component), expected);
        }
        for (query, expected) in [
            (Some("param=value&foo=bar&baz=bat%2Dman"), r#""@query": ?param=value&foo=bar&baz=bat%2Dman"#),
            (Some("queryString"), r#""@query": ?queryString"#),
            (Some(""), r#""@query": ?"#),
            (None, r#""@query": ?"#),
        ] {
            assert_eq!(line(&Message { query, ..message }, "@query"), expected);
        }
    }

    #[test]
    fn target_is_as_received() {
        let headers = HeaderMap::new();
        let message = message(&headers);
        for (path, query, expected) in [
            ("", None, r#""@target-uri": https://www.example.com/"#),
            ("/", Some(""), r#""@target-uri": https://www.example.com/?"#),
            ("//a/../%7e", Some("?&&"), r#""@target-uri": https://www.example.com//a/../%7e??&&"#),
            ("*", None, "missing-component"),
            ("/\u{e9}", None, "unclear-component"),
            ("/a\nb", None, "unclear-component"),
            ("/a ", None, "unclear-component"),
        ] {
            assert_eq!(line(&Message { path, query, ..message }, "@target-uri"), expected);
        }
        assert_eq!(line(&Message { path: "*", query: None, ..message }, "@request-target"), r#""@request-target": *"#);
    }

    /// Section 2.2.8.
    #[test]
    fn query_parameters_are_parsed_and_escaped_again() {
        let headers = HeaderMap::new();
        let query = "param=value&foo=bar&baz=batman&qux=&var=this%20is%20a%20big%0Amultiline%20value\
                     &bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something&two=1&%74wo=2&bad=%ff";
        let message = Message { query: Some(query), ..message(&headers) };
        for (name, expected) in [
            ("baz", "batman"),
            ("qux", ""),
            ("param", "value"),
            ("var", "this%20is%20a%20big%0Amultiline%20value"),
            ("bar", "with%20plus%20whitespace"),
            ("fa%C3%A7ade%22%3A%20", "something"),
        ] {
            let component = format!("@query-param;name=\"{name}\"");
            assert_eq!(line(&message, &component), format!("\"@query-param\";name=\"{name}\": {expected}"));
        }
        for (name, flaw) in [
            ("two", "unclear-component"),
            ("bad", "unclear-component"),
            ("fa%c3%a7ade%22%3a%20", "missing-component"),
            ("none", "missing-component"),
            ("", "missing-component"),
        ] {
            assert_eq!(line(&message, &format!("@query-param;name=\"{name}\"")), flaw, "{name}");
        }
        assert_eq!(line(&Message { query: None, ..message }, "@query-param;name=\"a\""), "missing-component");
    }

    /// Section 2.1. Its line folding cannot be in a [`HeaderMap`].
    #[test]
    fn lines_of_a_field_are_one() {
        let headers = fields(&[
            ("x-ows-header", b"  Leading and trailing whitespace.\t "),
            ("cache-control", b"max-age=60"),
            ("cache-control", b"   must-revalidate"),
            ("example-dict", b" a=1,    b=2;x=1;y=2,   c=(a   b   c)"),
            ("x-empty-header", b" "),
            ("x-latin", b"\xe9"),
            ("x-utf8", "\u{e9}".as_bytes()),
        ]);
        for (component, expected) in [
            ("x-ows-header", r#""x-ows-header": Leading and trailing whitespace."#),
            ("Cache-Control", r#""cache-control": max-age=60, must-revalidate"#),
            ("example-dict", r#""example-dict": a=1,    b=2;x=1;y=2,   c=(a   b   c)"#),
            ("x-empty-header", r#""x-empty-header": "#),
            ("x-latin", "unclear-component"),
            ("x-utf8", "unclear-component"),
            ("x-latin;bs", r#""x-latin";bs: :6Q==:"#),
            ("x-none", "missing-component"),
            ("x-none;bs", "missing-component"),
        ] {
            assert_eq!(line(&message(&headers), component), expected);
        }
    }

    /// Sections 2.1.1 and 2.1.2.
    #[test]
    fn structured_fields_have_one_spelling() {
        let headers = fields(&[
            ("example-dict", b"  a=1, b=2;x=1;y=2,"),
            ("example-dict", b"c=(a   b    c), d"),
            ("date", b"Tue, 20 Apr 2021 02:07:55 GMT"),
        ]);
        // A line that ends in a comma is no part of a Dictionary.
        assert_eq!(line(&message(&headers), "example-dict;sf"), "unclear-component");
        let headers = fields(&[
            ("example-dict", b"  a=1, b=2;x=1;y=2"),
            ("example-dict", b"c=(a   b    c), d"),
            ("date", b"Tue, 20 Apr 2021 02:07:55 GMT"),
        ]);
        for (component, expected) in [
            ("example-dict;sf", r#""example-dict";sf: a=1, b=2;x=1;y=2, c=(a b c), d"#),
            ("example-dict;key=\"a\"", r#""example-dict";key="a": 1"#),
            ("example-dict;key=\"d\"", r#""example-dict";key="d": ?1"#),
            ("example-dict;key=\"b\"", r#""example-dict";key="b": 2;x=1;y=2"#),
            ("example-dict;key=\"c\"", r#""example-dict";key="c": (a b c)"#),
            ("example-dict;sf;key=\"a\"", r#""example-dict";sf;key="a": 1"#),
            ("example-dict;key=\"e\"", "missing-component"),
            ("example-dict;key=\"\"", "missing-component"),
            ("date;sf", "unclear-component"),
            ("date;key=\"a\"", "unclear-component"),
            ("none;sf", "missing-component"),
            ("none;key=\"a\"", "missing-component"),
        ] {
            assert_eq!(line(&message(&headers), component), expected);
        }
    }

    /// Section 2.1.3.
    #[test]
    fn wrapped_lines_stay_apart() {
        let two = fields(&[("example-header", b"value, with, lots"), ("example-header", b"of, commas")]);
        let one = fields(&[("example-header", b"value, with, lots, of, commas")]);
        assert_eq!(
            line(&message(&two), "example-header;bs"),
            r#""example-header";bs: :dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:"#
        );
        assert_eq!(
            line(&message(&one), "example-header;bs"),
            r#""example-header";bs: :dmFsdWUsIHdpdGgsIGxvdHMsIG9mLCBjb21tYXM=:"#
        );
        assert_eq!(line(&message(&two), "example-header"), line(&message(&one), "example-header"));
    }
}
