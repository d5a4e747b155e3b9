//! The scenario format: what it accepts, what it refuses and how it says so, and how real addresses get into it.

use edgate_kit::scenario::content::Stored;
use edgate_kit::scenario::{HostName, parse};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;

const FULL: &str = r#"
title = "A path parameter reaches the upstream"
about = "More about it."

[skip]
spin = "no WebSockets"

[config.gateway]
name = "test"
since = 2026-11-01
[config.upstream.orders]
url = "http://orders.test/base"
targets = ["http://users.test:8080", "https://elsewhere.example", "http://unknown.test"]

[secrets]
ORDERS_KEY = "s3cret"

[store.default]
"edgate.json" = { a = 1 }
"text" = "plain"

[[exchange]]
name = "first"
[exchange.store.default]
"edgate.json" = "not json"
[exchange.request]
method = "POST"
target = "/orders/7?x=1"
host = "api.example.com"
headers = { a = "b", c = ["d", "e"] }
body = { text = "abc", chunked = true }
peer = "127.0.0.9"
advance = "10s"
[[exchange.upstream]]
at = "orders.test"
[exchange.upstream.expect]
method = "POST"
target = "/base/7"
headers = { host = "{address:orders.test}", x = { matches = "^a" } }
absent = ["cookie"]
[exchange.upstream.answer]
headers = { location = "http://{address:users.test}/x" }
body = { chunks = ["a", "b"], every = "50ms" }
delay = "300ms"
[exchange.response]
status = 200
body = { contains = "a" }
first_byte_before_end = true
[exchange.log]
route = "orders"
upstream = { status = 200, absent = ["error"] }
"#;

#[test]
fn full_scenario_is_understood() {
    let scenario = parse(FULL).expect("it is valid");
    assert_eq!(scenario.skip[&HostName::Spin], "no WebSockets");
    assert_eq!(scenario.config["gateway"]["since"], json!("2026-11-01"));
    assert_eq!(scenario.store["default"]["edgate.json"], Stored("{\"a\":1}".to_owned()));
    let request = &scenario.exchanges[0].request;
    let fields = request.fields();
    let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["host", "a", "c", "c", "transfer-encoding"]);
    let names = ["elsewhere.test", "orders.test", "unknown.test", "users.test"];
    let with_more = FULL.replace("https://elsewhere.example", "https://elsewhere.test/");
    assert!(parse(&with_more).expect("it is valid").upstream_names().iter().eq(names));
}

#[test]
fn real_addresses_replace_names() {
    let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let addresses = BTreeMap::from([
        ("orders.test".to_owned(), address("127.0.0.1:1111")),
        ("users.test".to_owned(), address("127.0.0.1:2222")),
    ]);
    let scenario = parse(FULL).expect("it is valid").with_addresses(&addresses).expect("all names are known");
    let orders = &scenario.config["upstream"]["orders"];
    assert_eq!(orders["url"], "http://127.0.0.1:1111/base");
    let targets = json!(["http://127.0.0.1:2222", "https://elsewhere.example", "http://unknown.test"]);
    assert_eq!(orders["targets"], targets);
    let step = &scenario.exchanges[0].upstreams[0];
    assert_eq!(step.at, "orders.test");
    assert!(format!("{:?}", step.expect.headers["host"]).contains("127.0.0.1:1111"));
    assert_eq!(step.answer.headers.0, [("location".to_owned(), "http://127.0.0.1:2222/x".to_owned())]);
}

#[test]
fn address_of_an_unknown_upstream_is_an_error() {
    let error = parse(FULL).expect("it is valid").with_addresses(&BTreeMap::new()).expect_err("no name is known");
    assert!(format!("{error:#}").contains("names no upstream"), "{error:#}");
}

/// Says how a scenario with this exchange is refused.
fn refusal(exchange: &str) -> String {
    let text = format!("title = 'a test'\n[[exchange]]\n{exchange}");
    format!("{:#}", parse(&text).expect_err("it is refused"))
}

#[test]
fn mistakes_are_named() {
    let cases = [
        ("request.target = '/'\nrequest.methd = 'GET'", "unknown field `methd`"),
        ("request.target = '/'\nrequest.body = { txt = 'a' }", "a body is a text, or a table"),
        ("request.target = '/'\nrequest.body = { size = '5 parsecs' }", "`5 parsecs` is no size"),
        ("request.target = '/'\nrequest.advance = '5'", "`5` is no duration"),
        ("request.target = '/'\nresponse.body = { matches = '(' }", "unclosed group"),
        ("request.target = '/'\nlog.a.matches = '('", "unclosed group"),
        ("request.target = '/'\nresponse.first_byte_before_end = true", "needs an upstream that answers in chunks"),
        ("request.target = '/'\nupstream = [{ at = 'a.test', answer.fault = 'explode' }]", "unknown variant `explode`"),
        (
            "request.target = '/'\nupstream = [{ at = 'a.test', answer.fault = 'reset-mid-body' }]",
            "needs a body of chunks",
        ),
        (
            "request.target = '/'\nupstream = [{ at = 'a.test', answer.fault = 'refuse', expect.method = 'GET' }]",
            "it sees no request",
        ),
        (
            "request.target = '/'\nupstream = [{ at = 'a.test', answer.fault = 'refuse' }, { at = 'a.test' }]",
            "all connections of an exchange or none",
        ),
        ("name = 'x'", "missing field `request`"),
    ];
    for (exchange, reason) in cases {
        let refusal = refusal(exchange);
        assert!(refusal.contains(reason), "{exchange}\nis refused with: {refusal}");
    }
    assert!(parse("title = 'a'").expect_err("it is refused").to_string().contains("no [[exchange]]"));
}
