// What they are made of is there on this machine only.
#![cfg(not(target_family = "wasm"))]

use super::*;
use crate::jose::tests::{jwk, public, with};
use serde_json::json;

fn why_not(value: &Value) -> String {
    PublicKey::parse(value).map(|_| ()).expect_err("it may not be used")
}

/// RFC 7638, section 3.1, and RFC 8037, appendix A.3.
#[test]
fn thumbprints_are_those_of_the_specifications() {
    assert_eq!(public("rfc7638-3.1").thumbprint, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!(public("rfc8037-a1").thumbprint, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn keys_have_the_algorithms_of_their_type() {
    let names = |key: &str| public(key).algorithms().iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>();
    assert_eq!(names("rfc7515-a2"), ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]);
    assert_eq!(names("rfc7515-a3"), ["ES256"]);
    assert_eq!(names("openssl-p384"), ["ES384"]);
    assert_eq!(names("rfc8037-a1"), ["EdDSA"]);
}

#[test]
fn nothing_private_is_kept() {
    let private = with(jwk("rfc7515-a2"), json!({ "d": "AQ", "p": "AQ", "q": "AQ", "alg": "RS256", "kid": "a" }));
    let key = PublicKey::parse(&private).expect("it is a key");
    let json: Value = serde_json::from_str(&key.to_json()).expect("it is JSON");
    assert_eq!(json, jwk("rfc7515-a2"));
    let json: Value = serde_json::from_str(&public("rfc7515-a3").to_json()).expect("it is JSON");
    assert_eq!(json, with(jwk("rfc7515-a3"), json!({ "d": null })));
}

#[test]
fn embedded_keys_are_public() {
    let public = with(jwk("rfc7515-a3"), json!({ "d": null }));
    assert!(PublicKey::parse_embedded(&public).is_ok());
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let private = with(public.clone(), json!({ name: false }));
        assert!(PublicKey::parse_embedded(&private).is_err(), "{name}");
    }
}

#[test]
fn rsa_keys_are_of_2048_to_8192_bits() {
    let key = |bits: usize| {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] = 0xff >> (modulus.len() * 8 - bits);
        with(jwk("rfc7515-a2"), json!({ "n": base64::encode(&modulus) }))
    };
    for bits in [2048, 2049, 3072, 4096, 4104, 8192] {
        assert!(PublicKey::parse(&key(bits)).is_ok(), "{bits}");
    }
    for bits in [8, 512, 1024, 2047, 8193, 16384] {
        assert_eq!(why_not(&key(bits)), format!("its modulus has {bits} bits: not 2048 to 8192"));
    }
    assert_eq!(why_not(&with(key(2048), json!({ "n": "AAAA" }))), "its modulus is zero");
    let even = base64::encode(&[vec![0xff; 255], vec![0xfe]].concat());
    assert_eq!(why_not(&with(key(2048), json!({ "n": even }))), "its modulus is even");
}

#[test]
fn rsa_exponents_are_odd_and_not_too_large() {
    let key = |exponent: &[u8]| with(jwk("rfc7515-a2"), json!({ "e": base64::encode(exponent) }));
    for good in [&[3][..], &[1, 0, 1], &[0, 1, 0, 1], &[0xff, 0xff, 0xff, 0xff]] {
        assert!(PublicKey::parse(&key(good)).is_ok(), "{good:?}");
    }
    for bad in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[1, 0, 0, 0, 1], &[1; 100]] {
        assert_eq!(why_not(&key(bad)), "its exponent is not an odd number of 3 to 4294967295", "{bad:?}");
    }
}

#[test]
fn zeros_before_numbers_do_not_count() {
    let n = base64::decode(jwk("rfc7515-a2")["n"].as_str().expect("it is a string")).expect("it is base64url");
    let padded = with(jwk("rfc7515-a2"), json!({ "n": base64::encode(&[&[0][..], &n].concat()) }));
    let key = PublicKey::parse(&padded).expect("it is a key");
    assert_eq!(key.thumbprint, public("rfc7515-a2").thumbprint);
}

#[test]
fn what_is_no_key_is_refused() {
    let zeros = base64::encode(&[0; 32]);
    let cases = [
        (json!([]), "it is not a JSON object"),
        (json!({}), "its `kty` is not a string"),
        (json!({ "kty": "oct", "k": "AA" }), "it is a secret, and no public key"),
        (json!({ "kty": "rsa" }), "its type (`kty`) is not RSA, EC or OKP"),
        (json!({ "kty": "AKP" }), "its type (`kty`) is not RSA, EC or OKP"),
        (json!({ "kty": "RSA", "e": "AQAB" }), "its `n` is not a string"),
        (json!({ "kty": "RSA", "n": "A==", "e": "AQAB" }), "its `n` is not base64url without padding"),
        (json!({ "kty": "EC", "crv": "P-521" }), "its curve (`crv`) is not P-256 or P-384"),
        (json!({ "kty": "EC", "crv": "secp256k1" }), "its curve (`crv`) is not P-256 or P-384"),
        (json!({ "kty": "OKP", "crv": "Ed448" }), "its curve (`crv`) is not Ed25519"),
        (json!({ "kty": "OKP", "crv": "X25519" }), "its curve (`crv`) is not Ed25519"),
        (json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" }), "its `x` is not 32 bytes long"),
        (with(jwk("rfc7515-a3"), json!({ "crv": "P-384" })), "its `x` is not 48 bytes long"),
        (with(jwk("rfc7515-a3"), json!({ "y": "AAAA" })), "its `y` is not 32 bytes long"),
        (with(jwk("rfc7515-a3"), json!({ "y": zeros })), "its point is not on the curve"),
        (with(jwk("rfc7515-a3"), json!({ "x": zeros, "y": zeros })), "its point is not on the curve"),
        (with(jwk("openssl-p384"), json!({ "x": base64::encode(&[1; 48]) })), "its point is not on the curve"),
        // y = 2 is on no point.
        (
            with(jwk("rfc8037-a1"), json!({ "x": base64::encode(&[&[2][..], &[0; 31]].concat()) })),
            "its point is not on the curve",
        ),
    ];
    for (value, why) in cases {
        assert_eq!(why_not(&value), why, "{value}");
    }
}

/// The eight points of small order have fourteen spellings: ed25519-dalek knows them too.
#[test]
fn points_of_small_order_are_refused() {
    let mut spellings = vec![];
    for first in [0, 1] {
        spellings.push([vec![first], vec![0; 31]].concat());
    }
    for first in [0xec, 0xed, 0xee] {
        spellings.push([vec![first], vec![0xff; 30], vec![0x7f]].concat());
    }
    for y in ["JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU", "xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o"] {
        spellings.push(base64::decode(y).expect("it is base64url"));
    }
    for sign in [0, 0x80] {
        for mut point in spellings.clone() {
            point[31] |= sign;
            let jwk = JsonWebKey::KeyPair { curve: "Ed25519".into(), x: point.clone().into(), secret: None };
            if let Ok(native::Verifier::Ed25519(key)) = native::Verifier::of(&jwk) {
                assert!(key.is_weak(), "{point:x?}");
            }
            assert!(
                why_not(&json!({ "kty": "OKP", "crv": "Ed25519", "x": base64::encode(&point) }))
                    .contains("small order")
            );
        }
    }
}

#[test]
fn signing_keys_are_whole() {
    let parse = |value: Value, algorithm| SigningKey::parse(&value.to_string(), algorithm).map(|key| key.thumbprint);
    assert_eq!(parse(jwk("rfc7515-a3"), Algorithm::Es256), Ok(public("rfc7515-a3").thumbprint));
    let named = with(jwk("rfc8037-a1"), json!({ "alg": "Ed25519" }));
    assert_eq!(parse(named, Algorithm::EdDsa), Ok(public("rfc8037-a1").thumbprint));
    let other = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    let cases = [
        (jwk("rfc7515-a3"), Algorithm::EdDsa, "EdDSA takes a key of Ed25519"),
        (jwk("rfc8037-a1"), Algorithm::Es256, "ES256 takes a key of P-256"),
        (jwk("openssl-p384"), Algorithm::Es384, "edgate signs by ES256 and EdDSA only"),
        (jwk("openssl-p384"), Algorithm::Es256, "ES256 takes a key of P-256"),
        (jwk("rfc7515-a2"), Algorithm::Rs256, "edgate signs by ES256 and EdDSA only"),
        (with(jwk("rfc7515-a3"), json!({ "d": null })), Algorithm::Es256, "its `d` is not a string"),
        (with(jwk("rfc7515-a3"), json!({ "d": "AQ" })), Algorithm::Es256, "its `d` is not 32 bytes long"),
        (with(jwk("rfc7515-a3"), json!({ "alg": "ES384" })), Algorithm::Es256, "its `alg` is not ES256"),
        (with(jwk("rfc7515-a3"), json!({ "x": null })), Algorithm::Es256, "its `x` is not a string"),
    ];
    for (value, algorithm, why) in cases {
        assert_eq!(parse(value.clone(), algorithm), Err(why.to_owned()), "{value}");
    }
    for (key, algorithm) in [("rfc7515-a3", Algorithm::Es256), ("rfc8037-a1", Algorithm::EdDsa)] {
        for d in [other, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "__________________________________________8"] {
            let why = "its private and its public members do not belong together";
            assert_eq!(parse(with(jwk(key), json!({ "d": d })), algorithm), Err(why.to_owned()), "{key} {d}");
        }
    }
}

#[test]
fn private_keys_are_not_shown() {
    let secret = jwk("rfc7515-a3")["d"].as_str().expect("it is a string").to_owned();
    let bytes = base64::decode(&secret).expect("it is base64url");
    let key = SigningKey::parse(&jwk("rfc7515-a3").to_string(), Algorithm::Es256).expect("it is a key");
    let shown = format!("{key:?}");
    assert!(!shown.contains(&secret) && !shown.contains(&format!("{:?}", &bytes[..4]).replace([']', '['], "")));
    let error = SigningKey::parse(&format!("{secret}{secret}"), Algorithm::Es256).map(|_| ());
    assert_eq!(error, Err("it is not JSON".to_owned()));
    assert!(key.to_json().contains(&secret));
}
