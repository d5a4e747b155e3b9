//! Many requests in one: the action `batch` of a route.

use super::units::Size;
use serde::Deserialize;

/// Answers a list of requests, each of which goes through the gateway as if it had come by itself.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Batch {
    /// The most requests in one; 1 to 50. When not given, 10, or as many as the platforms let one make requests for.
    pub most: Option<u64>,
    /// Header fields of the whole that each of its requests gets which does not have its own: `["authorization"]`. None
    /// when not given.
    pub inherit: Vec<String>,
    /// Header fields that a request of the list may have of its own: `["accept", "x-page"]`. `accept`, `accept-language`,
    /// `authorization`, `if-none-match` and `if-modified-since` when not given.
    pub headers: Option<Vec<String>>,
    /// How many of them are under way at the same time; 1 to 50. When not given, 6, or as many as the platforms let be
    /// under way with all that each of them may come to.
    pub at_once: Option<u64>,
    /// The largest answer to one of them. 1 MB when not given; 1 B to 16 MB.
    pub max_size: Option<Size>,
}
