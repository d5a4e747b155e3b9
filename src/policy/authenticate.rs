//! Who calls. A route says which ways of showing that are open; they are tried in its order, and the first that succeeds
//! decides. Whoever shows nothing is refused unless the route says `optional`; whoever shows something that does not
//! hold is always refused.
//!
//! No answer tells a wrong secret from an unknown name, and no token, key or password is ever logged.

pub mod api_key;
pub mod basic;
pub mod certificate;
pub mod dpop;
pub mod places;
pub mod signature;
pub mod token;

use crate::body::Body;
use crate::config::words::Method;
use crate::consumers::Consumers;
use crate::exchange::{AuthNote, Exchange};
use crate::host::SharedHost;
use crate::identity::Identity;
use crate::interest::Interest;
use crate::issuer::Issuer;
use crate::refusal::{self, Challenges, Refusal};
use crate::reject::Reject;
use crate::secret::SecretSlot;
use http::Response;
use places::Places;
use std::rc::Rc;

/// The ways in to a route.
pub struct Authenticate {
    /// In the order in which they are tried.
    pub methods: Vec<Method>,
    /// Whose tokens are accepted.
    pub issuers: Vec<Rc<Issuer>>,
    pub consumers: Rc<Consumers>,
    pub places: Rc<Places>,
    pub challenges: Challenges,
    pub optional: bool,
    pub keep_credentials: bool,
    pub dry_run: bool,
}

/// What one way in comes to: nothing was shown, or somebody was, or what was shown does not hold.
pub type Outcome = Result<Option<Rc<Identity>>, Refusal>;

impl Authenticate {
    pub fn describe(&self) -> String {
        let methods: Vec<String> = self.methods.iter().map(|method| self.describe_method(*method)).collect();
        let mut text = methods.join(", or ");
        if self.optional {
            text.push_str(", or nothing");
        }
        if self.dry_run {
            text.push_str("; dry run");
        }
        text
    }

    fn describe_method(&self, method: Method) -> String {
        match method {
            Method::Token => {
                let names: Vec<&str> = self.issuers.iter().map(|issuer| &*issuer.name).collect();
                format!("a token of {}", names.join(" or "))
            }
            Method::ApiKey => "an API key".to_owned(),
            Method::Basic => "user and password".to_owned(),
            Method::Signature => "a signed request".to_owned(),
            Method::Certificate => "a client certificate".to_owned(),
        }
    }

    /// Adds what it reads of a request.
    pub fn interest(&self, interest: &mut Interest) {
        for method in &self.methods {
            match method {
                Method::Signature => interest.all_request_fields = true,
                // A token may be bound to a certificate (RFC 8705).
                Method::Certificate | Method::Token => interest.certificate = true,
                Method::ApiKey | Method::Basic => {}
            }
        }
        interest.request.extend(self.places.fields(&self.methods));
        interest.response.extend(refusal::RESPONSE_FIELDS.iter().cloned());
    }

    /// The secrets of its issuers and consumers. Routes share both, so one may come more than once.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretSlot> {
        self.issuers.iter().flat_map(|issuer| issuer.secrets()).chain(self.consumers.secrets())
    }

    pub async fn on_request(&self, host: &SharedHost, ex: &mut Exchange) -> Result<(), Reject> {
        let mut refused: Option<Refusal> = None;
        for method in &self.methods {
            match self.try_method(*method, host, ex).await {
                Ok(None) => {}
                Ok(Some(identity)) => {
                    ex.notes.auth = Some(AuthNote::accepted(&identity));
                    ex.identity = Some(identity);
                    self.strip(ex);
                    return Ok(());
                }
                // What it has cost is gone: no other way may pass the request on.
                Err(refusal) if refusal.content_lost => {
                    refused = Some(refusal);
                    break;
                }
                Err(refusal) => drop(refused.get_or_insert(refusal)),
            }
        }
        let refusal = match refused {
            Some(refusal) => refusal,
            None if self.optional => return Ok(()),
            None => Refusal::missing(),
        };
        ex.notes.auth = Some(refusal.note());
        let reject = refusal.reject(&self.challenges);
        if self.dry_run {
            ex.notes.would_refuse.push(("authenticate", reject.entry().code));
            self.strip(ex);
            return Ok(());
        }
        Err(reject)
    }

    /// Takes away what the upstream shall not see, also of what does not hold and is only tried.
    fn strip(&self, ex: &mut Exchange) {
        if !self.keep_credentials {
            self.places.strip(ex, &self.methods);
        }
    }

    /// A nonce for the next proof, where the last one was old (RFC 9449, section 8.2).
    pub fn on_response(&self, ex: &Exchange, response: &mut Response<Body>) {
        if let Some(nonce) = &ex.notes.next_nonce {
            response.headers_mut().insert(&refusal::DPOP_NONCE, nonce.clone());
        }
    }

    async fn try_method(&self, method: Method, host: &SharedHost, ex: &mut Exchange) -> Outcome {
        match method {
            Method::Token => self.token(host, ex).await,
            Method::ApiKey => self.api_key(host, ex).await,
            Method::Basic => self.basic(host, ex),
            Method::Signature => self.signature(host, ex).await,
            Method::Certificate => self.certificate(ex),
        }
    }
}

impl std::fmt::Debug for Authenticate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticate").field("methods", &self.methods).finish_non_exhaustive()
    }
}
