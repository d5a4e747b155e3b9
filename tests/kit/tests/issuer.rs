//! The issuer for tests with many requests: its tokens hold with its keys, and it goes wrong as it is told to.

use edgate_kit::client::send;
use edgate_kit::credentials::token::read;
use edgate_kit::credentials::verify::verified;
use edgate_kit::issuer::{Behaviour, Issuer};
use edgate_kit::scenario::Request;
use edgate_kit::seen::SeenResponse;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const DISCOVERY: &str = "/.well-known/openid-configuration";

async fn get(issuer: &Issuer, path: &str) -> anyhow::Result<SeenResponse> {
    let address = issuer.url().trim_start_matches("http://").parse().expect("it is an address");
    send(address, &Request::new("GET", path)).await
}

async fn document(issuer: &Issuer, path: &str) -> Value {
    let response = get(issuer, path).await.expect("it answers");
    serde_json::from_slice(&response.body.start).expect("it is JSON")
}

/// Whether a token holds with the key of the set that its header names.
fn holds(token: &str, keys: &Value) -> bool {
    let kid = read(token).expect("it is a token").0["kid"].clone();
    let key = keys["keys"].as_array().expect("it is a list").iter().find(|key| key["kid"] == kid);
    key.is_some_and(|key| verified(token, key).is_ok())
}

#[tokio::test]
async fn tokens_hold_and_keys_rotate() {
    let issuer = Issuer::start().await.expect("it starts");
    let found = document(&issuer, DISCOVERY).await;
    assert_eq!(found, json!({ "issuer": issuer.url(), "jwks_uri": format!("{}/keys", issuer.url()) }));
    let first = issuer.mint(&json!({ "sub": "alice", "exp": 1 })).expect("it is made");
    let claims = read(&first).expect("it is a token").1;
    assert_eq!((&claims["iss"], &claims["sub"], &claims["exp"]), (&json!(issuer.url()), &json!("alice"), &json!(1)));
    assert!(holds(&first, &document(&issuer, "/keys").await));
    issuer.rotate();
    let second = issuer.mint(&json!({})).expect("it is made");
    let keys = document(&issuer, "/keys").await;
    assert!(holds(&first, &keys) && holds(&second, &keys));
    issuer.rotate();
    let keys = document(&issuer, "/keys").await;
    assert!(!holds(&first, &keys) && holds(&second, &keys));
    assert_eq!((issuer.fetches(), issuer.discoveries()), (3, 1));
}

#[tokio::test]
async fn it_goes_wrong_as_it_is_told_to() {
    let issuer = Issuer::start().await.expect("it starts");
    issuer.set(Behaviour::Fails);
    assert_eq!(get(&issuer, "/keys").await.expect("it answers").status, 500);
    issuer.set(Behaviour::Closes);
    assert!(get(&issuer, "/keys").await.is_err());
    issuer.set(Behaviour::WrongIssuer);
    assert_eq!(document(&issuer, DISCOVERY).await["issuer"], "https://elsewhere.example");
    issuer.set(Behaviour::WrongContent);
    assert!(get(&issuer, "/keys").await.expect("it answers").body.text().starts_with("<!doctype"));
    issuer.set(Behaviour::Huge(300_000));
    let huge = get(&issuer, "/keys").await.expect("it answers");
    assert!(huge.body.length > 300_000 && huge.body.text().contains("\"kid\""));
    issuer.set(Behaviour::Empty);
    assert_eq!(document(&issuer, "/keys").await, json!({ "keys": [] }));
    issuer.set(Behaviour::Slow(Duration::from_millis(80)));
    let begin = Instant::now();
    assert_eq!(document(&issuer, "/keys").await["keys"][0]["kid"], "key-0");
    assert!(begin.elapsed() >= Duration::from_millis(80));
    issuer.set(Behaviour::Fine);
    assert_eq!(get(&issuer, "/elsewhere").await.expect("it answers").status, 404);
    assert_eq!((issuer.fetches(), issuer.discoveries()), (6, 1));
}
