//! The workerd runner, with a small Worker in plain JavaScript.

use edgate_kit::compare;
use edgate_kit::running::{Deployment, Limiter, Running};
use edgate_kit::scenario::content::{Content, RequestBody};
use edgate_kit::scenario::{Request, Scenario, parse};
use edgate_kit::upstream::Upstreams;
use edgate_kit::workerd::{Counters, Format, Objects, Options, Workerd};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(5);

/// The Worker of this folder. It needs the npm packages of the repository.
fn options() -> Options {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workerd = here.join("../../node_modules/.bin/workerd");
    assert!(workerd.exists(), "workerd is missing: run `npm ci`");
    Options {
        workerd,
        build: here.join("tests/worker"),
        format: Format::Plain,
        objects: Objects::None,
        counters: Counters::Own,
    }
}

async fn start(deployment: &Deployment) -> Running {
    Running::Workerd(Workerd::start(&options(), deployment).await.expect("workerd starts"))
}

/// Plays a scenario whose Worker is the proxy.
async fn check(text: &str) {
    let scenario: Scenario = parse(text).expect("the scenario is valid");
    let mut upstreams = Upstreams::start(scenario.upstream_names()).await.expect("they start");
    let addresses = upstreams.addresses();
    let scenario = scenario.with_addresses(&addresses).expect("all names are known");
    let url = format!("http://{}", addresses["orders.test"]);
    let running =
        start(&Deployment { bindings: vec![("UPSTREAM".to_owned(), url.into())], ..Deployment::default() }).await;
    for exchange in &scenario.exchanges {
        upstreams.prepare(exchange).await.expect("they accept the script");
        let mark = running.lines().count();
        let response = running.send(&exchange.request).await.expect("there is a response");
        let mut mismatches = compare::requests(&exchange.upstreams, &upstreams.take_seen(exchange, SOON).await);
        mismatches.extend(exchange.response.iter().flat_map(|expected| compare::response(expected, &response)));
        if let Some(expected) = &exchange.log {
            let line = running.lines().wait_for(mark, SOON, |line| line.contains("access")).await.expect("it logs");
            let record: Value = serde_json::from_str(&line).expect("it is JSON");
            mismatches.extend(compare::log(expected, &record));
        }
        assert!(mismatches.is_empty(), "{:?}: {mismatches:#?}", exchange.request.target);
    }
}

#[tokio::test]
async fn exchanges_pass_through_the_proxy() {
    check(
        r#"
        title = "The proxy proxies"

        [[exchange]]
        request = { target = "/a?b=c", headers = { cf-connecting-ip = "6.6.6.6" }, peer = "203.0.113.9" }
        log = { kind = "access", path = "/a", client = "203.0.113.9" }
        [[exchange.upstream]]
        at = "orders.test"
        expect = { target = "/a?b=c", headers = { host = "{address:orders.test}", cf-connecting-ip = "203.0.113.9" } }
        answer = { headers = { set-cookie = ["a=1", "b=2"] }, body = "hello" }
        [exchange.response]
        status = 200
        headers = { set-cookie = ["a=1", "b=2"], content-length = "5" }
        body = "hello"

        [[exchange]]
        request = { method = "POST", target = "/", body = { size = "5 MB" } }
        response.body = { size = "20 MB" }
        [[exchange.upstream]]
        at = "orders.test"
        expect.body = { size = "5 MB" }
        answer.body = { size = "20 MB" }

        [[exchange]]
        request.target = "/"
        response = { body = "abc", first_byte_before_end = true }
        [[exchange.upstream]]
        at = "orders.test"
        answer.body = { chunks = ["a", "b", "c"], every = "50ms" }

        [[exchange]]
        request.target = "/"
        response = { truncated = true }
        [[exchange.upstream]]
        at = "orders.test"
        answer = { body = { chunks = ["a", "b"], every = "50ms" }, fault = "reset-mid-body" }

        [[exchange]]
        request.target = "/"
        response.status = 502
        [[exchange.upstream]]
        at = "orders.test"
        answer.fault = "refuse"

        [[exchange]]
        request = { target = "/", websocket = "hello" }
        response = { status = 101, websocket = "hello" }
        [[exchange.upstream]]
        at = "orders.test"
        answer.websocket = true
        "#,
    )
    .await;
}

#[tokio::test]
async fn bindings_and_secrets_are_bound() {
    let tricky = "é \"quoted\" \\ \n\t\u{1}end";
    let deployment = Deployment {
        bindings: vec![("ROUTE_A".to_owned(), json!({ "a": tricky })), ("TEXT".to_owned(), tricky.into())],
        secrets: vec![("KEY".to_owned(), "s3cret".to_owned())],
        ..Deployment::default()
    };
    let response = start(&deployment).await.send(&Request::new("GET", "/bindings")).await.expect("it answers");
    let seen: Value = serde_json::from_slice(&response.body.start).expect("it is JSON");
    assert_eq!(seen, json!({ "ROUTE_A": { "a": tricky }, "TEXT": tricky, "KEY": "s3cret" }));
}

#[tokio::test]
async fn values_are_read_written_and_changed_from_outside() {
    let values = BTreeMap::from([("edgate.json".to_owned(), "{}".to_owned())]);
    let stores = BTreeMap::from([("STORE".to_owned(), values)]);
    let running = start(&Deployment { stores, ..Deployment::default() }).await;
    let body = async |target: &str| {
        let response = running.send(&Request::new("GET", target)).await.expect("it answers");
        (response.status, response.body.text().into_owned())
    };
    assert_eq!(body("/values/edgate.json").await, (200, "{}".to_owned()));
    running.set_value("STORE", "edgate.json", "changed é").expect("it can be changed");
    assert_eq!(body("/values/edgate.json").await, (200, "changed é".to_owned()));

    let mut put = Request::new("PUT", "/values/a%2Fb%20c%3F?ttl=60");
    put.body = Some(RequestBody { content: Content::Bytes(b"v".to_vec()), chunked: false });
    assert_eq!(running.send(&put).await.expect("it answers").status, 204);
    let Running::Workerd(workerd) = &running else { unreachable!("it is workerd") };
    assert_eq!(workerd.value("STORE", "a/b c?"), Some(b"v".to_vec()));
    assert_eq!(body("/values/a%2Fb%20c%3F").await, (200, "v".to_owned()));

    put.target = "/values/x?ttl=59".to_owned();
    let refused = running.send(&put).await.expect("it answers");
    assert_eq!(refused.body.text(), "Error: KV PUT failed: 400 Bad Request");

    let delete = Request::new("DELETE", "/values/a%2Fb%20c%3F");
    assert_eq!(running.send(&delete).await.expect("it answers").status, 204);
    assert_eq!(body("/values/a%2Fb%20c%3F").await.0, 404);
}

#[tokio::test]
async fn failing_start_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("index.js"), "export default {").expect("it can be written");
    let options = Options { build: folder.path().to_owned(), ..options() };
    let error = Workerd::start(&options, &Deployment::default()).await.expect_err("it does not start");
    assert!(format!("{error:#}").contains("SyntaxError"), "{error:#}");
}

#[tokio::test]
async fn structured_lines_are_json() {
    let options = Options { format: Format::Structured, ..options() };
    let running = Running::Workerd(Workerd::start(&options, &Deployment::default()).await.expect("workerd starts"));
    running.send(&Request::new("GET", "/bindings")).await.expect("it answers");
    let line = running.lines().wait_for(0, SOON, |line| line.contains("access")).await.expect("it logs");
    let line: Value = serde_json::from_str(&line).expect("it is JSON");
    let record: Value = serde_json::from_str(line["message"].as_str().expect("a text")).expect("it is JSON");
    assert_eq!((&line["level"], &record["path"]), (&json!("log"), &json!("/bindings")));
}

async fn json_of(running: &Running, request: &Request) -> Value {
    let response = running.send(request).await.expect("it answers");
    serde_json::from_slice(&response.body.start).expect("it is JSON")
}

#[tokio::test]
async fn what_the_edge_knows_is_said_in_a_field() {
    let running = start(&Deployment::default()).await;
    let mut request = Request::new("GET", "/cf");
    assert_eq!(json_of(&running, &request).await, json!([null, null]));
    request.headers.0.push(("CF-Blob".to_owned(), json!({ "country": "NO" }).to_string()));
    assert_eq!(json_of(&running, &request).await, json!([{ "country": "NO" }, null]));
}

#[tokio::test]
async fn objects_are_kept_where_they_should_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let kept = Options { objects: Objects::Folder(folder.path().to_owned()), ..options() };
    let request = Request::new("GET", "/object");
    for (options, counts) in
        [(&kept, [1, 2]), (&kept, [3, 4]), (&Options { objects: Objects::Temporary, ..options() }, [1, 2])]
    {
        let running = Workerd::start(options, &Deployment::default()).await.expect("workerd starts");
        let running = Running::Workerd(running);
        for count in counts {
            assert_eq!(json_of(&running, &request).await, json!(count));
        }
    }
}

/// Counts at the counter `a`.
async fn counted(workerd: &Workerd) -> Value {
    let response = edgate_kit::client::send(workerd.address(), &Request::new("GET", "/counter")).await;
    serde_json::from_slice(&response.expect("it answers").body.start).expect("it is JSON")
}

#[tokio::test]
async fn objects_and_address_stay_when_workerd_is_killed() {
    let options = Options { objects: Objects::Temporary, ..options() };
    let mut workerd = Workerd::start(&options, &Deployment::default()).await.expect("workerd starts");
    let address = workerd.address();
    assert_eq!((counted(&workerd).await, workerd.counters()), (json!("a 1"), None));
    workerd.restart().await.expect("it starts again");
    assert_eq!((counted(&workerd).await, workerd.address()), (json!("a 2"), address));
}

#[tokio::test]
async fn several_processes_share_counters() {
    let options = Options { objects: Objects::Temporary, ..options() };
    let mut all = Workerd::start_several(&options, &Deployment::default(), 3).await.expect("they start");
    for number in 0..6 {
        assert_eq!(counted(&all[number % 3]).await, json!(format!("a {}", number + 1)));
    }
    all[0].restart().await.expect("it starts again");
    assert_eq!(counted(&all[1]).await, json!("a 7"));
}

#[tokio::test]
async fn limiter_lets_so_many_pass() {
    let limiter = Limiter { limit: 2, period: 60 };
    let limiters = BTreeMap::from([("LIMITER".to_owned(), limiter)]);
    let running = start(&Deployment { limiters, ..Deployment::default() }).await;
    let request = Request::new("GET", "/limiter");
    let mut passed = 0;
    // The window may end in between.
    for _ in 0..5 {
        passed += u64::from(json_of(&running, &request).await == json!({ "success": true }));
    }
    assert!((2..=4).contains(&passed), "{passed}");
}
