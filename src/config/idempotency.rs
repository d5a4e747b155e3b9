//! Requests that are done once: the key `idempotency` of routes.

use super::units::{Duration, Size};
use super::words::OneOrMany;
use serde::Deserialize;

/// Requests with the same `Idempotency-Key` are done once, and answered alike
/// (draft-ietf-httpapi-idempotency-key-header). Needs `gateway.redis` on Spin.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Idempotency {
    /// Methods whose requests have a key. `POST` and `PATCH` when not given; all others pass.
    pub methods: Option<Vec<String>>,
    /// Whether a request without a key passes. It is answered 400 when not given.
    pub optional: bool,
    /// Whether a key may stand there without quotation marks, which many clients leave out.
    pub unquoted: bool,
    /// Whose keys they are: values of the request, as a limit's `key` has them. Whoever the route knows the client to be
    /// when not given.
    pub key: Option<OneOrMany>,
    /// How long an answer is kept. 1 d when not given; 1 m to 30 d.
    pub ttl: Option<Duration>,
    /// The largest request body: it is read before it is passed on. Larger ones are answered 413. 64 KB when not given; up
    /// to 1 MB.
    pub max_body: Option<Size>,
    /// The largest body of an answer that is kept. 64 KB when not given; up to 1 MB.
    pub max_reply: Option<Size>,
}
