//! The client against the upstream: every kind of body, and every fault seen for what it is.

use edgate_kit::client::send;
use edgate_kit::compare;
use edgate_kit::scenario::answer::Answer;
use edgate_kit::scenario::{self, Exchange, Request};
use edgate_kit::seen::{End, SeenRequest, SeenResponse, values};
use edgate_kit::upstream::{Upstream, Upstreams};
use edgate_kit::websocket::websocket_echo;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(5);

/// The first exchange of a scenario that only says this much.
fn exchange(text: &str) -> Exchange {
    let text = format!("title = \"a test\"\n[[exchange]]\n{text}");
    scenario::parse(&text).expect("the scenario is valid").exchanges.remove(0)
}

/// Sends the client's request straight to the upstream, and checks both ends as a scenario would.
async fn check(text: &str) -> (SeenResponse, Vec<SeenRequest>) {
    let exchange = exchange(text);
    let mut upstreams = Upstreams::start(["orders.test".to_owned()]).await.expect("it starts");
    upstreams.prepare(&exchange).await.expect("it accepts the script");
    let address = upstreams.addresses()["orders.test"];
    let response = send(address, &exchange.request).await.expect("there is a response");
    let mut seen = upstreams.take_seen(&exchange, SOON).await;
    let mut mismatches = compare::requests(&exchange.upstreams, &seen);
    mismatches.extend(compare::response(exchange.response.as_ref().expect("it expects a response"), &response));
    assert!(mismatches.is_empty(), "{mismatches:#?}");
    (response, seen.remove("orders.test").unwrap_or_default())
}

/// Sends `GET /` to an upstream with this answer, and returns why there is no response.
async fn error(answer: &str) -> String {
    let mut exchange = exchange(&format!(
        "request.target = '/'\n[[exchange.upstream]]\nat = 'orders.test'\n[exchange.upstream.answer]\n{answer}"
    ));
    let mut upstream = Upstream::start().await.expect("it starts");
    upstream.script(vec![exchange.upstreams.remove(0).answer]).await.expect("it accepts the script");
    let error = send(upstream.address(), &exchange.request).await.expect_err("there is no response");
    format!("{error:#}")
}

#[tokio::test]
async fn request_arrives_byte_for_byte() {
    let (_, seen) = check(
        r#"
        request = { method = "POST", target = "//a/../b|%2e%2E?q='<>é", host = "h.test", headers = { X-A = ["1", "2"] }, body = "text" }
        [[exchange.upstream]]
        at = "orders.test"
        expect = { method = "POST", target = "//a/../b|%2e%2E?q='<>é", headers = { host = "h.test", x-a = ["1", "2"], content-length = "4" }, absent = ["transfer-encoding"], body = "text" }
        [exchange.response]
        status = 200
        headers = { content-length = "0" }
        "#,
    )
    .await;
    assert_eq!(values(&seen[0].headers, "x-a"), ["1", "2"]);
}

#[tokio::test]
async fn json_body_and_repeated_fields_come_back() {
    check(
        r#"
        request.target = "/"
        [[exchange.upstream]]
        at = "orders.test"
        answer = { status = 404, headers = { set-cookie = ["a=1", "b=2"] }, body = { json = { a = [1, true] } } }
        [exchange.response]
        status = 404
        headers = { set-cookie = ["a=1", "b=2"], content-length = { matches = "^[0-9]+$" } }
        absent = ["server"]
        body = { json = { a = [1.0, true] } }
        "#,
    )
    .await;
}

#[tokio::test]
async fn large_bodies_are_checked_without_being_kept() {
    let (response, seen) = check(
        r#"
        request = { method = "PUT", target = "/", body = { size = "20 MB", chunked = true } }
        [[exchange.upstream]]
        at = "orders.test"
        expect = { body = { size = "20 MB" }, body_size = 20000000, headers = { transfer-encoding = "chunked" } }
        answer.body.size = "30 MB"
        [exchange.response]
        body = { size = "30 MB" }
        "#,
    )
    .await;
    assert_eq!((response.body.start.len(), seen[0].body.start.len()), (1_000_000, 1_000_000));
}

#[tokio::test]
async fn chunks_arrive_one_by_one_with_trailers_after_them() {
    let (response, _) = check(
        r#"
        request.target = "/"
        [[exchange.upstream]]
        at = "orders.test"
        [exchange.upstream.answer]
        body = { chunks = ["a", "b", "c"], every = "40ms" }
        trailers = { grpc-status = "0" }
        [exchange.response]
        body = "abc"
        trailers = { grpc-status = "0" }
        first_byte_before_end = true
        "#,
    )
    .await;
    assert_eq!(response.chunk_times.len(), 3);
}

#[tokio::test]
async fn head_and_no_content_have_no_body() {
    check(
        r#"
        request = { method = "HEAD", target = "/" }
        [[exchange.upstream]]
        at = "orders.test"
        answer = { headers = { content-length = "1000" } }
        [exchange.response]
        headers = { content-length = "1000" }
        body = ""
        "#,
    )
    .await;
    check(
        r#"
        request.target = "/"
        [[exchange.upstream]]
        at = "orders.test"
        answer = { status = 204 }
        [exchange.response]
        status = 204
        absent = ["content-length"]
        body = ""
        "#,
    )
    .await;
}

#[tokio::test]
async fn short_body_is_truncated() {
    let (response, _) = check(
        r#"
        request.target = "/"
        [[exchange.upstream]]
        at = "orders.test"
        answer = { body = "abc", fault = "short" }
        [exchange.response]
        headers = { content-length = "13" }
        body = "abc"
        truncated = true
        "#,
    )
    .await;
    assert_eq!(response.end, End::Truncated("the connection ended before 10 more bytes of the body".to_owned()));
}

#[tokio::test]
async fn reset_in_the_middle_of_the_body_is_truncated() {
    let (response, _) = check(
        r#"
        request.target = "/"
        [[exchange.upstream]]
        at = "orders.test"
        answer = { body = { chunks = ["a", "b"], every = "10ms" }, fault = "reset-mid-body" }
        [exchange.response]
        body = "ab"
        truncated = true
        "#,
    )
    .await;
    assert!(matches!(&response.end, End::Truncated(why) if why.contains("reset")), "{:?}", response.end);
}

#[tokio::test]
async fn client_can_go_away_after_the_head() {
    let (response, _) = check(
        r#"
        request = { target = "/", abandon = "after-head" }
        [[exchange.upstream]]
        at = "orders.test"
        answer.body = { chunks = ["a", "b"], every = "10ms" }
        [exchange.response]
        status = 200
        "#,
    )
    .await;
    assert_eq!((response.end, response.body.length), (End::Abandoned, 0));
}

#[tokio::test]
async fn websocket_echoes_on_both_ends() {
    check(
        r#"
        request = { target = "/", websocket = "hello" }
        [[exchange.upstream]]
        at = "orders.test"
        expect = { headers = { upgrade = "websocket" } }
        answer = { websocket = true, headers = { x-a = "b" } }
        [exchange.response]
        status = 101
        headers = { x-a = "b" }
        websocket = "hello"
        "#,
    )
    .await;
    let mut upstream = Upstream::start().await.expect("it starts");
    upstream.script(vec![Answer { websocket: true, ..Answer::default() }]).await.expect("it accepts the script");
    let echo = websocket_echo(upstream.address(), "/chat", "h.test").await.expect("it echoes");
    assert_eq!(echo, "hello");
}

#[tokio::test]
async fn refused_websocket_is_an_ordinary_response() {
    check(
        r#"
        request = { target = "/", websocket = "hello" }
        [[exchange.upstream]]
        at = "orders.test"
        answer = { status = 403, body = "no" }
        [exchange.response]
        status = 403
        body = "no"
        "#,
    )
    .await;
}

#[tokio::test]
async fn faults_before_the_head_are_errors() {
    let refused = error("fault = 'refuse'").await;
    assert!(refused.contains("cannot connect"), "{refused}");
    let closed = error("fault = 'close'").await;
    assert!(closed.contains("closed without a response"), "{closed}");
    let reset = error("fault = 'reset'").await;
    assert!(reset.contains("reset by peer"), "{reset}");
    let nonsense = error("fault = 'bad-status-line'").await;
    assert!(nonsense.contains("no status line"), "{nonsense}");
    let huge = error("fault = 'huge-header'").await;
    assert!(huge.contains("too long"), "{huge}");
}

#[tokio::test]
async fn hanging_upstream_sees_the_request_and_says_nothing() {
    let exchange = exchange("request.target = '/'\n[[exchange.upstream]]\nat = 'orders.test'\nanswer.fault = 'hang'");
    let mut upstreams = Upstreams::start(["orders.test".to_owned()]).await.expect("it starts");
    upstreams.prepare(&exchange).await.expect("it accepts the script");
    let sending = send(upstreams.addresses()["orders.test"], &exchange.request);
    let seen = tokio::select! {
        response = sending => panic!("it answered: {response:?}"),
        seen = upstreams.take_seen(&exchange, SOON) => seen,
    };
    assert_eq!(compare::requests(&exchange.upstreams, &seen), Vec::<String>::new());
}

#[tokio::test]
async fn refusing_upstream_listens_again_at_the_same_address() {
    let mut upstream = Upstream::start().await.expect("it starts");
    let refuse = exchange("request.target = '/'\n[[exchange.upstream]]\nat = 'a.test'\nanswer.fault = 'refuse'");
    for _ in 0..3 {
        upstream.script(vec![refuse.upstreams[0].answer.clone()]).await.expect("it accepts the script");
        send(upstream.address(), &refuse.request).await.expect_err("it refuses");
        upstream.script(vec![Answer::default()]).await.expect("it accepts the script");
        assert_eq!(send(upstream.address(), &refuse.request).await.expect("it answers").status, 200);
    }
}

#[tokio::test]
async fn unexpected_request_is_recorded_and_answered_with_599() {
    let upstream = Upstream::start().await.expect("it starts");
    let response = send(upstream.address(), &Request::new("GET", "/surprise")).await.expect("it answers");
    assert_eq!(response.status, 599);
    assert_eq!(upstream.take_seen(1, SOON).await[0].target, "/surprise");
}

#[tokio::test]
async fn client_sends_from_the_address_it_is_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let mut request = Request::new("GET", "/");
    request.peer = "127.0.0.9".parse().expect("an address");
    let address = listener.local_addr().expect("its address");
    let (_, accepted) = tokio::join!(tokio::time::timeout(Duration::from_millis(50), send(address, &request)), async {
        listener.accept().await.expect("a connection").1
    });
    assert_eq!(accepted.ip(), request.peer);
}
