//! Every answer that edgate gives by itself, provoked and held against tests/catalogue.txt to the letter: status,
//! fields, body in JSON and as text, and what the log says of it. The table in docs/errors.md says the same.
//!
//! `EDGATE_BLESS=1 cargo test --test catalogue` writes the text anew, and the table's columns that come from the code:
//! read them then. What stands in the column `When` is written by hand.

use bytes::Bytes;
use edgate::body::Body;
use edgate::config::Platform;
use edgate::config::document::Sections;
use edgate::headers::section_size;
use edgate::host::{Capabilities, ClientFacts, Host, HostError, Incoming};
use edgate::instance::Instance;
use edgate::memory::clock::finish;
use edgate::memory::counters::Counting;
use edgate::memory::{Answer, MemoryHost, Stream, collect};
use edgate::reject::Reject;
use edgate_kit::credentials::algorithm::Algorithm;
use edgate_kit::credentials::encoding::{base64url, sha256};
use edgate_kit::credentials::key::Key;
use edgate_kit::credentials::token;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

/// What provokes an answer.
struct Case {
    /// What it shows, in a few words.
    name: &'static str,
    config: Value,
    method: Method,
    target: &'static str,
    fields: Vec<(&'static str, String)>,
    /// How the upstream fails.
    fails: Option<HostError>,
    /// What it answers, where it does not.
    answers: &'static str,
    /// A request's body that breaks off.
    broken: bool,
    /// How many requests of its kind there were before.
    before: usize,
    /// Whether counters cannot be asked.
    uncounted: bool,
    /// Where a request goes that is still under way.
    under_way: Option<&'static str>,
}

impl Case {
    fn new(name: &'static str, target: &'static str) -> Case {
        Case {
            name,
            config: config(),
            method: Method::GET,
            target,
            fields: Vec::new(),
            fails: None,
            answers: "",
            broken: false,
            before: 0,
            uncounted: false,
            under_way: None,
        }
    }

    fn broken(self) -> Case {
        Case { broken: true, ..self }
    }

    fn after(self, before: usize) -> Case {
        Case { before, ..self }
    }

    fn method(self, method: Method) -> Case {
        Case { method, ..self }
    }

    fn fields(self, fields: &[(&'static str, &str)]) -> Case {
        Case { fields: fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(), ..self }
    }

    fn fails(self, error: HostError) -> Case {
        Case { fails: Some(error), ..self }
    }

    fn answers(self, answers: &'static str) -> Case {
        Case { answers, ..self }
    }

    fn limited(self, limit: Value) -> Case {
        let mut case = self.with("/route/orders/limits", json!(["per-client"]));
        case.config["limit"] = json!({ "per-client": limit });
        case
    }

    /// Changes to the configuration, by JSON pointer.
    fn with(mut self, pointer: &str, value: Value) -> Case {
        let (table, key) = pointer.rsplit_once('/').expect("it begins with a slash");
        match self.config.pointer_mut(table) {
            Some(table) => table[key] = value,
            None => panic!("the configuration of the test has no {table}"),
        }
        self
    }
}

fn config() -> Value {
    json!({
        "gateway": { "max_url": "64 B", "max_headers": "2 KB", "max_body": "1 KB", "api_key": {} },
        "consumer": { "acme": { "api_keys": [{ "sha256": KEY_HASH }] }, "operator": { "api_keys": [{ "sha256": OPERATOR_HASH }] } },
        "limit": { "per-client": { "rate": "10/1m", "key": "client.address" } },
        "upstream": { "orders": { "url": "http://orders.test", "timeout": "200ms" } },
        "route": {
            "orders": { "match": { "path": "/orders/{*rest}", "methods": ["GET", "POST"] }, "upstream": "orders", "deadline": "10s" },
            "page": {
                "match": { "path": "/page" },
                "aggregate": {
                    "shape": "merged",
                    "on_collision": "error",
                    "parts": [
                        { "name": "user", "upstream": "orders", "path": "/user" },
                        { "name": "orders", "upstream": "orders", "path": "/orders" },
                    ],
                },
            },
            "batch": { "match": { "path": "/batch", "methods": ["POST"] }, "batch": {} },
            "find": {
                "match": { "path": "/find" },
                "upstream": "orders",
                "rewrite": { "path": "/orders/{query.id}" },
            },
            "me": {
                "match": { "path": "/me", "methods": ["GET"] },
                "respond": {},
                "authenticate": { "methods": ["token", "api_key"], "issuers": "login" },
                "authorize": { "any_scope": ["read"], "rules": "claim.sub == 'alice'" },
                "access": { "deny": ["198.51.100.0/24"] },
                "cors": { "origins": "https://app.test" },
            },
            "operators": {
                "match": { "path": "/_edgate/limits" },
                "admin": "limits",
                "authenticate": { "methods": ["api_key"] },
            },
        },
        "issuer": {
            "login": {
                "issuer": "https://login.test",
                "secret": { "secret": "LOGIN_KEY" },
                "audience": "orders",
                "dpop": { "nonce": { "secret": "NONCE_KEY" } },
            },
        },
    })
}

/// The SHA-256 of a consumer's key.
const KEY_HASH: &str = "f21dee5ee558173eeb7d140be38182522843b0f041d4d93d7782878623b85ec3";

/// The key of somebody who may look at limits, and its SHA-256.
const OPERATOR: &str = "edgate_2WZm45yZYkRQJMPmNKz2njmF7xGTob3BcLv2ZF08Ueb0iwq1T";
const OPERATOR_HASH: &str = "fc99ba00afac19fb0d1c64fe91ff8f89d02e0af922386cbdb3c3e24afa86d493";

/// What the issuer signs with, and what nonces are made of.
const SECRET: &str = "a secret that is known to this test alone";

/// A token of the issuer's, for `Authorization`, with further claims.
fn token(claims: &Value) -> String {
    let mut all = json!({ "iss": "https://login.test", "aud": "orders", "exp": NOW + 60 });
    let given = claims.as_object().into_iter().flatten();
    all.as_object_mut().expect("it is an object").extend(given.map(|(name, value)| (name.clone(), value.clone())));
    let key = Key::secret(SECRET.as_bytes());
    token::mint(&key, Algorithm::Hs256, r#"{"alg":"HS256"}"#, &all.to_string()).expect("it is signed")
}

/// A token that is bound to a key, and a proof for it, without a nonce.
fn bound() -> (String, String) {
    let key = Key::shipped("ed25519-1").expect("it is there");
    let token = token(&json!({ "sub": "alice", "scope": "read", "cnf": { "jkt": key.thumbprint() } }));
    let header = json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": key.public_jwk() });
    let hash = base64url(&sha256(token.as_bytes()));
    let claims = json!({ "jti": "1", "htm": "GET", "htu": "https://gateway.test/me", "iat": NOW, "ath": hash });
    let proof = token::mint(&key, Algorithm::EdDsa, &header.to_string(), &claims.to_string());
    (format!("DPoP {token}"), proof.expect("it is signed"))
}

/// 2026-01-01, when the host's clock begins, in seconds since 1970.
const NOW: u64 = 1_767_225_600;

const LONG: &str = "/orders/0123456789012345678901234567890123456789012345678901234567890123456789";

const PREFLIGHT: [(&str, &str); 2] = [("origin", "https://evil.test"), ("access-control-request-method", "GET")];

/// One case for each rejection, in the order of the catalogue, some with several; then the other answers.
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn cases() -> Vec<Case> {
    let orders = |name| Case::new(name, "/orders/7");
    let me = |name, fields: &[(&'static str, &str)]| Case::new(name, "/me").fields(fields);
    let once = |name, fields: &[(&'static str, &str)]| {
        let idempotency = json!({ "key": "client.address", "max_reply": "1 B" });
        orders(name).method(Method::POST).fields(fields).with("/route/orders/idempotency", idempotency)
    };
    let bearer = |claims: Value| format!("Bearer {}", token(&claims));
    let (bound, proof) = bound();
    vec![
        Case::new("a broken escape", "/a%2"),
        Case::new("a backslash, or an encoded slash", "/a%2fb"),
        Case::new("a control character in the path", "/a%00"),
        Case::new("a dot segment that only some servers see", "/a/..;/b"),
        Case::new("a path without a slash", "*").method(Method::OPTIONS),
        Case::new("a control character in the query", "/a?b=\u{7f}"),
        orders("two lengths").method(Method::POST).fields(&[("content-length", "3, 4")]),
        Case::new("no list of requests", "/batch").method(Method::POST),
        Case::new("a value that a template needs is not there", "/find"),
        Case::new("a question without a value of the key", "/_edgate/limits?limit=per-client")
            .fields(&[("x-api-key", OPERATOR)]),
        me("a token and something else in its place", &[("authorization", "Bearer a b")]),
        me("two API keys", &[("x-api-key", "a"), ("x-api-key", "b")]),
        me("no credentials", &[]),
        me("a text that is no token", &[("authorization", "Bearer a.b.c")]),
        me("a token that has expired", &[("authorization", &bearer(json!({ "exp": NOW - 60 })))]),
        me("a token of somebody else's", &[("authorization", &bearer(json!({ "iss": "https://nobody.test" })))]),
        me("an API key that nobody has", &[("x-api-key", "edgate_00000000000000000000000000000000000000000000zQZoh")]),
        me("a bound token without its proof", &[("authorization", &bound)]),
        me("a proof without a nonce", &[("authorization", &bound), ("dpop", &proof)]),
        me("a token without the scope", &[("authorization", &bearer(json!({ "sub": "alice", "scope": "write" })))]),
        me("an address that may not call", &[]).with("/route/me/access/deny", json!(["192.0.2.0/24"])),
        me("another client than the rule has", &[("authorization", &bearer(json!({ "sub": "bob", "scope": "read" })))]),
        me("a preflight of another origin's page", &PREFLIGHT).method(Method::OPTIONS),
        Case::new("no route", "/nowhere"),
        Case::new("a limit that is not there", "/_edgate/limits?limit=per-user").fields(&[("x-api-key", OPERATOR)]),
        orders("another method").method(Method::DELETE),
        once("no key", &[]),
        once("a key that is no string", &[("idempotency-key", "a-1")]),
        Case { under_way: Some("/orders/7"), ..once("a request that is under way", &[("idempotency-key", "\"1\"")]) }
            .fails(HostError::Timeout),
        Case { under_way: Some("/orders/8"), ..once("another request's key", &[("idempotency-key", "\"1\"")]) }
            .fails(HostError::Timeout),
        orders("a declared length above the limit").method(Method::POST).fields(&[("content-length", "1001")]),
        orders("a body that was to be kept for another try")
            .method(Method::POST)
            .fields(&[("content-length", "7"), ("idempotency-key", "\"1\"")])
            .with("/upstream/orders/retry", json!({}))
            .broken(),
        Case::new("a long URL", LONG),
        orders("more than a client may").limited(json!({ "rate": "1/1m", "key": "client.address" })).after(1),
        orders("large fields").with("/gateway/max_headers", json!("256 B")).fields(&[
            ("x-a", LONG),
            ("x-b", LONG),
            ("x-c", LONG),
        ]),
        orders("TRACE").method(Method::TRACE),
        orders("no connection").fails(HostError::Unreachable("10.0.0.7 refuses".to_owned())),
        Case { answers: "a reply", ..once("an answer that was not kept", &[("idempotency-key", "\"1\"")]) }.after(1),
        Case::new("a part that is needed has no answer", "/page")
            .fails(HostError::Unreachable("10.0.0.7 refuses".to_owned())),
        Case::new("two parts with the same member", "/page").answers(r#"{"id":1}"#),
        orders("a configuration with a mistake").with("/route/orders/upstream", json!("nobody")),
        me("a store that cannot be read", &[("x-api-key", "edgate_1fJjkkpe9PiTw9KSulA8Ghct30vZz4HpdQ5c5b9cPF144TBN2")])
            .with("/gateway/api_key", json!({ "store": "KEYS" })),
        Case {
            uncounted: true,
            ..orders("counters that are down")
                .limited(json!({ "rate": "1/1m", "key": "client.address", "on_failure": "deny" }))
        },
        Case { uncounted: true, ..once("nobody decides what was done", &[("idempotency-key", "\"1\"")]) },
        orders("an upstream that has failed too often")
            .with("/upstream/orders/breaker", json!({ "failures": 1, "open": "7s" }))
            .fails(HostError::Disconnected(String::new()))
            .after(1),
        orders("no token for the upstream")
            .with(
                "/upstream/orders/credentials",
                json!({ "client_credentials": {
                    "url": "https://login.test/token", "client_id": "gateway", "client_secret": { "secret": "LOGIN_KEY" },
                } }),
            )
            .fails(HostError::Unreachable(String::new())),
        orders("the deadline passes first").with("/route/orders/deadline", json!("100ms")).fails(HostError::Timeout),
        orders("the upstream's time-out passes first").fails(HostError::Timeout),
        Case::new("a part that is needed takes too long", "/page").fails(HostError::Timeout),
        orders("a request that was here before").fields(&[("cdn-loop", "edgate")]),
        orders("OPTIONS where no route takes it").method(Method::OPTIONS),
    ]
}

/// What came of a case: the answer, its body, and the access record.
struct Given {
    response: Response<Body>,
    body: String,
    /// As it is logged.
    line: String,
    record: Value,
}

fn provoke(case: &Case, accept: &'static str) -> Given {
    let (fails, answers) = (case.fails.clone(), case.answers);
    let host = MemoryHost::new(move |_| match fails.clone() {
        // Later than any time-out: the host itself says that it was too late.
        Some(HostError::Timeout) => Answer { after: Duration::MAX, result: Err(HostError::Timeout) },
        Some(error) => Answer { after: Duration::ZERO, result: Err(error) },
        None => Answer { after: Duration::ZERO, result: Ok(Response::new(Body::bytes(answers))) },
    });
    let secrets = ["LOGIN_KEY", "NONCE_KEY"].map(|name| (name.to_owned(), SECRET.to_owned()));
    let host = Rc::new(host.with_secrets(secrets.into()));
    let mut mistakes = Vec::new();
    let sections = Sections::from_document(case.config.clone(), &mut mistakes);
    let instance = Instance::new(Capabilities::of(Platform::Cloudflare), sections, mistakes);
    let shared: Rc<dyn Host> = host.clone();
    if case.uncounted {
        host.set_counting(Counting::Down);
    }
    let answer = || finish(Rc::clone(&instance).handle(Rc::clone(&shared), incoming(case, accept)));
    (0..case.before).for_each(|_| drop(answer()));
    if let Some(target) = case.under_way {
        let other = Incoming { path: target.to_owned(), ..incoming(case, accept) };
        let mut one = Box::pin(Rc::clone(&instance).handle(Rc::clone(&shared), other));
        assert!(one.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let mut response = answer().expect("nothing is waited for");
    let body = collect(std::mem::take(response.body_mut())).expect("it is complete");
    // Before it come the mistakes of a configuration.
    let line = host.take_log().pop().expect("there is a record");
    let record = serde_json::from_str(&line).expect("it is JSON");
    Given { response, body: String::from_utf8(body.into()).expect("it is text"), line, record }
}

fn incoming(case: &Case, accept: &'static str) -> Incoming {
    let mut headers = HeaderMap::new();
    let own = [("host", "gateway.test"), ("accept", accept)];
    for (name, value) in own.into_iter().chain(case.fields.iter().map(|(name, value)| (*name, value.as_str()))) {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("it is a value"));
    }
    let (path, query) = match case.target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (case.target, None),
    };
    Incoming {
        method: case.method.clone(),
        scheme: "https",
        authority: "gateway.test".to_owned(),
        path: path.to_owned(),
        query,
        headers_size: section_size(&headers),
        headers,
        body: match case.broken {
            true => Body::host(
                Stream { chunks: vec![Bytes::from_static(b"abc")], fails: true, every: Duration::ZERO },
                Some(7),
            ),
            false => Body::Empty,
        },
        peer: "192.0.2.1".parse().ok(),
        facts: ClientFacts::default(),
        version: "2",
    }
}

/// The answer as one reads it, indented.
fn shown(given: &Given) -> String {
    let mut fields: Vec<String> = given
        .response
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().expect("it is ASCII")))
        .collect();
    fields.sort();
    let lines =
        [given.response.status().to_string()].into_iter().chain(fields).chain(given.body.lines().map(str::to_owned));
    lines.map(|line| format!("  {line}\n")).collect()
}

fn catalogue() -> String {
    let mut text = "Made by `EDGATE_BLESS=1 cargo test --test catalogue`: every answer that edgate gives by itself, to a client that\ntakes JSON and to one that does not, and the access record.\n".to_owned();
    for case in cases() {
        let (json, plain) = (provoke(&case, "*/*"), provoke(&case, "text/plain"));
        let code = json.record["reject"].as_str().unwrap_or("no refusal");
        text += &format!("\n{code}: {}\n\n  {} {}\n\n{}", case.name, case.method, case.target, shown(&json));
        if plain.body != json.body {
            text += &format!("\n{}", shown(&plain));
        }
        text += &format!("\n  {}\n", json.line);
    }
    text
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn bless() -> bool {
    std::env::var_os("EDGATE_BLESS").is_some()
}

#[test]
fn every_answer_of_its_own_is_what_it_was() {
    let path = root().join("tests/catalogue.txt");
    let now = catalogue();
    if bless() {
        std::fs::write(&path, &now).unwrap();
    }
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = before.lines().zip(now.lines()).find(|(before, now)| before != now);
    assert!(before == now, "tests/catalogue.txt says otherwise: {differs:#?}\n(EDGATE_BLESS=1 accepts this)");
}

#[test]
fn every_rejection_can_be_provoked() {
    let mut provoked: Vec<String> = Vec::new();
    for case in cases() {
        let code = provoke(&case, "*/*").record["reject"].as_str().unwrap_or_default().to_owned();
        if !code.is_empty() && provoked.last() != Some(&code) {
            provoked.push(code);
        }
    }
    let all: Vec<&str> = Reject::catalogue().iter().map(|reject| reject.entry().code).collect();
    assert_eq!(provoked, all);
}

/// No answer says where the upstream is, or what went wrong there.
#[test]
fn no_answer_tells_of_what_is_behind_the_gateway() {
    for case in cases() {
        for accept in ["*/*", "text/plain"] {
            let given = provoke(&case, accept);
            let said = shown(&given);
            for secret in ["orders.test", "10.0.0.7", "nobody", "KEYS", SECRET] {
                assert!(!said.contains(secret), "{}: {said}", case.name);
            }
        }
    }
}

/// What the table of docs/errors.md says of a code, but for the column `When`.
struct Row {
    code: &'static str,
    status: String,
    told: String,
    proxy_status: String,
    log: &'static str,
}

fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for case in cases() {
        let given = provoke(&case, "*/*");
        let reject = Reject::catalogue().into_iter().find(|reject| given.record["reject"] == reject.entry().code);
        let Some(entry) = reject.map(|reject| reject.entry()) else { continue };
        // One row for each code: bad paths are told in several ways.
        if rows.iter().any(|row| row.code == entry.code) {
            continue;
        }
        let called = given.record["upstream"].as_array().is_some_and(|attempts| !attempts.is_empty());
        rows.push(Row {
            code: entry.code,
            status: entry.status.as_str().to_owned(),
            told: match entry.code {
                "bad-path" | "bad-batch" | "bad-question" => "What is wrong with it.".to_owned(),
                "unknown-limit" => "Which there are.".to_owned(),
                _ => entry.detail.to_owned(),
            },
            proxy_status: entry.proxy_error.map(|error| format!("`{error}`")).unwrap_or_default(),
            log: match (given.record["route"].is_null(), called) {
                (true, _) => "",
                (false, false) => "`route`",
                (false, true) => "`route`, `upstream`",
            },
        });
    }
    rows
}

const BEGIN: &str =
    "<!-- catalogue: columns but `When` come from the code; EDGATE_BLESS=1 cargo test --test catalogue -->\n";
const END: &str = "<!-- end of the catalogue -->\n";

#[test]
fn the_table_in_the_documentation_is_the_catalogue() {
    let path = root().join("docs/errors.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("docs/errors.md has the catalogue");
    let (table, after) = rest.split_once(END).expect("the catalogue has an end");
    // What people wrote is kept.
    let mut when = BTreeMap::new();
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        when.insert(cells[1].trim_matches('`').to_owned(), cells[3].to_owned());
    }
    let mut made = "| Code | Status | When | The client is told | `Proxy-Status` error | Also in the record |\n|---|---|---|---|---|---|\n".to_owned();
    for Row { code, status, told, proxy_status, log } in rows() {
        let when = when.remove(code).unwrap_or_default();
        assert!(bless() || !when.is_empty(), "docs/errors.md does not say when `{code}` is answered");
        made += &format!("| `{code}` | {status} | {when} | {told} | {proxy_status} | {log} |\n");
    }
    if bless() {
        std::fs::write(&path, format!("{before}{BEGIN}{made}{END}{after}")).unwrap();
    }
    assert!(bless() || table == made, "docs/errors.md should say:\n{made}\n(EDGATE_BLESS=1 writes it)");
}
