//! Asking an issuer about a token that only it can read (RFC 7662). What it says is remembered for a while, good and
//! bad, but never past the token's end.
//!
//! Requests that show one token at the same time ask once, whatever comes of it: an issuer that is slow, fails, or whose
//! answers are not remembered must not make them wait for each other. The call goes on behind the request that began it,
//! whose client may go away.

use crate::bounded::Bounded;
use crate::config::sorted::Sorted;
use crate::event::{Level, Subject, event};
use crate::host::{SharedHost, Timestamp};
use crate::oauth;
use crate::secret::SecretSlot;
use http::StatusCode;
use serde_json::{Map, Value};
use std::cell::RefCell;
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
    /// The calls that are under way, by the token's hash.
    pub calls: RefCell<Sorted<[u8; 32], Rc<Call>>>,
}

/// A call about a token, for all requests that wait for it.
pub struct Call {
    /// When it has to be over; one that is not was forgotten, with the request behind which it went on.
    until: Timestamp,
    said: RefCell<Option<Said>>,
}

/// What an issuer says of a token.
#[derive(Debug, Clone)]
pub enum Said {
    /// It is active, and these are its claims.
    Active(Map<String, Value>),
    Inactive,
    /// Nothing: it could not be asked.
    Unavailable,
}

/// Between two looks at a call.
const PAUSE: Duration = Duration::from_millis(5);

impl Introspection {
    /// Asks about a token, or waits for whoever asks about it already, but not for longer than `patience`.
    pub async fn ask(self: &Rc<Self>, host: &SharedHost, token: &str, hash: [u8; 32], patience: Duration) -> Said {
        let call = self.call_about(host, token, hash);
        let until = call.until.0.min(host.now().0 + patience.as_secs_f64() * 1000.0);
        loop {
            if let Some(said) = call.said.borrow().clone() {
                return said;
            }
            if host.now().0 >= until {
                return Said::Unavailable;
            }
            host.sleep(PAUSE).await;
        }
    }

    /// The call about a token: begun, unless it is under way.
    fn call_about(self: &Rc<Self>, host: &SharedHost, token: &str, hash: [u8; 32]) -> Rc<Call> {
        let now = host.now();
        if let Some(call) = self.calls.borrow().get(&hash).filter(|call| now < call.until) {
            return Rc::clone(call);
        }
        // The head of the answer, and its body.
        let until = Timestamp(now.0 + self.timeout.as_secs_f64() * 2000.0);
        let call = Rc::new(Call { until, said: RefCell::new(None) });
        self.calls.borrow_mut().insert(hash, Rc::clone(&call));
        let (endpoint, begun) = (Rc::clone(self), Rc::clone(&call));
        let (task_host, token) = (Rc::clone(host), token.to_owned());
        host.wait_until(Box::pin(async move {
            let said = endpoint.said(&task_host, &token).await;
            *begun.said.borrow_mut() = Some(said);
            let now = task_host.now();
            endpoint.calls.borrow_mut().retain(|_, call| !Rc::ptr_eq(call, &begun) && now < call.until);
        }));
        call
    }

    async fn said(&self, host: &SharedHost, token: &str) -> Said {
        self.call(host, token).await.unwrap_or_else(|why| {
            let message = format!("the issuer could not be asked about a token: {why}");
            event(host, Level::Warning, Subject::Issuer(&self.name), &message);
            Said::Unavailable
        })
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
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .append_pair("token_type_hint", "access_token")
            .finish();
        let credentials = oauth::client_basic(&self.client, self.secret.get());
        let (status, claims) = oauth::ask(&**host, &self.url, Some(credentials), form, self.timeout).await?;
        if status != StatusCode::OK {
            return Err(format!("it answered {}", status.as_u16()));
        }
        let claims = claims?;
        // RFC 7662, section 2.2: `active` is a boolean, and whatever else it is, it is not true.
        match claims.get("active") {
            Some(Value::Bool(true)) => Ok(Said::Active(claims)),
            Some(Value::Bool(false)) => Ok(Said::Inactive),
            _ => Err("its answer does not say whether the token is active".to_owned()),
        }
    }
}
