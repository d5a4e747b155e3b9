//! `edgate token`, and `edgate explain` of requests that show who they are, to the letter: keys stand in the configuration,
//! so that nobody is asked, and time stands still.

use super::folder::Folder;
use super::key::{WORLD, expect};
use edgate::cli::Exit;
use edgate_kit::credentials::algorithm::Algorithm;
use edgate_kit::credentials::key::Key;
use edgate_kit::credentials::token::mint;
use serde_json::{Value, json};

const NOW: i64 = 1_767_225_600;

const CONFIG: &str = r#"
[gateway]
targets = ["cloudflare"]
access = { deny = ["203.0.113.0/24"] }
api_key = { store = "KEYS" }

[issuer.main]
issuer = "https://login.example.com"
audience = ["orders", "users"]
algorithms = ["EdDSA", "ES256"]
max_age = "1h"
dpop = {}
keys = { keys = [JWK] }

[issuer.shared]
issuer = "https://shared.example.com"
audience = "orders"
secret = { secret = "SHARED" }

[issuer.watched]
issuer = "https://watched.example.com"
audience = "orders"
keys = { keys = [JWK] }
revocation = { store = "REVOKED" }

[issuer.distant]
issuer = "https://distant.example.com"
audience = "orders"

[consumer.acme]
groups = ["paying"]
api_keys = [{ sha256 = "21f14e8aa0dbf5ad47abf834e4d1aa57b1ccf3ce90a13d08e77cc2b2e4ff8ca7" }]

[upstream.orders]
url = "https://orders.example.com"

[route.order]
match = { path = "/orders/{user}" }
authenticate = { methods = ["token", "api_key"], issuers = ["main", "shared", "watched", "distant"] }
authorize = { scopes = ["orders:read"], rules = "claim.sub == path.user" }
upstream = "orders"
request_headers = { set = { x-user = "{identity.subject}" } }

[route.norway]
match = { path = "/norway" }
access = { allow_countries = ["NO"] }
respond = {}

[route.tried]
match = { path = "/tried" }
authenticate = { issuers = "main", dry_run = true }
respond = {}
"#;

fn folder(name: &str) -> Folder {
    let mut key = Key::shipped("ed25519-1").unwrap().public_jwk();
    key.insert("kid".to_owned(), "2026".into());
    let members: Vec<String> = key.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    let folder = Folder::new(name);
    folder.write("edgate.toml", &CONFIG.replace("JWK", &format!("{{ {} }}", members.join(", "))));
    folder
}

/// A token with changes to good claims: null takes one away.
fn token(header: Value, changes: Value) -> String {
    let mut claims = json!({
        "iss": "https://login.example.com", "aud": "orders", "sub": "alice", "scope": "orders:read",
        "iat": NOW - 60, "exp": NOW + 600,
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let key = Key::shipped("ed25519-1").unwrap();
    mint(&key, Algorithm::EdDsa, &header.to_string(), &claims.to_string()).unwrap()
}

fn header() -> Value {
    json!({ "alg": "EdDSA", "kid": "2026" })
}

fn tokens() -> Vec<(&'static str, String)> {
    let with = |changes: Value| token(header(), changes);
    let secret = Key::secret(&[b'k'; 32]);
    let shared = json!({ "iss": "https://shared.example.com", "aud": "orders", "sub": "alice", "exp": NOW + 600 });
    let shared = mint(&secret, Algorithm::Hs256, r#"{"alg":"HS256"}"#, &shared.to_string()).unwrap();
    let good = with(json!({}));
    let (signed, _) = good.rsplit_once('.').unwrap();
    vec![
        ("a good one", good.clone()),
        ("as it stands in a request", format!("Authorization: Bearer {good}\n")),
        ("that may have been revoked", with(json!({ "iss": "https://watched.example.com" }))),
        ("of another issuer", with(json!({ "iss": "https://login.example.com/" }))),
        ("for somebody else", with(json!({ "aud": ["billing", "https://login.example.com/userinfo"] }))),
        ("for nobody", with(json!({ "aud": null }))),
        ("an old one", with(json!({ "exp": NOW - 3_725 }))),
        ("issued too long ago", with(json!({ "iat": NOW - 7_200 }))),
        ("not valid yet", with(json!({ "nbf": NOW + 90 }))),
        ("from the future", with(json!({ "iat": NOW + 90 }))),
        ("with a time that is none", with(json!({ "exp": "tomorrow" }))),
        ("with an unknown key", token(json!({ "alg": "EdDSA", "kid": "2027" }), json!({}))),
        ("with another algorithm", token(json!({ "alg": "RS256", "kid": "2026" }), json!({}))),
        (
            "unsigned",
            format!(
                "{}.",
                good.replacen("eyJhbGciOiJFZERTQSIsImtpZCI6IjIwMjYifQ", "eyJhbGciOiJub25lIn0", 1)
                    .rsplit_once('.')
                    .unwrap()
                    .0
            ),
        ),
        ("of another kind", token(json!({ "alg": "EdDSA", "kid": "2026", "typ": "logout+jwt" }), json!({}))),
        ("with a broken signature", format!("{signed}.{}", "A".repeat(86))),
        ("bound to a key", with(json!({ "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } }))),
        ("with a secret that is not known here", shared),
        ("of an issuer who is not asked", with(json!({ "iss": "https://distant.example.com" }))),
        ("no token", "abc".to_owned()),
    ]
}

/// What a command prints, and how it ended, under its name.
fn told(folder: &Folder, name: &str, command: &[&str]) -> String {
    let outcome = folder.run_in(&WORLD, command);
    format!("### {name}\n{}{}({:?})\n\n", outcome.out, outcome.err, outcome.exit)
}

#[test]
fn tokens_hold_or_are_refused_with_what_was_wanted() {
    let folder = folder("token-verify");
    let all = tokens();
    let text: Vec<String> = all
        .iter()
        .map(|(name, token)| told(&folder, name, &["token", "verify", token, "--offline"]))
        // What stands in a token is shown below, once.
        .map(|text| match (text.split_once("\nheader\n"), text.rfind("\n(").or(text.rfind('('))) {
            (Some((before, _)), Some(end)) => format!("{before}{}", &text[end..]),
            _ => text,
        })
        .collect();
    expect("token/verify.txt", &text.concat());
}

#[test]
fn tokens_are_taken_apart() {
    let folder = Folder::new("token-decode");
    let all = tokens();
    let shown = ["a good one", "with a time that is none", "bound to a key", "no token"];
    let text = all.iter().filter(|(name, _)| shown.contains(name));
    let text: Vec<String> = text.map(|(name, token)| told(&folder, name, &["token", "decode", token])).collect();
    expect("token/decode.txt", &text.concat());
}

#[test]
fn issuers_are_chosen() {
    let folder = folder("token-issuers");
    let token = token(header(), json!({}));
    let exit = |more: &[&str]| folder.run_in(&WORLD, &[&["token", "verify", &token, "--offline"], more].concat()).exit;
    assert_eq!(exit(&["--issuer", "main"]), Exit::Fine);
    assert_eq!(exit(&["--issuer", "shared"]), Exit::Mistakes);
    assert_eq!(exit(&["--issuer", "mian"]), Exit::Usage);
    folder.write("none.toml", "[route.a]\nmatch = { path = \"/\" }\nrespond = {}\n");
    assert_eq!(exit(&["--file", "none.toml"]), Exit::Usage);
    // A secret of .dev.vars is known.
    folder.write(".dev.vars", &format!("SHARED={}\n", "k".repeat(32)));
    let (_, shared) = tokens().into_iter().find(|(name, _)| name.contains("secret")).unwrap();
    assert_eq!(folder.run_in(&WORLD, &["token", "verify", &shared, "--offline"]).exit, Exit::Fine);
}

#[test]
fn a_proof_is_for_a_request() {
    let folder = folder("token-proof");
    let (client, algorithm) = (Key::shipped("p256-1").unwrap(), Algorithm::Es256);
    let token = token(header(), json!({ "cnf": { "jkt": client.thumbprint() } }));
    let hash =
        edgate_kit::credentials::encoding::base64url(&edgate_kit::credentials::encoding::sha256(token.as_bytes()));
    let claims = json!({ "htm": "POST", "htu": "https://api.example.com/a", "iat": NOW, "jti": "1", "ath": hash });
    let header = json!({ "alg": "ES256", "typ": "dpop+jwt", "jwk": client.public_jwk() });
    let proof = mint(&client, algorithm, &header.to_string(), &claims.to_string()).unwrap();
    let verify = |more: &[&str]| {
        let command = ["token", "verify", &token, "--offline", "--proof", &proof];
        folder.run_in(&WORLD, &[&command, more].concat())
    };
    let outcome = verify(&["--method", "POST", "--url", "https://api.example.com/a?b=c"]);
    assert_eq!(outcome.exit, Exit::Fine, "{}", outcome.out);
    let outcome = verify(&["--method", "POST", "--url", "https://api.example.com/b"]);
    assert!(outcome.out.contains("refused  bad-proof: the proof is for another address\n"), "{}", outcome.out);
    let outcome = verify(&[]);
    assert!(outcome.out.contains("refused  bad-proof: the proof is for another method\n"), "{}", outcome.out);
}

#[test]
fn requests_are_explained_with_who_they_are() {
    let folder = folder("token-explain");
    let bearer = |changes| format!("Authorization: Bearer {}", token(header(), changes));
    let (good, other) = (bearer(json!({})), bearer(json!({ "aud": "billing" })));
    let unscoped = bearer(json!({ "scope": "orders:write" }));
    let key = "X-API-Key: edgate_2BvC0hZbyqMyjPdRBXAJIFm0XQJFL0Ww1RyLd0cVbMB0Oyhxg";
    let other_key = "X-API-Key: edgate_VC3CVR0zFm7kJlKwu4f00H7DKonXZK24xZlGkfiWmwB0lF7jm";
    let mut text = String::new();
    for (name, command) in [
        ("a good token", &["GET", "/orders/alice", "-H", good.as_str()][..]),
        ("nothing", &["GET", "/orders/alice"]),
        ("a token for somebody else", &["GET", "/orders/alice", "-H", &other]),
        ("a token without the scope", &["GET", "/orders/alice", "-H", &unscoped]),
        ("somebody else's orders", &["GET", "/orders/bob", "-H", &good]),
        ("an API key with a typo", &["GET", "/orders/alice", "-H", key]),
        ("an API key that the configuration does not have", &["GET", "/orders/alice", "-H", other_key]),
        ("an address that may not call", &["GET", "/orders/alice", "--peer", "203.0.113.9"]),
        ("a country that may call", &["GET", "/norway", "--country", "NO"]),
        ("a country that may not", &["GET", "/norway"]),
        ("what is only tried", &["GET", "/tried"]),
    ] {
        text += &told(&folder, name, &[&["explain"], command, &["--offline"]].concat());
    }
    expect("token/explain.txt", &text);
}
