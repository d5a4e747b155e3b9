//! How clients show who they are: the keys `authenticate` and `authorize` of the gateway and of routes.

use super::consumer::no_certificates;
use super::issuer::{self, Issuers};
use super::{bad_header_name, size, within};
use crate::config::diagnostic::{Code, Diagnostic, Place, did_you_mean};
use crate::config::document::{Kind, binding_of, place_of};
use crate::config::identity as section;
use crate::config::words::Method;
use crate::config::{self};
use crate::consumers::Consumers;
use crate::headers::is_reserved;
use crate::http_signature::component::Identifier;
use crate::http_signature::rules::Rules;
use crate::issuer::Issuer;
use crate::jose::algorithm::Algorithm;
use crate::policy::authenticate::Authenticate;
use crate::policy::authenticate::places::{Places, SignaturePlaces};
use crate::policy::authorize::Authorize;
use crate::refusal::{Challenges, Scheme};
use crate::rule::{self, Rule};
use http::HeaderName;
use std::rc::Rc;
use std::time::Duration as Std;

type Diagnostics = Vec<Diagnostic>;

const SIGNATURE_AGE: Std = Std::from_secs(300);
const SIGNATURE_LEEWAY: f64 = 30.0;
const SIGNED_BODY: u64 = 1_000_000;
const MAX_TOKEN: u64 = 8_000;

/// What `authenticate` refers to.
pub struct Scope<'a> {
    pub of: issuer::Scope<'a>,
    pub issuers: Issuers,
    pub consumers: Rc<Consumers>,
    /// Whether these are all of them, and nothing of them is missing after a mistake.
    pub all_consumers: bool,
    pub places: Rc<Places>,
    /// The gateway's name.
    pub realm: String,
}

/// Where credentials are, as the gateway's section says.
pub fn places(section: &config::Gateway, redis: Option<Rc<str>>, diagnostics: &mut Diagnostics) -> Places {
    let place = place_of(Kind::Gateway, "");
    let token = place.key("token");
    let max_token = size(section.token.max_size, MAX_TOKEN, 256..=64_000, &token.key("max_size"), diagnostics);
    let mut field = |name: &Option<String>, place: &Place| {
        let text = name.as_ref()?;
        match text.parse::<HeaderName>() {
            Ok(name) if is_reserved(&name) || name == "cookie" || name == "authorization" => {
                let message = format!("`{text}` has another meaning");
                let help = "`Authorization` is always looked at; a cookie is named by `cookie`";
                diagnostics.push(Diagnostic::new(Code::ReservedHeader, place.clone(), message, "reserved").help(help));
                None
            }
            Ok(name) => Some(name),
            Err(_) => {
                diagnostics.push(bad_header_name(text, place.clone()));
                None
            }
        }
    };
    let token_header = field(&section.token.header, &token.key("header"));
    let api_key = place.key("api_key");
    let key_header = field(&section.api_key.header, &api_key.key("header"));
    for (name, place) in [(&section.token.cookie, &token), (&section.api_key.cookie, &api_key)] {
        cookie(name.as_deref(), &place.key("cookie"), diagnostics);
    }
    if section.api_key.query.as_deref() == Some("") {
        let message = "the parameter has no name";
        diagnostics.push(Diagnostic::new(Code::BadValue, api_key.key("query"), message, "empty"));
    }
    Places {
        token_header,
        token_cookie: section.token.cookie.clone(),
        max_token: usize::try_from(max_token).unwrap_or(usize::MAX),
        key_header: key_header.unwrap_or(HeaderName::from_static("x-api-key")),
        key_query: section.api_key.query.clone(),
        key_cookie: section.api_key.cookie.clone(),
        imported_keys: section.api_key.imported,
        signature: signature(&section.signature, &place.key("signature"), redis, diagnostics),
    }
}

/// The name of a cookie (RFC 6265, section 4.1.1): one with other characters is never sent.
fn cookie(name: Option<&str>, place: &Place, diagnostics: &mut Diagnostics) {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if let Some(name) = name.filter(|name| name.is_empty() || !name.bytes().all(token)) {
        let message = format!("`{name}` is no name of a cookie");
        let help = "names are letters, digits, hyphens, dots and underscores";
        diagnostics.push(Diagnostic::new(Code::BadValue, place.clone(), message, "never sent").help(help));
    }
}

fn signature(
    section: &section::Signatures,
    place: &Place,
    redis: Option<Rc<str>>,
    diagnostics: &mut Diagnostics,
) -> SignaturePlaces {
    let default = || Rules::COMPONENTS.iter().map(|text| (*text).to_owned()).collect();
    let mut components = Vec::new();
    for (index, text) in section.components.clone().unwrap_or_else(default).iter().enumerate() {
        match Identifier::parse(text) {
            Ok(component) => components.push(component),
            Err(why) => {
                let place = place.key("components").index(index);
                let help = "write \"@method\", \"@target-uri\", \"content-type\", or \"@query-param\";name=\"page\"";
                diagnostics.push(Diagnostic::new(Code::BadValue, place, why, "not a component").help(help));
            }
        }
    }
    let range = Std::from_secs(1)..=Std::from_secs(86_400);
    within(section.max_age, range, &place.key("max_age"), diagnostics);
    let max_body = size(section.max_body, SIGNED_BODY, 0..=10_000_000, &place.key("max_body"), diagnostics);
    let rules = Rules {
        components,
        max_age: section.max_age.map_or(SIGNATURE_AGE, |age| age.0).as_secs_f64(),
        leeway: SIGNATURE_LEEWAY,
        tag: section.tag.clone(),
        nonce_required: section.nonce,
    };
    SignaturePlaces { rules, max_body, redis }
}

/// Compiles `authenticate`. `None` after a mistake.
pub fn compile(
    section: &section::Authenticate,
    place: &Place,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Authenticate> {
    let before = diagnostics.len();
    let issuers = issuers(section, place, scope, diagnostics);
    let methods = match section.methods.as_slice() {
        [] if is_broken(place, diagnostics) => return None,
        [] if section.issuers.items.is_empty() => {
            let message = "no way to show who one is";
            let help = "add `issuers`, or `methods`: token, api_key, basic, signature, certificate";
            diagnostics.push(Diagnostic::new(Code::MissingKey, place.clone(), message, "needed here").help(help));
            return None;
        }
        [] => vec![Method::Token],
        methods => methods.to_vec(),
    };
    let token = methods.contains(&Method::Token);
    if token && section.issuers.items.is_empty() {
        let message = "a token is an issuer's, and none is named";
        diagnostics.push(Diagnostic::new(Code::MissingKey, place.clone(), message, "`issuers` is needed here"));
    }
    if !token && !section.issuers.items.is_empty() {
        let message = "issuers have no meaning where no token is taken";
        let help = "add \"token\" to `methods`";
        let place = place.key("issuers").name();
        diagnostics.push(Diagnostic::new(Code::MisplacedKey, place, message, "without \"token\"").help(help));
    }
    for (index, method) in methods.iter().enumerate() {
        if methods.get(..index).is_some_and(|before| before.contains(method)) {
            let place = place.key("methods").index(index);
            let message = format!("`{}` stands twice", method.name());
            diagnostics.push(Diagnostic::new(Code::DuplicateKey, place, message, "again"));
        }
        if *method == Method::Certificate {
            no_certificates(&place.key("methods").index(index), &scope.of, diagnostics);
        }
        if let Some((message, help)) = nobody(*method, &scope.consumers).filter(|_| scope.all_consumers) {
            let place = place.key("methods").index(index);
            diagnostics.push(Diagnostic::new(Code::NoConsumers, place, message, "opens to nobody").help(help));
        }
    }
    if diagnostics.len() > before {
        return None;
    }
    let challenges = challenges(&methods, &issuers, &scope.realm);
    Some(Authenticate {
        methods,
        issuers,
        consumers: Rc::clone(&scope.consumers),
        places: Rc::clone(&scope.places),
        challenges,
        optional: section.optional,
        keep_credentials: section.keep_credentials,
        dry_run: section.dry_run,
    })
}

fn issuers(
    section: &section::Authenticate,
    place: &Place,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Vec<Rc<Issuer>> {
    let place = place.key("issuers");
    let mut issuers: Vec<Rc<Issuer>> = Vec::new();
    for (index, name) in section.issuers.items.iter().enumerate() {
        let place = if section.issuers.list { place.index(index) } else { place.clone() };
        match scope.issuers.get(name) {
            Some(Some(issuer)) => {
                let same = issuers.iter().find(|other| {
                    !issuer.signs() && !other.signs() || issuer.signs() && issuer.rules.issuer == other.rules.issuer
                });
                if let Some(other) = same {
                    let message = match issuer.signs() {
                        true => format!("`{name}` and `{}` are the same `iss`", other.name),
                        false => format!(
                            "`{name}` and `{}` are both asked, and a token does not say whose it is",
                            other.name
                        ),
                    };
                    diagnostics.push(Diagnostic::new(Code::BadValue, place, message, "cannot be told apart"));
                    continue;
                }
                issuers.push(Rc::clone(issuer));
            }
            // Its own mistake is reported.
            Some(None) => {}
            None => {
                let known: Vec<&str> = scope.issuers.keys().map(String::as_str).collect();
                let help = did_you_mean(name, known.iter().copied()).unwrap_or_else(|| match known.as_slice() {
                    [] => {
                        format!("there is none: add [issuer.{name}], or the binding {}", binding_of(Kind::Issuer, name))
                    }
                    known => format!("issuers are `{}`", known.join("`, `")),
                });
                let message = format!("no issuer is named `{name}`");
                diagnostics.push(Diagnostic::new(Code::UnknownIssuer, place, message, "no such issuer").help(help));
            }
        }
    }
    issuers
}

/// Whether something in a table is reported, so that what seems to be missing may be what could not be read.
fn is_broken(place: &Place, diagnostics: &Diagnostics) -> bool {
    diagnostics.iter().any(|found| found.place.path.starts_with(&place.path))
}

/// A way in that nobody can take is a mistake.
fn nobody(method: Method, consumers: &Consumers) -> Option<(&'static str, &'static str)> {
    let (none, message, help) = match method {
        Method::Token => return None,
        Method::ApiKey => (
            consumers.stored.is_none() && consumers.api_keys.is_empty(),
            "no consumer has an API key",
            "`edgate key new NAME` makes one, or name a store: `gateway.api_key.store`",
        ),
        Method::Basic => (
            consumers.passwords.users.is_empty(),
            "no consumer has a password",
            "add `passwords` to a consumer; `edgate key hash-password` makes the hash",
        ),
        Method::Signature => (
            consumers.signature_keys.is_empty(),
            "no consumer has a key for signed requests",
            "add `signature_keys` to a consumer",
        ),
        Method::Certificate => {
            (consumers.certificates.is_empty(), "no consumer has a certificate", "add `certificates` to a consumer")
        }
    };
    none.then_some((message, help))
}

fn challenges(methods: &[Method], issuers: &[Rc<Issuer>], realm: &str) -> Challenges {
    let mut list = Vec::new();
    for method in methods {
        match method {
            Method::Token => {
                if issuers.iter().any(|issuer| !issuer.dpop.required) {
                    list.push((Method::Token, Scheme::Bearer));
                }
                if issuers.iter().any(|issuer| issuer.dpop.offered) {
                    let public = Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric());
                    let names: Vec<&str> = public.map(Algorithm::name).collect();
                    list.push((Method::Token, Scheme::Dpop(format!("\"{}\"", names.join(" ")))));
                }
            }
            Method::ApiKey => list.push((Method::ApiKey, Scheme::Named("ApiKey"))),
            Method::Basic => list.push((Method::Basic, Scheme::Basic)),
            Method::Signature => list.push((Method::Signature, Scheme::Named("Signature"))),
            Method::Certificate => list.push((Method::Certificate, Scheme::Named("Certificate"))),
        }
    }
    Challenges { list, realm: format!("\"{realm}\"") }
}

/// Compiles `authorize`.
pub fn authorize(
    section: &section::Authorize,
    place: &Place,
    authenticate: Option<&Authenticate>,
    scope: &rule::Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Authorize {
    // RFC 6749, section 3.3.
    let token = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    for (key, scopes) in [("scopes", &section.scopes), ("any_scope", &section.any_scope)] {
        for (index, scope) in scopes.iter().enumerate() {
            if scope.is_empty() || !scope.bytes().all(token) {
                let place = place.key(key).index(index);
                let message = format!("{scope:?} is no scope");
                let help = "a scope is one word without quotes; several are several items";
                diagnostics.push(Diagnostic::new(Code::BadValue, place, message, "not a scope").help(help));
            }
        }
    }
    let asks_who = !section.scopes.is_empty() || !section.any_scope.is_empty() || !section.groups.is_empty();
    if asks_who && !scope.has_identity {
        let message = "nobody has scopes or groups here, since the route does not authenticate";
        let help = "add `authenticate` to the route, or to the gateway";
        diagnostics
            .push(Diagnostic::new(Code::NoIdentity, place.clone().name(), message, "nobody is known").help(help));
    }
    if !asks_who && section.rules.items.is_empty() && !is_broken(place, diagnostics) {
        let message = "nothing is asked of a client";
        let help = "add `scopes`, `any_scope`, `groups` or `rules`";
        diagnostics.push(Diagnostic::new(Code::MissingKey, place.clone(), message, "needed here").help(help));
    }
    let mut rules = Vec::new();
    for (index, text) in section.rules.items.iter().enumerate() {
        let place = if section.rules.list { place.key("rules").index(index) } else { place.key("rules") };
        rules.extend(Rule::compile(text, &place, scope, diagnostics));
    }
    Authorize {
        scopes: section.scopes.clone(),
        any_scope: section.any_scope.clone(),
        groups: section.groups.clone(),
        rules,
        challenges: authenticate.map(|authenticate| authenticate.challenges.clone()).unwrap_or_default(),
        // Where it is only tried who a client is, it can only be tried what that one may do.
        dry_run: section.dry_run || authenticate.is_some_and(|authenticate| authenticate.dry_run),
    }
}
