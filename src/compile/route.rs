//! A route's section: what it matches, its policies, its action.

use super::{
    BODY, WAIT, access, address, admin, authenticate, bad_header_name, cors, edits, limit, size, unknown_upstream,
    upstream, within,
};
use crate::config::diagnostic::{Code, Diagnostic, Place, did_you_mean};
use crate::config::document::{Kind, Sections, place_of};
use crate::config::limit::LimitFields;
use crate::config::read::{Read, read};
use crate::config::words::{OneOrMany, OrNone, Presence};
use crate::config::{self, HeaderEdits};
use crate::gateway::{Action, Gateway, Route};
use crate::host::Capabilities;
use crate::policy::Policy;
use crate::policy::limit_body::LimitBody;
use crate::policy::transform::{Edits, Transform};
use crate::respond::{Redirect, Respond};
use crate::routing::condition::{Conditions, METHODS};
use crate::routing::pattern::Pattern;
use crate::routing::{Entry, HostPattern, RouteId};
use crate::rule;
use crate::template::{Parameters, Template};
use crate::upstream::proxy::Proxy;
use crate::upstream::rewrite::{PathRewrite, QueryRewrite};
use crate::upstream::split::{Arm, Mirror};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use std::rc::Rc;
use std::time::Duration as Std;

/// What routes refer to.
pub struct Scope<'a> {
    pub targets: &'a [Capabilities],
    /// In the order of the gateway's upstreams.
    pub upstreams: &'a [&'a str],
    pub deadline: Std,
    /// In bytes.
    pub max_body: u64,
    /// What holds for all routes.
    pub gateway: &'a config::Gateway,
    pub limits: &'a limit::Limits,
    /// Who may be known.
    pub known: &'a authenticate::Scope<'a>,
}

/// A way in to a route, with the places of its pattern and of its route.
pub struct Placed {
    pub entry: Entry,
    pub pattern: Place,
    pub name: String,
}

type Diagnostics = Vec<Diagnostic>;

/// Compiles every route into the gateway, and gives back the ways in.
pub fn compile(
    sections: &Sections,
    scope: &Scope<'_>,
    gateway: &mut Gateway,
    diagnostics: &mut Diagnostics,
) -> Vec<Placed> {
    let mut entries = Vec::new();
    let mut used = vec![false; scope.upstreams.len()];
    let mut all_read = true;
    for (name, value) in &sections.routes {
        let place = place_of(Kind::Route, name);
        let Some(Read { section, complete }) = read::<config::Route>(&place, value, diagnostics) else {
            all_read = false;
            continue;
        };
        all_read &= complete;
        let id = RouteId(gateway.routes.len());
        let route = One { place: &place, scope, section: &section, complete };
        let patterns = route.patterns(diagnostics);
        let found = route.entries(id, name, &patterns, diagnostics);
        let methods = found.first().map(|placed| placed.entry.conditions.methods).unwrap_or_default();
        entries.extend(found);
        let patterns: Vec<&Pattern> = patterns.iter().map(|(pattern, _)| &**pattern).collect();
        let action = route.action(&patterns, diagnostics);
        match &action {
            Some(Action::Proxy(proxy)) => {
                let parameters = route.parameters(&patterns);
                let rules =
                    rule::Scope { parameters: &parameters, targets: scope.targets, has_identity: parameters.identity };
                let positions = upstream::route::used(proxy, &gateway.upstreams, &place, &rules, diagnostics);
                for position in positions {
                    used[position] = true;
                }
            }
            Some(_) => {}
            // Whichever it means is not unused.
            None => all_read = false,
        }
        let policies = route.policies(&patterns, diagnostics);
        let deadline = section.deadline.map_or(scope.deadline, |deadline| deadline.0);
        let action = action.unwrap_or(Action::Respond(Respond::placeholder()));
        gateway.routes.push(Route { name: Rc::from(name.as_str()), methods, policies, action, deadline });
    }
    for (name, _) in scope.upstreams.iter().zip(used).filter(|(_, used)| !used && all_read) {
        let message = format!("no route uses the upstream `{name}`");
        let place = place_of(Kind::Upstream, name).name();
        diagnostics.push(Diagnostic::new(Code::UnusedUpstream, place, message, "never called"));
    }
    entries
}

/// One route while it is compiled.
struct One<'a> {
    place: &'a Place,
    scope: &'a Scope<'a>,
    section: &'a config::Route,
    /// Whether all of it could be read.
    complete: bool,
}

impl One<'_> {
    fn patterns(&self, diagnostics: &mut Diagnostics) -> Vec<(Rc<Pattern>, Place)> {
        let place = self.place.key("match").key("path");
        let paths = &self.section.r#match.path;
        if paths.items.is_empty() {
            let message = "a route has one path at least";
            diagnostics.push(Diagnostic::new(Code::OutOfRange, place.clone(), message, "no path"));
        }
        let mut patterns = Vec::new();
        for (place, text) in placed(paths, &place) {
            match Pattern::parse(text) {
                Ok(pattern) => patterns.push((Rc::new(pattern), place)),
                Err(malformed) => {
                    let message = format!("the pattern cannot be parsed: {}", malformed.reason);
                    let help = "patterns are like \"/orders\", \"/orders/{id}\" and \"/files/{*rest}\"";
                    let place = place.within(malformed.range);
                    diagnostics.push(Diagnostic::new(Code::BadPattern, place, message, "here").help(help));
                }
            }
        }
        patterns
    }

    /// The parameters that all, and that some, of the route's patterns have.
    fn parameters<'a>(&self, patterns: &[&'a Pattern]) -> Parameters<'a> {
        let names = |pattern: &'a Pattern| pattern.names.iter().map(String::as_str);
        let some: Vec<&str> = patterns.iter().copied().flat_map(names).collect();
        let everywhere =
            |name: &&&str| patterns.iter().all(|pattern| pattern.names.iter().any(|known| known == **name));
        let all = some.iter().filter(everywhere).copied().collect();
        let unsure = patterns.len() < self.section.r#match.path.items.len();
        let without_country = self.scope.targets.iter().find(|target| !target.country).map(|target| target.platform);
        Parameters { all, some, unsure, identity: self.authenticates().is_some(), without_country }
    }

    fn entries(
        &self,
        route: RouteId,
        name: &str,
        patterns: &[(Rc<Pattern>, Place)],
        diagnostics: &mut Diagnostics,
    ) -> Vec<Placed> {
        let hosts = self.hosts(diagnostics);
        let conditions = Rc::new(self.conditions(diagnostics));
        let mut entries = Vec::new();
        for host in &hosts {
            for (pattern, place) in patterns {
                let entry = Entry {
                    route,
                    host: host.clone(),
                    pattern: Rc::clone(pattern),
                    conditions: Rc::clone(&conditions),
                };
                entries.push(Placed { entry, pattern: place.clone(), name: name.to_owned() });
            }
        }
        entries
    }

    fn hosts(&self, diagnostics: &mut Diagnostics) -> Vec<HostPattern> {
        let place = self.place.key("match").key("host");
        let mut hosts = Vec::new();
        for (place, text) in placed(&self.section.r#match.host, &place) {
            match host(text) {
                Some(host) => hosts.push(host),
                None => {
                    let message = format!("`{text}` is no host to match");
                    let help = match text {
                        "*" => "take the key away: then any host matches",
                        text if !text.is_ascii() => "write the name in its ASCII form, `xn--..`",
                        _ => "write \"api.example.com\" or \"*.example.com\", without scheme, port and path",
                    };
                    diagnostics.push(Diagnostic::new(Code::BadHost, place, message, "not a host").help(help));
                }
            }
        }
        if self.section.r#match.host.items.is_empty() {
            hosts.push(HostPattern::Any);
        }
        hosts
    }

    fn conditions(&self, diagnostics: &mut Diagnostics) -> Conditions {
        let place = self.place.key("match");
        let mut conditions = Conditions::default();
        for (index, text) in self.section.r#match.methods.iter().enumerate() {
            let known = text.parse::<Method>().is_ok_and(|method| conditions.methods.insert(&method));
            if !known {
                let message = format!("`{text}` is no method that can be routed by name");
                let names = METHODS.iter().map(Method::as_str);
                let help = did_you_mean(text, names.clone()).unwrap_or_else(|| {
                    let names: Vec<&str> = names.collect();
                    format!("methods are {}; a route without `methods` takes any other too", names.join(", "))
                });
                let place = place.key("methods").index(index);
                diagnostics.push(Diagnostic::new(Code::BadMethod, place, message, "not a method").help(help));
            }
        }
        for (text, wanted) in &self.section.r#match.headers {
            match text.parse::<HeaderName>() {
                Ok(name) => conditions.headers.push((name, wanted.clone())),
                Err(_) => diagnostics.push(bad_header_name(text, place.key("headers").key(text).name())),
            }
        }
        let query = &self.section.r#match.query;
        conditions.query =
            query.iter().map(|(name, wanted): (&String, &Presence)| (name.clone(), wanted.clone())).collect();
        conditions
    }

    /// The one thing that the route does. `None` after a mistake.
    fn action(&self, patterns: &[&Pattern], diagnostics: &mut Diagnostics) -> Option<Action> {
        let config::Route { upstream, redirect, respond, admin, .. } = self.section;
        let given = [
            ("upstream", upstream.is_some()),
            ("redirect", redirect.is_some()),
            ("respond", respond.is_some()),
            ("admin", admin.is_some()),
        ];
        let given: Vec<&str> = given.into_iter().filter_map(|(key, given)| given.then_some(key)).collect();
        match given.as_slice() {
            [] if self.complete => {
                let message = "the route does not say what to do";
                let help = "add `upstream`, `redirect`, `respond` or `admin`";
                diagnostics
                    .push(Diagnostic::new(Code::NoAction, self.place.clone().name(), message, "no action").help(help));
                return None;
            }
            [first, second, ..] => {
                let message = format!("a route does one thing, not `{}`", given.join("` and `"));
                let diagnostic =
                    Diagnostic::new(Code::SeveralActions, self.place.key(second).name(), message, "a second action")
                        .help("keep one of them, or make two routes")
                        .related(self.place.key(first).name(), "the first action");
                diagnostics.push(diagnostic);
                return None;
            }
            _ => {}
        }
        if upstream.is_none() {
            self.misplaced(diagnostics);
        }
        if let Some(redirect) = redirect {
            return self.redirect(redirect, patterns, diagnostics).map(Action::Redirect);
        }
        if let Some(respond) = respond {
            return self::respond(respond, &self.place.key("respond"), diagnostics).map(Action::Respond);
        }
        if let Some(admin) = admin {
            admin::check(self.section, self.place, self.authenticates(), diagnostics);
            return Some(Action::Admin(*admin));
        }
        self.proxy(upstream.as_deref()?, patterns, diagnostics).map(Box::new).map(Action::Proxy)
    }

    /// Keys that mean nothing unless the route calls an upstream.
    fn misplaced(&self, diagnostics: &mut Diagnostics) {
        let keys = [
            ("rewrite", self.section.rewrite.is_some()),
            ("split", !self.section.split.is_empty()),
            ("mirror", self.section.mirror.is_some()),
            ("request_headers", self.section.request_headers.is_some()),
            ("websocket", self.section.websocket),
        ];
        for (key, _) in keys.into_iter().filter(|(_, given)| *given) {
            let message = format!("`{key}` has no meaning on a route that calls no upstream");
            let place = self.place.key(key).name();
            diagnostics.push(Diagnostic::new(Code::MisplacedKey, place, message, "no upstream is called"));
        }
    }

    fn proxy(&self, upstream: &str, patterns: &[&Pattern], diagnostics: &mut Diagnostics) -> Option<Proxy> {
        let position = self.scope.upstreams.iter().position(|known| *known == upstream);
        if position.is_none() {
            diagnostics.push(unknown_upstream(upstream, self.scope.upstreams, self.place.key("upstream")));
        }
        if self.section.websocket {
            for target in self.scope.targets.iter().filter(|target| !target.websocket) {
                let message = format!("{} has no WebSockets", target.platform);
                let help = "take the key away, or name the platforms that this configuration is for: `gateway.targets`";
                let place = self.place.key("websocket");
                diagnostics.push(Diagnostic::new(Code::Unsupported, place, message, "not on this platform").help(help));
            }
        }
        let (path, query) = self.rewrite(patterns, diagnostics);
        let (split, mirror) = self.others(upstream, patterns, diagnostics);
        Some(Proxy { upstream: position?, split, mirror, path, query, websocket: self.section.websocket })
    }

    /// The upstreams beside the route's own.
    fn others(&self, own: &str, patterns: &[&Pattern], diagnostics: &mut Diagnostics) -> (Vec<Arm>, Option<Mirror>) {
        let parameters = &self.parameters(patterns);
        let rules = rule::Scope { parameters, targets: self.scope.targets, has_identity: parameters.identity };
        let scope = upstream::route::Scope { names: self.scope.upstreams, complete: self.complete, rules };
        let split = upstream::route::split(&self.section.split, &self.place.key("split"), &scope, diagnostics);
        let place = self.place.key("mirror");
        let mirror = self.section.mirror.as_ref();
        let mirror = mirror.and_then(|mirror| upstream::route::mirror(mirror, Some(own), &place, &scope, diagnostics));
        (split, mirror)
    }

    fn rewrite(&self, patterns: &[&Pattern], diagnostics: &mut Diagnostics) -> (PathRewrite, QueryRewrite) {
        let mut query = QueryRewrite::default();
        let Some(rewrite) = &self.section.rewrite else { return (PathRewrite::Keep, query) };
        let place = self.place.key("rewrite");
        let parameters = self.parameters(patterns);
        query.keep.clone_from(&rewrite.query.keep);
        query.remove.clone_from(&rewrite.query.remove);
        for (name, text) in &rewrite.query.set {
            let place = place.key("query").key("set").key(name);
            if let Some(template) = Template::compile(text, &place, &parameters, diagnostics) {
                query.set.push((name.clone(), template));
            }
        }
        if let (Some(_), Some(_)) = (&rewrite.path, &rewrite.strip_prefix) {
            let message = "a path is written by a template, or loses a prefix, not both";
            let diagnostic =
                Diagnostic::new(Code::MisplacedKey, place.key("strip_prefix").name(), message, "beside `path`")
                    .related(place.key("path").name(), "the template");
            diagnostics.push(diagnostic);
        }
        let path = match (&rewrite.path, &rewrite.strip_prefix) {
            (Some(path), _) => {
                address::path(path, &place.key("path"), &parameters, diagnostics).map(PathRewrite::Template)
            }
            (None, Some(prefix)) => address::strip(prefix, &place.key("strip_prefix"), patterns, diagnostics),
            (None, None) => None,
        };
        (path.unwrap_or(PathRewrite::Keep), query)
    }

    fn redirect(
        &self,
        redirect: &config::Redirect,
        patterns: &[&Pattern],
        diagnostics: &mut Diagnostics,
    ) -> Option<Redirect> {
        let place = self.place.key("redirect");
        let status = redirect.status.unwrap_or(307);
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            let message = format!("{status} is no redirection to another address");
            let help = "it can be 301, 302, 303, 307 or 308";
            diagnostics
                .push(Diagnostic::new(Code::BadStatus, place.key("status"), message, "not a redirection").help(help));
        }
        let to = address::redirection(&redirect.to, &place.key("to"), &self.parameters(patterns), diagnostics)?;
        Some(Redirect {
            to,
            status: StatusCode::from_u16(status).ok()?,
            keep_query: redirect.keep_query.unwrap_or(true),
        })
    }

    fn policies(&self, patterns: &[&Pattern], diagnostics: &mut Diagnostics) -> Vec<Policy> {
        within(self.section.deadline, WAIT, &self.place.key("deadline"), diagnostics);
        let most = size(self.section.max_body, self.scope.max_body, BODY, &self.place.key("max_body"), diagnostics);
        let parameters = self.parameters(patterns);
        let mut compiled = |key: &str, section: &Option<HeaderEdits>| match section {
            Some(section) => edits::compile(section, &self.place.key(key), &parameters, diagnostics),
            None => Edits::default(),
        };
        let request = compiled("request_headers", &self.section.request_headers);
        let response = compiled("response_headers", &self.section.response_headers);
        let mut policies = self.gates(diagnostics);
        policies.push(Policy::LimitBody(LimitBody { most }));
        policies.extend(self.identity(&parameters, diagnostics));
        policies.extend(self.limits(&parameters, diagnostics));
        if !request.is_empty() || !response.is_empty() {
            policies.push(Policy::Transform(Transform { request, response }));
        }
        policies.sort_by_key(Policy::position);
        policies
    }

    /// How much clients may ask for.
    fn limits(&self, parameters: &Parameters<'_>, diagnostics: &mut Diagnostics) -> Vec<Policy> {
        let Scope { gateway, targets, limits, .. } = self.scope;
        let Some((named, place)) = self.chosen("limits", &self.section.limits, &gateway.limits) else {
            return Vec::new();
        };
        let scope = rule::Scope { parameters, targets, has_identity: parameters.identity };
        let fields = gateway.limit_fields.unwrap_or(LimitFields::Standard);
        limit::apply((named, &place), limits, &scope, (self.place, fields), diagnostics)
    }

    /// Who may call at all.
    fn gates(&self, diagnostics: &mut Diagnostics) -> Vec<Policy> {
        let Scope { gateway, targets, .. } = self.scope;
        let mut policies = Vec::new();
        if let Some((section, place)) = self.chosen("cors", &self.section.cors, &gateway.cors) {
            policies.extend(cors::compile(section, &place, diagnostics).map(Policy::Cors));
        }
        if let Some((section, place)) = self.chosen("access", &self.section.access, &gateway.access) {
            policies.extend(access::compile(section, &place, targets, diagnostics).map(Policy::Access));
        }
        policies
    }

    /// Who calls, and what they may do.
    fn identity(&self, parameters: &Parameters<'_>, diagnostics: &mut Diagnostics) -> Vec<Policy> {
        let Scope { known, targets, .. } = self.scope;
        let authenticate = self
            .authenticates()
            .and_then(|(section, place)| authenticate::compile(section, &place, known, diagnostics));
        let authorize = self.section.authorize.as_ref().map(|section| {
            let scope = rule::Scope { parameters, targets, has_identity: parameters.identity };
            let place = self.place.key("authorize");
            authenticate::authorize(section, &place, authenticate.as_ref(), &scope, diagnostics)
        });
        authenticate.map(Policy::Authenticate).into_iter().chain(authorize.map(Policy::Authorize)).collect()
    }

    fn authenticates(&self) -> Option<(&config::identity::Authenticate, Place)> {
        self.chosen("authenticate", &self.section.authenticate, &self.scope.gateway.authenticate)
    }

    /// What the route says, else what the gateway says of all routes, and the place of it.
    fn chosen<'a, T>(
        &self,
        key: &str,
        own: &'a Option<OrNone<T>>,
        general: &'a Option<OrNone<T>>,
    ) -> Option<(&'a T, Place)> {
        match (own, general) {
            (Some(own), _) => Some((own.as_option()?, self.place.key(key))),
            (None, Some(general)) => Some((general.as_option()?, place_of(Kind::Gateway, "").key(key))),
            (None, None) => None,
        }
    }
}

/// A fixed response.
pub fn respond(respond: &config::Respond, place: &Place, diagnostics: &mut Diagnostics) -> Option<Respond> {
    let status = respond.status.unwrap_or(200);
    if !(200..=599).contains(&status) {
        let message = format!("{status} is no status of a final response");
        diagnostics.push(Diagnostic::new(Code::BadStatus, place.key("status"), message, "200 to 599"));
    }
    if let (Some(_), Some(_)) = (&respond.body, &respond.json) {
        let message = "a response has one body";
        let diagnostic = Diagnostic::new(Code::MisplacedKey, place.key("json").name(), message, "beside `body`")
            .related(place.key("body").name(), "the other body");
        diagnostics.push(diagnostic);
    }
    // RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5.
    let key = if respond.json.is_some() { "json" } else { "body" };
    if matches!(status, 204 | 205 | 304) && (respond.body.is_some() || respond.json.is_some()) {
        let message = format!("a {status} response has no body");
        diagnostics.push(Diagnostic::new(Code::MisplacedKey, place.key(key).name(), message, "never sent"));
    }
    within(respond.delay, Std::ZERO..=Std::from_secs(60), &place.key("delay"), diagnostics);
    let (body, media_type) = match (&respond.json, &respond.body) {
        (Some(json), _) => (json.to_string(), Some("application/json")),
        (None, Some(body)) => (body.clone(), Some("text/plain; charset=utf-8")),
        (None, None) => (String::new(), None),
    };
    Some(Respond {
        status: StatusCode::from_u16(status).ok()?,
        media_type: media_type.map(HeaderValue::from_static),
        body: Bytes::from(body),
        delay: respond.delay.map_or(Std::ZERO, |delay| delay.0),
    })
}

/// The items of a key that takes one or many, each with its place.
pub fn placed<'a>(items: &'a OneOrMany, place: &Place) -> Vec<(Place, &'a str)> {
    let place_of = |index| if items.list { place.index(index) } else { place.clone() };
    items.items.iter().enumerate().map(|(index, item)| (place_of(index), item.as_str())).collect()
}

/// A host as it is matched: small letters, in its ASCII form.
fn host(text: &str) -> Option<HostPattern> {
    let (wildcard, name) = match text.strip_prefix("*.") {
        Some(name) => (true, name),
        None => (false, text),
    };
    let address = name.starts_with('[') && name.ends_with(']');
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if name.len() > 253 || !(address || name.split('.').all(label)) {
        return None;
    }
    let name = name.to_ascii_lowercase();
    Some(if wildcard { HostPattern::Wildcard(format!(".{name}")) } else { HostPattern::Exact(name) })
}
