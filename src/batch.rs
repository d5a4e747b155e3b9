//! Many requests in one: the list that a client sends, and the list of answers that it gets. What happens to each request
//! is what happens to any other: the gateway runs it.
//!
//! ```text
//! request := [{ "path": "/orders/7?full=1", "method": "GET", "headers": { "accept": "application/json" } }, ..]
//! answer  := [{ "status": 200, "headers": { "content-type": "application/json", .. }, "body": .. }, ..]
//! ```
//!
//! Only `GET` and `HEAD` are taken, which change nothing: so the order in which they are run means nothing either. A body
//! in JSON is itself in the answer, text is a string, and anything else is base64 in the member `base64`.
//!
//! A request has no other header fields of its own than those that the configuration lists: whoever stands before the
//! gateway, a platform or a proxy, has seen the fields of the whole alone, and what it takes away or writes there must not
//! be written here.

use crate::aggregate::decode::by_media_type;
use crate::config::aggregate::Decode;
use crate::headers::{has, joined};
use crate::interest::Interest;
use crate::raw::{Document, Kind, Raw, push_string};
use base64ct::{Base64, Encoding};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

/// A list of requests is no longer than this, in bytes.
pub const MOST_BYTES: u64 = 256_000;

/// All answers together have at most so many bytes.
pub const MOST_ANSWERED: u64 = 16_000_000;

/// The action that takes many requests in one.
#[derive(Debug)]
pub struct Batch {
    /// The most requests in one.
    pub most: usize,
    /// Fields that each of them gets.
    pub inherit: Vec<HeaderName>,
    /// Fields that each of them may have of its own.
    pub own: Vec<HeaderName>,
    /// How many are under way at the same time.
    pub at_once: usize,
    /// The largest answer to one of them, in bytes.
    pub max_size: u64,
}

/// One of many requests.
#[derive(Debug)]
pub struct Item {
    pub method: Method,
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
}

impl Batch {
    /// Adds what it has to see of messages.
    pub fn interest(&self, interest: &mut Interest) {
        interest.request.extend(self.inherit.iter().cloned());
        // Their answers are written anew, of what was seen alone.
        interest.all_response_fields = true;
    }

    /// The fields that each request gets.
    pub fn inherited(&self, headers: &HeaderMap) -> HeaderMap {
        let mut inherited = HeaderMap::new();
        for name in &self.inherit {
            for value in headers.get_all(name) {
                inherited.append(name, value.clone());
            }
        }
        inherited
    }

    /// Reads a list of requests. The error is for the client.
    pub fn read(&self, body: Bytes) -> Result<Vec<Item>, &'static str> {
        let document = Document::parse(body.into()).map_err(|_| "The body is no JSON.")?;
        if document.raw().kind() != Kind::Array {
            return Err("The body is no list of requests.");
        }
        let items: Vec<Item> =
            document.raw().items().take(self.most + 1).map(|raw| self.item(raw)).collect::<Result<_, _>>()?;
        match items.len() {
            0 => Err("The list of requests is empty."),
            count if count > self.most => Err("The list has more requests than may be in one."),
            _ => Ok(items),
        }
    }

    fn item(&self, raw: Raw<'_>) -> Result<Item, &'static str> {
        let mut item = Item { method: Method::GET, path: String::new(), query: None, headers: HeaderMap::new() };
        for (name, value) in raw.members() {
            let text = value.string();
            match (name.string().as_deref(), text.as_deref()) {
                (Some("path"), Some(target)) => {
                    let (path, query) =
                        target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
                    (item.path, item.query) = (path.to_owned(), query.map(str::to_owned));
                }
                (Some("method"), Some("GET")) => item.method = Method::GET,
                (Some("method"), Some("HEAD")) => item.method = Method::HEAD,
                (Some("method"), _) => return Err("Only GET and HEAD can be requests of a list."),
                (Some("headers"), _) if value.kind() == Kind::Object => item.headers = self.fields(value)?,
                _ => return Err("A request of the list has something else than a path, a method and headers."),
            }
        }
        if !item.path.starts_with('/') || item.path.contains('#') {
            return Err("A request of the list has no path that begins with a slash.");
        }
        Ok(item)
    }

    /// A request's own fields.
    fn fields(&self, raw: Raw<'_>) -> Result<HeaderMap, &'static str> {
        let mut fields = HeaderMap::new();
        for (name, value) in raw.members() {
            let pair = name.string().zip(value.string());
            let name = pair.as_ref().and_then(|(name, _)| name.parse::<HeaderName>().ok());
            let value = pair.as_ref().and_then(|(_, value)| HeaderValue::from_str(value).ok());
            let (name, value) =
                name.zip(value).ok_or("A request of the list has a header field that cannot be one.")?;
            if !self.own.contains(&name) {
                return Err("A request of the list has a header field that it may not have of its own.");
            }
            fields.insert(name, value);
        }
        Ok(fields)
    }
}

/// An answer, as it stands in the list of answers. One to a question for the header section alone has a length and no body.
pub fn write(method: &Method, status: StatusCode, headers: &HeaderMap, body: &Bytes) -> String {
    let mut out = format!("{{\"status\":{},\"headers\":{{", status.as_u16());
    let mut separator = "";
    let text = std::str::from_utf8(body).ok();
    // A cookie cannot be one of several answers', the length is that of something else, and what can be read as text is not
    // coded any more: some hosts decode what they read.
    let is_told = |name: &HeaderName| match *name {
        header::SET_COOKIE => false,
        header::CONTENT_LENGTH => method == Method::HEAD,
        header::CONTENT_ENCODING => method == Method::HEAD || text.is_none(),
        _ => true,
    };
    for name in headers.keys().filter(|name| is_told(name)) {
        out.push_str(separator);
        push_string(name.as_str(), &mut out);
        out.push(':');
        push_string(&joined(headers, name), &mut out);
        separator = ",";
    }
    out.push('}');
    if !body.is_empty() {
        write_body(headers, body, text, &mut out);
    }
    out.push('}');
    out
}

fn write_body(headers: &HeaderMap, body: &Bytes, text: Option<&str>, out: &mut String) {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_json = has(headers, &header::CONTENT_TYPE) && by_media_type(content_type) == Some(Decode::Json);
    let document = is_json.then(|| Document::parse(body.to_vec()).ok()).flatten();
    match (document, text) {
        (Some(document), _) => {
            out.push_str(",\"body\":");
            out.push_str(document.raw().text());
        }
        (None, Some(text)) => {
            out.push_str(",\"body\":");
            push_string(text, out);
        }
        (None, None) => {
            out.push_str(",\"base64\":");
            push_string(&Base64::encode_string(body), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Batch {
        Batch { most: 2, inherit: Vec::new(), own: vec![header::ACCEPT], at_once: 1, max_size: 100 }
    }

    #[test]
    fn requests_are_read() {
        let body = r#"[{"path":"/a?b=c?d"},{"method":"HEAD","path":"/%20","headers":{"Accept":"a/b"}}]"#;
        let items = batch().read(Bytes::from_static(body.as_bytes())).unwrap();
        let [a, b] = items.as_slice() else { panic!() };
        assert_eq!((a.method.as_str(), a.path.as_str(), a.query.as_deref()), ("GET", "/a", Some("b=c?d")));
        assert_eq!((b.method.as_str(), b.path.as_str(), b.query.as_deref()), ("HEAD", "/%20", None));
        let fields: Vec<&str> = b.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(fields, ["accept"]);
    }

    #[test]
    fn what_is_no_list_of_requests_is_refused() {
        for body in [
            "",
            "{}",
            "[]",
            "[1]",
            r#"["/a"]"#,
            r#"[{"path":"a"}]"#,
            r#"[{"path":7}]"#,
            "[{}]",
            r#"[{"path":"/a#b"}]"#,
            r#"[{"path":"/a","method":"POST"}]"#,
            r#"[{"path":"/a","method":"get"}]"#,
            r#"[{"path":"/a","body":1}]"#,
            r#"[{"path":"/a","headers":[]}]"#,
            r#"[{"path":"/a","headers":{"a b":"c"}}]"#,
            r#"[{"path":"/a","headers":{"accept":"b\n"}}]"#,
            r#"[{"path":"/a","headers":{"accept":1}}]"#,
            r#"[{"path":"/a","headers":{"cf-connecting-ip":"203.0.113.9"}}]"#,
            r#"[{"path":"/a","headers":{"host":"a"}}]"#,
            r#"[{"path":"/a"},{"path":"/a"},{"path":"/a"}]"#,
            r#"[{"path":"/a"}"#,
        ] {
            assert!(batch().read(Bytes::from_static(body.as_bytes())).is_err(), "{body}");
        }
    }

    #[test]
    fn answers_are_written_as_what_they_are() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.append("set-cookie", HeaderValue::from_static("a=b"));
        headers.insert("content-length", HeaderValue::from_static("9"));
        let written =
            |headers: &HeaderMap, body| write(&Method::GET, StatusCode::OK, headers, &Bytes::from_static(body));
        let head = r#"{"status":200,"headers":{"content-type":"application/json"}"#;
        assert_eq!(written(&headers, b" {\"a\": 1.0}\n"), format!("{head},\"body\":{{\"a\": 1.0}}}}"));
        assert_eq!(written(&headers, b"{\"a\"}"), format!(r#"{head},"body":"{{\"a\"}}"}}"#));
        assert_eq!(written(&headers, b""), format!("{head}}}"));
        let head = write(&Method::HEAD, StatusCode::OK, &headers, &Bytes::new());
        assert_eq!(head, r#"{"status":200,"headers":{"content-type":"application/json","content-length":"9"}}"#);
        let none = HeaderMap::new();
        assert_eq!(written(&none, b"{}"), r#"{"status":200,"headers":{},"body":"{}"}"#);
        assert_eq!(written(&none, b"\xff\xfe"), r#"{"status":200,"headers":{},"base64":"//4="}"#);
        let mut coded = HeaderMap::new();
        coded.insert("content-encoding", HeaderValue::from_static("gzip"));
        assert_eq!(written(&coded, b"a"), r#"{"status":200,"headers":{},"body":"a"}"#);
        assert!(written(&coded, b"\x1f\x8b").contains(r#""content-encoding":"gzip"},"base64""#));
    }
}
