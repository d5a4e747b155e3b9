//! A route's section: what it matches, its policies, its action.

pub mod action;
mod matching;

use super::{
    BODY, NAME, WAIT, access, aggregate, authenticate, batch, calls, cors, edits, idempotency, limit, size, upstream,
    within,
};
use crate::aggregate::stale::Shelf;
use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::config::document::{Kind, Sections, place_of};
use crate::config::limit::LimitFields;
use crate::config::read::{Read, read};
use crate::config::words::{OneOrMany, OrNone};
use crate::config::{self, HeaderEdits};
use crate::gateway::{Action, Gateway, Route};
use crate::host::Capabilities;
use crate::idempotency::Idempotency;
use crate::policy::Policy;
use crate::policy::limit_body::LimitBody;
use crate::policy::transform::{Edits, Transform};
use crate::respond::Respond;
use crate::routing::pattern::Pattern;
use crate::routing::{Entry, RouteId};
use crate::rule;
use crate::template::Parameters;
use crate::upstream::Upstream;
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
    let shelf = Rc::new(Shelf::new(Rc::from(gateway.name.text.as_str()), scope.known.of.store.clone()));
    let upstreams = gateway.upstreams.clone();
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
        let route = One { place: &place, scope, section: &section, complete, shelf: &shelf, upstreams: &upstreams };
        let patterns = route.patterns(diagnostics);
        let found = route.entries(id, name, &patterns, diagnostics);
        let methods = found.first().map(|placed| placed.entry.conditions.methods).unwrap_or_default();
        entries.extend(found);
        let patterns: Vec<&Pattern> = patterns.iter().map(|(pattern, _)| &**pattern).collect();
        let action = route.action(&patterns, diagnostics);
        let called = match &action {
            Some(Action::Proxy(proxy)) => upstream::route::called(proxy, &upstreams, &place),
            Some(Action::Aggregate(aggregate)) => aggregate::called(aggregate, &place),
            Some(_) => Vec::new(),
            // Whichever it means is not unused.
            None => {
                all_read = false;
                Vec::new()
            }
        };
        let parameters = route.parameters(&patterns);
        let rules = rule::Scope { parameters: &parameters, targets: scope.targets, has_identity: parameters.identity };
        upstream::route::check(&called, &upstreams, &rules, diagnostics);
        for (position, _) in called {
            if let Some(used) = used.get_mut(position) {
                *used = true;
            }
        }
        let policies = route.policies(&patterns, diagnostics);
        let idempotency = route.idempotency(&patterns, diagnostics);
        if let (Some(Action::Aggregate(aggregate)), Some(section)) = (&action, &section.aggregate) {
            let place = place.key("aggregate").key("parts");
            let own = calls::of_credentials(aggregate.parts.iter().map(|part| part.upstream), &upstreams);
            let besides = own + calls::of_policies(&policies);
            aggregate::plan::counts(section, (aggregate, besides), &place, (&upstreams, scope.targets), diagnostics);
        }
        let deadline = section.deadline.map_or(scope.deadline, |deadline| deadline.0);
        let action = action.unwrap_or(Action::Respond(Respond::placeholder()));
        gateway.routes.push(Route { name: Rc::from(name.as_str()), methods, policies, idempotency, action, deadline });
    }
    batch::fits(&mut gateway.routes, (sections, &upstreams, scope.targets), diagnostics);
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
    /// In the order of their names.
    upstreams: &'a [Rc<Upstream>],
    /// The last good answers of parts.
    shelf: &'a Rc<Shelf>,
    /// Whether all of it could be read.
    complete: bool,
}

impl One<'_> {
    /// The parameters that all, and that some, of the route's patterns have.
    fn parameters<'a>(&self, patterns: &[&'a Pattern]) -> Parameters<'a> {
        let names = |pattern: &'a Pattern| pattern.names.iter().map(String::as_str);
        let some: Vec<&str> = patterns.iter().copied().flat_map(names).collect();
        let everywhere =
            |name: &&&str| patterns.iter().all(|pattern| pattern.names.iter().any(|known| known == **name));
        let all = some.iter().filter(everywhere).copied().collect();
        let unsure = patterns.len() < self.section.r#match.path.items.len();
        let without_country = self.scope.targets.iter().find(|target| !target.country).map(|target| target.platform);
        let identity = self.authenticates().is_some();
        Parameters { all, some, unsure, identity, without_country, parts: None, item: false }
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

    /// What is asked of requests that must be done once.
    fn idempotency(&self, patterns: &[&Pattern], diagnostics: &mut Diagnostics) -> Option<Idempotency> {
        let section = self.section.idempotency.as_ref()?;
        let Scope { gateway, targets, known, .. } = self.scope;
        let parameters = self.parameters(patterns);
        let scope = idempotency::Scope {
            gateway: gateway.name.as_deref().unwrap_or(NAME),
            of: &known.of,
            rules: rule::Scope { parameters: &parameters, targets, has_identity: parameters.identity },
        };
        idempotency::compile(section, &self.place.key("idempotency"), &scope, diagnostics)
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

/// The items of a key that takes one or many, each with its place.
pub fn placed<'a>(items: &'a OneOrMany, place: &Place) -> Vec<(Place, &'a str)> {
    let place_of = |index| if items.list { place.index(index) } else { place.clone() };
    items.items.iter().enumerate().map(|(index, item)| (place_of(index), item.as_str())).collect()
}
