//! Asking an issuer about a token that only it can read (RFC 7662). What it says is remembered for a while, good and
//! bad, but never past the token's end.

use crate::body::Body;
use crate::bounded::Bounded;
use crate::event::{Level, Subject, event};
use crate::host::{MadeOf, Outgoing, SharedHost};
use crate::secret::SecretSlot;
use base64ct::{Base64, Encoding};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// The introspection endpoint of an issuer.
pub struct Introspection {
    pub name: Rc<str>,
    pub url: String,
    pub client: String,
    pub secret: SecretSlot,
    pub cache: Duration,
    pub negative_cache: Duration,
    pub timeout: Duration,
    /// Tokens that the issuer knows nothing of, or that were refused for what it says.
    pub refused: RefCell<Bounded<()>>,
    /// Tokens that are being asked about, and until when at most: a herd asks once.
    pub under_way: RefCell<BTreeMap<[u8; 32], f64>>,
}

/// What an issuer says of a token.
pub enum Said {
    /// It is active, and these are its claims.
    Active(Map<String, Value>),
    Inactive,
    /// Nothing: it could not be asked.
    Unavailable,
}

/// An answer may be this large, in bytes.
const MOST_BYTES: u64 = 64_000;

/// Between two looks at what another request is asking.
const PAUSE: Duration = Duration::from_millis(5);

impl Introspection {
    /// Waits while another request asks about the same token, but not for longer than `most`. Gives back whether it did.
    /// Where answers are not remembered, there is nothing to wait for.
    pub async fn waited(&self, host: &SharedHost, hash: &[u8; 32], most: Duration) -> bool {
        let begun = host.now();
        let mut waited = false;
        while !self.cache.is_zero()
            && self.is_under_way(host, hash)
            && host.now().since(begun) < most.as_secs_f64() * 1000.0
        {
            host.sleep(PAUSE).await;
            waited = true;
        }
        waited
    }

    /// Whether another request asks about a token.
    fn is_under_way(&self, host: &SharedHost, hash: &[u8; 32]) -> bool {
        self.under_way.borrow().get(hash).is_some_and(|until| host.now().0 < *until)
    }

    /// Asks about a token.
    pub async fn ask(&self, host: &SharedHost, token: &str, hash: [u8; 32]) -> Said {
        let until = host.now().0 + self.timeout.as_secs_f64() * 2000.0;
        self.under_way.borrow_mut().insert(hash, until);
        let said = match self.call(host, token).await {
            Ok(said) => said,
            Err(why) => {
                let message = format!("the issuer could not be asked about a token: {why}");
                event(host, Level::Warning, Subject::Issuer(&self.name), &message);
                Said::Unavailable
            }
        };
        let now = host.now().0;
        self.under_way.borrow_mut().retain(|known, until| *known != hash && now < *until);
        said
    }

    /// Remembers that a token is refused.
    pub fn refuse(&self, hash: [u8; 32], now_ms: f64) {
        let until = now_ms + self.negative_cache.as_secs_f64() * 1000.0;
        if until > now_ms {
            self.refused.borrow_mut().put(hash, (), until);
        }
    }

    async fn call(&self, host: &SharedHost, token: &str) -> Result<Said, String> {
        // RFC 7662, section 2.1.
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .append_pair("token_type_hint", "access_token")
            .finish();
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(header::AUTHORIZATION, self.credentials().ok_or("its credentials fit into no header field")?);
        let request = Outgoing {
            method: Method::POST,
            url: self.url.clone(),
            headers: &headers,
            made_of: MadeOf::Nothing,
            body: Body::Bytes(Bytes::from(body)),
            timeout: self.timeout,
            upgrade: false,
        };
        let response = host.fetch(request).await.map_err(|error| error.to_string())?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(format!("it answered {}", status.as_u16()));
        }
        let bytes =
            host.collect(response.into_body(), MOST_BYTES, self.timeout).await.map_err(|error| error.to_string())?;
        let text = std::str::from_utf8(&bytes).map_err(|_| "its answer is no UTF-8")?;
        let Ok(Value::Object(claims)) = crate::config::json::parse(text) else {
            return Err("its answer is no JSON object".to_owned());
        };
        // RFC 7662, section 2.2: `active` is a boolean, and whatever else it is, it is not true.
        match claims.get("active") {
            Some(Value::Bool(true)) => Ok(Said::Active(claims)),
            Some(Value::Bool(false)) => Ok(Said::Inactive),
            _ => Err("its answer does not say whether the token is active".to_owned()),
        }
    }

    /// RFC 6749, section 2.3.1: both parts are encoded as in a form, then as in HTTP Basic.
    fn credentials(&self) -> Option<HeaderValue> {
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encoded(&self.client), encoded(self.secret.get()));
        let mut value = HeaderValue::try_from(format!("Basic {}", Base64::encode_string(pair.as_bytes()))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Answer, MemoryHost, finish};
    use http::Response;

    #[test]
    fn nobody_waits_for_another_request_longer_than_its_own_time() {
        let host = MemoryHost::new(|_| Answer { after: Duration::ZERO, result: Ok(Response::new(Body::Empty)) });
        let host: SharedHost = Rc::new(host);
        let asked = |cache| Introspection {
            name: Rc::from("main"),
            url: "https://issuer.test/introspect".to_owned(),
            client: "gateway".to_owned(),
            secret: SecretSlot::new("SECRET", |_| Ok(())),
            cache,
            negative_cache: Duration::ZERO,
            timeout: Duration::from_secs(60),
            refused: RefCell::new(Bounded::new(1)),
            under_way: RefCell::new(BTreeMap::from([([7; 32], host.now().0 + 120_000.0)])),
        };
        for (cache, hash, waits) in [(60, 7, 1_000.0), (60, 8, 0.0), (0, 7, 0.0)] {
            let begun = host.now();
            let most = Duration::from_secs(1);
            let waited = finish(asked(Duration::from_secs(cache)).waited(&host, &[hash; 32], most));
            assert_eq!(waited, Some(waits > 0.0));
            assert!((host.now().since(begun) - waits).abs() < 10.0);
        }
    }
}
