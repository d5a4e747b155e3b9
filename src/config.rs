//! The sections of a configuration, as they are written: plain data without behaviour.
//!
//! A section is a binding (`ROUTE_LIST_ORDERS`) or a table of the document (`[route.list-orders]`), with the same
//! keys. Doc comments here are the text of the JSON Schema and of the configuration reference. What a section means
//! together with the others is decided in `compile`.

pub mod aggregate;
pub mod batch;
pub mod credentials;
pub mod diagnostic;
pub mod document;
pub mod idempotency;
pub mod identity;
pub mod json;
pub mod limit;
pub mod names;
pub mod read;
pub mod sorted;
pub mod template;
pub mod units;
pub mod upstream;
pub mod words;

use aggregate::Aggregate;
use batch::Batch;
use idempotency::Idempotency;
use identity::{Access, ApiKeys, Authenticate, Authorize, Consumer, Cors, Issuer, Signatures, TokenPlaces};
use limit::{Admin, Limit, LimitFields, Named};
use serde::Deserialize;
use sorted::Sorted;
use units::{Duration, Size};
use upstream::{Mirror, Split, Upstream};
use words::{OneOrMany, OrNone, Presence, Text};

/// The whole document, `edgate.toml`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Document {
    /// What holds for all routes. Binding: `EDGATE`.
    pub gateway: Gateway,
    /// The services behind the gateway, by name. Bindings: `UPSTREAM_<NAME>`.
    pub upstream: Sorted<String, Upstream>,
    /// Which requests go where, by name. Bindings: `ROUTE_<NAME>`.
    pub route: Sorted<String, Route>,
    /// Whose tokens are accepted, by name. Bindings: `ISSUER_<NAME>`.
    pub issuer: Sorted<String, Issuer>,
    /// The known clients, by name. Bindings: `CONSUMER_<NAME>`.
    pub consumer: Sorted<String, Consumer>,
    /// How much clients may ask for, by name. Bindings: `LIMIT_<NAME>`.
    pub limit: Sorted<String, Limit>,
}

/// What holds for all routes. Binding: `EDGATE`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    /// The gateway's name in `Via`, `Proxy-Status` and `CDN-Loop`: a token, `edgate` when not given. Two gateways in
    /// one chain need two names, or the second one takes the first one's requests for a loop.
    pub name: Option<String>,
    /// The platforms this configuration is for: both when not given. What one of them cannot do is refused when the
    /// configuration is checked.
    pub targets: Option<Vec<Platform>>,
    /// Where the configuration is kept, if it is too large for bindings. The bindings then hold this key and `targets`
    /// alone; the rest of the document goes into the store (`edgate json`).
    pub source: Option<Source>,
    /// How long a request may take until its answer begins, all attempts together. 30 s when not given; 1 ms to 10 m.
    pub deadline: Option<Duration>,
    /// Whose `Forwarded` and `X-Forwarded-*` fields are believed: addresses and networks of proxies in front of the
    /// gateway. Nobody's when not given.
    pub trusted_proxies: Vec<String>,
    /// Which fields tell the upstream about the client: `both` when not given.
    pub forward: Option<Forward>,
    /// When a client's own `X-Request-Id` is kept: `trusted` when not given.
    pub request_id: Option<KeepRequestId>,
    /// What an encoded slash or backslash (`%2F`, `%5C`) in a path means: `refuse` (400) when not given.
    pub encoded_slashes: Option<EncodedSlashes>,
    /// The longest path and query, as received. Longer ones are answered 414. 8 KB when not given; 64 B to 64 KB.
    pub max_url: Option<Size>,
    /// The largest header section: names and values, and 4 bytes for each field. Larger ones are answered 431. 32 KB
    /// when not given; 256 B to 256 KB.
    pub max_headers: Option<Size>,
    /// The largest request body. Larger ones are answered 413. 100 MB when not given; up to 100 GB.
    pub max_body: Option<Size>,
    /// What is written to the log.
    pub log: Log,
    /// The key-value store where instances share what one of them has found out: the key sets of issuers, which targets of
    /// upstreams are left out, the last good answers of upstreams and of parts. The binding of a KV namespace on Workers,
    /// the label of a store on Spin. Every instance finds out for itself when not given.
    pub store: Option<String>,
    /// The Redis where instances on Spin agree on what happens once, and where they count: `redis://127.0.0.1:6379`.
    /// Workers has Durable Objects for that.
    pub redis: Option<String>,
    /// The label of the key-value store where instances on Spin count where there is no `redis`: `default` when not
    /// given.
    pub counters: Option<String>,
    /// How clients of every route show who they are, unless the route says otherwise.
    pub authenticate: Option<OrNone<Authenticate>>,
    /// Who may call any route, unless the route says otherwise.
    pub access: Option<OrNone<Access>>,
    /// Which pages of other origins may call any route, unless the route says otherwise.
    pub cors: Option<OrNone<Cors>>,
    /// The limits of every route, unless the route says otherwise.
    pub limits: Option<OrNone<Vec<Named>>>,
    /// Which fields tell clients of limits: `standard` when not given.
    pub limit_fields: Option<LimitFields>,
    /// Where tokens are.
    pub token: TokenPlaces,
    /// Where API keys are.
    pub api_key: ApiKeys,
    /// What is asked of signed requests.
    pub signature: Signatures,
}

/// A platform that edgate runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// Cloudflare Workers.
    Cloudflare,
    /// Fermyon Spin.
    Spin,
}

/// A configuration that is kept in a key-value store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The store: the binding of a KV namespace on Workers, the label of a store on Spin.
    pub store: String,
    /// The key that holds the whole document as JSON.
    pub key: String,
    /// How old the loaded configuration may get before it is read again. 60 s when not given; 1 s to 1 d.
    pub refresh: Option<Duration>,
}

/// Which fields tell the upstream about the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Forward {
    /// `Forwarded` (RFC 7239) and `X-Forwarded-For`, `-Host`, `-Proto`.
    Both,
    /// `Forwarded` alone.
    Forwarded,
    /// `X-Forwarded-For`, `-Host` and `-Proto` alone.
    XForwarded,
    /// None of them.
    None,
}

/// When a client's own `X-Request-Id` is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeepRequestId {
    /// From trusted proxies only.
    Trusted,
    /// From everybody.
    Always,
    /// From nobody.
    Never,
}

/// What an encoded slash in a path means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EncodedSlashes {
    /// The request is answered 400: upstreams do not agree on what it means.
    Refuse,
    /// It is a character of its segment, and passed on as `%2F`.
    Keep,
}

/// What is written to the log.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Which requests get a record: `all` when not given.
    pub access: Option<LogAccess>,
    /// What is written of the values in a query: `redact` when not given.
    pub query: Option<LogQuery>,
    /// Request header fields to write into the record. Fields that carry credentials are refused.
    pub headers: Vec<String>,
    /// Whether the subject of an identity, which may name a person, is written.
    pub subject: bool,
}

/// Which requests get an access record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LogAccess {
    /// Every request.
    All,
    /// Requests answered with a status of 500 or more, or by edgate itself with 400 or more.
    Errors,
    /// None.
    Off,
}

/// What is written of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LogQuery {
    /// The names, with `***` for each value.
    Redact,
    /// All of it, but for API keys (`gateway.api_key.query`).
    Keep,
    /// Nothing.
    Drop,
}

/// Which requests a route takes, and what is done with them. Binding: `ROUTE_<NAME>`.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Which requests it takes.
    pub r#match: Match,
    /// Action: pass the request on to this upstream.
    pub upstream: Option<String>,
    /// Other upstreams for a part of its requests: the first that takes a request gets it, and `upstream` the rest. Shares
    /// are 100% at most together.
    #[serde(default)]
    pub split: Vec<Split>,
    /// A copy of its requests for another upstream, whose answers nobody waits for.
    pub mirror: Option<Mirror>,
    /// Action: answer with a redirection.
    pub redirect: Option<Redirect>,
    /// Action: answer with a fixed response.
    pub respond: Option<Respond>,
    /// Action: answer with what several upstreams answer.
    pub aggregate: Option<Aggregate>,
    /// Action: answer a list of requests.
    pub batch: Option<Batch>,
    /// Action: show operators what edgate knows. The route must ask who they are (`authenticate`).
    pub admin: Option<Admin>,
    /// How the path and the query change on the way to the upstream.
    pub rewrite: Option<Rewrite>,
    /// How clients show who they are. The gateway's when not given, and `"none"` for nothing.
    pub authenticate: Option<OrNone<Authenticate>>,
    /// What clients must be allowed to do.
    pub authorize: Option<Authorize>,
    /// Who may call at all. The gateway's when not given, and `"none"` for no restriction.
    pub access: Option<OrNone<Access>>,
    /// Which pages of other origins may call. The gateway's when not given, and `"none"` for none.
    pub cors: Option<OrNone<Cors>>,
    /// The limits that its requests count for. The gateway's when not given, and `"none"` for none.
    pub limits: Option<OrNone<Vec<Named>>>,
    /// Requests with the same `Idempotency-Key` are done once. Not when not given.
    pub idempotency: Option<Idempotency>,
    /// Changes to the request's header fields, before they go to the upstream.
    pub request_headers: Option<HeaderEdits>,
    /// Changes to the response's header fields, before they go to the client.
    pub response_headers: Option<HeaderEdits>,
    /// Whether WebSocket upgrades pass. Workers only: Spin has none.
    #[serde(default)]
    pub websocket: bool,
    /// How long a request may take until its answer begins. The gateway's when not given; 1 ms to 10 m.
    pub deadline: Option<Duration>,
    /// The largest request body. The gateway's when not given; up to 100 GB.
    pub max_body: Option<Size>,
}

/// Which requests a route takes: those that meet every condition given. The most specific route wins, whatever the
/// order in the file.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Host names, exact (`api.example.com`) or with a wildcard for one or more labels (`*.example.com`). Any when not
    /// given. Ports are ignored.
    #[serde(default)]
    pub host: OneOrMany,
    /// Path patterns: `/orders`, `/orders/{id}`, `/files/{*rest}`. A trailing slash makes no difference.
    pub path: OneOrMany,
    /// Methods. Any when not given. `GET` takes `HEAD` too.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Header fields: a value to equal, `true` for present, `false` for absent.
    #[serde(default)]
    pub headers: Sorted<String, Presence>,
    /// Query parameters: a value to equal, `true` for present, `false` for absent.
    #[serde(default)]
    pub query: Sorted<String, Presence>,
}

/// How the path and the query change on the way to the upstream.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Rewrite {
    /// A template for the whole path: `/v2/orders/{path.id}`.
    pub path: Option<String>,
    /// A literal prefix to take away: `/api`. All patterns of the route must begin with it.
    pub strip_prefix: Option<String>,
    /// Changes to the query.
    pub query: QueryEdits,
}

/// Changes to a query: first `keep` and `remove`, then `set`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct QueryEdits {
    /// The parameters to keep: all when not given, none for an empty list.
    pub keep: Option<Vec<String>>,
    /// Parameters to take away.
    pub remove: Vec<String>,
    /// Parameters to set, as templates; they replace the client's.
    pub set: Sorted<String, String>,
}

/// Changes to header fields: first `remove`, then `set`, then `add`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct HeaderEdits {
    /// Fields to take away.
    pub remove: Vec<String>,
    /// Fields to set: they replace all of that name.
    pub set: Sorted<String, Text>,
    /// Fields to add beside those of that name.
    pub add: Sorted<String, Text>,
}

/// A redirection.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// A template for `Location`: a path or an absolute URL.
    pub to: String,
    /// 301, 302, 303, 307 or 308. 307 when not given.
    pub status: Option<u16>,
    /// Whether the request's query is appended. True when not given.
    pub keep_query: Option<bool>,
}

/// A fixed response.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Respond {
    /// 200 to 599. 200 when not given.
    pub status: Option<u16>,
    /// The body as text (`text/plain; charset=utf-8`, unless `response_headers` sets another type).
    pub body: Option<String>,
    /// The body as JSON (`application/json`).
    pub json: Option<serde_json::Value>,
    /// How long to wait before answering. Up to 1 m.
    pub delay: Option<Duration>,
}
