//! Access tokens that the gateway gets for itself (OAuth 2.0, the client credentials grant: RFC 6749, section 4.4).
//!
//! An instance has one token for all requests to an upstream. Whoever finds none begins to fetch it, behind the requests,
//! and everybody waits for that one fetch; it is fetched anew, behind a request, before it ends. Nobody asks again right
//! after a failure. It is kept in no store: whoever can read that would have it. When the instance ends, what is lost is
//! the time to fetch it again.

use super::Unavailable;
use crate::config::credentials::AuthMethod;
use crate::event::{Level, Subject, event};
use crate::host::{Host, SharedHost, Timestamp};
use crate::oauth;
use crate::renewed::{Held, Renewed};
use crate::secret::SecretSlot;
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// Where the tokens for an upstream come from.
pub struct TokenSource {
    /// The upstream's name.
    pub upstream: Rc<str>,
    pub url: String,
    pub client_id: String,
    pub client_secret: SecretSlot,
    pub auth_method: AuthMethod,
    /// What the request says beside who asks, as a form.
    pub form: String,
    pub timeout: Duration,
    pub negative_cache: Duration,
    pub state: State,
}

/// What an instance remembers of the tokens for an upstream.
#[derive(Default)]
pub struct State {
    cell: Rc<Renewed<Token>>,
    /// Until when nobody asks, because that came to nothing.
    failed_until: Cell<f64>,
    /// When a token was last given up because the upstream refused it.
    given_up: Cell<Option<Timestamp>>,
}

/// A token.
#[derive(Debug)]
pub struct Token {
    /// `Bearer` and the token.
    pub value: HeaderValue,
    /// From when on it is fetched anew, and from when on it is not used any more, in milliseconds since 1970.
    old: f64,
    over: f64,
    /// Whether the upstream has refused it.
    refused: Cell<bool>,
}

/// How long a token is good for, where nothing is said. RFC 6749, section 5.1, wants it said.
const LIFETIME_S: f64 = 300.0;

/// A token is fetched anew when this much of its time is left, or this many seconds, whichever is less. A tenth of that
/// before its end it is used no more: clocks differ, and a request takes a while to get there.
const OLD: (f64, f64) = (0.2, 60.0);

/// A refusal is no reason for another token more often than this, in milliseconds: an upstream may refuse all of them.
const REFUSALS_MS: f64 = 10_000.0;

impl TokenSource {
    /// A token that is good for a while: the one that is there, or the next one, but nobody waits for longer than
    /// `patience`.
    pub async fn token(self: &Rc<Self>, host: &SharedHost, patience: Duration) -> Result<Rc<Token>, Unavailable> {
        let now = host.now();
        if let Some(token) = self.current(now) {
            if token.old <= now.0 {
                self.renew(host);
            }
            return Ok(token);
        }
        self.renew(host);
        self.state.cell.settled(host, patience.min(self.timeout * 2)).await;
        let now = host.now();
        self.current(now).ok_or_else(|| {
            let left = Timestamp(self.state.failed_until.get()).since(now) / 1000.0;
            Unavailable { retry_after: left.ceil().max(1.0) as u64 }
        })
    }

    /// Notes that the upstream has answered 401 to a token. Whether another one may do better.
    pub fn refused(&self, host: &dyn Host, token: &Rc<Token>) -> bool {
        let now = host.now();
        let is_current = self.current(now).is_some_and(|current| Rc::ptr_eq(&current, token));
        if !is_current {
            return true;
        }
        if self.state.given_up.get().is_some_and(|before| now.since(before) < REFUSALS_MS) {
            return false;
        }
        self.state.given_up.set(Some(now));
        token.refused.set(true);
        true
    }

    fn current(&self, now: Timestamp) -> Option<Rc<Token>> {
        let token = self.state.cell.held()?.value;
        (now.0 < token.over && !token.refused.get()).then_some(token)
    }

    /// Begins to fetch a token, unless that is under way, or has just failed.
    fn renew(self: &Rc<Self>, host: &SharedHost) {
        let now = host.now();
        if now.0 < self.state.failed_until.get() {
            return;
        }
        let (source, task_host) = (Rc::clone(self), Rc::clone(host));
        // The head of the answer, and its body.
        self.state.cell.begin(host, self.timeout * 2, async move {
            match source.fetch(&*task_host).await {
                Ok(token) => Some(Held { value: Rc::new(token), since: now }),
                Err(why) => {
                    let pause = source.negative_cache.as_secs_f64() * 1000.0;
                    source.state.failed_until.set(task_host.now().0 + pause);
                    let message = format!("no token could be fetched for it: {why}");
                    event(&task_host, Level::Warning, Subject::Upstream(&source.upstream), &message);
                    None
                }
            }
        });
    }

    /// Fetches a token. `Err` says what is wrong, and nothing that is secret.
    async fn fetch(&self, host: &dyn Host) -> Result<Token, String> {
        let begun = host.now();
        let (credentials, form) = self.request();
        let (status, members) = oauth::ask(host, &self.url, credentials, form, self.timeout).await?;
        if status != StatusCode::OK {
            let code = members.ok().and_then(|members| error_code(&members)).map(|code| format!(": {code}"));
            return Err(format!("the token endpoint answered {}{}", status.as_u16(), code.unwrap_or_default()));
        }
        read(&members?, begun)
    }

    /// What a request says of who asks, and its form (RFC 6749, sections 2.3.1 and 4.4.2).
    fn request(&self) -> (Option<HeaderValue>, String) {
        let (client, secret, form) = (&self.client_id, self.client_secret.get(), self.form.clone());
        match self.auth_method {
            AuthMethod::ClientSecretBasic => (Some(oauth::client_basic(client, secret)), form),
            AuthMethod::ClientSecretPost => {
                let (client, secret) = (oauth::encoded(client), oauth::encoded(secret));
                (None, [&form, "&client_id=", &client, "&client_secret=", &secret].concat())
            }
        }
    }
}

/// RFC 6749, section 5.2. What else an endpoint says of an error may be anything.
fn error_code(members: &Map<String, Value>) -> Option<String> {
    let code = members.get("error")?.as_str()?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    ((1..=64).contains(&code.len()) && code.bytes().all(plain)).then(|| code.to_owned())
}

/// RFC 6749, section 5.1: what a token endpoint says.
fn read(members: &Map<String, Value>, begun: Timestamp) -> Result<Token, String> {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let token = text("access_token").ok_or("the token endpoint's answer has no access_token")?;
    // Appendix A.12: VSCHAR, of which a space cannot stand in a field.
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the token that came cannot stand in a header field".to_owned());
    }
    // Section 7.1: whoever does not know a type must not use the token.
    if !text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("Bearer")) {
        return Err("the token that came is no Bearer token".to_owned());
    }
    let seconds = match members.get("expires_in") {
        None | Some(Value::Null) => LIFETIME_S,
        // Some servers write a text.
        Some(Value::String(digits)) => digits.parse::<u32>().map_or(0.0, f64::from),
        Some(value) => value.as_f64().unwrap_or_default(),
    };
    if seconds.is_nan() || seconds < 1.0 {
        return Err("the token that came has ended already".to_owned());
    }
    // More than a year is as good as a year.
    let seconds = seconds.min(31_536_000.0);
    let early = (seconds * OLD.0).min(OLD.1) * 1000.0;
    let end = begun.0 + seconds * 1000.0;
    let value = oauth::sensitive(&["Bearer ", token].concat());
    Ok(Token { value, old: end - early, over: end - early / 10.0, refused: Cell::new(false) })
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource").field("url", &self.url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Result<(f64, f64), String> {
        read(&oauth::members(body.as_bytes())?, Timestamp(0.0)).map(|token| (token.old, token.over))
    }

    #[test]
    fn a_token_is_fetched_anew_before_it_ends() {
        let lasting = |seconds: &str| {
            answer(&format!(r#"{{ "access_token": "t", "token_type": "bearer", "expires_in": {seconds} }}"#))
        };
        assert_eq!(lasting("3600"), Ok((3_540_000.0, 3_594_000.0)));
        assert_eq!(lasting("\"10\""), Ok((8_000.0, 9_800.0)));
        assert_eq!(lasting("null"), Ok((240_000.0, 294_000.0)));
        assert_eq!(lasting("1e300"), Ok((31_535_940_000.0, 31_535_994_000.0)));
        for ended in ["0", "-5", "\"soon\"", "[]"] {
            assert!(lasting(ended).is_err(), "{ended}");
        }
    }

    #[test]
    fn what_is_no_token_is_not_shown() {
        for (body, word) in [
            (r#"{ "access_token": "t" }"#, "Bearer"),
            (r#"{ "access_token": "t", "token_type": "DPoP" }"#, "Bearer"),
            (r#"{ "access_token": "a b", "token_type": "Bearer" }"#, "field"),
            (r#"{ "access_token": "", "token_type": "Bearer" }"#, "field"),
            (r#"{ "access_token": "a\r\nx: y", "token_type": "Bearer" }"#, "field"),
            (r#"{ "access_token": 7, "token_type": "Bearer" }"#, "access_token"),
            (r#"{ "access_token": "a", "access_token": "b", "token_type": "Bearer" }"#, "JSON"),
            ("[]", "JSON"),
            ("", "JSON"),
        ] {
            let why = answer(body).expect_err(body);
            assert!(why.contains(word), "{body}: {why}");
        }
    }

    #[test]
    fn only_a_code_is_told_of_an_error() {
        let told = |body: &str| error_code(&oauth::members(body.as_bytes()).ok()?);
        assert_eq!(told(r#"{ "error": "invalid_client" }"#).as_deref(), Some("invalid_client"));
        assert_eq!(told(r#"{ "error": "the secret hunter2 is wrong" }"#), None);
        assert_eq!(told("<html>"), None);
    }
}
