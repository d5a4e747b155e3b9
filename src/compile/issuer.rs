//! An issuer's section: where its keys are, what its tokens must be, how they may be bound and taken back.

use super::{address, out_of_range, secret_slot, size, store, within};
use crate::bounded::Bounded;
use crate::config::diagnostic::{Code, Diagnostic, Place, did_you_mean};
use crate::config::identity::{self as section, Discovery};
use crate::config::names;
use crate::config::sorted::Sorted;
use crate::config::units::Duration;
use crate::host::Capabilities;
use crate::issuer::introspection::Introspection;
use crate::issuer::key_source::{KeySource, Limits, Location};
use crate::issuer::revocations::Revocations;
use crate::issuer::{ClaimPaths, Dpop, Issuer, Keys};
use crate::jose::algorithm::Algorithm;
use crate::jose::claims::Rules;
use crate::jose::key_set::KeySet;
use crate::renewed::Renewed;
use std::cell::{Cell, RefCell};
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration as Std;

/// Verified tokens that an issuer remembers: some 4 KB each.
const REMEMBERED: usize = 2_000;

/// Refused opaque tokens that are remembered: some 50 bytes each.
const REFUSED: usize = 10_000;

const LEEWAY: Std = Std::from_secs(30);
const REFRESH: Std = Std::from_secs(600);
const COOLDOWN: Std = Std::from_secs(30);
const STALE: Std = Std::from_secs(86_400);
const TIMEOUT: Std = Std::from_secs(5);
const TOKEN_CACHE: Std = Std::from_secs(300);
const INTROSPECTION_CACHE: Std = Std::from_secs(60);
const NEGATIVE_CACHE: Std = Std::from_secs(10);
const PROOF_AGE: Std = Std::from_secs(60);
const REVOCATION_REFRESH: Std = Std::from_secs(30);
const MAX_SIZE: u64 = 256_000;
const MAX_KEYS: u16 = 100;

const HOUR: Std = Std::from_secs(3_600);

type Diagnostics = Vec<Diagnostic>;

/// What an issuer's section may refer to.
pub struct Scope<'a> {
    pub targets: &'a [Capabilities],
    /// `gateway.store`.
    pub store: Option<Rc<str>>,
    /// `gateway.redis`.
    pub redis: Option<Rc<str>>,
}

/// One issuer while it is compiled.
struct One<'a> {
    name: &'a str,
    place: &'a Place,
    section: &'a section::Issuer,
    scope: &'a Scope<'a>,
}

/// Compiles an issuer. `None` after a mistake, all of which are reported.
pub fn compile(
    name: &str,
    place: &Place,
    section: &section::Issuer,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Issuer> {
    let before = diagnostics.len();
    let one = One { name, place, section, scope };
    let limits = one.limits(diagnostics);
    let algorithms = one.algorithms(diagnostics);
    let keys = one.keys(&algorithms, &limits, diagnostics);
    let rules = one.rules(diagnostics);
    let claims = one.claims(diagnostics);
    let dpop = one.dpop(diagnostics);
    let revocations = one.revocations(diagnostics);
    let cache = one.within("token_cache", section.token_cache, (Std::ZERO..=HOUR, TOKEN_CACHE), diagnostics);
    if diagnostics.len() > before {
        return None;
    }
    Some(Issuer {
        name: Rc::from(name),
        rules,
        algorithms,
        keys: keys?,
        claims: claims?,
        dpop: dpop?,
        revocations,
        token_cache: cache,
        verified: RefCell::new(Bounded::new(REMEMBERED)),
    })
}

impl One<'_> {
    fn within(
        &self,
        key: &str,
        given: Option<Duration>,
        (range, default): (RangeInclusive<Std>, Std),
        diagnostics: &mut Diagnostics,
    ) -> Std {
        within(given, range, &self.place.key(key), diagnostics);
        given.map_or(default, |given| given.0)
    }

    fn limits(&self, diagnostics: &mut Diagnostics) -> Limits {
        let One { section, place, .. } = self;
        let seconds = Std::from_secs;
        let refresh = self.within("refresh", section.refresh, (seconds(10)..=seconds(86_400), REFRESH), diagnostics);
        let cooldown = self.within("cooldown", section.cooldown, (seconds(1)..=HOUR, COOLDOWN), diagnostics);
        let stale = self.within("stale", section.stale, (Std::ZERO..=seconds(30 * 86_400), STALE), diagnostics);
        let timeout =
            self.within("timeout", section.timeout, (Std::from_millis(1)..=seconds(60), TIMEOUT), diagnostics);
        let max_size = size(section.max_size, MAX_SIZE, 1_000..=4_000_000, &place.key("max_size"), diagnostics);
        let max_keys = section.max_keys.unwrap_or(MAX_KEYS);
        if !(1..=1_000).contains(&max_keys) {
            let allowed = "1 to 1000".to_owned();
            diagnostics.push(out_of_range(&max_keys.to_string(), &place.key("max_keys"), allowed));
        }
        for (index, pin) in section.pins.iter().enumerate() {
            if pin.len() != 43 || !pin.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            {
                let message = format!("`{pin}` is no thumbprint");
                let help = "write 43 characters of base64url: the SHA-256 of the key's required members (RFC 7638)";
                let place = place.key("pins").index(index);
                diagnostics.push(Diagnostic::new(Code::BadValue, place, message, "not a thumbprint").help(help));
            }
        }
        let max_keys = usize::from(max_keys);
        Limits { refresh, cooldown, stale, timeout, max_size, max_keys, pins: section.pins.clone() }
    }

    fn algorithms(&self, diagnostics: &mut Diagnostics) -> Vec<Algorithm> {
        let symmetric = self.section.secret.is_some();
        let Some(names) = &self.section.algorithms else {
            let public = || Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()).collect();
            return if symmetric { vec![Algorithm::Hs256] } else { public() };
        };
        let place = self.place.key("algorithms");
        if names.is_empty() {
            let message = "an issuer has one algorithm at least";
            diagnostics.push(Diagnostic::new(Code::OutOfRange, place.clone(), message, "no algorithm"));
        }
        let mut algorithms = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let place = place.index(index);
            match Algorithm::of(name) {
                // RFC 8725, section 3.1: a public key must never be taken for a secret.
                Some(algorithm) if algorithm.is_symmetric() != symmetric => {
                    let (message, help) = match symmetric {
                        true => (
                            "is an algorithm of public keys, and this issuer has a secret",
                            "it can be HS256, HS384 or HS512",
                        ),
                        false => (
                            "is an algorithm of secrets, and this issuer has public keys",
                            "take it away, or give `secret` instead",
                        ),
                    };
                    let message = format!("`{name}` {message}");
                    diagnostics
                        .push(Diagnostic::new(Code::BadValue, place, message, "does not go with the keys").help(help));
                }
                Some(algorithm) => algorithms.push(algorithm),
                None => {
                    let known = Algorithm::ALL.map(Algorithm::name);
                    let help =
                        did_you_mean(name, known).unwrap_or_else(|| format!("it can be one of {}", known.join(", ")));
                    let message = format!("`{name}` is no algorithm that edgate verifies");
                    diagnostics
                        .push(Diagnostic::new(Code::UnknownValue, place, message, "unknown algorithm").help(help));
                }
            }
        }
        algorithms
    }

    fn keys(&self, algorithms: &[Algorithm], limits: &Limits, diagnostics: &mut Diagnostics) -> Option<Keys> {
        let One { section, place, .. } = self;
        let given: Vec<&str> = [
            ("discovery", section.discovery.is_some()),
            ("jwks_uri", section.jwks_uri.is_some()),
            ("keys", section.keys.is_some()),
            ("secret", section.secret.is_some()),
            ("introspection", section.introspection.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, given)| given.then_some(key))
        .collect();
        if let [first, second, ..] = given.as_slice() {
            let message = format!("an issuer's keys come from one place, not `{}`", given.join("` and `"));
            let diagnostic = Diagnostic::new(Code::MisplacedKey, place.key(second).name(), message, "a second place")
                .help("keep one of them, or make two issuers")
                .related(place.key(first).name(), "the first place");
            diagnostics.push(diagnostic);
            return None;
        }
        if let Some(asked) = &section.introspection {
            return self.introspection(asked, limits, diagnostics);
        }
        if let Some(secret) = &section.secret {
            let fits = algorithms.iter().max().map_or(fits_hs256 as fn(&str) -> _, |largest| match largest {
                Algorithm::Hs512 => fits_hs512,
                Algorithm::Hs384 => fits_hs384,
                _ => fits_hs256,
            });
            return secret_slot(&secret.secret, &place.key("secret").key("secret"), fits, diagnostics)
                .map(Keys::Secret);
        }
        if let Some(keys) = &section.keys {
            return self.fixed(keys, limits, diagnostics).map(Keys::Fixed);
        }
        let location = match &section.jwks_uri {
            Some(url) => {
                let url =
                    endpoint(url, &place.key("jwks_uri"), "write \"https://login.example.com/keys\"", diagnostics)?;
                Location::KeySet(url.to_string())
            }
            None => self.discovery(diagnostics)?,
        };
        Some(Keys::Fetched(Rc::new(KeySource {
            name: Rc::from(self.name),
            place: location,
            limits: limits.clone(),
            store: self.scope.store.clone(),
            cell: Rc::new(Renewed::default()),
            changes: Cell::new(0),
            discovered: RefCell::new(None),
            asked: Cell::new(None),
        })))
    }

    /// Where the discovery document is.
    fn discovery(&self, diagnostics: &mut Diagnostics) -> Option<Location> {
        let issuer = &self.section.issuer;
        if issuer.is_empty() {
            return None;
        }
        let help = "write \"https://login.example.com\", or say where its keys are: `jwks_uri`";
        let url = endpoint(issuer, &self.place.key("issuer"), help, diagnostics)?;
        let path = url.path().trim_end_matches('/');
        let origin = url.origin().ascii_serialization();
        let document = match self.section.discovery.unwrap_or(Discovery::Oidc) {
            // OpenID Connect Discovery 1.0, section 4: after the issuer.
            Discovery::Oidc => format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')),
            // RFC 8414, section 3: between the host and the path.
            Discovery::Oauth => format!("{origin}/.well-known/oauth-authorization-server{path}"),
        };
        let mut origins = vec![origin];
        for (index, text) in self.section.key_origins.iter().enumerate() {
            let place = self.place.key("key_origins").index(index);
            if let Some(url) = endpoint(text, &place, "write \"https://www.googleapis.com\"", diagnostics) {
                origins.push(url.origin().ascii_serialization());
            }
        }
        Some(Location::Discovery { url: document, issuer: issuer.clone(), origins })
    }

    fn fixed(&self, keys: &serde_json::Value, limits: &Limits, diagnostics: &mut Diagnostics) -> Option<KeySet> {
        let place = self.place.key("keys");
        let found = KeySet::parse(keys.to_string().as_bytes(), limits.max_keys, &limits.pins);
        let mut fail = |message: String| {
            let help = "write { keys = [..] }, with public keys as RFC 7517 has them";
            diagnostics.push(Diagnostic::new(Code::BadKey, place.clone(), message, "not such a key set").help(help));
        };
        match found {
            // What is written down by hand is meant: nothing of it is left out in silence.
            Ok(set) if set.ignored.is_empty() && !set.keys.is_empty() => Some(set),
            Ok(set) if set.keys.is_empty() && set.ignored.is_empty() => {
                fail("the key set has no key".to_owned());
                None
            }
            Ok(set) => {
                fail(format!("the key set has a key that cannot be used: {}", set.ignored.join("; ")));
                None
            }
            Err(why) => {
                fail(format!("the key set cannot be read: {why}"));
                None
            }
        }
    }

    fn introspection(
        &self,
        section: &section::Introspection,
        limits: &Limits,
        diagnostics: &mut Diagnostics,
    ) -> Option<Keys> {
        let place = self.place.key("introspection");
        let help = "write \"https://login.example.com/introspect\"";
        let url = endpoint(&section.url, &place.key("url"), help, diagnostics);
        let secret_place = place.key("client_secret").key("secret");
        let secret = secret_slot(&section.client_secret.secret, &secret_place, fits_any, diagnostics);
        for (key, given) in [("cache", section.cache), ("negative_cache", section.negative_cache)] {
            within(given, Std::ZERO..=HOUR, &place.key(key), diagnostics);
        }
        let unread = [
            ("algorithms", self.section.algorithms.is_some()),
            ("typ", self.section.typ.is_some()),
            ("pins", !self.section.pins.is_empty()),
        ];
        for (key, _) in unread.into_iter().filter(|(_, given)| *given) {
            let message = format!("`{key}` has no meaning where the issuer is asked about each token");
            let place = self.place.key(key).name();
            let help = "take it away: edgate does not read such a token itself";
            diagnostics.push(Diagnostic::new(Code::MisplacedKey, place, message, "beside `introspection`").help(help));
        }
        if section.client_id.is_empty() {
            let message = "the client has no name";
            diagnostics.push(Diagnostic::new(Code::BadValue, place.key("client_id"), message, "empty"));
        }
        Some(Keys::Asked(Rc::new(Introspection {
            name: Rc::from(self.name),
            url: url?.to_string(),
            client: section.client_id.clone(),
            secret: secret?,
            cache: section.cache.map_or(INTROSPECTION_CACHE, |cache| cache.0),
            negative_cache: section.negative_cache.map_or(NEGATIVE_CACHE, |cache| cache.0),
            timeout: limits.timeout,
            refused: RefCell::new(Bounded::new(REFUSED)),
            calls: RefCell::new(Sorted::new()),
        })))
    }

    fn rules(&self, diagnostics: &mut Diagnostics) -> Rules {
        let One { section, place, .. } = self;
        if section.issuer.is_empty() {
            let message = "the issuer's name is empty";
            diagnostics.push(Diagnostic::new(Code::BadValue, place.key("issuer"), message, "empty"));
        }
        // RFC 8725, section 3.9: a token for somebody else must not be taken.
        match (section.audience.items.is_empty(), section.any_audience) {
            (true, false) => {
                let message = "nothing says for whom this issuer's tokens are";
                let help = "add `audience`, or `any_audience = true` where it issues tokens for nobody else";
                diagnostics.push(
                    Diagnostic::new(Code::MissingKey, (*place).clone().name(), message, "needed here").help(help),
                );
            }
            (false, true) => {
                let message = "tokens are for one of these audiences, or for any, not both";
                let diagnostic =
                    Diagnostic::new(Code::MisplacedKey, place.key("any_audience").name(), message, "beside `audience`")
                        .related(place.key("audience").name(), "the audiences");
                diagnostics.push(diagnostic);
            }
            _ => {}
        }
        let leeway = self.within("leeway", section.leeway, (Std::ZERO..=Std::from_secs(300), LEEWAY), diagnostics);
        if let Some(max_age) = section.max_age {
            let range = Std::from_secs(1)..=Std::from_secs(366 * 86_400);
            within(Some(max_age), range, &place.key("max_age"), diagnostics);
        }
        Rules {
            issuer: section.issuer.clone(),
            audience: (!section.any_audience).then(|| section.audience.items.clone()),
            typ: section.typ.clone(),
            required: section.required_claims.clone(),
            leeway: leeway.as_secs_f64(),
            max_age: section.max_age.map(|age| age.0.as_secs_f64()),
            exp_required: !section.allow_missing_exp,
        }
    }

    fn claims(&self, diagnostics: &mut Diagnostics) -> Option<ClaimPaths> {
        let section = &self.section.claims;
        let place = self.place.key("claims");
        let mut path = |key: &str, given: &Option<String>, default: &str| {
            let text = given.as_deref().unwrap_or(default);
            names::path(text).map_err(|(range, reason)| {
                let help = "write `sub`, `realm_access.roles` or `[\"https://example.com/groups\"]`";
                let place = place.key(key).within(range);
                let message = format!("the claim cannot be read: {reason}");
                diagnostics.push(Diagnostic::new(Code::BadTemplate, place, message, "here").help(help));
            })
        };
        let subject = path("subject", &section.subject, "sub").ok();
        let groups = path("groups", &section.groups, "groups").ok();
        let scopes = match &section.scopes {
            Some(_) => path("scopes", &section.scopes, "").map(|path| vec![path]).ok(),
            None => Some(vec![vec!["scope".to_owned()], vec!["scp".to_owned()]]),
        };
        let consumer = match &section.consumer {
            Some(_) => path("consumer", &section.consumer, "").map(Some).ok(),
            None => Some(None),
        };
        Some(ClaimPaths { subject: subject?, scopes: scopes?, groups: groups?, consumer: consumer? })
    }

    fn dpop(&self, diagnostics: &mut Diagnostics) -> Option<Dpop> {
        let redis = self.scope.redis.clone();
        let Some(section) = &self.section.dpop else {
            return Some(Dpop { required: false, offered: false, max_age: PROOF_AGE, nonce: None, redis });
        };
        let place = self.place.key("dpop");
        within(section.max_age, Std::from_secs(1)..=Std::from_secs(600), &place.key("max_age"), diagnostics);
        let nonce = match &section.nonce {
            Some(secret) => {
                Some(secret_slot(&secret.secret, &place.key("nonce").key("secret"), fits_hs256, diagnostics)?)
            }
            None => None,
        };
        once(&place, "proofs of possession pass once", self.scope, diagnostics);
        let max_age = section.max_age.map_or(PROOF_AGE, |age| age.0);
        Some(Dpop { required: section.required, offered: true, max_age, nonce, redis })
    }

    fn revocations(&self, diagnostics: &mut Diagnostics) -> Option<Rc<Revocations>> {
        let section = self.section.revocation.as_ref()?;
        let place = self.place.key("revocation");
        within(section.refresh, Std::from_secs(1)..=HOUR, &place.key("refresh"), diagnostics);
        let own = store(section.store.as_deref(), &place.key("store"), diagnostics);
        let Some(store) = own.or(self.scope.store.clone()) else {
            let message = "nothing says where the list of revoked tokens is";
            let help = "add `store`, or `gateway.store` for everything that instances share";
            diagnostics.push(Diagnostic::new(Code::MissingKey, place.name(), message, "needed here").help(help));
            return None;
        };
        let refresh = section.refresh.map_or(REVOCATION_REFRESH, |refresh| refresh.0);
        Some(Rc::new(Revocations { name: Rc::from(self.name), store, refresh, cell: Rc::new(Renewed::default()) }))
    }
}

/// Something may happen once, on all instances together: Spin needs a Redis for that.
pub fn once(place: &Place, what: &str, scope: &Scope<'_>, diagnostics: &mut Diagnostics) {
    let redis = scope.targets.iter().filter(|target| target.claims_need_redis);
    for target in redis.filter(|_| scope.redis.is_none()) {
        let message = format!("{what}, and instances on {} need a Redis to agree on that", target.platform);
        let help = "add `gateway.redis`, or name the platforms that this configuration is for: `gateway.targets`";
        diagnostics.push(Diagnostic::new(Code::Unsupported, place.clone().name(), message, "needs a Redis").help(help));
    }
}

/// An address that edgate itself calls. What is said of it is logged too, so a password in it is not.
pub fn endpoint(text: &str, place: &Place, help: &str, diagnostics: &mut Diagnostics) -> Option<url::Url> {
    let (message, help) = match address(text) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => (format!("`{text}` is neither http nor https"), help),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            ("the address has a user or a password in it".to_owned(), "write the address alone")
        }
        Ok(url) if url.fragment().is_some() => (format!("`{text}` has a fragment"), help),
        Ok(url) => return Some(url),
        Err(url::ParseError::RelativeUrlWithoutBase) => (format!("`{text}` has no scheme"), help),
        Err(url::ParseError::IdnaError) => {
            (format!("`{text}` has a name that is not in its ASCII form"), "write it as `xn--..`")
        }
        Err(error) => (format!("`{text}` is no URL: {error}"), help),
    };
    diagnostics.push(Diagnostic::new(Code::BadUrl, place.clone(), message, "not such a URL").help(help));
    None
}

pub fn fits_any(secret: &str) -> Result<(), &'static str> {
    if secret.is_empty() { Err("it is empty") } else { Ok(()) }
}

/// RFC 7518, section 3.2: a key of the same size as the hash output or larger must be used.
pub fn fits_hs256(secret: &str) -> Result<(), &'static str> {
    if secret.len() < 32 { Err("it is shorter than 32 bytes") } else { Ok(()) }
}

fn fits_hs384(secret: &str) -> Result<(), &'static str> {
    if secret.len() < 48 { Err("it is shorter than 48 bytes") } else { Ok(()) }
}

fn fits_hs512(secret: &str) -> Result<(), &'static str> {
    if secret.len() < 64 { Err("it is shorter than 64 bytes") } else { Ok(()) }
}

/// Issuers by name.
pub type Issuers = Sorted<String, Option<Rc<Issuer>>>;
