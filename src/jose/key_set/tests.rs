// What they are made of is there on this machine only.
#![cfg(not(target_family = "wasm"))]

use super::*;
use crate::jose::tests::{jwk, public, with};
use serde_json::json;

fn set(keys: Value) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), 100, &[]).expect("it is a key set")
}

fn ids<'s>(keys: impl Iterator<Item = &'s Key>) -> Vec<&'s str> {
    keys.map(|key| key.id.as_deref().unwrap_or("-")).collect()
}

#[test]
fn what_is_no_key_set_is_an_error() {
    let parse = |text: &[u8]| KeySet::parse(text, 2, &[]).map(|set| set.keys.len());
    let shape = Err("it is not an object with a list of `keys`".to_owned());
    for text in ["[]", "{}", "null", r#""keys""#, r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"Keys":[]}"#] {
        assert_eq!(parse(text.as_bytes()), shape, "{text}");
    }
    assert_eq!(parse(b"\xff"), Err("it is not UTF-8".to_owned()));
    for text in ["", "<html>", r#"{"keys":[],"keys":[]}"#, r#"{"keys":[{"kid":"a","kid":"b"}]}"#] {
        assert!(parse(text.as_bytes()).expect_err(text).starts_with("it is not JSON: "));
    }
    assert_eq!(parse(br#"{"keys":[1,2,3]}"#), Err("it has 3 keys: more than 2".to_owned()));
    assert_eq!(parse(br#"{"keys":[1,2],"more":3}"#), Ok(0));
}

#[test]
fn keys_for_something_else_are_left_out_one_by_one() {
    let ec = with(jwk("rfc7515-a3"), json!({ "d": null }));
    let set = set(json!([
        with(ec.clone(), json!({ "kid": "plain" })),
        with(ec.clone(), json!({ "kid": "sig", "use": "sig", "key_ops": ["verify"], "alg": "ES256", "x5c": ["MIIB"] })),
        with(ec.clone(), json!({ "kid": "both", "key_ops": ["sign", "verify"] })),
        with(ec.clone(), json!({ "kid": "enc", "use": "enc" })),
        with(ec.clone(), json!({ "kid": "new", "use": "other" })),
        with(ec.clone(), json!({ "kid": "use", "use": 1 })),
        with(ec.clone(), json!({ "kid": "ops", "key_ops": ["encrypt"] })),
        with(ec.clone(), json!({ "kid": "ops", "key_ops": "verify" })),
        with(ec.clone(), json!({ "kid": "alg", "alg": "ES384" })),
        with(ec.clone(), json!({ "kid": "alg", "alg": "ECDH-ES" })),
        with(ec.clone(), json!({ "kid": "alg", "alg": "none" })),
        with(ec.clone(), json!({ "kid": 1 })),
        with(ec, json!({ "kid": "crv", "crv": "P-521" })),
        with(jwk("rfc7520-3.5"), json!({ "kid": "oct" })),
        { "kty": "AKP", "kid": "k".repeat(1000) },
        with(jwk("rfc7515-a2"), json!({ "kid": "new\nline", "n": "AQ" })),
        "key",
        with(jwk("rfc7515-a2"), json!({ "kid": "rsa", "alg": "PS256" })),
    ]));
    assert_eq!(ids(set.keys.iter()), ["plain", "sig", "both", "rsa"]);
    assert_eq!(
        set.ignored,
        [
            r#"key 4 ("enc"): it is not for signatures (`use`)"#,
            r#"key 5 ("new"): it is not for signatures (`use`)"#,
            r#"key 6 ("use"): its `use` is not a string"#,
            r#"key 7 ("ops"): it is not for checking signatures (`key_ops`)"#,
            r#"key 8 ("ops"): it is not for checking signatures (`key_ops`)"#,
            r#"key 9 ("alg"): its `alg` is none of its type that edgate knows"#,
            r#"key 10 ("alg"): its `alg` is none of its type that edgate knows"#,
            r#"key 11 ("alg"): its `alg` is none of its type that edgate knows"#,
            "key 12: its `kid` is not a string",
            r#"key 13 ("crv"): its curve (`crv`) is not P-256 or P-384"#,
            r#"key 14 ("oct"): it is a secret, and no public key"#,
            &format!(r#"key 15 ("{}"): its type (`kty`) is not RSA, EC or OKP"#, "k".repeat(64)),
            r#"key 16 ("new\nline"): its modulus has 1 bits: not 2048 to 8192"#,
            "key 17: it is not a JSON object",
        ]
    );
}

#[test]
fn notes_are_few() {
    let set = set(json!(vec![json!({}); 100]));
    assert_eq!((set.keys.len(), set.ignored.len()), (0, MOST_NOTES));
}

#[test]
fn an_algorithm_in_the_key_is_the_only_one() {
    let set = set(json!([with(jwk("rfc7515-a2"), json!({ "alg": "PS256" })), jwk("rfc7515-a3")]));
    let algorithms: Vec<_> = set.keys.iter().map(|key| key.algorithms).collect();
    assert_eq!(algorithms, [&[Algorithm::Ps256], &[Algorithm::Es256]]);
}

#[test]
fn pinned_keys_are_the_only_ones() {
    let keys = json!({ "keys": [jwk("rfc7515-a2"), jwk("rfc7515-a3")] });
    let pins = [public("rfc7515-a3").thumbprint];
    let set = KeySet::read(&keys, 2, &pins).expect("it is a key set");
    assert_eq!(set.keys.iter().map(|key| &key.public.thumbprint).collect::<Vec<_>>(), [&pins[0]]);
    let why = format!("key 1: its thumbprint {} is not one of `pins`", public("rfc7515-a2").thumbprint);
    assert_eq!(set.ignored, [why]);
}

#[test]
fn a_name_finds_its_keys_and_no_others() {
    let set = set(json!([
        with(jwk("rfc7515-a2"), json!({ "kid": "a" })),
        with(jwk("rfc7520-3.4"), json!({ "kid": "b" })),
        with(jwk("rfc7515-a3"), json!({ "kid": "a" })),
        jwk("openssl-2049"),
    ]));
    assert_eq!(ids(set.candidates(Algorithm::Rs256, Some("a"))), ["a"]);
    assert_eq!(ids(set.candidates(Algorithm::Es256, Some("a"))), ["a"]);
    assert_eq!(ids(set.candidates(Algorithm::Rs256, Some("c"))), [""; 0]);
    assert_eq!(ids(set.candidates(Algorithm::Rs256, Some("-"))), [""; 0]);
    assert_eq!(ids(set.candidates(Algorithm::Rs256, Some(""))), [""; 0]);
    assert_eq!(ids(set.candidates(Algorithm::Rs256, None)), ["a", "b", "-"]);
    assert_eq!(ids(set.candidates(Algorithm::EdDsa, None)), [""; 0]);
    assert_eq!(ids(set.candidates(Algorithm::Hs256, None)), [""; 0]);
}

#[test]
fn a_name_says_nothing_where_no_key_has_one() {
    let set = set(json!([jwk("rfc7515-a2"), jwk("rfc7515-a3"), jwk("openssl-2049")]));
    assert_eq!(ids(set.candidates(Algorithm::Rs256, Some("a"))), ["-", "-"]);
    assert_eq!(ids(set.candidates(Algorithm::Es256, Some("a"))), ["-"]);
}
