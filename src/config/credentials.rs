//! What the gateway shows an upstream of itself: the key `credentials` of the section `upstream`.

use super::sorted::Sorted;
use super::units::{Duration, Size};
use super::words::{OneOrMany, Secret, SecretName, Text};
use serde::Deserialize;

/// What the gateway shows an upstream, so that it knows who calls. It says one of the keys. The client's own
/// `Authorization` never gets there.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Credentials {
    /// A secret in a header field.
    pub header: Option<SecretField>,
    /// A user and a password (RFC 7617).
    pub basic: Option<Basic>,
    /// An access token that the gateway gets for itself (OAuth 2.0, RFC 6749, section 4.4).
    pub client_credentials: Option<ClientCredentials>,
    /// A signature of each request (AWS Signature Version 4).
    pub aws: Option<Aws>,
}

/// A secret in a header field.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SecretField {
    /// The field: `X-API-Key`.
    pub name: String,
    /// What stands in it: `{ secret = "ORDERS_KEY" }`, or `{ secret = "ORDERS_KEY", prefix = "Token " }`.
    pub value: Secret,
}

/// A user and a password.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user's name, or a secret that holds it.
    pub user: Text,
    /// The secret that holds the password.
    pub password: SecretName,
}

/// An access token that the gateway gets for itself. An instance fetches it once for all requests that need it, and again
/// before it ends.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClientCredentials {
    /// The token endpoint: an `https` URL, or an `http` URL of this machine.
    pub url: String,
    /// The gateway's name there.
    pub client_id: String,
    /// The secret that goes with it.
    pub client_secret: SecretName,
    /// How the client shows itself there: `client_secret_basic` when not given.
    pub auth_method: Option<AuthMethod>,
    /// The scopes to ask for: one text, or several.
    #[serde(default)]
    pub scope: OneOrMany,
    /// Further parameters of the request: `{ audience = "https://orders.example.com" }`, `{ resource = [..] }` (RFC 8707).
    #[serde(default)]
    pub parameters: Sorted<String, OneOrMany>,
    /// How long the endpoint's answer may take to begin, and to come. 5 s when not given; 1 ms to 1 m.
    pub timeout: Option<Duration>,
    /// How long after a failure nobody asks again: requests are answered 503 meanwhile, if no token is left. 5 s when not
    /// given; 1 s to 10 m.
    pub negative_cache: Option<Duration>,
}

/// How a client shows itself to a token endpoint (RFC 8414: `token_endpoint_auth_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// In `Authorization`, as HTTP Basic has it (RFC 6749, section 2.3.1).
    ClientSecretBasic,
    /// In the body.
    ClientSecretPost,
}

/// A signature of each request, as Amazon Web Services have it (Signature Version 4).
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Aws {
    /// The service's name: `s3`, `execute-api`, `lambda`.
    pub service: String,
    /// The region: `eu-north-1`.
    pub region: String,
    /// The secret that holds the access key's identifier.
    pub access_key_id: SecretName,
    /// The secret that holds the key.
    pub secret_access_key: SecretName,
    /// The secret that holds the token of a session, where the key is one of those.
    pub session_token: Option<SecretName>,
    /// What is signed of the content: `unsigned` for `s3` and `hash` for other services when not given.
    pub payload: Option<Payload>,
    /// The largest request body that is read to be hashed. Larger ones are answered 413. 64 KB when not given; up to 10 MB.
    pub max_body: Option<Size>,
}

/// What is signed of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// Nothing, so that it may pass as a stream. Not every service takes that.
    Unsigned,
    /// Its SHA-256, for which it is read before it is passed on.
    Hash,
}
