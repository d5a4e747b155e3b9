//! What a key holds, as one line of text: that its request is under way, the answer, or that there was one that is too
//! large. Each has a fingerprint of the request, which tells it from another one with the same key.

use super::key::add;
use crate::body::Body;
use crate::exchange::Exchange;
use crate::headers::HOP_BY_HOP;
use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What a key holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// The request is under way, `by` a turn that has a name of its own.
    UnderWay {
        fingerprint: &'a str,
        by: &'a str,
    },
    Done {
        fingerprint: &'a str,
        reply: Reply,
    },
    /// It was done, and the answer was not kept.
    Lost {
        fingerprint: &'a str,
    },
}

/// An answer that is kept.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    status: u16,
    fields: Vec<(String, String)>,
    /// In base64.
    body: String,
}

/// Fields that are written anew for each answer, and cookies, which a later answer may have changed.
const FRESH: [HeaderName; 4] = [header::SET_COOKIE, header::DATE, header::CONTENT_LENGTH, header::AGE];

/// What tells a request from others with its key: its method, where it goes, and its content.
pub fn fingerprint(ex: &Exchange, content: &[u8]) -> String {
    let mut hash = Sha256::new();
    for part in [ex.method.as_str(), &ex.path, ex.query.as_deref().unwrap_or("\n")] {
        add(&mut hash, part);
    }
    hash.update(content);
    Base64UrlUnpadded::encode_string(&hash.finalize())
}

impl Record<'_> {
    pub fn read(text: &str) -> Option<Record<'_>> {
        let (kind, rest) = text.split_once(' ')?;
        let (fingerprint, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        match kind {
            "R" => Some(Record::UnderWay { fingerprint, by: rest }),
            "D" => Some(Record::Done { fingerprint, reply: Reply::read(rest)? }),
            "L" => Some(Record::Lost { fingerprint }),
            _ => None,
        }
    }

    pub fn write(&self) -> String {
        match self {
            Record::UnderWay { fingerprint, by } => ["R ", fingerprint, " ", by].concat(),
            Record::Done { fingerprint, reply } => ["D ", fingerprint, " ", &reply.write()].concat(),
            Record::Lost { fingerprint } => ["L ", fingerprint].concat(),
        }
    }

    pub fn fingerprint(&self) -> &str {
        match self {
            Record::UnderWay { fingerprint, .. } | Record::Done { fingerprint, .. } | Record::Lost { fingerprint } => {
                fingerprint
            }
        }
    }
}

impl Reply {
    /// What is kept of an answer. A field that is no UTF-8 is not.
    pub fn of(response: &Response<Body>, body: &[u8]) -> Reply {
        let kept = response.headers().iter().filter(|(name, _)| !HOP_BY_HOP.contains(name) && !FRESH.contains(name));
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), std::str::from_utf8(value.as_bytes()).ok()?.to_owned()))
        };
        Reply {
            status: response.status().as_u16(),
            fields: kept.filter_map(text).collect(),
            body: Base64::encode_string(body),
        }
    }

    /// As one line of JSON.
    fn write(&self) -> String {
        let fields: Vec<Value> = self.fields.iter().map(|(name, value)| json!([name, value])).collect();
        json!([self.status, self.body, fields]).to_string()
    }

    fn read(text: &str) -> Option<Reply> {
        let value: Value = serde_json::from_str(text).ok()?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let pair = |pair: &Value| Some((text(pair.get(0)?)?, text(pair.get(1)?)?));
        Some(Reply {
            status: u16::try_from(value.get(0)?.as_u64()?).ok()?,
            body: text(value.get(1)?)?,
            fields: value.get(2)?.as_array()?.iter().map(pair).collect::<Option<_>>()?,
        })
    }

    pub fn response(&self) -> Option<Response<Body>> {
        let mut response = Response::new(Body::bytes(Base64::decode_vec(&self.body).ok()?));
        *response.status_mut() = StatusCode::from_u16(self.status).ok()?;
        for (name, value) in &self.fields {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                response.headers_mut().append(name, value);
            }
        }
        Some(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::tests::request;
    use http::Method;

    #[test]
    fn an_answer_comes_back_as_it_was() {
        let response = Response::builder()
            .status(201)
            .header("location", "/orders/7")
            .header("link", "<a>")
            .header("link", "<b>")
            .header("x-name", "Zoë")
            .header("set-cookie", "a=b")
            .header("connection", "close")
            .body(Body::Empty)
            .expect("it is a response");
        let body = b"\x00\xff\n\"";
        let record = Record::Done { fingerprint: "f", reply: Reply::of(&response, body) };
        let text = record.write();
        assert!(!text.contains('\n'));
        assert_eq!(Record::read(&text).as_ref(), Some(&record));
        let Some(Record::Done { reply, .. }) = Record::read(&text) else { panic!("it is one") };
        let again = reply.response().expect("it is a response");
        let fields: Vec<&str> = again.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!((again.status().as_u16(), fields), (201, vec!["location", "link", "x-name"]));
        assert_eq!(again.headers().get_all("link").iter().count(), 2);
        assert!(matches!(again.body(), Body::Bytes(bytes) if **bytes == *body));
    }

    #[test]
    fn others_are_read_as_they_were_written() {
        for record in [Record::UnderWay { fingerprint: "f", by: "id" }, Record::Lost { fingerprint: "f" }] {
            assert_eq!(Record::read(&record.write()), Some(record));
        }
        for text in ["", "D", "D f", "D f {}", "Q f", "nonsense"] {
            assert_eq!(Record::read(text), None, "{text}");
        }
    }

    #[test]
    fn requests_have_fingerprints_of_their_own() {
        let of = |method, target, content: &str| fingerprint(&request(method, target, "/{a}", &[]), content.as_bytes());
        let one = of(Method::POST, "/a?b", "c");
        assert_eq!(one, of(Method::POST, "/a?b", "c"));
        let others = [
            of(Method::PATCH, "/a?b", "c"),
            of(Method::POST, "/a", "bc"),
            of(Method::POST, "/a?", "bc"),
            of(Method::POST, "/a?bc", ""),
            of(Method::POST, "/ab", "c"),
            of(Method::POST, "/a?b", "d"),
        ];
        assert!(others.iter().all(|other| *other != one));
    }
}
