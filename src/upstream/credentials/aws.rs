//! Signatures of requests as Amazon Web Services have them (Signature Version 4, "Create a signed AWS API request").
//!
//! The format is written here, and no cryptography is: that is `hmac`'s and `sha2`'s. Amazon's own crate, `aws-sigv4`,
//! builds for wasm too, and would add some 65 KB to the compressed program and 80 crates to the build. What is written here
//! is held against the vectors of Amazon's test suite (tests/sigv4.rs).
//!
//! What is signed is the method, the URL, the fields `Host` and `x-amz-*`, and the content, or that it is not signed.

use crate::headers::remove_spellings;
use crate::host::Timestamp;
use crate::oauth::sensitive;
use crate::path::unescape;
use crate::secret::SecretSlot;
use crate::upstream::request::Content;
use hmac::{Hmac, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::time::{Duration, SystemTime};

/// What signs requests for a service.
#[derive(Debug)]
pub struct Signer {
    /// `s3`, `execute-api`.
    pub service: String,
    /// `eu-north-1`.
    pub region: String,
    pub access_key_id: SecretSlot,
    pub secret_access_key: SecretSlot,
    pub session_token: Option<SecretSlot>,
    /// How large a content may be that is hashed, in bytes. `None` where no content is signed.
    pub hashed: Option<u64>,
}

/// What a key is for.
pub struct Scope<'a> {
    pub key_id: &'a str,
    pub key: &'a str,
    pub region: &'a str,
    pub service: &'a str,
    /// `20150830T123600Z`.
    pub time: &'a str,
}

/// A request as it is signed.
pub struct Signed<'a> {
    pub method: &'a str,
    /// As it is canonical.
    pub path: &'a str,
    /// As it is canonical.
    pub query: &'a str,
    /// Names in small letters, in their order, each once.
    pub fields: &'a [(&'a str, &'a str)],
    /// The SHA-256 of the content in hexadecimal, or a word in its place.
    pub content: &'a str,
}

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const CONTENT: HeaderName = HeaderName::from_static("x-amz-content-sha256");
/// The session's token.
pub const SESSION: HeaderName = HeaderName::from_static("x-amz-security-token");

const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

impl Signer {
    /// Signs a request: its fields, and its URL as it has to be sent. `None` where its content cannot be hashed, since it is
    /// a stream.
    pub fn sign(
        &self,
        now: Timestamp,
        (method, url): (&Method, &str),
        content: &Content,
        headers: &mut HeaderMap,
    ) -> Option<String> {
        let content = match (self.hashed, content) {
            (None, _) => Cow::Borrowed(UNSIGNED),
            (Some(_), Content::Kept(bytes)) => Cow::Owned(hexadecimal(&Sha256::digest(bytes))),
            (Some(_), Content::Once { .. }) => return None,
        };
        let time = time(now);
        let token = self.session_token.as_ref().map(|token| sensitive(token.get()));
        let own = [(DATE, HeaderValue::from_str(&time).ok()), (CONTENT, HeaderValue::from_str(&content).ok())];
        for (name, value) in own.into_iter().chain([(SESSION, token)]) {
            remove_spellings(headers, &name);
            value.and_then(|value| headers.insert(name, value));
        }
        let (scheme, rest) = url.split_once("://")?;
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let pairs = query.map(pairs).unwrap_or_default();
        // Amazon S3 signs the path once encoded, others what they get, encoded once more.
        let path =
            if self.service == "s3" { segments(path, |segment| encode(&unescape(segment))) } else { path.into() };
        let canonical = if self.service == "s3" { path.clone() } else { segments(&path, encode) };
        let scope = Scope {
            key_id: self.access_key_id.get(),
            key: self.secret_access_key.get(),
            region: &self.region,
            service: &self.service,
            time: &time,
        };
        let fields = fields(authority, headers);
        let fields: Vec<(&str, &str)> = fields.iter().filter_map(|field| field.split_once(' ')).collect();
        let signed = Signed {
            method: method.as_str(),
            path: &canonical,
            query: &canonical_query(&pairs),
            fields: &fields,
            content: &content,
        };
        headers.insert(header::AUTHORIZATION, sensitive(&authorization(&signed, &scope)));
        let query = query.map(|_| ["?", &sent_query(&pairs)].concat()).unwrap_or_default();
        Some([scheme, "://", authority, &path, &query].concat())
    }
}

/// The value of `Authorization`.
pub fn authorization(signed: &Signed<'_>, scope: &Scope<'_>) -> String {
    let names = signed.fields.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let date = scope.time.get(..8).unwrap_or_default();
    let of = [date, scope.region, scope.service, "aws4_request"].join("/");
    let hash = hexadecimal(&Sha256::digest(canonical(signed, &names)));
    let text = ["AWS4-HMAC-SHA256", scope.time, &of, &hash].join("\n");
    let mut key = mac(["AWS4", scope.key].concat().as_bytes(), date);
    for part in [scope.region, scope.service, "aws4_request"] {
        key = mac(&key, part);
    }
    let signature = hexadecimal(&mac(&key, &text));
    format!("AWS4-HMAC-SHA256 Credential={}/{of}, SignedHeaders={names}, Signature={signature}", scope.key_id)
}

/// The canonical request.
pub fn canonical(signed: &Signed<'_>, names: &str) -> String {
    let fields: String = signed.fields.iter().map(|(name, value)| [*name, ":", value, "\n"].concat()).collect();
    let path = if signed.path.is_empty() { "/" } else { signed.path };
    [signed.method, path, signed.query, &fields, names, signed.content].join("\n")
}

/// The fields that are signed, each a name, a space and its value, in the order of their names: `host`, and all of
/// Amazon's own.
fn fields(authority: &str, headers: &HeaderMap) -> Vec<String> {
    let own = headers.keys().filter(|name| name.as_str().starts_with("x-amz-"));
    let text = |name: &HeaderName| [name.as_str(), " ", &value(headers.get_all(name).iter())].concat();
    let mut fields: Vec<String> = own.map(text).collect();
    fields.push(["host ", authority].concat());
    fields.sort();
    fields
}

/// Values of one name as they are signed: without spaces around them, and with one where there are several.
pub fn value<'a>(values: impl Iterator<Item = &'a HeaderValue>) -> String {
    let one = |value: &HeaderValue| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    };
    values.map(one).collect::<Vec<_>>().join(",")
}

/// A path with something done to each of its segments.
pub fn segments(path: &str, change: impl Fn(&str) -> String) -> String {
    path.split('/').map(change).collect::<Vec<_>>().join("/")
}

/// The pairs of a query, encoded in the one way that is signed. A name without a value is one with an empty value there.
pub fn pairs(query: &str) -> Vec<(String, Option<String>)> {
    let text = |part: &str| encode(&unescape(&part.replace('+', " ")));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, value)) => (text(name), Some(text(value))),
        None => (text(pair), None),
    };
    pairs.map(pair).collect()
}

/// A query as it is signed: sorted.
pub fn canonical_query(pairs: &[(String, Option<String>)]) -> String {
    // No name that is encoded has a space, which is before all that it may have.
    let text = |(name, value): &(String, Option<String>)| [name, " ", value.as_deref().unwrap_or_default()].concat();
    let mut sorted: Vec<String> = pairs.iter().map(text).collect();
    sorted.sort();
    sorted.join("&").replace(' ', "=")
}

/// A query as it is sent: in its order.
fn sent_query(pairs: &[(String, Option<String>)]) -> String {
    let pair = |(name, value): &(String, Option<String>)| match value {
        Some(value) => [name, "=", value].concat(),
        None => name.clone(),
    };
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// `UriEncode`: everything but the unreserved characters of RFC 3986.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => {
                encoded.push('%');
                for digit in [byte >> 4, byte & 15] {
                    encoded.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
                }
            }
        }
    }
    encoded
}

/// `20150830T123600Z`.
fn time(now: Timestamp) -> String {
    let since_epoch = Duration::from_secs((now.0 / 1000.0).max(0.0) as u64);
    let text = humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since_epoch).to_string();
    text.replace(['-', ':'], "")
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    // A key of any length is one.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

fn hexadecimal(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}
