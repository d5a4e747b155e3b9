//! What a scenario makes while it is played: tokens, times, placeholders, captured values, signatures.

use edgate_kit::compare;
use edgate_kit::credentials::encoding::{base64url, content_digest, from_base64url, sha256};
use edgate_kit::credentials::token::read;
use edgate_kit::credentials::verify::{holds, verified};
use edgate_kit::scenario::play::Play;
use edgate_kit::scenario::{Exchange, Scenario, parse};
use edgate_kit::seen::{AnsweredBy, End, SeenBody, SeenRequest, SeenResponse};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const KEYS: &str = r#"
title = "a test"

[config.issuer.main]
issuer = "http://issuer.test"
keys = "{jwks:rsa,ec}"
audience = "{path.kept}"

[keys]
rsa = { type = "RS256", jwk = "rsa-1", kid = "r1" }
ec = { type = "ES256", kid = "e1", members = { use = "enc", absent = ["alg"] } }
ec384 = { jwk = "p384-1" }
ed = { jwk = "ed25519-1" }
pss = { type = "PS256" }
mac = { secret = "0123456789abcdef0123456789abcdef" }
confused = { secret = "{pem:rsa}" }
"#;

/// 2026-01-01T00:00:00Z.
fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

fn scenario(rest: &str) -> Scenario {
    let scenario = parse(&format!("{KEYS}\n{rest}")).unwrap_or_else(|error| panic!("{error:#}"));
    let names = scenario.upstream_names();
    let addresses = names.into_iter().zip(9000..).map(|(name, port)| (name, ([127, 0, 0, 1], port).into())).collect();
    scenario.with_addresses(&addresses).expect("all names are known")
}

fn play(rest: &str) -> Play {
    Play::begin(&scenario(rest), start()).unwrap_or_else(|error| panic!("{error:#}"))
}

fn exchange(play: &Play, position: usize) -> Exchange {
    play.exchange(position, start()).unwrap_or_else(|error| panic!("{error:#}"))
}

fn field(exchange: &Exchange, name: &str) -> String {
    let headers = &exchange.request.headers.0;
    headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

/// One exchange with these tokens, each in the field of its name.
fn tokens(tables: &str, names: &[&str]) -> Exchange {
    let headers: Vec<String> = names.iter().map(|name| format!("{name} = \"{{token:{name}}}\"")).collect();
    let rest =
        format!("{tables}\n[[exchange]]\nrequest = {{ target = \"/\", headers = {{ {} }} }}", headers.join(", "));
    exchange(&play(&rest), 0)
}

#[test]
fn tokens_of_every_kind_of_key_hold() {
    let names = ["rsa", "ec", "ec384", "ed", "pss", "mac"];
    let tables: Vec<String> =
        names.iter().map(|name| format!("[tokens.{name}]\nkey = '{name}'\nclaims.sub = '{name}'")).collect();
    let keys: Vec<String> = names.iter().map(|name| format!("{name} = \"{{private:{name}}}\"")).collect();
    let exchange = tokens(&tables.join("\n"), &names);
    let keys = play(&format!("[secrets]\n{}\n[[exchange]]\nrequest.target = '/'", keys.join("\n")));
    for name in names {
        let jwk: Value = serde_json::from_str(&keys.scenario().secrets[name]).expect("it is JSON");
        let (_, claims) = verified(&field(&exchange, name), &jwk).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        assert_eq!(claims, json!({ "sub": name }));
    }
}

#[test]
fn header_and_claims_are_as_written() {
    let exchange = tokens(
        r#"
        [tokens.plain]
        key = "rsa"
        claims = { iss = "http://{address:issuer.test}", exp = "+10m", nbf = "now", iat = "-5s", at = "{time:+1h}", n = 1.5, cnf = { jkt = "{thumbprint:ec}" } }
        [tokens.changed]
        key = "rsa"
        alg = "PS256"
        header = { typ = "at+jwt", crit = ["x"], alg = "HS256", absent = ["kid"] }
        claims.exp = "never"
        [tokens.literal]
        key = "rsa"
        header_json = '{"alg":"RS256","alg":"none"}'
        claims_json = '{"exp":{time:-1m},"exp":9}'
        [tokens.raw]
        raw = "a.b.c"
        "#,
        &["plain", "changed", "literal", "raw"],
    );
    let (header, claims) = read(&field(&exchange, "plain")).expect("it can be read");
    assert_eq!(header, json!({ "alg": "RS256", "typ": "JWT", "kid": "r1" }));
    let thumbprint = claims["cnf"]["jkt"].as_str().expect("it is a text");
    assert_eq!(thumbprint.len(), 43);
    let now = 1_767_225_600;
    let wanted = json!({ "iss": "http://127.0.0.1:9000", "exp": now + 600, "nbf": now, "iat": now - 5,
        "at": now + 3600, "n": 1.5, "cnf": { "jkt": thumbprint } });
    assert_eq!(claims, wanted);
    let (header, claims) = read(&field(&exchange, "changed")).expect("it can be read");
    assert_eq!(header, json!({ "alg": "HS256", "typ": "at+jwt", "crit": ["x"] }));
    assert_eq!(claims, json!({ "exp": "never" }), "what is no time is left alone");
    let literal = field(&exchange, "literal");
    let parts: Vec<&str> = literal.split('.').collect();
    assert_eq!(from_base64url(parts[0]).expect("it is base64"), br#"{"alg":"RS256","alg":"none"}"#);
    assert_eq!(from_base64url(parts[1]).expect("it is base64"), br#"{"exp":1767225540,"exp":9}"#);
    assert_eq!(field(&exchange, "raw"), "a.b.c");
}

#[test]
fn keys_are_shown_as_they_are_said_to_be() {
    let play = play("[[exchange]]\nrequest.target = '/'");
    let issuer = &play.scenario().config["issuer"]["main"];
    assert_eq!(issuer["audience"], "{path.kept}", "what is the gateway's is left alone");
    let keys = issuer["keys"]["keys"].as_array().expect("it is a list");
    assert_eq!((&keys[0]["kid"], &keys[0]["alg"], &keys[0]["use"]), (&json!("r1"), &json!("RS256"), &json!("sig")));
    assert_eq!((keys[1].get("alg"), &keys[1]["use"]), (None, &json!("enc")));
    for key in keys {
        assert!(key.get("d").is_none(), "a private member is shown");
    }
}

#[test]
fn public_key_as_a_secret_is_the_pem() {
    let exchange = tokens("[tokens.t]\nkey = 'confused'", &["t"]);
    let token = field(&exchange, "t");
    let pem = edgate_kit::credentials::key::Key::shipped("rsa-1").expect("it is shipped").public_pem();
    let jwk = json!({ "kty": "oct", "k": base64url(pem.expect("it has one").as_bytes()) });
    assert!(verified(&token, &jwk).is_ok());
}

#[test]
fn placeholders_are_filled_in_everywhere() {
    let play = play(
        r#"
        [secrets]
        KEY = "{sha256:abc}"
        [store.KV]
        a = { until = "{date:+1m}" }
        [[exchange]]
        request = { target = "/{base64url:a?b}", headers = { authorization = "Basic {base64:user:pass}", x = "{sha256:{base64:user}}" }, body = { json = { at = "{time:now}", keys = "{jwks:ec}" } } }
        response = { body = "{time:-1s}" }
        log = { auth = { exp = "{time:+1s}" } }
        [[exchange.upstream]]
        at = "a.test"
        expect.headers = { x = "{content-digest:abc}" }
        answer.body = "{jwks:}"
        "#,
    );
    assert_eq!(play.scenario().secrets["KEY"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(play.scenario().store["KV"]["a"].0, r#"{"until":"2026-01-01T00:01:00Z"}"#);
    let exchange = exchange(&play, 0);
    assert_eq!(exchange.request.target, "/YT9i");
    assert_eq!(field(&exchange, "authorization"), "Basic dXNlcjpwYXNz");
    assert_eq!(field(&exchange, "x").len(), 64);
    let body: Value =
        serde_json::from_slice(exchange.request.content().block(0).expect("there is one")).expect("it is JSON");
    assert_eq!((&body["at"], &body["keys"]["keys"][0]["kid"]), (&json!(1_767_225_600), &json!("e1")));
    assert_eq!(exchange.log.expect("it expects one").0["auth"]["exp"], json!(1_767_225_601));
    let shown = format!("{:?} {:?}", exchange.response, exchange.upstreams);
    assert!(shown.contains("1767225599") && shown.contains("sha-256=:ungWv48Bz+"), "{shown}");
}

#[test]
fn time_is_that_of_the_sending() {
    let play = play("[[exchange]]\nrequest = { target = '/{time:now}', advance = '90s' }");
    assert_eq!(exchange(&play, 0).request.target, "/1767225690");
}

#[test]
fn token_is_made_once_where_it_says_so() {
    let rest = r#"
        [tokens]
        fresh = { key = "mac", claims = { iat = "now" } }
        kept = { key = "mac", claims = { iat = "now" }, once = true }
        [[exchange]]
        request = { target = "/", headers = { fresh = "{token:fresh}", kept = "{token:kept}" } }
        [[exchange]]
        request = { target = "/", headers = { fresh = "{token:fresh}", kept = "{token:kept}" }, advance = "1m" }
    "#;
    let play = play(rest);
    let (first, second) = (exchange(&play, 0), exchange(&play, 1));
    assert_ne!(field(&first, "fresh"), field(&second, "fresh"));
    assert_eq!(field(&first, "kept"), field(&second, "kept"));
}

fn response(fields: &[(&str, &str)]) -> SeenResponse {
    SeenResponse {
        status: 200,
        headers: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: SeenBody::empty(),
        trailers: Vec::new(),
        end: End::Complete,
        chunk_times: Vec::new(),
        websocket: None,
    }
}

#[test]
fn captured_value_is_in_the_next_proof() {
    let mut play = play(
        r#"
        [tokens.bound]
        key = "rsa"
        claims = { cnf = { jkt = "{thumbprint:ec}" } }
        [proofs.first]
        key = "ec"
        token = "bound"
        [proofs.second]
        key = "ec"
        htm = "POST"
        htu = "http://elsewhere.test/"
        jti = "fixed"
        nonce = "{captured:nonce}"
        header = { absent = ["jwk"] }
        claims = { iat = "soon", absent = ["htm"] }
        [[exchange]]
        request = { method = "PUT", target = "/a?b=c", headers = { authorization = "DPoP {token:bound}", dpop = "{proof:first}", again = "{proof:first}" } }
        capture = { nonce = "dpop-nonce" }
        [[exchange]]
        request = { target = "/", headers = { dpop = "{proof:second}", x = "{captured:nonce}" } }
        "#,
    );
    let first = exchange(&play, 0);
    assert_eq!(field(&first, "dpop"), field(&first, "again"));
    let (header, claims) = read(&field(&first, "dpop")).expect("it can be read");
    assert_eq!((&header["typ"], &header["jwk"]["crv"]), (&json!("dpop+jwt"), &json!("P-256")));
    assert!(header["jwk"].get("d").is_none());
    assert!(verified(&field(&first, "dpop"), &header["jwk"]).is_ok());
    let token = field(&first, "authorization").replace("DPoP ", "");
    let wanted = json!({ "jti": "first-1", "htm": "PUT", "htu": "http://gateway.test/a", "iat": 1_767_225_600,
        "ath": base64url(&sha256(token.as_bytes())) });
    assert_eq!(claims, wanted);

    let error = play.exchange(1, start()).expect_err("nothing is captured yet");
    assert!(format!("{error:#}").contains("no exchange before has captured `nonce`"), "{error:#}");
    assert_eq!(play.capture(&first, &response(&[])), ["capture nonce: the response has no dpop-nonce"]);
    assert!(play.capture(&first, &response(&[("dpop-nonce", "n1")])).is_empty());
    let second = exchange(&play, 1);
    assert_eq!(field(&second, "x"), "n1");
    let (header, claims) = read(&field(&second, "dpop")).expect("it can be read");
    assert!(header.get("jwk").is_none());
    assert_eq!(claims, json!({ "jti": "fixed", "htu": "http://elsewhere.test/", "iat": "soon", "nonce": "n1" }));
}

#[test]
fn request_is_signed_as_it_is_sent() {
    let play = play(
        r#"
        [signatures.good]
        key = "ed"
        components = ["@method", "@target-uri", "content-digest", "content-length"]
        created = "now"
        expires = "+1m"
        keyid = "acme"
        alg = "ed25519"
        nonce = "n"
        tag = "t"
        [signatures.other]
        key = "mac"
        label = "sig2"
        components = ["@authority", '"@query-param";name="b"']
        [signatures.spoilt]
        key = "ed"
        components = ["@method"]
        input = '("@method");created=1'
        tamper = "flip-signature"
        [[exchange]]
        request = { method = "POST", target = "/a?b={sha256:x}", body = "hello", sign = ["good", "other"] }
        [[exchange]]
        request = { target = "/", sign = "spoilt", headers = { content-digest = "mine" } }
        "#,
    );
    let signed = exchange(&play, 0);
    let digest = content_digest(std::iter::once(&b"hello"[..]));
    assert_eq!(field(&signed, "content-digest"), digest);
    let input = field(&signed, "signature-input");
    let parameters = r#"("@method" "@target-uri" "content-digest" "content-length");created=1767225600;expires=1767225660;nonce="n";alg="ed25519";keyid="acme";tag="t""#;
    assert_eq!(input, format!(r#"sig1={parameters}, sig2=("@authority" "@query-param";name="b")"#));
    let base = format!(
        "\"@method\": POST\n\"@target-uri\": http://gateway.test{}\n\"content-digest\": {digest}\n\"content-length\": 5\n\"@signature-params\": {parameters}",
        signed.request.target
    );
    let signature = field(&signed, "signature");
    let (own, other) = signature.split_once(", ").expect("there are two");
    let bytes = |text: &str| {
        let text = text.split_once(":").expect("it is a byte sequence").1.trim_end_matches([':', '=']);
        from_base64url(&text.replace('+', "-").replace('/', "_")).expect("it is base64")
    };
    let public = Value::Object(edgate_kit::credentials::key::Key::shipped("ed25519-1").expect("it is").public_jwk());
    let algorithm = edgate_kit::credentials::algorithm::Algorithm::EdDsa;
    assert!(holds(&public, algorithm, base.as_bytes(), &bytes(own)).expect("it is a signature"));
    assert!(other.starts_with("sig2=:"));
    let spoilt = exchange(&play, 1);
    assert_eq!(field(&spoilt, "signature-input"), r#"sig1=("@method");created=1"#);
    let base = "\"@method\": GET\n\"@signature-params\": (\"@method\");created=1";
    let signature = bytes(&field(&spoilt, "signature"));
    assert!(!holds(&public, algorithm, base.as_bytes(), &signature).expect("it is a signature"));
    assert_eq!(field(&spoilt, "content-digest"), "mine");
}

#[test]
fn token_of_somebody_else_is_compared() {
    let exchange = tokens("[tokens.t]\nkey = 'ec'\nclaims = { sub = 'alice', iat = 'now' }", &["t"]);
    let seen = SeenRequest {
        method: "GET".to_owned(),
        target: "/".to_owned(),
        headers: vec![("authorization".to_owned(), format!("Bearer {}", field(&exchange, "t")))],
        body: SeenBody::empty(),
        complete: true,
        answered_by: AnsweredBy::Step,
    };
    let against = |jwt: &str| {
        let play = play(&format!(
            "[[exchange]]\nrequest.target = '/'\nupstream = [{{ at = 'a.test', expect.headers.authorization.jwt = {{ {jwt} }} }}]"
        ));
        compare::request(&self::exchange(&play, 0).upstreams[0].expect, &seen)
    };
    let fine = r#"key = "{jwk:ec}", header = { kid = "e1", absent = ["jku"] }, claims = { sub = { matches = "^a" } }"#;
    assert_eq!(against(fine), Vec::<String>::new());
    let found = against(r#"key = "{jwk:ec}", claims = { sub = "bob" }"#);
    assert_eq!(found, ["header authorization: claims.sub: expected \"bob\", saw \"alice\""]);
    assert!(against(r#"key = "{jwk:rsa}""#)[0].contains("expected a token"));
}

#[test]
fn example_of_the_readme_can_be_played() {
    let readme = include_str!("../../scenarios/README.md");
    let example = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("it has one");
    let scenario = parse(example).unwrap_or_else(|error| panic!("{error:#}"));
    let addresses = scenario.upstream_names().into_iter().zip(9000..);
    let addresses = addresses.map(|(name, port)| (name, ([127, 0, 0, 1], port).into())).collect();
    let scenario = scenario.with_addresses(&addresses).expect("all names are known");
    let play = Play::begin(&scenario, start()).expect("it begins");
    let names: Vec<String> = (0..3).map(|position| field(&exchange(&play, position), "authorization")).collect();
    assert!(names.iter().all(|field| field.starts_with("Bearer ey")), "{names:?}");
}

/// Says how a scenario is refused.
fn refusal(rest: &str) -> String {
    let text = format!("{KEYS}\n{rest}");
    format!("{:#}", parse(&text).expect_err("it is refused"))
}

#[test]
fn unknown_names_and_mistakes_are_said() {
    let exchange = "[[exchange]]\nrequest.target = '/'";
    let cases = [
        ("[[exchange]]\nrequest.target = '/{token:x}'", "`{token:x}` in `exchange`: there is no `x` in `tokens`"),
        ("[[exchange]]\nrequest.target = '/{tokn:x}'", "`{tokn:x}` in `exchange` is no placeholder of scenarios"),
        ("[[exchange]]\nrequest.target = '/{jwks:rsa,x}'", "there is no `x` in `keys`: there are {\"confused\""),
        ("[[exchange]]\nrequest.target = '/{captured:x}'", "there is no `x` in `capture`"),
        ("[[exchange]]\nrequest = { target = '/', sign = 'x' }", "there is no `x` in `signatures`"),
        ("[[exchange]]\nrequest = { target = '/', country = 'NO' }", "Spin knows neither"),
        ("[[exchange]]\nrequest.target = '/'\ncalls = { 'x.test' = 1 }", "x.test, which is no upstream"),
        ("[tokens.t]\nkey = 'x'", "[tokens.t]: there is no `x` in `keys`"),
        ("[tokens.t]\nclaims = {}", "[tokens.t]: it needs a `key`"),
        ("[tokens.t]\nraw = 'a'\ntamper = 'pad'", "a `raw` token is not made"),
        ("[tokens.t]\nkey = 'ec'\ntamper = 'melt'", "unknown variant `melt`"),
        ("[keys.k]\nkid = 'a'", "[keys.k]: it needs a `type`, a `jwk` or a `secret`"),
        ("[proofs.p]\nkey = 'ec'\ntoken = 'x'", "[proofs.p]: there is no `x` in `tokens`"),
        ("[[service]]\nat = 'a.test'\nrestore = true", "only an exchange can restore"),
        ("[[service]]\nat = 'a.test'\npath = '/'\nanswer.fault = 'refuse'", "sees no path"),
    ];
    for (rest, reason) in cases {
        let refusal =
            refusal(&if rest.contains("[[exchange]]") { rest.to_owned() } else { format!("{rest}\n{exchange}") });
        assert!(refusal.contains(reason), "{rest}\nis refused with: {refusal}");
    }
    let late = [
        ("[keys.k]\njwk = 'rsa-9'", "{jwk:k}", "`rsa-9` is none of the keys"),
        ("[keys.k]\ntype = 'ES512'", "{jwk:k}", "`ES512` is no algorithm"),
        ("[keys.k]\ntype = 'HS256'", "{jwk:k}", "HS256 needs a `secret`"),
        ("[tokens.t]\nkey = 'rsa'\nalg = 'ES256'", "{token:t}", "cannot sign with ES256"),
        ("", "{time:tomorrow}", "`tomorrow` is no time"),
        ("", "{time:+5 parsecs}", "is no duration"),
    ];
    for (tables, placeholder, reason) in late {
        let play = play(&format!("{tables}\n[[exchange]]\nrequest.target = '/{placeholder}'"));
        let error = format!("{:#}", play.exchange(0, start()).expect_err("it fails"));
        assert!(error.contains(reason) && error.contains("exchange 1"), "{placeholder}: {error}");
    }
}
