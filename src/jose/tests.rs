//! Tokens that somebody made to get in, from the text to the verdict; and what the tests of the other files share.

// What they are made of is there on this machine only.
#![cfg(not(target_family = "wasm"))]

use super::algorithm::Algorithm;
use super::base64;
use super::claims::{Rules, Times};
use super::flaw::Flaw;
use super::key::{PublicKey, SigningKey};
use super::key_set::KeySet;
use super::native;
use super::secret::{Secret, hmac_sign, hmac_verify};
use super::token::{EmbeddedKey, Token, parse};
use base64ct::{Base64, Encoding};
use serde_json::{Value, json};

const NOW: f64 = 1_800_000_000.0;
const HEADER: &str = r#"{"alg":"ES256","kid":"ec"}"#;
const CLAIMS: &str = r#"{"iss":"https://issuer.example","aud":"api","exp":1800000300,"sub":"a"}"#;

/// The keys that the specifications show, and others.
pub fn jwk(name: &str) -> Value {
    let keys: Value = serde_json::from_str(include_str!("tests/keys.json")).expect("it is JSON");
    keys.get(name).unwrap_or_else(|| panic!("there is no key {name}")).clone()
}

pub fn public(name: &str) -> PublicKey {
    PublicKey::parse(&jwk(name)).expect("it is a public key")
}

/// A value with some members set, or taken away by `null`.
pub fn with(mut value: Value, members: Value) -> Value {
    let (Some(object), Value::Object(members)) = (value.as_object_mut(), members) else { panic!("they are objects") };
    for (name, member) in members {
        match member {
            Value::Null => drop(object.remove(&name)),
            member => drop(object.insert(name, member)),
        }
    }
    value
}

/// A known signature: the name of its key, algorithm, message, signature.
pub type Known = (&'static str, Algorithm, &'static str, Vec<u8>);

pub fn known_signatures() -> Vec<Known> {
    let lines = include_str!("tests/signatures.txt").lines().filter(|line| !line.starts_with('#'));
    let known = |line: &'static str| match line.split(' ').collect::<Vec<_>>()[..] {
        [key, name, message, signature] => {
            let algorithm = Algorithm::of(name).expect("it is known");
            (key, algorithm, message, base64::decode(signature).expect("it is base64url"))
        }
        _ => panic!("a line has four words"),
    };
    lines.map(known).collect()
}

/// A token that a private key has signed, by ES256 or EdDSA.
fn signed(key: &str, header: &str, claims: &str) -> String {
    let algorithm = if key == "rfc8037-a1" { Algorithm::EdDsa } else { Algorithm::Es256 };
    let key = SigningKey::parse(&jwk(key).to_string(), algorithm).expect("it is a private key");
    join(header, claims, |message| native::sign(&key, message).expect("it signs"))
}

fn join(header: &str, claims: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", base64::encode(header.as_bytes()), base64::encode(claims.as_bytes()));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", base64::encode(&signature))
}

/// The keys of the issuer: one of RSA, one of P-256, one of P-384, one of Ed25519, and some that may not be used.
fn keys() -> KeySet {
    let weak = base64::encode(&[vec![0xc5; 127], vec![0x01]].concat());
    let set = json!({ "keys": [
        with(jwk("rfc7515-a2"), json!({ "kid": "rsa", "alg": "RS256" })),
        with(jwk("rfc7515-a3"), json!({ "kid": "ec", "d": null })),
        with(jwk("openssl-p384"), json!({ "kid": "p384" })),
        with(jwk("rfc8037-a1"), json!({ "kid": "ed", "d": null })),
        with(jwk("rfc7515-a2"), json!({ "kid": "weak", "n": weak })),
        with(jwk("rfc7515-a1"), json!({ "kid": "oct" })),
    ]});
    KeySet::parse(set.to_string().as_bytes(), 10, &[]).expect("it is a key set")
}

fn rules() -> Rules {
    Rules {
        issuer: "https://issuer.example".to_owned(),
        audience: Some(vec!["api".to_owned()]),
        typ: None,
        required: vec!["sub".to_owned()],
        leeway: 30.0,
        max_age: None,
        exp_required: true,
    }
}

/// What becomes of a token where the issuer's algorithms are all of public keys.
fn judge(text: &str) -> Result<Times, Flaw> {
    let Token { header, claims, signed, signature } = parse(text, EmbeddedKey::Refused)?;
    let algorithm = header.algorithm()?;
    if algorithm.is_symmetric() {
        return Err(Flaw::AlgorithmNotAllowed);
    }
    let set = keys();
    let mut candidates = set.candidates(algorithm, header.kid.as_deref()).peekable();
    if candidates.peek().is_none() {
        return Err(Flaw::UnknownKey);
    }
    if !candidates.any(|key| native::verify(algorithm, &key.public, signed.as_bytes(), &signature)) {
        return Err(Flaw::BadSignature);
    }
    rules().check(&header, &claims, NOW)
}

#[track_caller]
fn refused(text: &str, code: &str) {
    let verdict = judge(text).map_err(|flaw| flaw.code());
    assert_eq!(verdict.err(), Some(code), "{text}");
}

#[test]
fn good_tokens_pass() {
    let times = Ok(Times { expires: Some(1_800_000_300.0) });
    assert_eq!(judge(&signed("rfc7515-a3", HEADER, CLAIMS)), times);
    assert_eq!(judge(&signed("rfc7515-a3", r#"{"alg":"ES256"}"#, CLAIMS)), times);
    assert_eq!(judge(&signed("rfc8037-a1", r#"{"typ":"at+jwt","alg":"EdDSA","kid":"ed"}"#, CLAIMS)), times);
    assert_eq!(judge(&signed("rfc8037-a1", r#"{"alg":"Ed25519","kid":"ed","x5t":"AA"}"#, CLAIMS)), times);
}

#[test]
fn no_spelling_of_none_is_an_algorithm() {
    let names =
        ["none", "None", "NONE", "nOnE", "none ", " none", "", "null", "HS256\\u0000", "rs256", "es256", "ES512"];
    for name in names {
        refused(&join(&format!(r#"{{"alg":"{name}"}}"#), CLAIMS, |_| vec![1]), "unknown-algorithm");
        refused(&join(&format!(r#"{{"alg":"{name}"}}"#), CLAIMS, |_| vec![]), "malformed");
    }
    for value in ["null", "0", "[]", r#"["ES256"]"#, "{}", "true"] {
        refused(&join(&format!(r#"{{"alg":{value}}}"#), CLAIMS, |_| vec![1]), "malformed");
    }
    refused(&join("{}", CLAIMS, |_| vec![1]), "malformed");
}

/// CVE-2015-9235 and its kin: the public key, which everybody has, as the secret of an HMAC.
#[test]
fn public_keys_are_no_secrets() {
    let key = public("rfc7515-a2");
    let header = r#"{"alg":"HS256","kid":"rsa"}"#;
    // As OpenSSL writes it, in DER and in PEM.
    let modulus = base64::decode(jwk("rfc7515-a2")["n"].as_str().expect("it is a string"));
    let head = base64::decode("MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA").expect("it is base64url");
    let der = [head, modulus.expect("it is base64url"), vec![2, 3, 1, 0, 1]].concat();
    let lines =
        Base64::encode_string(&der).as_bytes().chunks(64).map(|line| [line, b"\n"].concat()).collect::<Vec<_>>();
    let pem = [&b"-----BEGIN PUBLIC KEY-----\n"[..], &lines.concat(), b"-----END PUBLIC KEY-----\n"].concat();
    for secret in [key.to_json().into_bytes(), jwk("rfc7515-a2").to_string().into_bytes(), der, pem] {
        let secret = Secret::new(secret);
        let text = join(header, CLAIMS, |message| hmac_sign(Algorithm::Hs256, &secret, message).expect("it signs"));
        refused(&text, "algorithm-not-allowed");
        // Also where the issuer does have a secret, and where its algorithms are not looked at.
        let token = parse(&text, EmbeddedKey::Refused).expect("it is a token");
        let own = Secret::new([7; 32]);
        assert!(!hmac_verify(Algorithm::Hs256, &own, token.signed.as_bytes(), &token.signature));
        assert_eq!(keys().candidates(Algorithm::Hs256, Some("rsa")).count(), 0);
        assert!(!native::verify(Algorithm::Hs256, &key, token.signed.as_bytes(), &token.signature));
    }
}

#[test]
fn key_names_are_only_compared() {
    let long = "k".repeat(100_000);
    for kid in
        ["../../../../dev/null", "' UNION SELECT 'secret", "ec\\u0000", "EC", "", "https://evil.example/k", &long]
    {
        refused(&signed("rfc7515-a3", &format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#), CLAIMS), "unknown-key");
    }
    for kid in ["1", "null", "[\"ec\"]", "{}"] {
        refused(&signed("rfc7515-a3", &format!(r#"{{"alg":"ES256","kid":{kid}}}"#), CLAIMS), "malformed");
    }
}

#[test]
fn keys_go_with_their_own_algorithms() {
    let cases = [
        // An algorithm of another type than the key that is named.
        (r#"{"alg":"RS256","kid":"ec"}"#, "unknown-key"),
        (r#"{"alg":"ES384","kid":"ec"}"#, "unknown-key"),
        (r#"{"alg":"ES256","kid":"p384"}"#, "unknown-key"),
        (r#"{"alg":"EdDSA","kid":"ec"}"#, "unknown-key"),
        (r#"{"alg":"ES256","kid":"ed"}"#, "unknown-key"),
        // The key's `alg` is RS256.
        (r#"{"alg":"PS256","kid":"rsa"}"#, "unknown-key"),
        (r#"{"alg":"RS512","kid":"rsa"}"#, "unknown-key"),
        // Keys that are not used.
        (r#"{"alg":"RS256","kid":"weak"}"#, "unknown-key"),
        (r#"{"alg":"ES256","kid":"oct"}"#, "unknown-key"),
        (r#"{"alg":"HS256","kid":"oct"}"#, "algorithm-not-allowed"),
        // The right key, with a signature of another one.
        (r#"{"alg":"RS256","kid":"rsa"}"#, "bad-signature"),
        (r#"{"alg":"ES384"}"#, "bad-signature"),
        (r#"{"alg":"EdDSA"}"#, "bad-signature"),
    ];
    for (header, code) in cases {
        refused(&signed("rfc7515-a3", header, CLAIMS), code);
    }
}

#[test]
fn headers_ask_for_nothing() {
    let cases = [
        (r#""crit":["exp"]"#, "critical-header"),
        (r#""crit":[]"#, "critical-header"),
        (r#""crit":null"#, "critical-header"),
        (r#""crit":"b64""#, "critical-header"),
        (r#""b64":false,"crit":["b64"]"#, "critical-header"),
        (r#""b64":false"#, "critical-header"),
        (r#""b64":true"#, "critical-header"),
        (r#""zip":"DEF""#, "malformed"),
        (r#""enc":"A256GCM""#, "malformed"),
        (r#""jku":"https://evil.example/jwks""#, "embedded-key"),
        (r#""x5u":"https://evil.example/pem""#, "embedded-key"),
        (r#""x5c":["MIIB"]"#, "embedded-key"),
        (r#""jwk":null"#, "embedded-key"),
        (r#""typ":1"#, "malformed"),
        (r#""typ":"dpop+jwt""#, "wrong-type"),
        (r#""cty":[]"#, "malformed"),
    ];
    for (member, code) in cases {
        refused(&signed("rfc7515-a3", &format!(r#"{{"alg":"ES256","kid":"ec",{member}}}"#), CLAIMS), code);
    }
    // CVE-2018-0114: the key that signed it, in the header.
    let jwk = public("rfc7515-a3").to_json();
    refused(&signed("rfc7515-a3", &format!(r#"{{"alg":"ES256","jwk":{jwk}}}"#), CLAIMS), "embedded-key");
}

#[test]
fn every_bit_counts() {
    let good = signed("rfc7515-a3", HEADER, CLAIMS);
    for (at, byte) in good.bytes().enumerate() {
        for bit in 0..8 {
            let mut bad = good.clone().into_bytes();
            bad[at] = byte ^ 1 << bit;
            let Ok(bad) = String::from_utf8(bad) else { continue };
            assert!(judge(&bad).is_err(), "{bad}");
        }
    }
}

#[test]
fn texts_have_one_spelling() {
    let good = signed("rfc7515-a3", HEADER, CLAIMS);
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("it has three parts") };
    // 64 bytes leave 4 bits over, and they are zero.
    let last = signature.chars().last().expect("it is not empty");
    assert!("AQgw".contains(last));
    let (head, _) = signature.split_at(signature.len() - 1);
    for other in "BCDEFGHRSTUVhijkxyz01".chars() {
        refused(&format!("{header}.{claims}.{head}{other}"), "malformed");
    }
    for bad in [
        format!("{good}="),
        format!("{good}=="),
        format!("{header}=.{claims}.{signature}"),
        format!("{good}\n"),
        format!(" {good}"),
        format!("{header}.\r\n{claims}.{signature}"),
        format!("{header}.{claims}. {signature}"),
        format!("{header}.{claims}.{signature}\0"),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{header}..{signature}"),
        format!(".{claims}.{signature}"),
        format!("{good}.{signature}"),
        format!("{header}.{claims}.{signature}.{signature}.{signature}"),
        format!("{header}{claims}{signature}"),
        format!("{header}.{claims}.{}", signature.replace(['-', '_'], "+").replacen('A', "/", 1) + "/"),
        String::new(),
        "..".to_owned(),
        ".".to_owned(),
    ] {
        refused(&bad, "malformed");
    }
}

#[test]
fn contents_have_one_reading() {
    let headers = [
        r#"{"alg":"ES256","alg":"none"}"#,
        r#"{"alg":"none","alg":"ES256"}"#,
        r#"{"alg":"ES256","\u0061lg":"ES256"}"#,
        r#"{"alg":"ES256","x":1,"x":1}"#,
        r#"["ES256"]"#,
        r#""ES256""#,
        "null",
        "",
        r#"{"alg":"ES256"} {}"#,
        r#"{"alg":"ES256",}"#,
        r#"{alg:"ES256"}"#,
        "\u{feff}{\"alg\":\"ES256\"}",
    ];
    for header in headers {
        refused(&signed("rfc7515-a3", header, CLAIMS), "malformed");
    }
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(50_000), "]".repeat(50_000));
    let claims = [
        r#"{"iss":"https://issuer.example","iss":"https://evil.example"}"#,
        r#"{"iss":"https://issuer.example","a":{"b":1,"b":2}}"#,
        r#"{"exp":1e400}"#,
        r#"{"exp":NaN}"#,
        r#"{"exp":01}"#,
        r#"{"sub":"\ud800"}"#,
        "[]",
        "",
        &deep,
    ];
    for claims in claims {
        refused(&signed("rfc7515-a3", HEADER, claims), "malformed");
    }
    let latin1 = format!("{}.{}.AA", base64::encode(HEADER.as_bytes()), base64::encode(b"{\"a\":\"\xe9\"}"));
    refused(&latin1, "malformed");
}

#[test]
fn times_are_numbers() {
    let claims = |exp: &str| format!(r#"{{"iss":"https://issuer.example","aud":"api","sub":"a","exp":{exp}}}"#);
    let cases = [
        ("-1", "expired"),
        ("0", "expired"),
        ("-1e308", "expired"),
        ("1799999970", "expired"),
        (r#""1800000300""#, "bad-claim"),
        ("null", "bad-claim"),
        ("true", "bad-claim"),
        ("[1800000300]", "bad-claim"),
        ("{}", "bad-claim"),
    ];
    for (exp, code) in cases {
        refused(&signed("rfc7515-a3", HEADER, &claims(exp)), code);
    }
    for exp in ["1800000300.5", "18e8", "18446744073709551615", "1e300"] {
        assert!(judge(&signed("rfc7515-a3", HEADER, &claims(exp))).is_ok(), "{exp}");
    }
}

#[test]
fn signatures_of_nothing_are_none() {
    for length in [1, 63, 64, 65, 96, 128, 256, 512] {
        for byte in [0, 1, 0xff] {
            for header in [HEADER, r#"{"alg":"RS256"}"#, r#"{"alg":"ES384"}"#, r#"{"alg":"EdDSA"}"#] {
                refused(&join(header, CLAIMS, |_| vec![byte; length]), "bad-signature");
            }
        }
    }
}

#[test]
fn flaws_say_what_they_are() {
    let flaws = [Flaw::Malformed("is not signed"), Flaw::MissingClaim("sub".to_owned()), Flaw::WrongAudience];
    let said: Vec<String> = flaws.iter().map(|flaw| format!("{}: {flaw}", flaw.code())).collect();
    assert_eq!(
        said,
        [
            "malformed: it is not signed",
            "missing-claim: it has no claim `sub`",
            "wrong-audience: its audience is not one of this gateway's",
        ]
    );
}
