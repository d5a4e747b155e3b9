//! `issuer`: an OpenID provider without people and passwords. `GET /token?sub=alice&scope=admin` is a token for whoever
//! is named, as text; `aud`, `groups` and `ttl` (in seconds, also less than none) can be given too. Its key is made when
//! it starts.

use super::{Body, answer, not_found, response};
use crate::credentials::algorithm::Algorithm;
use crate::credentials::key::Key;
use crate::credentials::token;
use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// For whom tokens are unless something else is asked for.
const AUDIENCE: &str = "edgate-demo";

/// How long a token holds, in seconds.
const TTL: i64 = 600;

pub(super) struct Issuer {
    key: Key,
}

impl Issuer {
    pub(super) fn new() -> Result<Issuer> {
        Ok(Issuer { key: Key::generate()? })
    }

    pub(super) fn respond(&self, request: &Request<Incoming>) -> Response<Body> {
        // Whoever asks has found it by its identifier.
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
        let url = format!("http://{host}");
        match request.uri().path() {
            "/.well-known/openid-configuration" => {
                answer(StatusCode::OK, &json!({ "issuer": url, "jwks_uri": format!("{url}/keys") }))
            }
            "/keys" => answer(StatusCode::OK, &self.key_set()),
            "/token" => match self.mint(&url, request.uri().query().unwrap_or_default()) {
                Ok(token) => text(format!("{token}\n")),
                Err(why) => answer(StatusCode::BAD_REQUEST, &json!({ "error": format!("{why:#}") })),
            },
            _ => not_found("such path: tokens are at /token?sub=alice"),
        }
    }

    fn key_set(&self) -> Value {
        let mut jwk = self.key.public_jwk();
        jwk.extend([("kid", self.key.thumbprint().as_str()), ("alg", "ES256"), ("use", "sig")].map(member));
        json!({ "keys": [jwk] })
    }

    /// A token with what a query asks for.
    fn mint(&self, url: &str, query: &str) -> Result<String> {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        let mut claims = json!({ "iss": url, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + TTL });
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(&value.replace('+', " ")).decode_utf8()?.into_owned();
            match name {
                "sub" | "aud" | "scope" => claims[name] = value.into(),
                "groups" => claims[name] = value.split(' ').collect(),
                "ttl" => claims["exp"] = (now + value.parse::<i64>().context("`ttl` is a number of seconds")?).into(),
                other => anyhow::bail!("`{other}` is none of sub, aud, scope, groups, ttl"),
            }
        }
        let header = json!({ "alg": "ES256", "kid": self.key.thumbprint(), "typ": "at+jwt" });
        token::mint(&self.key, Algorithm::Es256, &header.to_string(), &claims.to_string())
    }
}

fn member((name, value): (&str, &str)) -> (String, Value) {
    (name.to_owned(), value.into())
}

fn text(text: String) -> Response<Body> {
    let mut response = response(StatusCode::OK, Full::from(text).map_err(|never| match never {}).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
