//! The section `upstream`: its targets, which of them gets a request, and what happens where one fails; and the upstreams
//! that a route chooses between.

mod credentials;
mod failing;
mod health;
pub mod route;

use super::{Code, Diagnostic, Place, TIMEOUT, WAIT, internal_token, limit, within};
use crate::compile::route::placed;
use crate::config::document::{Kind, Sections, place_of};
use crate::config::read::{Read, read};
use crate::config::upstream::{self as section, BalanceBy, BalanceWord};
use crate::config::words::OneOrMany;
use crate::host::Capabilities;
use crate::limit::key::Key;
use crate::upstream::proxy::Sticky;
use crate::upstream::stale::Shelf;
use crate::upstream::target::Target;
use crate::upstream::{Balance, State, Upstream};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration as Std;

type Diagnostics = Vec<Diagnostic>;

/// More targets than this are a load balancer's.
const MOST_TARGETS: usize = 64;

const MOST_WEIGHT: u32 = 1_000;

/// What upstreams refer to.
pub struct Scope<'a> {
    /// The gateway's name.
    pub gateway: &'a str,
    pub targets: &'a [Capabilities],
    /// In the order of the gateway's upstreams.
    pub names: &'a [&'a str],
    /// `gateway.store`.
    pub store: Option<Rc<str>>,
    /// The last good answers of all upstreams.
    pub shelf: Rc<RefCell<Shelf>>,
}

/// Compiles every upstream, in the order of the names, which is that of [`Sections::upstreams`]: one that cannot be read
/// keeps its position.
pub fn compile(sections: &Sections, scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Vec<Rc<Upstream>> {
    let mut upstreams = Vec::new();
    for (name, value) in &sections.upstreams {
        let place = place_of(Kind::Upstream, name);
        let upstream = match read::<section::Upstream>(&place, value, diagnostics) {
            Some(Read { section, complete }) => {
                let one = One { name, place: &place, section: &section, complete, scope };
                one.compile(diagnostics)
            }
            None => placeholder(name),
        };
        upstreams.push(Rc::new(upstream));
    }
    upstreams
}

/// Keeps an upstream's position after a mistake; a configuration with a mistake never serves.
fn placeholder(name: &str) -> Upstream {
    Upstream {
        name: Rc::from(name),
        targets: Vec::new(),
        balance: Balance::InOrder,
        timeout: TIMEOUT,
        retry: None,
        hedge: None,
        breaking: None,
        most_ejected: 0,
        shared: None,
        fallback: None,
        internal_token: None,
        credentials: None,
        state: State::default(),
    }
}

/// One upstream while it is compiled.
struct One<'a> {
    name: &'a str,
    place: &'a Place,
    section: &'a section::Upstream,
    /// Whether all of the section could be read.
    complete: bool,
    scope: &'a Scope<'a>,
}

impl One<'_> {
    fn compile(&self, diagnostics: &mut Diagnostics) -> Upstream {
        let One { section, place, scope, .. } = self;
        within(section.timeout, WAIT, &place.key("timeout"), diagnostics);
        let addresses = self.addresses(diagnostics);
        let active = addresses.iter().filter(|(_, weight)| *weight > 0).count();
        if active < 2 && self.complete {
            self.alone(diagnostics);
        }
        let breaking = section.breaker.as_ref().map(|breaker| self.breaking(breaker, diagnostics));
        let rules = breaking.as_ref().map(|breaking| breaking.rules);
        let internal_token = section.internal_token.as_ref().and_then(|token| {
            let of = (scope.gateway, scope.targets);
            internal_token::compile(token, self.name, of, &place.key("internal_token"), diagnostics)
        });
        Upstream {
            name: Rc::from(self.name),
            balance: self.balance(diagnostics),
            timeout: section.timeout.map_or(TIMEOUT, |timeout| timeout.0),
            retry: section.retry.as_ref().map(|retry| self.retry(retry, diagnostics)),
            hedge: section.hedge.as_ref().map(|hedge| self.hedge(hedge, diagnostics)),
            most_ejected: self.most_ejected(active, diagnostics),
            shared: self.shared(diagnostics),
            fallback: section.fallback.as_ref().map(|fallback| self.fallback(fallback, &addresses, diagnostics)),
            targets: addresses.into_iter().map(|(base, weight)| Target::new(base, weight, rules.as_ref())).collect(),
            breaking,
            credentials: self.credentials(internal_token.as_ref(), diagnostics),
            internal_token,
            state: State::default(),
        }
    }

    /// Its addresses with their weights: none twice.
    fn addresses(&self, diagnostics: &mut Diagnostics) -> Vec<(String, u32)> {
        let One { section, place, .. } = self;
        let list = place.key("targets");
        let written: Vec<(&str, Place, Option<u32>, Place)> = match &section.url {
            Some(url) => vec![(url, place.key("url"), None, place.key("url"))],
            None => {
                section.targets.iter().enumerate().map(|(index, target)| in_list(target, &list.index(index))).collect()
            }
        };
        if section.url.is_some() && !section.targets.is_empty() {
            let message = "an upstream has one address, `url`, or several, `targets`";
            let diagnostic = Diagnostic::new(Code::MisplacedKey, list.clone().name(), message, "beside `url`");
            diagnostics.push(diagnostic.related(place.key("url").name(), "the one address"));
        }
        if written.is_empty() && self.complete {
            let help = "add `url`, or `targets` where there are several";
            let message = "the upstream has no address";
            diagnostics
                .push(Diagnostic::new(Code::MissingKey, (*place).clone().name(), message, "needed here").help(help));
        }
        if written.len() > MOST_TARGETS {
            let message = format!("{} targets are more than {MOST_TARGETS}", written.len());
            diagnostics.push(Diagnostic::new(Code::OutOfRange, list.clone(), message, "too many"));
        }
        let mut found: Vec<(String, u32, Place)> = Vec::new();
        for (url, place, weight, of_weight) in written {
            let weight = weight.unwrap_or(1);
            if weight > MOST_WEIGHT {
                diagnostics.push(super::out_of_range(&weight.to_string(), &of_weight, format!("0 to {MOST_WEIGHT}")));
            }
            match base(url) {
                Ok(base) => match found.iter().find(|(known, ..)| *known == base) {
                    Some((.., first)) => {
                        let message = "two targets have the same address";
                        let diagnostic = Diagnostic::new(Code::BadUpstream, place, message, "again");
                        diagnostics.push(
                            diagnostic.help("give one of them more `weight`").related(first.clone(), "here first"),
                        );
                    }
                    None => found.push((base, weight, place)),
                },
                Err((message, help)) => {
                    diagnostics.push(Diagnostic::new(Code::BadUrl, place, message, "not such a URL").help(help));
                }
            }
        }
        if !found.is_empty() && found.iter().all(|(_, weight, _)| *weight == 0) {
            let message = "no target gets any requests";
            diagnostics.push(Diagnostic::new(Code::BadUpstream, list, message, "all of weight 0"));
        }
        found.into_iter().map(|(base, weight, _)| (base, weight)).collect()
    }

    /// What has no meaning where there is one target.
    fn alone(&self, diagnostics: &mut Diagnostics) {
        let keys = [("balance", self.section.balance.is_some()), ("hedge", self.section.hedge.is_some())];
        for (key, _) in keys.into_iter().filter(|(_, given)| *given) {
            let message = format!("`{key}` has no meaning where one target gets all requests");
            let place = self.place.key(key).name();
            let help = "list several `targets`, or take it away";
            diagnostics.push(Diagnostic::new(Code::MisplacedKey, place, message, "one target").help(help));
        }
    }

    fn balance(&self, diagnostics: &mut Diagnostics) -> Balance {
        match self.section.balance.as_ref() {
            None | Some(section::Balance::Word(BalanceWord::RoundRobin)) => Balance::RoundRobin,
            Some(section::Balance::Word(BalanceWord::Random)) => Balance::Random,
            Some(section::Balance::Word(BalanceWord::LeastInFlight)) => Balance::LeastInFlight,
            Some(section::Balance::Word(BalanceWord::TwoChoices)) => Balance::TwoChoices,
            Some(section::Balance::Word(BalanceWord::InOrder)) => Balance::InOrder,
            Some(section::Balance::By(by)) => self.sticky(by, diagnostics).map_or(Balance::Random, Balance::Sticky),
        }
    }

    fn sticky(&self, by: &BalanceBy, diagnostics: &mut Diagnostics) -> Option<Sticky> {
        let place = self.place.key("balance");
        within(by.ttl, Std::from_secs(1)..=Std::from_secs(400 * 86_400), &place.key("ttl"), diagnostics);
        if by.ttl.is_some() && by.cookie.is_none() {
            let message = "`ttl` says how long a cookie lasts";
            diagnostics.push(Diagnostic::new(Code::MisplacedKey, place.key("ttl").name(), message, "no `cookie`"));
        }
        match (&by.hash, &by.cookie) {
            (Some(hash), None) => Some(Sticky::Key(key(hash, &place.key("hash"), diagnostics)?)),
            (None, Some(name)) => {
                // RFC 6265, section 4.1.1, and RFC 9110, section 5.6.2: a token.
                let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
                if name.is_empty() || !name.bytes().all(token) {
                    let message = format!("`{name}` is no name of a cookie");
                    let help = "names are letters, digits, hyphens and underscores";
                    let place = place.key("cookie");
                    diagnostics.push(Diagnostic::new(Code::BadValue, place, message, "not a cookie's name").help(help));
                }
                Some(Sticky::Cookie { name: name.clone(), max_age: by.ttl.map(|ttl| ttl.0.as_secs()) })
            }
            _ => {
                let message = "what decides is `hash`, or `cookie`";
                let help = "write { hash = \"client.address\" } or { cookie = \"lb\" }";
                diagnostics.push(Diagnostic::new(Code::BadUpstream, place, message, "one of them").help(help));
                None
            }
        }
    }
}

fn in_list<'a>(target: &'a section::Target, place: &Place) -> (&'a str, Place, Option<u32>, Place) {
    let of_url = if target.table { place.key("url") } else { place.clone() };
    (&target.url, of_url, target.weight, place.key("weight"))
}

/// Values of requests that decide something.
fn key(section: &OneOrMany, place: &Place, diagnostics: &mut Diagnostics) -> Option<Key> {
    let before = diagnostics.len();
    let items = placed(section, place);
    if items.is_empty() {
        let message = "it is not said which values decide";
        let help = "name a value, such as \"client.address\"";
        diagnostics.push(Diagnostic::new(Code::BadUpstream, place.clone(), message, "nothing").help(help));
    }
    let parts = items.iter().filter_map(|(place, text)| limit::part(text, place, diagnostics)).collect();
    diagnostics.iter_mut().skip(before).for_each(|diagnostic| diagnostic.code = Code::BadUpstream);
    (diagnostics.len() == before).then_some(Key { parts })
}

/// Scheme, authority and path of an upstream's address, without a slash at its end.
fn base(text: &str) -> Result<String, (String, &'static str)> {
    let fail = |why: &str, help| Err((format!("`{text}` {why}"), help));
    // What is said here is logged too.
    let secret = |help| Err(("the address has a user or a password in it".to_owned(), help));
    let url = match super::address(text) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            return fail("has no scheme", "write \"https://orders.example.com\"");
        }
        Err(url::ParseError::IdnaError) => {
            return fail("has a name that is not in its ASCII form", "write it as `xn--..`");
        }
        Err(error) => return Err((format!("`{text}` is no URL: {error}"), "write \"https://orders.example.com\"")),
    };
    match url.scheme() {
        "http" | "https" => {}
        _ => return fail("is neither http nor https", "write \"https://orders.example.com\""),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return secret("set an Authorization field from a secret: `request_headers.set`");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return fail("has a query or a fragment", "set query parameters in the route: `rewrite.query.set`");
    }
    Ok(format!("{}{}", url.origin().ascii_serialization(), url.path().trim_end_matches('/')))
}
