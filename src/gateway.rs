//! The life of a request, in one place: [`Gateway::handle`] and `Gateway::run` show every step in order. Nothing
//! registers itself.

mod batch;
mod incoming;

use crate::admin;
use crate::aggregate::Aggregate;
use crate::batch::Batch;
use crate::body::Body;
use crate::config::limit::Admin;
use crate::config::{EncodedSlashes, Forward, KeepRequestId, LogAccess, LogQuery};
use crate::exchange::{Exchange, Matched};
use crate::headers::forwarded::{self, host_of};
use crate::headers::{self, HOP_BY_HOP, append_element};
use crate::host::{Incoming, SharedHost};
use crate::idempotency::{Begun, Idempotency};
use crate::interest::Interest;
use crate::limit::Limit;
use crate::observe::{LogPolicy, access_record};
use crate::path::{normalize, normalize_query};
use crate::policy::Policy;
use crate::policy::cors::{Cors, is_preflight};
use crate::reject::Reject;
use crate::respond::{Redirect, Respond};
use crate::routing::condition::{Facts, Methods};
use crate::routing::{Found, Miss, Router};
use crate::secret::SecretSlot;
use crate::upstream::Upstream;
use crate::upstream::proxy::{HANDSHAKE, Proxy};
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use incoming::max_forwards;
use ipnet::IpNet;
use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

/// A configuration without a mistake, ready to serve. It never changes.
pub struct Gateway {
    /// In `Via`, `Proxy-Status` and `CDN-Loop`.
    pub name: Name,
    pub router: Router,
    pub routes: Vec<Route>,
    pub upstreams: Vec<Rc<Upstream>>,
    /// Every limit, by name.
    pub limits: Vec<Rc<Limit>>,
    pub trusted_proxies: Vec<IpNet>,
    pub forward: Forward,
    pub keep_request_id: KeepRequestId,
    pub encoded_slashes: EncodedSlashes,
    /// In bytes.
    pub max_url: usize,
    /// In bytes.
    pub max_headers: usize,
    pub log: LogPolicy,
    /// Whether it stands in for a configuration that has a mistake: every request is answered 503.
    pub broken: bool,
}

/// A gateway's name, in the forms that are sent.
#[derive(Debug, Clone)]
pub struct Name {
    pub text: String,
    /// `edgate`.
    token: HeaderValue,
    /// `1.1 edgate`.
    via: HeaderValue,
}

/// What is done with the requests that match.
#[derive(Debug)]
pub struct Route {
    pub name: Rc<str>,
    /// The methods that it names; none where it takes any.
    pub methods: Methods,
    /// In the order of execution.
    pub policies: Vec<Policy>,
    /// What is asked of requests that must be done once.
    pub idempotency: Option<Idempotency>,
    pub action: Action,
    pub deadline: Duration,
}

/// What produces the response.
#[derive(Debug)]
pub enum Action {
    Proxy(Box<Proxy>),
    Aggregate(Aggregate),
    Batch(Batch),
    Redirect(Redirect),
    Respond(Respond),
    Admin(Admin),
}

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");

impl Name {
    /// A name that no field can hold is sent as `edgate`; the configuration is refused then.
    pub fn new(text: &str) -> Name {
        let value = |text: &str, instead| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(instead));
        Name { text: text.to_owned(), token: value(text, "edgate"), via: value(&format!("1.1 {text}"), "1.1 edgate") }
    }

    /// What `Via` says of a message that came by a version of HTTP.
    fn via(&self, version: &str) -> HeaderValue {
        match version {
            "1.1" => self.via.clone(),
            version => HeaderValue::try_from(format!("{version} {}", self.text)).unwrap_or_else(|_| self.via.clone()),
        }
    }
}

impl Gateway {
    /// What serves where no configuration does.
    pub fn broken() -> Gateway {
        Gateway {
            name: Name::new("edgate"),
            router: Router::default(),
            routes: Vec::new(),
            upstreams: Vec::new(),
            limits: Vec::new(),
            trusted_proxies: Vec::new(),
            forward: Forward::None,
            keep_request_id: KeepRequestId::Never,
            encoded_slashes: EncodedSlashes::Refuse,
            max_url: usize::MAX,
            max_headers: usize::MAX,
            log: LogPolicy {
                access: LogAccess::All,
                query: LogQuery::Redact,
                headers: Vec::new(),
                subject: false,
                key_query: None,
            },
            broken: true,
        }
    }

    /// Answers a request: whatever happens, there is an answer, and a record of it.
    pub async fn handle(&self, host: &SharedHost, incoming: Incoming) -> Response<Body> {
        let mut ex = self.open(host, incoming);
        self.run_to_end(host, &mut ex).await
    }

    /// Answers a request, and tells what became known of it on the way.
    pub async fn trace(&self, host: &SharedHost, incoming: Incoming) -> (Response<Body>, Exchange) {
        let mut ex = self.open(host, incoming);
        let response = self.run_to_end(host, &mut ex).await;
        (response, ex)
    }

    /// Does what is done on a schedule, whose time it is: asks targets for their health.
    pub async fn check(&self, host: &SharedHost) {
        let minute = host.now().whole_ms() / 60_000;
        for upstream in &self.upstreams {
            upstream.check(host, minute).await;
        }
    }

    /// A request as policies see it first, before they have changed anything.
    pub fn received(&self, host: &SharedHost, incoming: Incoming) -> Exchange {
        let mut ex = self.open(host, incoming);
        self.pass_on(&mut ex);
        ex
    }

    async fn run_to_end(&self, host: &SharedHost, ex: &mut Exchange) -> Response<Body> {
        let mut response = match self.answer(host, ex).await {
            Ok(response) => response,
            Err(reject) => self.refuse(ex, &reject),
        };
        self.finish(host, ex, &mut response);
        response
    }

    /// Every secret that it needs.
    pub fn secrets(&self) -> Vec<&SecretSlot> {
        let mut slots: Vec<&SecretSlot> = self.upstreams.iter().flat_map(|upstream| upstream.secrets()).collect();
        for route in &self.routes {
            route.policies.iter().for_each(|policy| slots.extend(policy.secrets()));
            if let Action::Aggregate(aggregate) = &route.action {
                aggregate.secrets(&mut slots);
            }
        }
        slots
    }

    /// The header fields that are read or written on the way of any request.
    pub fn interest(&self) -> Interest {
        let mut interest = Interest::default();
        let both = [&header::VIA, &header::CONTENT_LENGTH, &X_REQUEST_ID];
        let own = [&header::HOST, &header::EXPECT, &header::ACCEPT, &header::MAX_FORWARDS, &CDN_LOOP];
        let others = HOP_BY_HOP.iter().chain(&forwarded::FIELDS).chain(&HANDSHAKE);
        interest.request.extend(both.into_iter().chain(own).chain(others).cloned());
        interest.request.extend(self.log.headers.iter().chain(self.router.fields()).cloned());
        interest.response.extend(both.into_iter().chain(&HOP_BY_HOP).cloned());
        self.upstreams.iter().for_each(|upstream| upstream.interest(&mut interest));
        for route in &self.routes {
            route.policies.iter().for_each(|policy| policy.interest(&mut interest));
            route.idempotency.iter().for_each(|idempotency| idempotency.interest(&mut interest));
            match &route.action {
                Action::Proxy(proxy) => proxy.interest(&mut interest),
                Action::Aggregate(aggregate) => aggregate.interest(&mut interest),
                Action::Batch(batch) => batch.interest(&mut interest),
                Action::Redirect(redirect) => interest.template(&redirect.to),
                Action::Respond(_) | Action::Admin(_) => {}
            }
        }
        interest
    }

    /// From the request to a response, or to the reason why there is none.
    async fn answer(&self, host: &SharedHost, ex: &mut Exchange) -> Result<Response<Body>, Reject> {
        // RFC 9110, section 9.3.7: a question about the server as a whole.
        if !self.broken && ex.method == Method::OPTIONS && ex.path == "*" {
            return Ok(options(&Methods::all().allow()));
        }
        self.admit(ex)?;
        let authority = match ex.authority.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(ex.authority.to_ascii_lowercase()),
            false => Cow::Borrowed(ex.authority.as_str()),
        };
        let facts = Facts {
            host: host_of(&authority),
            path: &ex.path,
            method: &ex.method,
            headers: &ex.headers,
            query: ex.query.as_deref(),
        };
        if max_forwards(ex) == Some(0) {
            return Ok(options(&self.router.methods(&facts).allow()));
        }
        // A preflight asks about another request: the route that takes that one has the answer (Fetch, CORS protocol).
        let asked_about = preflight_method(ex).and_then(|method| {
            let found = self.router.find(&Facts { method: &method, ..facts }).ok()?;
            Some((self.cors_of(&found)?, found))
        });
        let found = self.router.find(&facts);
        drop(authority);
        if let Some((cors, found)) = asked_about {
            return Ok(self.preflight(ex, cors, found));
        }
        match found {
            Ok(found) => self.run(host, ex, found).await,
            Err(Miss::NoRoute) => Err(Reject::NoRoute),
            // RFC 9110, section 9.3.7: what can be asked here is the answer to OPTIONS.
            Err(Miss::Method(methods)) if ex.method == Method::OPTIONS => Ok(options(&methods.allow())),
            Err(Miss::Method(methods)) => Err(Reject::MethodNotAllowed(methods.allow())),
        }
    }

    /// What is checked before any route is looked at.
    fn admit(&self, ex: &mut Exchange) -> Result<(), Reject> {
        if self.broken {
            return Err(Reject::NotConfigured);
        }
        let query_length = ex.query.as_ref().map_or(0, |query| query.len() + 1);
        if ex.path.len() + query_length > self.max_url {
            return Err(Reject::UrlTooLong);
        }
        if ex.headers_size > self.max_headers {
            return Err(Reject::HeadersTooLarge);
        }
        // TRACE would show what edgate adds, CONNECT is for tunnels, and neither platform sends them on.
        if ex.method == Method::TRACE || ex.method == Method::CONNECT {
            return Err(Reject::MethodNotSupported);
        }
        if let Cow::Owned(path) =
            normalize(&ex.path, self.encoded_slashes).map_err(|bad| Reject::BadPath(bad.detail()))?
        {
            ex.received.path = Some(std::mem::replace(&mut ex.path, path));
        }
        if let Some(query) = &ex.query {
            let query = normalize_query(query).ok_or(Reject::BadPath("The query has a control character."))?;
            if let Cow::Owned(query) = query {
                ex.received.query = ex.query.replace(query);
            }
        }
        // RFC 8586: a request that carries our own token has been here before.
        let ours = |element: &str| element.split(';').next().is_some_and(|token| token.trim() == self.name.text);
        if headers::has(&ex.headers, &CDN_LOOP) && headers::elements(&ex.headers, &CDN_LOOP).any(ours) {
            return Err(Reject::Loop);
        }
        Ok(())
    }

    /// A request that has a route: the policies in their order, the action, the policies back.
    async fn run(&self, host: &SharedHost, ex: &mut Exchange, found: Found) -> Result<Response<Body>, Reject> {
        let Some(route) = self.routes.get(found.route.0) else { return Err(Reject::NoRoute) };
        let Found { route: id, pattern, captured } = found;
        let name = Rc::clone(&route.name);
        ex.matched = Some(Matched { route: id, name, pattern, captured, deadline: route.deadline });
        self.pass_on(ex);
        if let Action::Batch(batch) = &route.action {
            // Before policies take away what has been looked at here.
            ex.inherited = batch.inherited(&ex.headers);
        }

        let mut entered = 0;
        let mut outcome = Ok(());
        for policy in &route.policies {
            entered += 1;
            outcome = policy.on_request(host, ex).await;
            if outcome.is_err() {
                break;
            }
        }
        let acted = match outcome {
            Ok(()) => self.act_once(host, ex, route).await,
            Err(reject) => Err(reject),
        };
        // A refusal passes through the policies that were entered, as every other answer does.
        let mut response = acted.unwrap_or_else(|reject| self.refuse(ex, &reject));
        for policy in route.policies[..entered].iter().rev() {
            policy.on_response(host, ex, &mut response);
        }
        Ok(response)
    }

    fn cors_of(&self, found: &Found) -> Option<&Cors> {
        self.routes.get(found.route.0)?.policies.iter().find_map(|policy| match policy {
            Policy::Cors(cors) => Some(cors),
            _ => None,
        })
    }

    /// The answer to a preflight. It comes before every other policy: a browser sends no credentials with it.
    fn preflight(&self, ex: &mut Exchange, cors: &Cors, found: Found) -> Response<Body> {
        let Found { route, pattern, captured } = found;
        let mut methods = Methods::default();
        if let Some(Route { name, deadline, methods: named, .. }) = self.routes.get(route.0) {
            methods = *named;
            ex.matched = Some(Matched { route, name: Rc::clone(name), pattern, captured, deadline: *deadline });
        }
        let mut response = cors.preflight(ex, methods).unwrap_or_else(|reject| self.refuse(ex, &reject));
        cors.on_response(ex, &mut response);
        response
    }

    /// The action, unless it was done for a request before.
    async fn act_once(&self, host: &SharedHost, ex: &mut Exchange, route: &Route) -> Result<Response<Body>, Reject> {
        let begun = match &route.idempotency {
            Some(idempotency) => Box::pin(idempotency.begin(host, ex)).await?,
            None => Begun::Free,
        };
        if let Begun::Done(response) = begun {
            return Ok(response);
        }
        let acted = self.act(host, ex, &route.action).await;
        match (&route.idempotency, begun) {
            (Some(idempotency), Begun::Mine(turn)) => Box::pin(idempotency.end(host, ex, turn, acted)).await,
            _ => acted,
        }
    }

    async fn act(&self, host: &SharedHost, ex: &mut Exchange, action: &Action) -> Result<Response<Body>, Reject> {
        match action {
            Action::Proxy(proxy) => proxy.send(&self.upstreams, host, ex).await,
            Action::Aggregate(aggregate) => aggregate.answer(host, ex, &self.upstreams).await,
            Action::Batch(batch) => self.batch(host, ex, batch).await,
            Action::Redirect(redirect) => redirect.answer(ex),
            Action::Respond(respond) => respond.answer(host, ex).await,
            Action::Admin(Admin::Limits) => admin::answer(host, ex, &self.limits).await,
        }
    }

    /// The answer to a request that is refused.
    fn refuse(&self, ex: &mut Exchange, reject: &Reject) -> Response<Body> {
        ex.notes.reject = Some(reject.entry().code);
        reject.response(ex, &self.name.text)
    }

    /// What every answer gets, and its record.
    fn finish(&self, host: &SharedHost, ex: &Exchange, response: &mut Response<Body>) {
        let record = access_record(&self.log, ex, response, host.now());
        let fields = response.headers_mut();
        headers::remove_hop_by_hop(fields);
        // Whatever a configuration says of answers: one that lacks something is nobody else's (RFC 9213, section 2.1).
        if ex.notes.complete == Some(false) {
            headers::remove_where(fields, |name| {
                let name = name.as_str();
                name.ends_with("cdn-cache-control") || matches!(name, "surrogate-control" | "edge-control")
            });
            fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        append_element(fields, &header::VIA, &self.name.via("1.1"));
        if let Ok(id) = HeaderValue::from_str(&ex.id) {
            fields.insert(&X_REQUEST_ID, id);
        }
        if let Some(record) = record {
            host.log(&record);
        }
    }
}

/// The answer to OPTIONS where no route takes it.
fn options(allow: &str) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(allow) = HeaderValue::try_from(allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// The method that a preflight asks about.
fn preflight_method(ex: &Exchange) -> Option<Method> {
    let value = ex.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD).filter(|_| is_preflight(ex))?;
    Method::from_bytes(value.as_bytes()).ok()
}
