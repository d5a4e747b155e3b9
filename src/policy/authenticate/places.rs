//! Where credentials are, and how they are taken away from what the upstream sees.

use crate::config::words::Method;
use crate::exchange::Exchange;
use crate::headers;
use crate::http_signature::rules::Rules;
use crate::refusal::{Kind, Refusal};
use http::header::{self, HeaderName};
use std::borrow::Cow;
use std::rc::Rc;

pub static DPOP: HeaderName = HeaderName::from_static("dpop");
static SIGNATURE: HeaderName = HeaderName::from_static("signature");
static SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
pub static CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// Where the credentials of this gateway's clients are.
pub struct Places {
    /// Beside `Authorization`.
    pub token_header: Option<HeaderName>,
    pub token_cookie: Option<String>,
    /// In bytes.
    pub max_token: usize,
    pub key_header: HeaderName,
    pub key_query: Option<String>,
    pub key_cookie: Option<String>,
    /// Whether keys that edgate did not make are taken.
    pub imported_keys: bool,
    pub signature: SignaturePlaces,
}

/// What is asked of signed requests.
pub struct SignaturePlaces {
    pub rules: Rules,
    /// In bytes.
    pub max_body: u64,
    /// Where instances agree that a nonce is shown once, on a platform that has no place of its own for that.
    pub redis: Option<Rc<str>>,
}

/// A token, and the scheme it came with.
pub struct Shown {
    pub token: String,
    /// `DPoP`, rather than `Bearer`.
    pub dpop: bool,
}

impl Places {
    /// The request fields that hold credentials.
    pub fn fields(&self, methods: &[Method]) -> Vec<HeaderName> {
        let mut fields = Vec::new();
        for method in methods {
            match method {
                Method::Token => {
                    fields.extend([header::AUTHORIZATION, DPOP.clone()]);
                    fields.extend(self.token_header.clone());
                    fields.extend(self.token_cookie.as_ref().map(|_| header::COOKIE));
                }
                Method::ApiKey => {
                    fields.push(self.key_header.clone());
                    fields.extend(self.key_cookie.as_ref().map(|_| header::COOKIE));
                }
                Method::Basic => fields.push(header::AUTHORIZATION),
                Method::Signature => {
                    fields.extend([SIGNATURE.clone(), SIGNATURE_INPUT.clone(), CONTENT_DIGEST.clone()]);
                }
                Method::Certificate => {}
            }
        }
        fields
    }

    /// The token of a request. RFC 6750, section 2: a client must not use more than one place.
    pub fn token(&self, ex: &Exchange) -> Result<Option<Shown>, Refusal> {
        let mut found = Vec::new();
        let mut lines = 0;
        for value in ex.headers.get_all(&header::AUTHORIZATION) {
            lines += 1;
            let Ok(value) = value.to_str() else {
                return Err(malformed("`Authorization` has characters it cannot have"));
            };
            // RFC 9110, section 11.4, has spaces there; a server that splits at any whitespace takes a tab for one.
            let (scheme, rest) = value.split_once([' ', '\t']).unwrap_or((value, ""));
            let dpop = scheme.eq_ignore_ascii_case("dpop");
            if dpop || scheme.eq_ignore_ascii_case("bearer") {
                found.push(Shown { token: rest.trim_matches([' ', '\t']).to_owned(), dpop });
            }
        }
        // RFC 9110, section 5.3: a field that is no list stands once. Who reads the next line would see somebody else.
        if lines > 1 && !found.is_empty() {
            return Err(malformed("the request has more than one `Authorization`"));
        }
        if let Some(name) = &self.token_header {
            for value in ex.headers.get_all(name) {
                let Ok(value) = value.to_str() else {
                    return Err(malformed("the token's field has characters it cannot have"));
                };
                let token = match value.split_once(' ') {
                    Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest,
                    _ => value,
                };
                found.push(Shown { token: token.trim().to_owned(), dpop: false });
            }
        }
        if let Some(name) = &self.token_cookie {
            found.extend(headers::cookies(&ex.headers, name).map(|token| Shown { token, dpop: false }));
        }
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(malformed("the request has more than one token")),
            // RFC 6750, section 2.1: `b64token`.
            (Some(shown), None) if !is_token68(&shown.token) => {
                Err(malformed("the token has characters it cannot have"))
            }
            (Some(shown), None) => Ok(Some(shown)),
        }
    }

    /// The API key of a request.
    pub fn api_key(&self, ex: &Exchange) -> Result<Option<String>, Refusal> {
        let malformed = |reason, detail: &str| Refusal::new(Method::ApiKey, Kind::Malformed, reason, detail);
        let mut found: Vec<String> = Vec::new();
        for value in ex.headers.get_all(&self.key_header) {
            let text = value.to_str().map_err(|_| malformed("malformed", "the key has characters it cannot have"))?;
            found.push(text.trim().to_owned());
        }
        if let Some(name) = &self.key_cookie {
            found.extend(headers::cookies(&ex.headers, name));
        }
        if let Some(name) = &self.key_query {
            let pairs = crate::routing::condition::parameters(ex.query.as_deref());
            found.extend(
                pairs.filter(|(known, _)| known == name).map(|(_, value): (_, Cow<'_, str>)| value.into_owned()),
            );
        }
        if found.len() > 1 {
            return Err(malformed("several-credentials", "the request has more than one API key"));
        }
        Ok(found.pop())
    }

    /// Takes the credentials away, all that these methods may have.
    pub fn strip(&self, ex: &mut Exchange, methods: &[Method]) {
        let fields = self.fields(methods);
        headers::remove_where(&mut ex.headers, |name| {
            *name != header::COOKIE && *name != CONTENT_DIGEST && fields.contains(name)
        });
        let cookies = [(Method::Token, &self.token_cookie), (Method::ApiKey, &self.key_cookie)];
        for (_, name) in cookies.into_iter().filter(|(method, _)| methods.contains(method)) {
            if let Some(name) = name {
                headers::remove_cookie(&mut ex.headers, name);
            }
        }
        if let Some(name) = self.key_query.as_ref().filter(|_| methods.contains(&Method::ApiKey))
            && let Some(query) = &ex.query
        {
            let kept = url::form_urlencoded::parse(query.as_bytes()).any(|(known, _)| known == *name).then(|| {
                let raw = query.split('&').filter(|pair| {
                    url::form_urlencoded::parse(pair.as_bytes()).next().is_none_or(|(known, _)| known != *name)
                });
                raw.collect::<Vec<_>>().join("&")
            });
            if let Some(kept) = kept {
                ex.query = (!kept.is_empty()).then_some(kept);
            }
        }
    }
}

fn malformed(detail: &str) -> Refusal {
    Refusal::new(Method::Token, Kind::Malformed, "malformed", detail)
}

/// RFC 9110, section 11.2.
fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}
