//! Keys, tokens and signed requests: what is well made holds with the public key, what is spoilt does not, and what the
//! specifications show as examples comes out.

use edgate_kit::credentials::algorithm::Algorithm;
use edgate_kit::credentials::encoding::{base64, content_digest, from_base64url};
use edgate_kit::credentials::key::Key;
use edgate_kit::credentials::signed::{Message, Parameter, Signature};
use edgate_kit::credentials::tamper::{Tamper, spoil};
use edgate_kit::credentials::token::{mint, read};
use edgate_kit::credentials::verify::{holds, verified};
use serde_json::{Value, json};

const ALL: [(&str, &[&str]); 5] = [
    ("rsa-1", &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]),
    ("rsa-weak", &["RS256"]),
    ("p256-1", &["ES256"]),
    ("p384-1", &["ES384"]),
    ("ed25519-1", &["EdDSA"]),
];

fn key(name: &str) -> Key {
    Key::shipped(name).expect("it is shipped")
}

fn public(name: &str) -> Value {
    Value::Object(key(name).public_jwk())
}

fn algorithm(name: &str) -> Algorithm {
    Algorithm::of_token(name).expect("it is known")
}

fn token(name: &str, alg: &str) -> String {
    let header = json!({ "alg": alg, "typ": "JWT" }).to_string();
    mint(&key(name), algorithm(alg), &header, r#"{"sub":"alice"}"#).expect("it is made")
}

#[test]
fn minted_tokens_hold_with_the_public_key_and_no_other() {
    for (name, algorithms) in ALL {
        for alg in algorithms {
            let token = token(name, alg);
            let (header, claims) = verified(&token, &public(name)).unwrap_or_else(|error| panic!("{alg}: {error:#}"));
            assert_eq!((&header["alg"], &claims["sub"]), (&json!(alg), &json!("alice")));
            let other = public(if name.starts_with("rsa") { "rsa-2" } else { "p256-2" });
            assert!(verified(&token, &other).is_err(), "{alg} holds with another key");
        }
    }
    let secret = Key::secret(b"0123456789abcdef0123456789abcdef");
    for alg in ["HS256", "HS384", "HS512"] {
        let token = mint(&secret, algorithm(alg), &json!({ "alg": alg }).to_string(), "{}").expect("it is made");
        assert!(verified(&token, &Value::Object(secret.private_jwk())).is_ok());
        assert!(verified(&token, &Value::Object(Key::secret(b"another").private_jwk())).is_err());
    }
}

/// RFC 7515, appendix A.1, and RFC 8037, appendix A.4: the same message is always signed alike.
#[test]
fn examples_of_the_specifications_come_out() {
    let jwk = json!({ "kty": "oct",
        "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow" });
    let secret = Key::read(&jwk.to_string()).expect("it is a key");
    let header = "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}";
    let claims = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
    let token = mint(&secret, Algorithm::Hs256, header, claims).expect("it is made");
    assert!(token.ends_with(".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "{token}");

    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    let key = Key::read(&jwk.to_string()).expect("it is a key");
    let token = mint(&key, Algorithm::EdDsa, r#"{"alg":"EdDSA"}"#, "Example of Ed25519 signing").expect("it is made");
    assert!(
        token.ends_with(".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"),
        "{token}"
    );
    // RFC 8037, appendix A.3.
    assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

/// RFC 7638, section 3.1.
#[test]
fn thumbprint_is_of_the_required_members() {
    let shipped = key("rsa-1");
    let thumbprint = shipped.thumbprint();
    assert_eq!(thumbprint.len(), 43);
    assert_ne!(thumbprint, key("rsa-2").thumbprint());
    assert!(shipped.public_pem().expect("it has one").starts_with("-----BEGIN PUBLIC KEY-----\nMIIBIjAN"));
    assert!(Key::secret(b"a").public_jwk().keys().eq(["kty"]), "a secret shows nothing");
}

#[test]
fn spoilt_tokens_do_not_hold() {
    let all = [
        Tamper::StripSignature,
        Tamper::DropSignature,
        Tamper::FlipSignature,
        Tamper::ZeroSignature,
        Tamper::ZeroR,
        Tamper::ZeroS,
        Tamper::LargeR,
        Tamper::ShortSignature,
        Tamper::LongSignature,
        Tamper::DerSignature,
        Tamper::FlipPayload,
        Tamper::FlipHeader,
        Tamper::None,
        Tamper::Pad,
        Tamper::TrailingBits,
        Tamper::LineFeed,
        Tamper::FourParts,
    ];
    let good = token("p256-1", "ES256");
    for how in all {
        let spoilt = spoil(&good, how).expect("it can be spoilt");
        assert_ne!(spoilt, good, "{how:?}");
        assert!(verified(&spoilt, &public("p256-1")).is_err(), "{how:?} holds");
    }
    assert_eq!(read(&spoil(&good, Tamper::None).expect("it can be spoilt")).expect("it can be read").0["alg"], "none");
    assert!(spoil(&token("ed25519-1", "EdDSA"), Tamper::DerSignature).is_ok(), "it looks like one of ECDSA");
    assert!(spoil("a.b", Tamper::Pad).is_err());
}

#[test]
fn keys_sign_with_their_own_algorithms_only() {
    let error = key("p256-1").sign(Algorithm::Rs256, b"").expect_err("it is no RSA key");
    assert_eq!(error.to_string(), "a key for ES256 cannot sign with RS256");
    let error = Algorithm::of_token("ES512").expect_err("it is not there").to_string();
    assert!(error.contains("`ES512` is no algorithm") && error.contains("EdDSA"), "{error}");
    let Err(error) = Key::shipped("rsa-9") else { panic!("there is no such key") };
    assert!(error.to_string().contains("there are rsa-1, rsa-2"), "{error}");
}

/// RFC 9421, appendix B.2: the message of the examples, as a request over HTTP.
fn message(fields: &Vec<(String, String)>) -> Message<'_> {
    Message { method: "POST", host: "example.com", target: "/foo?param=Value&Pet=dog", fields }
}

fn fields() -> Vec<(String, String)> {
    let fields = [
        ("host", "example.com"),
        ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("content-type", "application/json"),
        ("content-length", "18"),
    ];
    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

fn signature(label: &str, components: &[&str], keyid: &str) -> Signature {
    Signature {
        label: label.to_owned(),
        components: components.iter().map(|name| (*name).to_owned()).collect(),
        parameters: vec![("created", Parameter::Number(1_618_884_473)), ("keyid", Parameter::Text(keyid.to_owned()))],
        ..Signature::default()
    }
}

/// RFC 9421, appendices B.2.5 and B.2.6.
#[test]
fn signed_requests_come_out_as_in_the_specification() {
    let fields = fields();
    let k = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ";
    let secret = Key::read(&json!({ "kty": "oct", "k": k.replace('+', "-").replace('/', "_") }).to_string());
    let wanted = signature("sig-b25", &["date", "@authority", "content-type"], "test-shared-secret");
    let (input, made) =
        wanted.sign(&secret.expect("it is a key"), Algorithm::Hs256, &message(&fields)).expect("it is signed");
    let parameters = ";created=1618884473;keyid=\"test-shared-secret\"";
    assert_eq!(input, format!("sig-b25=(\"date\" \"@authority\" \"content-type\"){parameters}"));
    assert_eq!(made, "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:");

    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "d": "n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU",
        "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs" });
    let key = Key::read(&jwk.to_string()).expect("it is a key");
    let components = ["date", "@method", "@path", "@authority", "content-type", "content-length"];
    let wanted = signature("sig-b26", &components, "test-key-ed25519");
    let (_, made) = wanted.sign(&key, Algorithm::EdDsa, &message(&fields)).expect("it is signed");
    let shown = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==";
    assert_eq!(made, format!("sig-b26=:{shown}:"));
}

#[test]
fn signature_base_has_what_is_covered() {
    let fields = fields();
    let components = [
        "@method",
        "@target-uri",
        "@authority",
        "@scheme",
        "@request-target",
        "@path",
        "@query",
        "\"@query-param\";name=\"Pet\"",
        "Content-Type",
    ];
    let base = signature("a", &components, "k").base(&message(&fields), "()").expect("all of it is there");
    let lines: Vec<&str> = base.lines().collect();
    assert_eq!(lines[0], "\"@method\": POST");
    assert_eq!(lines[1], "\"@target-uri\": http://example.com/foo?param=Value&Pet=dog");
    assert_eq!(lines[2..5], ["\"@authority\": example.com", "\"@scheme\": http", lines[4]]);
    assert_eq!(lines[4], "\"@request-target\": /foo?param=Value&Pet=dog");
    assert_eq!(lines[5..8], ["\"@path\": /foo", "\"@query\": ?param=Value&Pet=dog", lines[7]]);
    assert_eq!(lines[7], "\"@query-param\";name=\"Pet\": dog");
    assert_eq!(lines[8..], ["\"content-type\": application/json", "\"@signature-params\": ()"]);
    for missing in ["x-not-there", "@status", "\"date\";bs"] {
        let error = signature("a", &[missing], "k").base(&message(&fields), "()").expect_err("it is not there");
        assert!(format!("{error:#}").contains(missing.trim_matches('"')), "{error:#}");
    }
}

#[test]
fn every_kind_of_signature_of_a_request_holds() {
    let fields = fields();
    for (name, alg) in [
        ("rsa-1", "rsa-pss-sha512"),
        ("rsa-1", "rsa-v1_5-sha256"),
        ("p256-1", "ecdsa-p256-sha256"),
        ("p384-1", "ecdsa-p384-sha384"),
        ("ed25519-1", "ed25519"),
    ] {
        let algorithm = Algorithm::of_signed(alg).expect("it is known");
        let wanted = signature("sig1", &["@method"], "k");
        let (input, made) = wanted.sign(&key(name), algorithm, &message(&fields)).expect("it is signed");
        let base = wanted.base(&message(&fields), input.trim_start_matches("sig1=")).expect("it is there");
        let bytes = made.trim_start_matches("sig1=:").trim_end_matches(':');
        let bytes = decode(bytes);
        assert!(holds(&public(name), algorithm, base.as_bytes(), &bytes).expect("it is a signature"), "{alg}");
    }
}

fn decode(text: &str) -> Vec<u8> {
    let url = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    from_base64url(&url).expect("it is base64")
}

/// RFC 9530, appendix D.
#[test]
fn content_digest_is_as_in_the_specification() {
    let digest = content_digest([&b"{\"hello\": "[..], b"\"world\"}\n"].into_iter());
    assert_eq!(digest, "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:");
    assert_eq!(base64(b"user:pass"), "dXNlcjpwYXNz");
}
