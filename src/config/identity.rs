//! Who calls, and what they may do: the sections `issuer` and `consumer`, and the keys of routes that use them.

use super::sorted::Sorted;
use super::units::{Duration, Size};
use super::words::{OneOrMany, SecretName};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Whose tokens are accepted. Binding: `ISSUER_<NAME>`.
///
/// Its keys come from one place: a discovery document, unless `jwks_uri`, `keys` or `secret` is given; a token that
/// only the issuer can read is shown to it (`introspection`).
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// The `iss` of its tokens, byte for byte.
    pub issuer: String,
    /// How its keys are found: `oidc` (OpenID Connect Discovery) when nothing else says where they are.
    pub discovery: Option<Discovery>,
    /// Where its key set is.
    pub jwks_uri: Option<String>,
    /// Its key set, as it stands (RFC 7517): `{ keys = [..] }`.
    pub keys: Option<Value>,
    /// The secret that it shares with edgate, for HS256, HS384 and HS512: as long as the hash at least.
    pub secret: Option<SecretName>,
    /// Asks the issuer about each token that cannot be read (RFC 7662).
    pub introspection: Option<Introspection>,
    /// Other origins that its discovery document may name for its key set: `https://www.googleapis.com`. The issuer's
    /// own when not given. Spin has to be told of every address that is called.
    #[serde(default)]
    pub key_origins: Vec<String>,
    /// The algorithms of its tokens. All of public keys when not given, or HS256 with `secret`. A key is used only with
    /// an algorithm of its type.
    pub algorithms: Option<Vec<String>>,
    /// The `aud` of tokens for this gateway: one of these must be in it.
    #[serde(default)]
    pub audience: OneOrMany,
    /// Takes tokens for any audience, also for none. Say so only where the issuer issues tokens for nobody else.
    #[serde(default)]
    pub any_audience: bool,
    /// The `typ` of its tokens: `at+jwt` (RFC 9068). Any when not given.
    pub typ: Option<String>,
    /// Claims that must be there, beside `iss`, `exp` and `aud`.
    #[serde(default)]
    pub required_claims: Vec<String>,
    /// Takes tokens that never expire.
    #[serde(default)]
    pub allow_missing_exp: bool,
    /// How far clocks may be apart. 30 s when not given; up to 5 m.
    pub leeway: Option<Duration>,
    /// How old a token may be by its `iat`, which must be there then. Any age when not given.
    pub max_age: Option<Duration>,
    /// Where to find what edgate wants to know.
    #[serde(default)]
    pub claims: ClaimNames,
    /// How old the key set may get before it is fetched again, behind the requests. 10 m when not given; 10 s to 1 d.
    pub refresh: Option<Duration>,
    /// How long after one fetch the next one waits, also when a token names a key that is not there. 30 s when not
    /// given; 1 s to 1 h.
    pub cooldown: Option<Duration>,
    /// How old the key set may get while the issuer cannot be reached. 1 d when not given; up to 30 d.
    pub stale: Option<Duration>,
    /// How long the issuer may take to answer. 5 s when not given; 1 ms to 1 m.
    pub timeout: Option<Duration>,
    /// The largest key set, or discovery document. 256 KB when not given; 1 KB to 4 MB.
    pub max_size: Option<Size>,
    /// The most keys that a key set may have. 100 when not given; 1 to 1,000.
    pub max_keys: Option<u16>,
    /// Takes only these keys: thumbprints by RFC 7638 with SHA-256, in base64url.
    #[serde(default)]
    pub pins: Vec<String>,
    /// How long a verified token is remembered, at most. 5 m when not given; 0 s (not at all) to 1 h.
    pub token_cache: Option<Duration>,
    /// Tokens that are bound to a key of the client (RFC 9449).
    pub dpop: Option<Dpop>,
    /// Tokens that are taken back before they expire.
    pub revocation: Option<Revocation>,
}

/// How an issuer's keys are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Discovery {
    /// OpenID Connect Discovery 1.0: `ISSUER/.well-known/openid-configuration`.
    Oidc,
    /// RFC 8414: `/.well-known/oauth-authorization-server` before the issuer's path.
    Oauth,
}

/// Which claims say what edgate wants to know: names, with a dot between those of one inside another
/// (`realm_access.roles`), or in brackets and quotes where a name has other characters
/// (`["https://example.com/groups"]`).
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ClaimNames {
    /// Who it is. `sub` when not given.
    pub subject: Option<String>,
    /// What it may do: a list, or one string with spaces. `scope`, else `scp`, when not given.
    pub scopes: Option<String>,
    /// Which groups it is in: a list, or one string with spaces. `groups` when not given.
    pub groups: Option<String>,
    /// Which consumer it is: the name of one, or one of its aliases. None when not given.
    pub consumer: Option<String>,
}

/// Asks the issuer about tokens (RFC 7662).
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Introspection {
    /// The introspection endpoint.
    pub url: String,
    /// Who asks: sent with `client_secret` by HTTP Basic (RFC 6749, section 2.3.1).
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretName,
    /// How long an answer about a good token is remembered, at most. 1 m when not given; 0 s to 1 h.
    pub cache: Option<Duration>,
    /// How long an answer about a bad token is remembered. 10 s when not given; 0 s to 1 h.
    pub negative_cache: Option<Duration>,
}

/// Tokens that are bound to a key of the client (RFC 9449). A bound token is accepted with its proof only, and not at all
/// where this is not given.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Dpop {
    /// Refuses tokens that are bound to no key.
    pub required: bool,
    /// How old a proof may be by its `iat`. 1 m when not given; 1 s to 10 m.
    pub max_age: Option<Duration>,
    /// Wants a nonce of edgate's in every proof, made with this secret.
    pub nonce: Option<SecretName>,
}

/// Tokens that are taken back before they expire: `edgate revoke` writes them into a key-value store.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// The store: the binding of a KV namespace on Workers, the label of a store on Spin. `gateway.store` when not
    /// given.
    pub store: Option<String>,
    /// How long after one look at the list the next one waits. 30 s when not given; 1 s to 1 h.
    pub refresh: Option<Duration>,
}

/// A known client. Binding: `CONSUMER_<NAME>`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Consumer {
    /// The groups it is in.
    pub groups: Vec<String>,
    /// What else is known of it: `{consumer.plan}` in a template, `consumer.plan` in a rule.
    pub metadata: Map<String, Value>,
    /// Other names, such as the `client_id` in its tokens (`issuer.claims.consumer`).
    pub aliases: Vec<String>,
    /// Its API keys: several while one replaces the other. `edgate key new` makes them.
    pub api_keys: Vec<ApiKey>,
    /// Its passwords for HTTP Basic.
    pub passwords: Vec<Password>,
    /// Its keys for signed requests (RFC 9421).
    pub signature_keys: Vec<SignatureKey>,
    /// Its client certificates. Workers only.
    pub certificates: Vec<CertificateRule>,
}

/// An API key of a consumer.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// The key's SHA-256, in hexadecimal. The key itself is kept nowhere.
    pub sha256: String,
    /// When it ends, as RFC 3339 has it: `2027-01-01T00:00:00Z`. Never when not given.
    pub expires: Option<String>,
}

/// A password of a consumer.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Password {
    /// The user's name. The consumer's when not given.
    pub user: Option<String>,
    /// The password's hash, by argon2 (`$argon2id$..`) or bcrypt (`$2b$..`).
    pub hash: String,
}

/// A key of a consumer for signed requests: a public one, or a secret.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SignatureKey {
    /// The `keyid` of its signatures.
    pub id: String,
    /// `hmac-sha256`, `ed25519`, `ecdsa-p256-sha256`, `ecdsa-p384-sha384`, `rsa-pss-sha512` or `rsa-v1_5-sha256`.
    pub algorithm: String,
    /// The shared secret, for `hmac-sha256`.
    pub secret: Option<SecretName>,
    /// The public key, for the others: a JSON Web Key.
    pub key: Option<Value>,
}

/// Which client certificates are a consumer's.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CertificateRule {
    /// The certificate's SHA-256, in hexadecimal.
    pub sha256: Option<String>,
    /// The subject's distinguished name, as the platform writes it (RFC 2253): `CN=acme,O=Acme`.
    pub subject: Option<String>,
}

/// How clients may show who they are: `"none"`, or which ways are open.
#[derive(Debug, Default, Clone, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Authenticate {
    /// The ways that are open, in the order in which they are tried: the first that succeeds decides. `["token"]` when
    /// only `issuers` are given.
    pub methods: Vec<super::words::Method>,
    /// The issuers whose tokens are accepted.
    pub issuers: OneOrMany,
    /// Lets clients pass that show nothing. What is shown must hold all the same.
    pub optional: bool,
    /// Passes the client's credentials on to the upstream. They are taken away when not given.
    pub keep_credentials: bool,
    /// Only writes into the log what would be refused. The content of signed requests is not read then.
    pub dry_run: bool,
}

/// What a client must be allowed to do. All that is given must hold.
#[derive(Debug, Default, Clone, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Authorize {
    /// Scopes, all of which it must have.
    pub scopes: Vec<String>,
    /// Scopes, one of which it must have.
    pub any_scope: Vec<String>,
    /// Groups, one of which it must be in.
    pub groups: Vec<String>,
    /// Rules, all of which must hold: `claim.sub == path.user`.
    pub rules: OneOrMany,
    /// Only writes into the log what would be refused.
    pub dry_run: bool,
}

/// Who may call at all.
#[derive(Debug, Default, Clone, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    /// Addresses and networks that may call: all others may not.
    pub allow: Option<Vec<String>>,
    /// Addresses and networks that may not call, also where `allow` has them.
    pub deny: Vec<String>,
    /// Countries that may call, as ISO 3166-1 has them: `NO`. Workers only.
    pub allow_countries: Option<Vec<String>>,
    /// Countries that may not call. Workers only.
    pub deny_countries: Vec<String>,
    /// What `User-Agent` may be, `*` for any characters: all others may not call. Small and capital letters are alike.
    pub allow_user_agents: Option<Vec<String>>,
    /// What `User-Agent` may not be.
    pub deny_user_agents: Vec<String>,
    /// Only writes into the log what would be refused.
    pub dry_run: bool,
}

/// Which pages of other origins may call from a browser (Fetch Standard, CORS protocol).
#[derive(Debug, Default, Clone, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Cors {
    /// Origins: exact (`https://app.example.com`), with a wildcard for labels (`https://*.example.com`), or `*` for all.
    pub origins: OneOrMany,
    /// Methods that pages may use. The route's when not given.
    pub methods: Option<Vec<String>>,
    /// Header fields that pages may send. Whatever they ask for when not given.
    pub headers: Option<Vec<String>>,
    /// Header fields of the answer that pages may read.
    pub expose: Vec<String>,
    /// Whether cookies and other credentials may be sent. Not with `*`.
    pub credentials: bool,
    /// How long a browser may remember the answer to a preflight. 10 m when not given; up to 1 d.
    pub max_age: Option<Duration>,
    /// Whether pages of public networks may call a gateway in a private one.
    pub private_network: bool,
}

/// Where tokens are.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TokenPlaces {
    /// A header field that may hold a token, beside `Authorization`.
    pub header: Option<String>,
    /// A cookie that may hold a token.
    pub cookie: Option<String>,
    /// The largest token. 8 KB when not given; 256 B to 64 KB.
    pub max_size: Option<Size>,
}

/// Where API keys are.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ApiKeys {
    /// The header field that holds one: `X-API-Key` when not given.
    pub header: Option<String>,
    /// A query parameter that may hold one. None when not given: URLs stand in logs and histories.
    pub query: Option<String>,
    /// A cookie that may hold one.
    pub cookie: Option<String>,
    /// A key-value store with the keys of further consumers, which `edgate key new` writes.
    pub store: Option<String>,
    /// How long what the store says of a key is remembered. 1 m when not given; 0 s to 1 h.
    pub cache: Option<Duration>,
    /// Takes keys that edgate did not make. It cannot tell a typo in them before it looks them up.
    pub imported: bool,
}

/// What is asked of signed requests (RFC 9421).
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Signatures {
    /// What a signature must cover: `@method`, `@target-uri`, and, where there is a body, `content-digest` when not
    /// given.
    pub components: Option<Vec<String>>,
    /// How old a signature may be by its `created`. 5 m when not given; 1 s to 1 d.
    pub max_age: Option<Duration>,
    /// The `tag` that a signature must have.
    pub tag: Option<String>,
    /// Wants a `nonce` in every signature, and takes each once.
    pub nonce: bool,
    /// The largest body of a signed request: it is read before it is passed on. 1 MB when not given; up to 10 MB.
    pub max_body: Option<Size>,
}

/// A token of edgate's own that tells an upstream who calls: fresh for every request, and short-lived.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct InternalToken {
    /// What signs it: a secret of 32 bytes at least for HS256, a private JSON Web Key for ES256 and EdDSA.
    pub secret: SecretName,
    /// `HS256` when not given; `ES256` or `EdDSA`.
    pub algorithm: Option<String>,
    /// The `kid` in its header.
    pub kid: Option<String>,
    /// Its `iss`. The gateway's name when not given.
    pub issuer: Option<String>,
    /// Its `aud`. The upstream's name when not given.
    pub audience: Option<String>,
    /// How long it holds. 1 m when not given; 1 s to 1 h.
    pub ttl: Option<Duration>,
    /// The header field that holds it. `Authorization` when not given, after `Bearer `.
    pub header: Option<String>,
    /// Further claims, as templates: `{ email = "{claim.email}" }`. `sub` is the subject of the identity.
    #[serde(default)]
    pub claims: Sorted<String, String>,
}
