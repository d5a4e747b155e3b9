//! Makes what a scenario's clients show, for one scene: tokens, proofs of possession, signatures of requests.

use super::credentials::{ProofForm, SignatureForm, TokenForm};
use super::placeholders::text_of;
use super::scene::Scene;
use super::{Request, json_of};
use crate::credentials::algorithm::Algorithm;
use crate::credentials::encoding::{base64url, content_digest, sha256};
use crate::credentials::signed::{Message, Parameter, Signature};
use crate::credentials::{tamper, token};
use anyhow::{Context, Result};
use serde_json::{Map, json};
use toml::Value;

/// The claims that are times (RFC 7519, section 4.1).
const TIMES: [&str; 3] = ["exp", "nbf", "iat"];

impl Scene<'_> {
    /// A token by its name.
    pub fn token(&self, name: &str) -> Result<String> {
        self.made("token", name, || {
            let form: TokenForm = self.form("tokens", name)?;
            let made = match form.raw.clone() {
                Some(raw) => raw,
                None => self.minted_token(&form).with_context(|| format!("[tokens.{name}]"))?,
            };
            Ok((made, form.once))
        })
    }

    fn minted_token(&self, form: &TokenForm) -> Result<String> {
        let known = self.key(form.key.as_deref().context("it needs a `key`, or is `raw`")?)?;
        let algorithm = known.sign_with(form.alg.as_deref())?;
        let mut header = Map::new();
        header.insert("alg".to_owned(), json!(algorithm.name()));
        header.insert("typ".to_owned(), json!("JWT"));
        header.extend(known.form.kid.iter().map(|kid| ("kid".to_owned(), json!(kid))));
        form.header.change(&mut header);
        let mut claims = form.claims.clone();
        for time in TIMES {
            claims.get_mut(time).map_or(Ok(()), |claim| self.times.number(claim))?;
        }
        let header = form.header_json.clone().unwrap_or_else(|| json!(header).to_string());
        let claims = form.claims_json.clone().unwrap_or_else(|| json_of(Value::Table(claims)).to_string());
        let minted = token::mint(&known.key, algorithm, &header, &claims)?;
        form.tamper.map_or(Ok(minted.clone()), |how| tamper::spoil(&minted, how))
    }

    /// A proof by its name.
    pub fn proof(&self, name: &str) -> Result<String> {
        self.made("proof", name, || {
            let form: ProofForm = self.form("proofs", name)?;
            let made = self.minted_proof(name, &form).with_context(|| format!("[proofs.{name}]"))?;
            Ok((made, form.once))
        })
    }

    /// RFC 9449, section 4.2.
    fn minted_proof(&self, name: &str, form: &ProofForm) -> Result<String> {
        let known = self.key(&form.key)?;
        let algorithm = known.sign_with(form.alg.as_deref())?;
        let mut header = Map::new();
        header.insert("typ".to_owned(), json!("dpop+jwt"));
        header.insert("alg".to_owned(), json!(algorithm.name()));
        header.insert("jwk".to_owned(), json!(known.key.public_jwk()));
        form.header.change(&mut header);
        let mut iat = form.iat.clone();
        self.times.number(&mut iat)?;
        let number = {
            let mut minted = self.minted.borrow_mut();
            minted.proofs += 1;
            minted.proofs
        };
        let request = || self.request.context("outside of an exchange, `htm` and `htu` must be given");
        let htm = form.htm.clone().map_or_else(|| request().map(|request| request.method.clone()), Ok)?;
        let htu = form.htu.clone().map_or_else(|| request().and_then(|request| self.url(request)), Ok)?;
        let mut claims = Map::new();
        claims.insert("jti".to_owned(), json!(form.jti.clone().unwrap_or_else(|| format!("{name}-{number}"))));
        claims.insert("htm".to_owned(), json!(htm));
        claims.insert("htu".to_owned(), json!(htu));
        claims.insert("iat".to_owned(), json_of(iat));
        if let Some(token) = &form.token {
            let hash = sha256(self.token(token)?.as_bytes());
            claims.insert("ath".to_owned(), json!(base64url(&hash)));
        }
        claims.extend(form.nonce.iter().map(|nonce| ("nonce".to_owned(), json!(nonce))));
        form.claims.change(&mut claims);
        let minted = token::mint(&known.key, algorithm, &json!(header).to_string(), &json!(claims).to_string())?;
        form.tamper.map_or(Ok(minted.clone()), |how| tamper::spoil(&minted, how))
    }

    /// A request's URL without its query.
    fn url(&self, request: &Request) -> Result<String> {
        let target = super::service::path_of(&request.target);
        text_of(&format!("http://{}{target}", request.host), self)
    }

    /// What was made for this exchange, or for all; else makes it.
    fn made(&self, kind: &str, name: &str, make: impl FnOnce() -> Result<(String, bool)>) -> Result<String> {
        let place = format!("{kind} {name}");
        let known = {
            let minted = self.minted.borrow();
            minted.once.get(&place).or_else(|| minted.now.get(&place)).cloned()
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let (made, once) = make()?;
        let mut minted = self.minted.borrow_mut();
        let place_for = if once { &mut minted.once } else { &mut minted.now };
        place_for.insert(place, made.clone());
        Ok(made)
    }

    /// Adds the fields of a signature to a request (RFC 9421, section 4), and `Content-Digest` where it is covered and
    /// not there.
    pub fn sign(&self, name: &str, request: &mut Request) -> Result<()> {
        let form: SignatureForm = self.form("signatures", name)?;
        let known = self.key(&form.key)?;
        // What `alg` says may be a lie, and no name at all.
        let said = form.alg.as_deref().and_then(|alg| Algorithm::of_signed(alg).ok()).unwrap_or(known.algorithm);
        let algorithm = form.algorithm.as_deref().map_or(Ok(said), Algorithm::of_signed)?;
        let covered = form.components.iter().any(|component| component.eq_ignore_ascii_case("content-digest"));
        if covered && !request.has("content-digest") {
            let content = request.content();
            let mut offset = 0;
            let digest = content_digest(std::iter::from_fn(|| {
                let block = content.block(offset)?;
                offset += block.len() as u64;
                Some(block)
            }));
            request.headers.0.push(("content-digest".to_owned(), digest));
        }
        let parameters = self.parameters(&form)?;
        let SignatureForm { label, components, input, tamper, .. } = form;
        let signature = Signature { label, components, parameters, input, spoilt: tamper.is_some() };
        let fields = request.fields();
        let message =
            Message { method: &request.method, host: &request.host, target: &request.target, fields: &fields };
        let (input, signature) = signature.sign(&known.key, algorithm, &message)?;
        request.add_member("signature-input", input);
        request.add_member("signature", signature);
        Ok(())
    }

    fn parameters(&self, form: &SignatureForm) -> Result<Vec<(&'static str, Parameter)>> {
        let mut parameters = Vec::new();
        for (name, time) in [("created", &form.created), ("expires", &form.expires)] {
            let Some(mut time) = time.clone() else { continue };
            self.times.number(&mut time)?;
            let number = time.as_integer().with_context(|| format!("`{name}` is no time: {time}"))?;
            parameters.push((name, Parameter::Number(number)));
        }
        let texts = [("nonce", &form.nonce), ("alg", &form.alg), ("keyid", &form.keyid), ("tag", &form.tag)];
        let given = texts.into_iter().filter_map(|(name, text)| Some((name, Parameter::Text(text.clone()?))));
        parameters.extend(given);
        Ok(parameters)
    }
}
