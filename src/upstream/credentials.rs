//! What the gateway shows an upstream of itself. It is put into each try on its own, so that nothing of it is in what
//! another upstream, a policy or the log sees; and what the client had in those fields, or in `Authorization`, does not
//! get through.

pub mod aws;
pub mod token;

use super::Upstream;
use super::request::{Content, Request};
use crate::body::Body;
use crate::headers::remove_spellings;
use crate::host::{Host, HostError, SharedHost};
use crate::interest::Interest;
use crate::oauth::{basic, sensitive};
use crate::reject::Reject;
use crate::secret::SecretSlot;
use aws::Signer;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
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
    /// A signature of the request.
    Aws(Signer),
}

/// A user's name.
#[derive(Debug)]
pub enum User {
    Name(String),
    Secret(SecretSlot),
}

/// A request without credentials.
pub struct Bare<'a> {
    pub method: &'a Method,
    pub url: String,
    pub headers: &'a HeaderMap,
    pub content: &'a Content,
}

/// A request with credentials in it, and what has to be known of them when the answer is there.
pub struct Shown {
    pub url: String,
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
    /// What is sent to a target.
    pub async fn show(
        &self,
        credentials: &Credentials,
        host: &SharedHost,
        request: &Request<'_>,
        base: &str,
    ) -> Result<Shown, Reject> {
        let left = request.time_left(host.now()).ok_or(Reject::DeadlineExceeded)?;
        let Request { method, headers, content, .. } = request;
        let bare = Bare { method, url: [base, request.target].concat(), headers, content };
        match credentials.show(host, bare, self.told_in(), left).await {
            Ok(shown) => Ok(shown),
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

    /// A question for health.
    pub async fn show_check(&self, host: &SharedHost, url: String, patience: Duration) -> Result<Shown, HostError> {
        let Some(credentials) = &self.credentials else {
            return Ok(Shown { url, headers: HeaderMap::new(), token: None });
        };
        let (headers, content) = (HeaderMap::new(), Content::of(Body::Empty));
        let bare = Bare { method: &Method::GET, url, headers: &headers, content: &content };
        let shown = credentials.show(host, bare, None, patience).await;
        shown.map_err(|_| HostError::Unsendable("no credentials for it".to_owned()))
    }

    /// How large a content may be that has to be in memory for its credentials, in bytes.
    pub fn most_hashed(&self) -> Option<u64> {
        match &self.credentials {
            Some(Credentials::Aws(signer)) => signer.hashed,
            _ => None,
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
    /// A request with them in it. A token may have to be waited for, but not for longer than `patience`. What the
    /// client has in `Authorization` goes, unless that is the field that the gateway tells something in.
    async fn show(
        &self,
        host: &SharedHost,
        bare: Bare<'_>,
        told_in: Option<&HeaderName>,
        patience: Duration,
    ) -> Result<Shown, Unavailable> {
        let mut headers = bare.headers.clone();
        if told_in != Some(&header::AUTHORIZATION) {
            remove_spellings(&mut headers, &header::AUTHORIZATION);
        }
        remove_spellings(&mut headers, self.field());
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
            Credentials::Aws(signer) => {
                let request = (bare.method, &*bare.url);
                let url = signer.sign(host.now(), request, bare.content, &mut headers);
                return url.map(|url| Shown { url, headers, token: None }).ok_or(Unavailable { retry_after: 1 });
            }
        };
        headers.insert(self.field(), value);
        Ok(Shown { url: bare.url, headers, token })
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
            Credentials::Basic { .. } | Credentials::Token(_) | Credentials::Aws(_) => &header::AUTHORIZATION,
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
            Credentials::Aws(Signer { service, region, access_key_id, secret_access_key, .. }) => format!(
                "an AWS signature for {service} in {region}, with the secrets {} and {}",
                access_key_id.name, secret_access_key.name
            ),
        }
    }

    /// Adds what it reads and writes of messages.
    pub fn interest(&self, interest: &mut Interest) {
        interest.request.extend([header::AUTHORIZATION, self.field().clone()]);
        // Any of them may be one that has to be signed.
        interest.all_request_fields |= matches!(self, Credentials::Aws(_));
    }

    /// The secrets that it needs.
    pub fn secrets(&self) -> Vec<&SecretSlot> {
        match self {
            Credentials::Header { secret, .. } => vec![secret],
            Credentials::Basic { user: User::Secret(user), password, .. } => vec![user, password],
            Credentials::Basic { password, .. } => vec![password],
            Credentials::Token(source) => vec![&source.client_secret],
            Credentials::Aws(signer) => {
                let session = signer.session_token.iter();
                [&signer.access_key_id, &signer.secret_access_key].into_iter().chain(session).collect()
            }
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
