//! The demo services, asked as a reader of the documentation would.

use edgate_kit::client::send;
use edgate_kit::credentials::token::read;
use edgate_kit::demo::Demo;
use edgate_kit::scenario::Request;
use edgate_kit::scenario::content::{Content, RequestBody};
use edgate_kit::seen::{End, SeenResponse, values};
use edgate_kit::websocket::websocket_echo;
use serde_json::{Value, json};
use std::net::SocketAddr;

async fn start() -> (Demo, [SocketAddr; 4]) {
    let demo = Demo::start(0).await.expect("it starts");
    let addresses = [demo.addresses[0].1, demo.addresses[1].1, demo.addresses[2].1, demo.addresses[3].1];
    (demo, addresses)
}

async fn get(address: SocketAddr, target: &str) -> SeenResponse {
    send(address, &Request::new("GET", target)).await.expect("it answers")
}

fn body(response: &SeenResponse) -> Value {
    serde_json::from_slice(&response.body.start).expect("it is JSON")
}

#[tokio::test]
async fn orders_are_listed_created_and_found() {
    let (_demo, [orders, ..]) = start().await;
    assert_eq!(body(&get(orders, "/v1/orders").await)["orders"].as_array().map(Vec::len), Some(3));
    assert_eq!(body(&get(orders, "/v1/orders/2").await)["item"], "desk");
    assert_eq!(get(orders, "/v1/orders/0").await.status, 404);
    let mut post = Request::new("POST", "/v1/orders");
    post.body = Some(RequestBody { content: Content::Bytes(b"{\"item\":\"shelf\"}".to_vec()), chunked: false });
    let created = send(orders, &post).await.expect("it answers");
    assert_eq!((created.status, values(&created.headers, "location")), (201, vec!["/v1/orders/4"]));
    assert_eq!(body(&get(orders, "/v1/orders/4").await), json!({ "id": 4, "item": "shelf" }));
}

#[tokio::test]
async fn users_are_found() {
    let (_demo, [_, users, ..]) = start().await;
    assert_eq!(body(&get(users, "/users/7").await), json!({ "id": 7, "name": "Ada" }));
    assert_eq!(get(users, "/users/1").await.status, 404);
}

#[tokio::test]
async fn echo_says_what_it_was_asked() {
    let (_demo, [.., echo, _]) = start().await;
    let mut post = Request::new("POST", "/a?b=c");
    post.headers.0 = vec![("x-a".to_owned(), "1".to_owned()), ("x-a".to_owned(), "2".to_owned())];
    post.body = Some(RequestBody { content: Content::Generated(100_000), chunked: true });
    let seen = body(&send(echo, &post).await.expect("it answers"));
    assert_eq!((&seen["method"], &seen["target"]), (&json!("POST"), &json!("/a?b=c")));
    assert_eq!((&seen["headers"]["x-a"], &seen["body_length"]), (&json!("1, 2"), &json!(100_000)));
}

#[tokio::test]
async fn echo_streams_breaks_off_and_is_large() {
    let (_demo, [.., echo, _]) = start().await;
    let (events, broken, large) = tokio::join!(get(echo, "/events"), get(echo, "/broken"), get(echo, "/large?mb=3"));
    assert_eq!((events.chunk_times.len(), events.end), (5, End::Complete));
    assert!(matches!(broken.end, End::Truncated(_)), "{:?}", broken.end);
    assert_eq!((large.body.length, large.body.is_generated, large.end), (3_000_000, true, End::Complete));
    assert_eq!(websocket_echo(echo, "/websocket", "h.test").await.expect("it echoes"), "hello");
}

#[tokio::test]
async fn the_issuer_mints_what_it_is_asked_for() {
    let (_demo, [.., issuer]) = start().await;
    let get = async |target: &str| {
        let request = Request { host: issuer.to_string(), ..Request::new("GET", target) };
        send(issuer, &request).await.expect("it answers")
    };
    let discovery = body(&get("/.well-known/openid-configuration").await);
    assert_eq!(discovery, json!({ "issuer": format!("http://{issuer}"), "jwks_uri": format!("http://{issuer}/keys") }));
    let minted = get("/token?sub=bob&scope=a+b&groups=x%20y&ttl=-60").await;
    let (header, claims) = read(minted.body.text().trim()).expect("it is a token");
    assert_eq!(header["kid"], body(&get("/keys").await)["keys"][0]["kid"]);
    assert_eq!(
        (&claims["sub"], &claims["scope"], &claims["aud"]),
        (&json!("bob"), &json!("a b"), &json!("edgate-demo"))
    );
    assert_eq!((&claims["groups"], &claims["iss"]), (&json!(["x", "y"]), &discovery["issuer"]));
    assert!(claims["exp"].as_i64() < claims["iat"].as_i64(), "{claims}");
    assert_eq!(get("/token?subject=bob").await.status, 400);
}

#[tokio::test]
async fn taken_port_is_named() {
    let (_demo, [orders, ..]) = start().await;
    let error = format!("{:#}", Demo::start(orders.port()).await.expect_err("the port is taken"));
    assert!(error.contains(&format!("cannot serve orders on port {}", orders.port())), "{error}");
}
