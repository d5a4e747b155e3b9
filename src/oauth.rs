//! What a client asks its authorization server: a form, and an object in JSON as the answer (RFC 6749, section 2.3.1;
//! RFC 7662, section 2.1).

use crate::body::Body;
use crate::config::json;
use crate::host::{Host, MadeOf, Outgoing};
use base64ct::{Base64, Encoding};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value};
use std::time::Duration;

/// An answer may be this large, in bytes.
const MOST_BYTES: u64 = 64_000;

/// An answer: its status, and its members, or why there are none.
pub type Said = (StatusCode, Result<Map<String, Value>, String>);

/// Sends a form, with credentials where they are not in the form. The head of the answer, and then its body, may take so
/// long. `Err` says why there is no answer, and nothing that is secret.
pub async fn ask(
    host: &dyn Host,
    url: &str,
    credentials: Option<HeaderValue>,
    form: String,
    timeout: Duration,
) -> Result<Said, String> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.extend(credentials.map(|credentials| (header::AUTHORIZATION, credentials)));
    let request = Outgoing {
        method: Method::POST,
        url: url.to_owned(),
        headers: &headers,
        made_of: MadeOf::Nothing,
        body: Body::Bytes(Bytes::from(form)),
        timeout,
        upgrade: false,
        reads: None,
    };
    let response = host.fetch(request).await.map_err(|error| error.to_string())?;
    let status = response.status();
    let body = host.collect(response.into_body(), MOST_BYTES, timeout).await;
    Ok((status, body.map_err(|error| error.to_string()).and_then(|body| Ok(members(&body)?))))
}

/// The members of an answer.
pub fn members(body: &[u8]) -> Result<Map<String, Value>, &'static str> {
    let text = std::str::from_utf8(body).map_err(|_| "its answer is no UTF-8")?;
    match json::parse(text) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err("its answer is no JSON object"),
    }
}

/// RFC 7617, section 2.
pub fn basic(user: &str, password: &str) -> HeaderValue {
    let pair = [user, ":", password].concat();
    sensitive(&["Basic ", &Base64::encode_string(pair.as_bytes())].concat())
}

/// RFC 6749, section 2.3.1: both parts are encoded as in a form, then as in HTTP Basic.
pub fn client_basic(client: &str, secret: &str) -> HeaderValue {
    basic(&encoded(client), &encoded(secret))
}

/// A text as it stands in a form.
pub fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A value that is not shown. What goes into it was seen to fit when the secrets were filled in.
pub fn sensitive(text: &str) -> HeaderValue {
    let mut value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}
