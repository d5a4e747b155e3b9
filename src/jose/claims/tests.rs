// What they are made of is there on this machine only.
#![cfg(not(target_family = "wasm"))]

use super::*;
use serde_json::json;

const NOW: f64 = 1000.0;

fn rules() -> Rules {
    Rules {
        issuer: "https://issuer.example".to_owned(),
        audience: Some(vec!["api".to_owned(), "https://api.example".to_owned()]),
        typ: None,
        required: vec![],
        leeway: 10.0,
        max_age: None,
        exp_required: true,
    }
}

fn header(typ: Option<&str>) -> Header {
    Header { alg: "ES256".to_owned(), typ: typ.map(str::to_owned), kid: None, jwk: None }
}

/// Good claims with others set, or taken away by `null`.
fn claims(others: Value) -> Map<String, Value> {
    let good = json!({ "iss": "https://issuer.example", "aud": "api", "exp": 2000 });
    match crate::jose::tests::with(good, others) {
        Value::Object(claims) => claims,
        _ => panic!("it is an object"),
    }
}

fn check(rules: &Rules, others: Value) -> Result<Times, Flaw> {
    rules.check(&header(None), &claims(others), NOW)
}

const GOOD: Result<Times, Flaw> = Ok(Times { expires: Some(2000.0) });

#[test]
fn the_issuer_is_the_same_byte_for_byte() {
    assert_eq!(check(&rules(), json!({})), GOOD);
    for other in [
        "https://issuer.example/",
        "HTTPS://issuer.example",
        "https://issuer.example:443",
        "",
        "https://issuer.exampl\u{435}",
    ] {
        assert_eq!(check(&rules(), json!({ "iss": other })), Err(Flaw::WrongIssuer), "{other}");
    }
    assert_eq!(check(&rules(), json!({ "iss": null })), Err(Flaw::MissingClaim("iss".to_owned())));
    assert_eq!(check(&rules(), json!({ "iss": ["https://issuer.example"] })), Err(Flaw::BadClaim("iss")));
}

#[test]
fn one_audience_is_enough() {
    for good in [json!("api"), json!("https://api.example"), json!(["api"]), json!(["other", "api"])] {
        assert_eq!(check(&rules(), json!({ "aud": good })), GOOD, "{good}");
    }
    for wrong in [json!("API"), json!("api "), json!(""), json!([]), json!(["other"]), json!("other api")] {
        assert_eq!(check(&rules(), json!({ "aud": wrong })), Err(Flaw::WrongAudience), "{wrong}");
    }
    assert_eq!(check(&rules(), json!({ "aud": null })), Err(Flaw::MissingClaim("aud".to_owned())));
    let any = Rules { audience: None, ..rules() };
    let nobody = Rules { audience: Some(vec![]), ..rules() };
    for good in [json!("other"), json!([]), json!(null)] {
        assert_eq!(check(&any, json!({ "aud": good })), GOOD, "{good}");
        assert!(check(&nobody, json!({ "aud": good })).is_err(), "{good}");
    }
    for bad in [json!(1), json!({}), json!(true), json!(["api", 1]), json!([["api"]]), json!(["api", null])] {
        assert_eq!(check(&rules(), json!({ "aud": bad })), Err(Flaw::BadClaim("aud")), "{bad}");
        assert_eq!(check(&any, json!({ "aud": bad })), Err(Flaw::BadClaim("aud")), "{bad}");
    }
}

#[test]
fn times_hold_with_leeway_and_no_longer() {
    let cases = [
        (json!({ "exp": 990.1 }), None),
        (json!({ "exp": 990 }), Some(Flaw::Expired)),
        (json!({ "exp": -1 }), Some(Flaw::Expired)),
        (json!({ "exp": "2000" }), Some(Flaw::BadClaim("exp"))),
        (json!({ "exp": [2000] }), Some(Flaw::BadClaim("exp"))),
        (json!({ "exp": null }), Some(Flaw::MissingClaim("exp".to_owned()))),
        (json!({ "nbf": 1010 }), None),
        (json!({ "nbf": 1010.5 }), Some(Flaw::NotYetValid)),
        (json!({ "nbf": 1e300 }), Some(Flaw::NotYetValid)),
        (json!({ "nbf": "0" }), Some(Flaw::BadClaim("nbf"))),
        (json!({ "iat": 1010 }), None),
        (json!({ "iat": 1011 }), Some(Flaw::IssuedInFuture)),
        (json!({ "iat": false }), Some(Flaw::BadClaim("iat"))),
        (json!({ "iat": -1e300 }), None),
    ];
    for (others, flaw) in cases {
        assert_eq!(check(&rules(), others.clone()).err(), flaw, "{others}");
    }
}

#[test]
fn tokens_may_be_without_end_where_that_is_said() {
    let rules = Rules { exp_required: false, ..rules() };
    assert_eq!(check(&rules, json!({ "exp": null })), Ok(Times { expires: None }));
    assert_eq!(check(&rules, json!({ "exp": 1 })), Err(Flaw::Expired));
    let mut claims = claims(json!({}));
    claims.insert("exp".to_owned(), Value::Null);
    assert_eq!(rules.check(&header(None), &claims, NOW), Err(Flaw::BadClaim("exp")));
}

#[test]
fn tokens_may_not_be_older_than_is_said() {
    let rules = Rules { max_age: Some(100.0), ..rules() };
    // And are looked at again when they are.
    for (iat, expires) in [(890, 990.0), (990, 1090.0), (1000, 1100.0)] {
        assert_eq!(check(&rules, json!({ "iat": iat })), Ok(Times { expires: Some(expires) }));
    }
    assert_eq!(check(&rules, json!({ "iat": 1000, "exp": 1050 })), Ok(Times { expires: Some(1050.0) }));
    assert_eq!(check(&rules, json!({ "iat": 889 })), Err(Flaw::TooOld));
    assert_eq!(check(&rules, json!({})), Err(Flaw::MissingClaim("iat".to_owned())));
}

#[test]
fn required_claims_are_there() {
    let rules = Rules { required: vec!["sub".to_owned(), "jti".to_owned()], ..rules() };
    assert_eq!(check(&rules, json!({ "sub": "", "jti": 0 })), GOOD);
    assert_eq!(check(&rules, json!({ "sub": "a" })), Err(Flaw::MissingClaim("jti".to_owned())));
    let mut claims = claims(json!({ "jti": "a" }));
    claims.insert("sub".to_owned(), Value::Null);
    assert_eq!(rules.check(&header(None), &claims, NOW), Err(Flaw::MissingClaim("sub".to_owned())));
}

#[test]
fn types_are_compared_as_media_types() {
    let check = |rules: &Rules, typ| rules.check(&header(typ), &claims(json!({})), NOW);
    for wanted in ["at+jwt", "application/at+jwt"] {
        let rules = Rules { typ: Some(wanted.to_owned()), ..rules() };
        for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
            assert_eq!(check(&rules, Some(typ)), GOOD, "{typ}");
        }
        for typ in
            [None, Some(""), Some("JWT"), Some("at+jwt "), Some("x/at+jwt"), Some("application/application/at+jwt")]
        {
            assert_eq!(check(&rules, typ), Err(Flaw::WrongType), "{typ:?}");
        }
    }
    // Whoever asks for one of them gets it.
    let rules = Rules { typ: Some("dpop+jwt".to_owned()), ..rules() };
    assert_eq!(check(&rules, Some("dpop+jwt")), GOOD);
}

#[test]
fn tokens_of_other_kinds_are_refused_where_any_type_is_taken() {
    let check = |typ: &str| rules().check(&header(Some(typ)), &claims(json!({})), NOW);
    for typ in ["JWT", "jwt", "at+jwt", "application/okta-internal-at+jwt", "ä", ""] {
        assert_eq!(check(typ), GOOD, "{typ}");
    }
    for typ in OTHER_TYPES {
        assert_eq!(check(typ), Err(Flaw::WrongType), "{typ}");
        let long = format!("application/{}", typ.to_uppercase());
        assert_eq!(check(&long), Err(Flaw::WrongType), "{typ}");
    }
}
