//! From sections to a gateway that serves, or to everything that is wrong with them, in one run. What is decided here
//! is never decided again: references become positions, templates become parts, addresses become text to send.

mod access;
mod address;
mod admin;
mod aggregate;
mod authenticate;
mod batch;
mod calls;
mod consumer;
mod cors;
mod edits;
mod idempotency;
mod internal_token;
mod issuer;
mod limit;
mod overlap;
mod route;
mod upstream;

use crate::config::diagnostic::{Code, Diagnostic, Place, did_you_mean};
use crate::config::document::{Kind, Sections, binding_of, place_of, section_of};
use crate::config::read::{Read, read};
use crate::config::units::{Duration, Size};
use crate::config::{self, EncodedSlashes, Forward, KeepRequestId, LogAccess, LogQuery, Platform, Source};
use crate::gateway::{Gateway, Name};
use crate::headers::is_secret;
use crate::host::{Capabilities, Counters};
use crate::observe::LogPolicy;
use crate::policy::Policy;
use crate::routing::Router;
use crate::secret::SecretSlot;
use http::HeaderName;
use ipnet::IpNet;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration as Std;

/// What a configuration comes to.
pub struct Loaded {
    /// `None` where there is a mistake, or where the configuration is somewhere else.
    pub gateway: Option<Gateway>,
    /// Where the configuration is, if not here.
    pub source: Option<Source>,
    pub diagnostics: Vec<Diagnostic>,
}

/// The gateway's own name, where it has no other.
const NAME: &str = "edgate";

const DEADLINE: Std = Std::from_secs(30);
const TIMEOUT: Std = Std::from_secs(15);
const REFRESH: Std = Std::from_secs(60);
const MAX_URL: u64 = 8_000;
const MAX_HEADERS: u64 = 32_000;
const MAX_BODY: u64 = 100_000_000;

/// What a duration that a request waits for may be.
const WAIT: RangeInclusive<Std> = Std::from_millis(1)..=Std::from_secs(600);
const BODY: RangeInclusive<u64> = 0..=100_000_000_000;

/// Loads the sections for a platform. With no capabilities given, they are held against all platforms that the
/// configuration says it is for: so does `edgate check`.
pub fn load(sections: &Sections, capabilities: Option<Capabilities>) -> Loaded {
    let mut diagnostics = Vec::new();
    let place = place_of(Kind::Gateway, "");
    let empty = serde_json::Value::Object(serde_json::Map::new());
    let value = sections.gateway.as_ref().unwrap_or(&empty);
    let (section, readable) = match read::<config::Gateway>(&place, value, &mut diagnostics) {
        Some(Read { section, .. }) => (section, true),
        None => (config::Gateway::default(), false),
    };
    if let Some(source) = &section.source {
        source_alone(sections, value, source, &place, &mut diagnostics);
        return Loaded { gateway: None, source: section.source, diagnostics };
    }
    let targets = targets(&section, capabilities);
    let mut gateway = general(&section, &place, &mut diagnostics);
    let known = known(sections, &section, &targets, &mut diagnostics);
    let names: Vec<&str> = sections.upstreams.keys().map(String::as_str).collect();
    let of_upstreams = upstream::Scope {
        gateway: &gateway.name.text.clone(),
        targets: &targets,
        names: &names,
        store: section.store.as_deref().map(Rc::from),
        shelf: Rc::default(),
    };
    gateway.upstreams = upstream::compile(sections, &of_upstreams, &mut diagnostics);
    let counters = counters(&section, &place, &mut diagnostics);
    let of_limits = limit::Scope { gateway: &gateway.name.text.clone(), counters, targets: &targets };
    let limits = limit::compile(sections, &of_limits, &mut diagnostics);
    let scope = route::Scope {
        targets: &targets,
        limits: &limits,
        upstreams: &names,
        deadline: section.deadline.map_or(DEADLINE, |deadline| deadline.0),
        max_body: section.max_body.map_or(MAX_BODY, |size| size.0),
        gateway: &section,
        known: &known,
    };
    let entries = route::compile(sections, &scope, &mut gateway, &mut diagnostics);
    if sections.routes.is_empty() && readable {
        let message = "there is no route";
        let help = "add one: [route.hello], or the binding ROUTE_HELLO, with a `match` and an action";
        diagnostics.push(Diagnostic::new(Code::NoRoutes, Place::default(), message, "no route").help(help));
    }
    overlap::check(&entries, &mut diagnostics);
    // After a mistake, whatever cannot be read may name it.
    if !diagnostics.iter().any(Diagnostic::is_error) {
        unused_issuers(sections, &gateway, &mut diagnostics);
        let policies: Vec<&Policy> = gateway.routes.iter().flat_map(|route| &route.policies).collect();
        limit::unused(&limits, &policies, &mut diagnostics);
    }
    gateway.limits = limits.into_values().flatten().collect();
    let entries: Vec<_> = entries.into_iter().map(|placed| placed.entry).collect();
    gateway.router = Router::compile(&entries);
    let serves = !diagnostics.iter().any(Diagnostic::is_error);
    tell_once(&mut diagnostics);
    Loaded { gateway: serves.then_some(gateway), source: None, diagnostics }
}

/// What the gateway says of all routes is compiled for each: a mistake in it is told once.
fn tell_once(diagnostics: &mut Vec<Diagnostic>) {
    let mut told: Vec<Diagnostic> = Vec::new();
    for diagnostic in diagnostics.drain(..) {
        if !told.contains(&diagnostic) {
            told.push(diagnostic);
        }
    }
    *diagnostics = told;
}

/// Who may be known: issuers, consumers, and where their credentials are.
fn known<'a>(
    sections: &Sections,
    section: &config::Gateway,
    targets: &'a [Capabilities],
    diagnostics: &mut Vec<Diagnostic>,
) -> authenticate::Scope<'a> {
    let place = place_of(Kind::Gateway, "");
    let redis = redis(section, &place.key("redis"), diagnostics);
    let store = store(section.store.as_deref(), &place.key("store"), diagnostics);
    let of = issuer::Scope { targets, store, redis };
    let mut issuers = issuer::Issuers::new();
    for (name, value) in &sections.issuers {
        let place = place_of(Kind::Issuer, name);
        let found = read::<config::identity::Issuer>(&place, value, diagnostics);
        let compiled = found.and_then(|Read { section, .. }| issuer::compile(name, &place, &section, &of, diagnostics));
        issuers.insert(name.clone(), compiled.map(Rc::new));
    }
    consumer::nonces(&section.signature, &of, diagnostics);
    let before = diagnostics.len();
    let consumers = Rc::new(consumer::compile(sections, &section.api_key, &of, diagnostics));
    let all_consumers = diagnostics.len() == before;
    let places = Rc::new(authenticate::places(section, of.redis.clone(), diagnostics));
    let realm = section.name.clone().unwrap_or_else(|| NAME.to_owned());
    authenticate::Scope { of, issuers, consumers, all_consumers, places, realm }
}

/// Issuers whose tokens no route takes.
fn unused_issuers(sections: &Sections, gateway: &Gateway, diagnostics: &mut Vec<Diagnostic>) {
    let policies = || gateway.routes.iter().flat_map(|route| &route.policies);
    let takes = |policy: &Policy, name: &str| match policy {
        Policy::Authenticate(authenticate) => authenticate.issuers.iter().any(|issuer| &*issuer.name == name),
        _ => false,
    };
    for name in sections.issuers.keys().filter(|name| !policies().any(|policy| takes(policy, name))) {
        let message = format!("no route takes the tokens of the issuer `{name}`");
        let help = "name it in `authenticate.issuers`, of a route or of the gateway";
        let place = place_of(Kind::Issuer, name).name();
        diagnostics.push(Diagnostic::new(Code::UnusedIssuer, place, message, "never asked for").help(help));
    }
}

/// The address of a Redis.
fn redis(section: &config::Gateway, place: &Place, diagnostics: &mut Vec<Diagnostic>) -> Option<Rc<str>> {
    let text = section.redis.as_deref()?;
    let fits = |url: &url::Url| matches!(url.scheme(), "redis" | "rediss") && url.has_host();
    match address(text).ok().filter(fits) {
        Some(url) if url.password().is_some() => {
            let message = "a password does not stand in a configuration";
            let help = "let only this network reach the Redis, or give it an address of its own without one";
            diagnostics.push(Diagnostic::new(Code::BadUrl, place.clone(), message, "a secret").help(help));
        }
        Some(_) => {}
        None => {
            let message = format!("`{text}` is no address of a Redis");
            let help = "write \"redis://127.0.0.1:6379\"";
            diagnostics.push(Diagnostic::new(Code::BadUrl, place.clone(), message, "not such a URL").help(help));
        }
    }
    Some(Rc::from(text))
}

/// Where limits are counted on platforms that have no counters of their own.
fn counters(section: &config::Gateway, place: &Place, diagnostics: &mut Vec<Diagnostic>) -> Rc<Counters> {
    // What is wrong with the address is told where claims need it, once.
    let redis = redis(section, &place.key("redis"), diagnostics);
    let store = store(section.counters.as_deref(), &place.key("counters"), diagnostics);
    Rc::new(Counters { redis, store: store.unwrap_or_else(|| Rc::from("default")) })
}

/// The platforms to hold the configuration against.
fn targets(section: &config::Gateway, capabilities: Option<Capabilities>) -> Vec<Capabilities> {
    match (capabilities, &section.targets) {
        (Some(capabilities), _) => vec![capabilities],
        (None, Some(targets)) => targets.iter().copied().map(Capabilities::of).collect(),
        (None, None) => [Platform::Cloudflare, Platform::Spin].map(Capabilities::of).into(),
    }
}

/// How often a configuration in a store is read again.
pub fn refresh(source: &Source) -> Std {
    source.refresh.map_or(REFRESH, |refresh| refresh.0)
}

/// A configuration that is elsewhere is all elsewhere.
fn source_alone(
    sections: &Sections,
    value: &serde_json::Value,
    source: &Source,
    place: &Place,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let named = sections.named();
    let others = named.iter().flat_map(|(kind, sections)| sections.keys().map(|name| place_of(*kind, name)));
    let keys =
        value.as_object().into_iter().flat_map(|keys| keys.keys()).filter(|key| *key != "source" && *key != "targets");
    for beside in others.chain(keys.map(|key| place.key(key))) {
        let message = "the configuration comes from a key-value store, so this would be ignored";
        let diagnostic = Diagnostic::new(Code::SourceNotAlone, beside.name(), message, "beside `source`")
            .help("move it into the document in the store, or take `source` away")
            .related(place.key("source").name(), "the configuration's place");
        diagnostics.push(diagnostic);
    }
    let place = place.key("source");
    within(source.refresh, Std::from_secs(1)..=Std::from_secs(86_400), &place.key("refresh"), diagnostics);
    store(Some(&source.store), &place.key("store"), diagnostics);
    if source.key.is_empty() {
        diagnostics.push(Diagnostic::new(Code::BadValue, place.key("key"), "the key's name is empty", "empty"));
    }
}

/// What the gateway's own section says.
fn general(section: &config::Gateway, place: &Place, diagnostics: &mut Vec<Diagnostic>) -> Gateway {
    let name = section.name.clone().unwrap_or_else(|| NAME.to_owned());
    // RFC 9110, section 5.6.2: a token.
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(token) {
        let message = format!("`{name}` cannot stand in `Via`");
        let help = "a name is letters, digits, hyphens and dots, 64 at most";
        diagnostics.push(Diagnostic::new(Code::BadValue, place.key("name"), message, "not a token").help(help));
    }
    if section.targets.as_ref().is_some_and(Vec::is_empty) {
        let message = "a configuration is for one platform at least";
        let help = "take the key away, or name `cloudflare` or `spin`";
        diagnostics.push(Diagnostic::new(Code::OutOfRange, place.key("targets"), message, "no platform").help(help));
    }
    within(section.deadline, WAIT, &place.key("deadline"), diagnostics);
    let max_url = size(section.max_url, MAX_URL, 64..=64_000, &place.key("max_url"), diagnostics);
    let max_headers = size(section.max_headers, MAX_HEADERS, 256..=256_000, &place.key("max_headers"), diagnostics);
    size(section.max_body, MAX_BODY, BODY, &place.key("max_body"), diagnostics);
    Gateway {
        name: Name::new(&name),
        router: Router::default(),
        routes: Vec::new(),
        upstreams: Vec::new(),
        trusted_proxies: networks(&section.trusted_proxies, &place.key("trusted_proxies"), diagnostics),
        forward: section.forward.unwrap_or(Forward::Both),
        keep_request_id: section.request_id.unwrap_or(KeepRequestId::Trusted),
        encoded_slashes: section.encoded_slashes.unwrap_or(EncodedSlashes::Refuse),
        max_url: usize::try_from(max_url).unwrap_or(usize::MAX),
        max_headers: usize::try_from(max_headers).unwrap_or(usize::MAX),
        limits: Vec::new(),
        broken: false,
        log: log(section, &place.key("log"), diagnostics),
    }
}

/// Addresses and networks in a list.
fn networks(items: &[String], place: &Place, diagnostics: &mut Vec<Diagnostic>) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for (index, text) in items.iter().enumerate() {
        match text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)) {
            Some(network) => networks.push(network),
            None => {
                let place = place.index(index);
                let message = format!("`{text}` is neither an address nor a network");
                let help = "write \"192.0.2.1\", \"10.0.0.0/8\" or \"2001:db8::/32\"";
                diagnostics.push(Diagnostic::new(Code::BadNetwork, place, message, "not a network").help(help));
            }
        }
    }
    networks
}

fn log(gateway: &config::Gateway, place: &Place, diagnostics: &mut Vec<Diagnostic>) -> LogPolicy {
    let section = &gateway.log;
    let places = [&gateway.token.header, &gateway.api_key.header];
    let own = |name: &HeaderName| places.into_iter().flatten().any(|place| name.as_str().eq_ignore_ascii_case(place));
    let mut headers = Vec::new();
    for (index, text) in section.headers.iter().enumerate() {
        let place = place.key("headers").index(index);
        match text.parse::<HeaderName>() {
            Ok(name) if is_secret(&name) || own(&name) => {
                let message = format!("`{text}` may carry credentials, which never reach a log");
                diagnostics.push(Diagnostic::new(Code::ReservedHeader, place, message, "a secret"));
            }
            Ok(name) => headers.push(name),
            Err(_) => diagnostics.push(bad_header_name(text, place)),
        }
    }
    LogPolicy {
        access: section.access.unwrap_or(LogAccess::All),
        query: section.query.unwrap_or(LogQuery::Redact),
        headers,
        subject: section.subject,
        key_query: gateway.api_key.query.clone(),
    }
}

/// Parses an absolute URL. A host that is not in its ASCII form is refused before the parser sees it, since there are no
/// tables for one (`idna_adapter` in Cargo.toml).
pub fn address(text: &str) -> Result<url::Url, url::ParseError> {
    let after_scheme = text.split_once(':').map_or("", |(_, rest)| rest).trim_start_matches(['/', '\\']);
    let authority = after_scheme.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    // The parser takes tabs and newlines away, wherever they are.
    if !authority.is_ascii() || authority.contains('%') || text.contains(char::is_control) {
        return Err(url::ParseError::IdnaError);
    }
    url::Url::parse(text)
}

fn within(given: Option<Duration>, range: RangeInclusive<Std>, place: &Place, diagnostics: &mut Vec<Diagnostic>) {
    if let Some(given) = given.filter(|given| !range.contains(&given.0)) {
        let help = format!("{} to {}", Duration(*range.start()), Duration(*range.end()));
        diagnostics.push(out_of_range(&given.to_string(), place, help));
    }
}

fn size(
    given: Option<Size>,
    default: u64,
    range: RangeInclusive<u64>,
    place: &Place,
    diagnostics: &mut Vec<Diagnostic>,
) -> u64 {
    if let Some(given) = given.filter(|given| !range.contains(&given.0)) {
        let help = format!("{} to {}", Size(*range.start()), Size(*range.end()));
        diagnostics.push(out_of_range(&given.to_string(), place, help));
    }
    given.map_or(default, |given| given.0)
}

fn out_of_range(given: &str, place: &Place, allowed: String) -> Diagnostic {
    let message = format!("{given} is outside what is allowed");
    Diagnostic::new(Code::OutOfRange, place.clone(), message, "out of range").help(format!("it can be {allowed}"))
}

fn bad_header_name(text: &str, place: Place) -> Diagnostic {
    let message = format!("`{text}` is no name of a header field");
    Diagnostic::new(Code::BadHeader, place, message, "not a field name").help("names are letters, digits and hyphens")
}

/// A place for a secret, whose name is checked.
fn secret_slot(
    name: &str,
    place: &Place,
    fits: fn(&str) -> Result<(), &'static str>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<SecretSlot> {
    // It is also the name of a Spin variable, which knows no empty words.
    let capitals = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let word = |word: &str| !word.is_empty() && word.bytes().all(capitals);
    if name.starts_with(|c: char| c.is_ascii_uppercase()) && name.split('_').all(word) {
        return free(name, place, diagnostics).then(|| SecretSlot::new(name, fits));
    }
    // It may be the secret itself, and this is logged.
    let message = "this is no name of a secret";
    let help = "names are words of capitals and digits joined by single `_`: ORDERS_KEY";
    diagnostics.push(Diagnostic::new(Code::BadValue, place.clone(), message, "not a name").help(help));
    None
}

/// The name of a key-value store.
fn store(name: Option<&str>, place: &Place, diagnostics: &mut Vec<Diagnostic>) -> Option<Rc<str>> {
    let name = name?;
    if name.is_empty() {
        diagnostics.push(Diagnostic::new(Code::BadValue, place.clone(), "the store's name is empty", "empty"));
    }
    free(name, place, diagnostics);
    Some(Rc::from(name))
}

/// Whether a binding of this name is no section of the configuration. On Workers, all have one namespace.
fn free(name: &str, place: &Place, diagnostics: &mut Vec<Diagnostic>) -> bool {
    let Some((kind, section)) = section_of(name) else { return true };
    let message = format!("on Workers, a binding of the name `{name}` is the section `{}`", place_of(kind, &section));
    let help = match kind.is_named() {
        true => format!("let the name not begin with `{}`", kind.prefix()),
        false => "take another name".to_owned(),
    };
    diagnostics.push(Diagnostic::new(Code::BadValue, place.clone(), message, "taken").help(help));
    false
}

/// What to say of a reference that leads nowhere.
fn unknown_upstream(name: &str, known: &[&str], place: Place) -> Diagnostic {
    let help = did_you_mean(name, known.iter().copied()).unwrap_or_else(|| match known {
        [] => {
            let binding = binding_of(Kind::Upstream, name);
            format!("there is none: add [upstream.{name}], or the binding {binding}, with its `url`")
        }
        known => format!("upstreams are `{}`", known.join("`, `")),
    });
    Diagnostic::new(Code::UnknownUpstream, place, format!("no upstream is named `{name}`"), "no such upstream")
        .help(help)
}
