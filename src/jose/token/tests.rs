// What they are made of is there on this machine only.
#![cfg(not(target_family = "wasm"))]

use super::*;
use proptest::prelude::*;
use serde_json::json;

const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn token(header: &str) -> String {
    format!("{}.{JOE}.AA", base64::encode(header.as_bytes()))
}

/// RFC 7515, appendix A.1, with whitespace within the JSON texts.
#[test]
fn tokens_are_read_as_they_stand() {
    let header = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9";
    let text = format!("{header}.{JOE}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let token = parse(&text, EmbeddedKey::Refused).expect("it is a token");
    let typ = Some("JWT".to_owned());
    assert_eq!(token.header, Header { alg: "HS256".to_owned(), typ, kid: None, jwk: None });
    let claims = json!({ "iss": "joe", "exp": 1300819380, "http://example.com/is_root": true });
    assert_eq!(Value::Object(token.claims), claims);
    assert_eq!(token.signed, format!("{header}.{JOE}"));
    assert_eq!(token.signature.len(), 32);
}

/// RFC 7515, appendix A.4: ES512 is not supported, and its payload is no set of claims.
#[test]
fn es512_is_unknown() {
    let signature = "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZg\
                     oXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
    let text = format!("eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.{signature}");
    assert_eq!(parse(&text, EmbeddedKey::Refused), Err(Flaw::Malformed("is not made of JSON")));
    let text = format!("eyJhbGciOiJFUzUxMiJ9.{JOE}.{signature}");
    let token = parse(&text, EmbeddedKey::Refused).expect("it reads");
    assert_eq!(token.header.algorithm(), Err(Flaw::UnknownAlgorithm));
}

#[test]
fn embedded_keys_are_taken_where_they_are_asked_for() {
    let text = token(r#"{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC"}}"#);
    assert_eq!(parse(&text, EmbeddedKey::Refused), Err(Flaw::EmbeddedKey));
    let proof = parse(&text, EmbeddedKey::Taken).expect("it is a token");
    assert_eq!(proof.header.jwk, Some(json!({ "kty": "EC" })));
    for jwk in ["null", "[]", r#""EC""#, "1"] {
        let text = token(&format!(r#"{{"alg":"ES256","jwk":{jwk}}}"#));
        assert_eq!(parse(&text, EmbeddedKey::Taken), Err(BAD_MEMBER), "{jwk}");
    }
    for other in OTHER_KEYS {
        let text = token(&format!(r#"{{"alg":"ES256","jwk":{{}},"{other}":"x"}}"#));
        assert_eq!(parse(&text, EmbeddedKey::Taken), Err(Flaw::EmbeddedKey), "{other}");
    }
}

#[test]
fn unknown_members_are_ignored() {
    let token = parse(&token(r#"{"alg":"ES256","x5t":"AA","cty":"json","a":[1]}"#), EmbeddedKey::Refused).map(|_| ());
    assert_eq!(token, Ok(()));
}

#[test]
fn opaque_tokens_are_told_apart() {
    for jwt in ["a.b.c", "eyJ.e30.-_", "a.b."] {
        assert!(looks_like_jwt(jwt), "{jwt}");
    }
    for opaque in ["", "a", "a.b", "a..c", ".b.c", "..", "a.b.c.d", "a.b.c.d.e", "a.b.c=", "a.b+.c", "a b.c.d", "ä.b.c"]
    {
        assert!(!looks_like_jwt(opaque), "{opaque}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = (parse(&text, EmbeddedKey::Taken), looks_like_jwt(&text));
    }

    #[test]
    fn no_content_makes_it_panic(header in r#"\{"alg":"[A-Z0-9]{0,5}",".{0,9}":.{0,9}\}"#, claims in ".{0,40}", signature in "[A-Za-z0-9_-]{0,9}") {
        let text = format!("{}.{}.{signature}", base64::encode(header.as_bytes()), base64::encode(claims.as_bytes()));
        let _ = parse(&text, EmbeddedKey::Taken);
    }
}
