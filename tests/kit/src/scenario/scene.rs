//! Where and when placeholders are filled in, and what they mean there. What has to be signed for that is made in
//! [`super::minting`].

use super::Request;
use super::credentials::KeyForm;
use super::placeholders::{Kind, Meanings, fill};
use super::play::Minted;
use crate::credentials::algorithm::Algorithm;
use crate::credentials::encoding::{base64, base64url, content_digest, hex, sha256};
use crate::credentials::key::Key;
use crate::units;
use anyhow::{Context, Result, anyhow, bail};
use serde::de::DeserializeOwned;
use serde_json::{Map, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};
use toml::Value;

/// Where and when placeholders are filled in.
pub(super) struct Scene<'a> {
    pub source: &'a toml::Table,
    pub times: Times,
    pub captured: &'a BTreeMap<String, String>,
    pub minted: &'a RefCell<Minted>,
    /// The request of the exchange, as it is written.
    pub request: Option<&'a Request>,
}

/// Times that are relative to one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub now: SystemTime,
}

impl Times {
    /// `now`, `+10m`, `-5s`; `None` for what is none of these.
    pub fn find(self, text: &str) -> Option<Result<SystemTime>> {
        let duration = |text: &str| units::duration(text).map_err(|error| anyhow!(error));
        let found = match (text, text.split_at_checked(1)) {
            ("now", _) => Ok(Some(self.now)),
            (_, Some(("+", later))) => duration(later).map(|later| self.now.checked_add(later)),
            (_, Some(("-", earlier))) => duration(earlier).map(|earlier| self.now.checked_sub(earlier)),
            _ => return None,
        };
        Some(found.and_then(|time| time.context("there is no such time")))
    }

    fn time(self, text: &str) -> Result<SystemTime> {
        self.find(text).with_context(|| format!("`{text}` is no time like `now`, `+10m`, `-5s`"))?
    }

    /// A NumericDate (RFC 7519, section 2), without fractions.
    fn seconds(self, text: &str) -> Result<i64> {
        let seconds = self.time(text)?.duration_since(UNIX_EPOCH).context("it is before 1970")?.as_secs();
        Ok(i64::try_from(seconds)?)
    }

    /// Turns a text that is a relative time into a number; leaves all else as it is.
    pub fn number(self, value: &mut Value) -> Result<()> {
        if let Value::String(text) = &*value
            && self.find(text).is_some_and(|time| time.is_ok())
        {
            *value = Value::Integer(self.seconds(text)?);
        }
        Ok(())
    }
}

impl Meanings for Scene<'_> {
    fn of(&self, kind: Kind, argument: &str) -> Result<Value> {
        let text = |text: String| Ok(Value::String(text));
        let object = |object: Map<String, serde_json::Value>| Ok(Value::try_from(object)?);
        let bytes = argument.as_bytes();
        match kind {
            Kind::Address => bail!("{argument} is no upstream of this scenario, or has no address yet"),
            Kind::Token => text(self.token(argument)?),
            Kind::Proof => text(self.proof(argument)?),
            Kind::Jwks => {
                let keys: Result<Vec<_>> = argument
                    .split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty())
                    .map(|name| self.public(name))
                    .collect();
                Ok(Value::try_from(json!({ "keys": keys? }))?)
            }
            Kind::Jwk => object(self.public(argument)?),
            Kind::Private => object(self.key(argument)?.key.private_jwk()),
            Kind::Pem => text(self.key(argument)?.key.public_pem()?),
            Kind::Thumbprint => text(self.key(argument)?.key.thumbprint()),
            Kind::Captured => match self.captured.get(argument) {
                Some(value) => text(value.clone()),
                None => bail!("no exchange before has captured `{argument}`"),
            },
            Kind::Time => Ok(Value::Integer(self.times.seconds(argument)?)),
            Kind::Date => text(humantime::format_rfc3339_seconds(self.times.time(argument)?).to_string()),
            Kind::Sha256 => text(hex(&sha256(bytes))),
            Kind::Base64 => text(base64(bytes)),
            Kind::Base64Url => text(base64url(bytes)),
            Kind::ContentDigest => text(content_digest(std::iter::once(bytes))),
        }
    }
}

/// A key of the scenario, with what it says of it.
pub(super) struct Known {
    pub form: KeyForm,
    pub key: Key,
    pub algorithm: Algorithm,
}

impl Known {
    pub fn sign_with(&self, alg: Option<&str>) -> Result<Algorithm> {
        alg.map_or(Ok(self.algorithm), Algorithm::of_token)
    }
}

impl Scene<'_> {
    /// A table of the scenario, with its placeholders filled in.
    pub fn form<T: DeserializeOwned>(&self, table: &str, name: &str) -> Result<T> {
        let written = self.source.get(table).and_then(|forms| forms.get(name)).cloned();
        let mut written = written.with_context(|| format!("there is no [{table}.{name}]"))?;
        fill(table, &mut written, self).with_context(|| format!("[{table}.{name}]"))?;
        written.try_into().with_context(|| format!("[{table}.{name}]"))
    }

    pub fn key(&self, name: &str) -> Result<Known> {
        let form: KeyForm = self.form("keys", name)?;
        let kind = form.kind.as_deref().map(Algorithm::of_token).transpose()?;
        let key = match (&form.jwk, &form.secret, kind) {
            (Some(jwk), _, _) => Key::shipped(jwk)?,
            (None, Some(secret), _) => Key::secret(secret.as_bytes()),
            (None, None, Some(kind)) => Key::shipped_for(kind)?,
            (None, None, None) => bail!("[keys.{name}] needs a `type`, a `jwk` or a `secret`"),
        };
        let algorithm = kind.unwrap_or_else(|| key.algorithm());
        Ok(Known { form, key, algorithm })
    }

    /// A public key as an issuer shows it.
    fn public(&self, name: &str) -> Result<Map<String, serde_json::Value>> {
        let Known { form, key, algorithm } = self.key(name)?;
        let mut jwk = key.public_jwk();
        jwk.insert("use".to_owned(), json!("sig"));
        jwk.extend(form.kid.iter().map(|kid| ("kid".to_owned(), json!(kid))));
        jwk.extend(form.kind.iter().map(|_| ("alg".to_owned(), json!(algorithm.name()))));
        form.members.change(&mut jwk);
        Ok(jwk)
    }
}
