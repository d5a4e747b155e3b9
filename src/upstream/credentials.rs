//! What the gateway shows an upstream of itself. It is put into each try on its own, so that nothing of it is in what
//! another upstream, a policy or the log sees; and what the client had in those fields, or in `Authorization`, does not
//! get through.

pub mod token;

use super::Upstream;
use super::request::Request;
use crate::headers::remove_spellings;
use crate::host::{Host, SharedHost};
use crate::interest::Interest;
use crate::reject::Reject;
use crate::secret::SecretSlot;
use base64ct::{Base64, Encoding};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;
use token::{Token, TokenSource};

/// What an upstream is shown.
#[derive(Debug)]
pub enum Credentials {
    /// A secret in a field, after a prefix.
    Header { field: HeaderName, prefix: String, secret: SecretSlot, value: OnceCell<HeaderValue> },
    /// A user and a password.
    Basic { user: User, password: SecretSlot, value: OnceCell<HeaderValue> },
    /// A token that is fetched.
    Token(Rc<TokenSource>),
}

/// A user's name.
#[derive(Debug)]
pub enum User {
    Name(String),
    Secret(SecretSlot),
}

/// A header section with credentials in it, and what has to be known of them when the answer is there.
pub struct Shown {
    pub headers: HeaderMap,
    pub token: Option<Rc<Token>>,
}

/// There are no credentials at the moment. Why is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unavailable {
    /// In how many seconds somebody asks for them again.
    pub retry_after: u64,
}

impl Upstream {
    /// The header section of a try, where it needs credentials.
    pub async fn show(&self, host: &SharedHost, request: &Request<'_>) -> Result<Option<Shown>, Reject> {
        let Some(credentials) = &self.credentials else { return Ok(None) };
        let left = request.time_left(host.now()).ok_or(Reject::DeadlineExceeded)?;
        match credentials.show(host, request.headers, self.told_in(), left).await {
            Ok(shown) => Ok(Some(shown)),
            Err(_) if request.time_left(host.now()).is_none() => Err(Reject::DeadlineExceeded),
            Err(Unavailable { retry_after }) => Err(Reject::UpstreamCredentials { retry_after }),
        }
    }

    /// Waits for a token, where there is none: that takes as long for one target as for another.
    pub async fn prepare(&self, host: &SharedHost, request: &Request<'_>) {
        let left = request.time_left(host.now()).unwrap_or_default();
        if let Some(Credentials::Token(source)) = &self.credentials {
            drop(source.token(host, left).await);
        }
    }

    /// The header section of a question for health. `None` where there are no credentials for it.
    pub async fn headers_of_check(&self, host: &SharedHost, patience: Duration) -> Option<HeaderMap> {
        let headers = HeaderMap::new();
        match &self.credentials {
            Some(credentials) => Some(credentials.show(host, &headers, None, patience).await.ok()?.headers),
            None => Some(headers),
        }
    }

    /// The field in which the gateway itself tells who the client is.
    fn told_in(&self) -> Option<&HeaderName> {
        self.internal_token.as_ref().map(|token| &token.field)
    }

    /// Whether other credentials may do better than those that were refused.
    pub fn renews(&self, host: &dyn Host, shown: Option<&Shown>) -> bool {
        let token = shown.and_then(|shown| shown.token.as_ref());
        self.credentials.as_ref().is_some_and(|credentials| credentials.renews(host, token))
    }
}

impl Credentials {
    /// A header section with them in it. A token may have to be waited for, but not for longer than `patience`. What the
    /// client has in `Authorization` goes, unless that is the field that the gateway tells something in.
    async fn show(
        &self,
        host: &SharedHost,
        headers: &HeaderMap,
        told_in: Option<&HeaderName>,
        patience: Duration,
    ) -> Result<Shown, Unavailable> {
        let (value, token) = match self {
            Credentials::Header { prefix, secret, value, .. } => {
                (value.get_or_init(|| sensitive(&[prefix, secret.get()].concat())).clone(), None)
            }
            Credentials::Basic { user, password, value } => {
                (value.get_or_init(|| basic(user.name(), password.get())).clone(), None)
            }
            Credentials::Token(source) => {
                let token = source.token(host, patience).await?;
                (token.value.clone(), Some(token))
            }
        };
        let mut headers = headers.clone();
        if told_in != Some(&header::AUTHORIZATION) {
            remove_spellings(&mut headers, &header::AUTHORIZATION);
        }
        remove_spellings(&mut headers, self.field());
        headers.insert(self.field(), value);
        Ok(Shown { headers, token })
    }

    /// Whether another token may do better than one that the upstream has answered with 401.
    fn renews(&self, host: &dyn Host, token: Option<&Rc<Token>>) -> bool {
        match (self, token) {
            (Credentials::Token(source), Some(token)) => source.refused(host, token),
            _ => false,
        }
    }

    /// The field that they stand in.
    pub fn field(&self) -> &HeaderName {
        match self {
            Credentials::Header { field, .. } => field,
            Credentials::Basic { .. } | Credentials::Token(_) => &header::AUTHORIZATION,
        }
    }

    /// Their kind, and the names of their secrets, for `edgate explain`.
    pub fn describe(&self) -> String {
        match self {
            Credentials::Header { field, secret, .. } => format!("the secret {} in {field}", secret.name),
            Credentials::Basic { user: User::Name(name), password, .. } => {
                format!("Basic: {name}, with the secret {}", password.name)
            }
            Credentials::Basic { user: User::Secret(user), password, .. } => {
                format!("Basic: the secrets {} and {}", user.name, password.name)
            }
            Credentials::Token(source) => format!(
                "a token of {} for the client {}, with the secret {}",
                source.url, source.client_id, source.client_secret.name
            ),
        }
    }

    /// Adds what it reads and writes of messages.
    pub fn interest(&self, interest: &mut Interest) {
        interest.request.extend([header::AUTHORIZATION, self.field().clone()]);
    }

    /// The secrets that it needs.
    pub fn secrets(&self) -> Vec<&SecretSlot> {
        match self {
            Credentials::Header { secret, .. } => vec![secret],
            Credentials::Basic { user: User::Secret(user), password, .. } => vec![user, password],
            Credentials::Basic { password, .. } => vec![password],
            Credentials::Token(source) => vec![&source.client_secret],
        }
    }
}

impl User {
    fn name(&self) -> &str {
        match self {
            User::Name(name) => name,
            User::Secret(secret) => secret.get(),
        }
    }
}

/// RFC 7617, section 2.
pub fn basic(user: &str, password: &str) -> HeaderValue {
    let pair = [user, ":", password].concat();
    sensitive(&["Basic ", &Base64::encode_string(pair.as_bytes())].concat())
}

/// A value that is not shown. What goes into it was seen to fit when the secrets were filled in.
fn sensitive(text: &str) -> HeaderValue {
    let mut value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}
