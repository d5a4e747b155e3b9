//! The real OpenID provider: it starts, and its tokens are what a gateway must be able to read.

use edgate_kit::credentials::token::read;
use edgate_kit::credentials::verify::verified;
use edgate_kit::openid::{AUDIENCE, CLIENT_ID, Provider};
use serde_json::{Value, json};

/// The token holds with the key of the provider's key set that its header names.
async fn gives_tokens(alg: &str) {
    let provider = Provider::start(alg).await.unwrap_or_else(|error| panic!("{error:#}"));
    let discovery = provider.document("/.well-known/openid-configuration").await.expect("it has one");
    assert_eq!(discovery["issuer"], provider.issuer());
    let path = discovery["jwks_uri"].as_str().expect("it says where its keys are").replace(provider.issuer(), "");
    let keys = provider.document(&path).await.expect("it has keys");
    let token = provider.token("orders:read orders:write").await.unwrap_or_else(|error| panic!("{error:#}"));
    let kid = read(&token).expect("it is a JWT").0["kid"].clone();
    let key = keys["keys"].as_array().expect("it is a list").iter().find(|key| key["kid"] == kid);
    let (header, claims) = verified(&token, key.expect("its key is there")).expect("it holds");
    assert_eq!((&header["alg"], &header["typ"]), (&json!(alg), &json!("at+jwt")));
    let said: Vec<&Value> = ["iss", "aud", "scope", "client_id"].iter().map(|name| &claims[*name]).collect();
    let wanted = [&json!(provider.issuer()), &json!(AUDIENCE), &json!("orders:read orders:write"), &json!(CLIENT_ID)];
    assert_eq!(said, wanted, "{claims}");
}

#[tokio::test]
async fn provider_gives_tokens_signed_with_rsa() {
    gives_tokens("RS256").await;
}

#[tokio::test]
async fn provider_gives_tokens_signed_with_ecdsa() {
    gives_tokens("ES256").await;
}
