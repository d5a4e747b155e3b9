//! An upstream's `credentials`: one way to show who the gateway is.

use super::{Code, Diagnostic, Diagnostics, One, Place, within};
use crate::compile::edits::{bad_value, fits_a_field};
use crate::compile::issuer::{endpoint, fits_any};
use crate::compile::{bad_header_name, secret_slot, size};
use crate::config::credentials::{self as section, AuthMethod, Payload};
use crate::config::words::{OneOrMany, SecretName, Text};
use crate::headers::is_reserved;
use crate::upstream::credentials::aws::Signer;
use crate::upstream::credentials::token::{State, TokenSource};
use crate::upstream::credentials::{Credentials, User};
use crate::upstream::internal_token::InternalToken;
use http::{HeaderName, HeaderValue};
use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration as Std;

const TIMEOUT: Std = Std::from_secs(5);
const NEGATIVE_CACHE: Std = Std::from_secs(5);

/// In bytes.
const MOST_HASHED: u64 = 64_000;

/// Parameters of a token request that edgate itself writes.
const OWN: [&str; 4] = ["grant_type", "client_id", "client_secret", "scope"];

impl One<'_> {
    /// What the gateway shows. `None` for nothing, and after a mistake.
    pub fn credentials(&self, token: Option<&InternalToken>, diagnostics: &mut Diagnostics) -> Option<Credentials> {
        let section = self.section.credentials.as_ref()?;
        let place = self.place.key("credentials");
        let ways = [
            ("header", section.header.is_some()),
            ("basic", section.basic.is_some()),
            ("client_credentials", section.client_credentials.is_some()),
            ("aws", section.aws.is_some()),
        ];
        let given: Vec<&str> = ways.into_iter().filter_map(|(key, given)| given.then_some(key)).collect();
        match given.as_slice() {
            [] if self.complete => {
                let message = "the credentials do not say what is shown";
                let help = "add `header`, `basic`, `client_credentials` or `aws`";
                diagnostics.push(Diagnostic::new(Code::BadUpstream, place.name(), message, "nothing").help(help));
                return None;
            }
            [first, second, ..] => {
                let message = format!("an upstream is shown one thing, not `{}`", given.join("` and `"));
                let diagnostic = Diagnostic::new(Code::MisplacedKey, place.key(second).name(), message, "a second way");
                diagnostics.push(diagnostic.related(place.key(first).name(), "the first way"));
                return None;
            }
            _ => {}
        }
        let found = if let Some(header) = &section.header {
            field(header, &place.key("header"), diagnostics)
        } else if let Some(pair) = &section.basic {
            basic(pair, &place.key("basic"), diagnostics)
        } else if let Some(signed) = &section.aws {
            aws(signed, &place.key("aws"), diagnostics)
        } else {
            self.client(section.client_credentials.as_ref()?, &place.key("client_credentials"), diagnostics)
        };
        if let (Some(found), Some(token)) = (&found, token.filter(|_| self.section.internal_token.is_some()))
            && found.field() == token.field
        {
            let message = format!("credentials and the internal token would both stand in `{}`", token.field);
            let help = "let the token have a field of its own: `internal_token.header`";
            let diagnostic = Diagnostic::new(Code::MisplacedKey, place.name(), message, "a second one").help(help);
            diagnostics.push(diagnostic.related(self.place.key("internal_token").name(), "the first one"));
        }
        found
    }

    fn client(
        &self,
        section: &section::ClientCredentials,
        place: &Place,
        diagnostics: &mut Diagnostics,
    ) -> Option<Credentials> {
        let url = token_endpoint(&section.url, &place.key("url"), diagnostics);
        let secret_place = place.key("client_secret").key("secret");
        let client_secret = secret_slot(&section.client_secret.secret, &secret_place, fits_any, diagnostics);
        within(section.timeout, Std::from_millis(1)..=Std::from_secs(60), &place.key("timeout"), diagnostics);
        let pause = Std::from_secs(1)..=Std::from_secs(600);
        within(section.negative_cache, pause, &place.key("negative_cache"), diagnostics);
        if section.client_id.is_empty() {
            let message = "the client has no name";
            diagnostics.push(Diagnostic::new(Code::BadValue, place.key("client_id"), message, "empty"));
        }
        let form = form(section, place, diagnostics);
        Some(Credentials::Token(Rc::new(TokenSource {
            upstream: Rc::from(self.name),
            url: url?,
            client_id: section.client_id.clone(),
            client_secret: client_secret?,
            auth_method: section.auth_method.unwrap_or(AuthMethod::ClientSecretBasic),
            form,
            timeout: section.timeout.map_or(TIMEOUT, |timeout| timeout.0),
            negative_cache: section.negative_cache.map_or(NEGATIVE_CACHE, |pause| pause.0),
            state: State::default(),
        })))
    }
}

fn field(section: &section::SecretField, place: &Place, diagnostics: &mut Diagnostics) -> Option<Credentials> {
    let of_value = place.key("value");
    let secret = secret_slot(&section.value.secret, &of_value.key("secret"), fits_a_field, diagnostics);
    if HeaderValue::from_str(&section.value.prefix).is_err() {
        diagnostics.push(bad_value(of_value.key("prefix")));
    }
    let place = place.key("name");
    let field = match section.name.parse::<HeaderName>() {
        Ok(name) if is_reserved(&name) => {
            let message = format!("`{name}` belongs to the connection or to edgate");
            let help = "credentials stand in `Authorization`, or in a field that the upstream names";
            diagnostics.push(Diagnostic::new(Code::ReservedHeader, place, message, "not yours to set").help(help));
            return None;
        }
        Ok(name) => name,
        Err(_) => {
            diagnostics.push(bad_header_name(&section.name, place));
            return None;
        }
    };
    Some(Credentials::Header { field, prefix: section.value.prefix.clone(), secret: secret?, value: OnceCell::new() })
}

fn basic(section: &section::Basic, place: &Place, diagnostics: &mut Diagnostics) -> Option<Credentials> {
    let of_password = place.key("password").key("secret");
    let password = secret_slot(&section.password.secret, &of_password, fits_a_password, diagnostics);
    let place = place.key("user");
    let user = match &section.user {
        Text::Template(name) => {
            if let Err(why) = fits_a_user(name) {
                let message = format!("`{name}` is no name of a user: {why}");
                diagnostics.push(Diagnostic::new(Code::BadValue, place, message, "not a user's name"));
                return None;
            }
            User::Name(name.clone())
        }
        Text::Secret(secret) => {
            if !secret.prefix.is_empty() {
                let message = "a user's name is all in the secret";
                diagnostics.push(Diagnostic::new(Code::MisplacedKey, place.key("prefix").name(), message, "no prefix"));
            }
            User::Secret(secret_slot(&secret.secret, &place.key("secret"), fits_a_user, diagnostics)?)
        }
    };
    Some(Credentials::Basic { user, password: password?, value: OnceCell::new() })
}

fn aws(section: &section::Aws, place: &Place, diagnostics: &mut Diagnostics) -> Option<Credentials> {
    let most = size(section.max_body, MOST_HASHED, 0..=10_000_000, &place.key("max_body"), diagnostics);
    let hashes = section.payload.map_or(section.service != "s3", |payload| payload == Payload::Hash);
    if section.max_body.is_some() && !hashes {
        let message = "no content is read";
        let place = place.key("max_body").name();
        diagnostics.push(Diagnostic::new(Code::MisplacedKey, place, message, "nothing is hashed"));
    }
    for (key, text) in [("service", &section.service), ("region", &section.region)] {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.is_empty() || !text.bytes().all(plain) {
            let message = format!("`{text}` is no name of a {key}");
            let help = "names are small letters, digits and hyphens: \"execute-api\", \"eu-north-1\"";
            let place = place.key(key);
            diagnostics.push(Diagnostic::new(Code::BadValue, place, message, "not such a name").help(help));
        }
    }
    let mut slot = |key: &str, name: &SecretName, fits| {
        secret_slot(&name.secret, &place.key(key).key("secret"), fits, diagnostics)
    };
    let access_key_id = slot("access_key_id", &section.access_key_id, fits_a_field);
    let secret_access_key = slot("secret_access_key", &section.secret_access_key, fits_any);
    let session_token = match &section.session_token {
        Some(token) => Some(slot("session_token", token, fits_a_field)?),
        None => None,
    };
    Some(Credentials::Aws(Signer {
        service: section.service.clone(),
        region: section.region.clone(),
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        session_token,
        hashed: hashes.then_some(most),
    }))
}

/// RFC 6749, section 3.2: TLS must be used. On this machine, nobody listens.
fn token_endpoint(text: &str, place: &Place, diagnostics: &mut Diagnostics) -> Option<String> {
    let help = "write \"https://login.example.com/token\"";
    let url = endpoint(text, place, help, diagnostics)?;
    let own = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "http" && !own {
        let message = format!("`{text}` would show the client's secret to the network");
        diagnostics.push(Diagnostic::new(Code::BadUrl, place.clone(), message, "not https").help(help));
        return None;
    }
    Some(url.to_string())
}

/// What a token request says beside who asks (RFC 6749, section 4.4.2).
fn form(section: &section::ClientCredentials, place: &Place, diagnostics: &mut Diagnostics) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    let scope = section.scope.items.join(" ");
    if !scope.is_empty() {
        form.append_pair("scope", &scope);
    }
    for (name, OneOrMany { items, .. }) in &section.parameters {
        if OWN.contains(&name.as_str()) {
            let message = format!("`{name}` is written by edgate itself");
            let help = "`client_id`, `client_secret` and `scope` are keys of their own";
            let place = place.key("parameters").key(name).name();
            diagnostics.push(Diagnostic::new(Code::MisplacedKey, place, message, "not yours to set").help(help));
        }
        form.extend_pairs(items.iter().map(|value| (name, value)));
    }
    form.finish()
}

/// RFC 7617, section 2.
fn fits_a_user(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("it is empty"),
        name if name.contains(':') => Err("it has a colon"),
        name if name.contains(char::is_control) => Err("it has a control character"),
        _ => Ok(()),
    }
}

fn fits_a_password(password: &str) -> Result<(), &'static str> {
    if password.contains(char::is_control) { Err("it has a control character") } else { fits_any(password) }
}
