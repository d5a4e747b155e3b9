//! A token of edgate's own, which tells an upstream who calls: fresh for every request, short-lived, and signed, so that
//! the upstream need not trust its network. What a client sends in the token's field never reaches the upstream.

use crate::exchange::Exchange;
use crate::headers::remove_spellings;
use crate::host::SharedHost;
use crate::jose::algorithm::Algorithm;
use crate::jose::base64;
use crate::jose::key::SigningKey;
use crate::jose::secret::hmac_sign;
use crate::reject::Reject;
use crate::secret::SecretSlot;
use crate::template::{Goal, Template};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Map, Value, json};
use std::cell::OnceCell;
use std::time::Duration;

/// The tokens for an upstream.
#[derive(Debug)]
pub struct InternalToken {
    /// HS256, ES256 or EdDSA.
    pub algorithm: Algorithm,
    /// The shared secret, or a private JSON Web Key.
    pub secret: SecretSlot,
    /// The private key, read when it is first needed.
    pub key: OnceCell<Option<SigningKey>>,
    pub kid: Option<String>,
    pub issuer: String,
    pub audience: String,
    pub ttl: Duration,
    /// The field that holds it.
    pub field: HeaderName,
    pub claims: Vec<(String, Template)>,
}

impl InternalToken {
    /// Puts a token into what the upstream will see.
    pub async fn add(&self, host: &SharedHost, unsigned: &str, headers: &mut HeaderMap) -> Result<(), Reject> {
        remove_spellings(headers, &self.field);
        let signature = if self.algorithm.is_symmetric() {
            hmac_sign(self.algorithm, self.secret.mac(), unsigned.as_bytes())
        } else {
            match self.signing_key() {
                Some(key) => host.sign(key, unsigned).await.ok(),
                None => None,
            }
        };
        let signature = signature.ok_or(Reject::IdentityUnavailable)?;
        let prefix = if self.field == header::AUTHORIZATION { "Bearer " } else { "" };
        let token = [prefix, unsigned, ".", &base64::encode(&signature)].concat();
        let mut value = HeaderValue::try_from(token).map_err(|_| Reject::IdentityUnavailable)?;
        value.set_sensitive(true);
        headers.insert(&self.field, value);
        Ok(())
    }

    /// What it tells of who calls, and of the request.
    pub fn told(&self, ex: &Exchange) -> String {
        Value::Object(self.claims(ex)).to_string()
    }

    /// The header and the claims, as they are signed (RFC 7515, section 5.1).
    pub fn unsigned(&self, host: &SharedHost, ex: &Exchange) -> String {
        self.unsigned_as(host, ex, &ex.id)
    }

    /// The same with an identifier of its own: an upstream may refuse one that it has seen (RFC 7519, section 4.1.7).
    pub fn unsigned_as(&self, host: &SharedHost, ex: &Exchange, id: &str) -> String {
        let mut header = json!({ "alg": self.algorithm.name(), "typ": "JWT" });
        if let (Some(kid), Some(header)) = (&self.kid, header.as_object_mut()) {
            header.insert("kid".to_owned(), kid.as_str().into());
        }
        let now = (host.now().0 / 1000.0).floor();
        let mut claims = self.claims(ex);
        claims.insert("iss".to_owned(), self.issuer.as_str().into());
        claims.insert("aud".to_owned(), self.audience.as_str().into());
        claims.insert("iat".to_owned(), whole(now));
        claims.insert("exp".to_owned(), whole(now + self.ttl.as_secs_f64()));
        claims.insert("jti".to_owned(), id.into());
        let encoded = |value: &Value| base64::encode(value.to_string().as_bytes());
        format!("{}.{}", encoded(&header), encoded(&Value::Object(claims)))
    }

    fn claims(&self, ex: &Exchange) -> Map<String, Value> {
        let mut claims = Map::new();
        for (name, template) in &self.claims {
            // A claim whose value is not there is left out.
            if let Some(text) = template.expand(ex, Goal::Text) {
                claims.insert(name.clone(), text.into());
            }
        }
        if let Some(subject) = ex.identity.as_ref().and_then(|identity| identity.subject.as_ref()) {
            claims.insert("sub".to_owned(), subject.as_str().into());
        }
        claims
    }

    fn signing_key(&self) -> Option<&SigningKey> {
        self.key.get_or_init(|| SigningKey::parse(self.secret.get(), self.algorithm).ok()).as_ref()
    }
}

/// Seconds as a whole number.
#[expect(clippy::cast_possible_truncation, reason = "seconds of this era have 38 bits")]
fn whole(seconds: f64) -> Value {
    (seconds as i64).into()
}
