//! `edgate explain` on the example's document.

use super::folder::Folder;
use edgate::cli::Exit;

fn explain(command: &[&str]) -> (Exit, String) {
    let folder = Folder::example();
    let outcome = folder.run(&[&["explain"], command].concat());
    assert_eq!(outcome.err, "");
    (outcome.exit, outcome.out)
}

#[test]
fn a_route_is_told_with_its_policies_and_its_upstream() {
    let (exit, out) = explain(&[
        "GET",
        "https://api.example.com/api/../api//x%7ey?a=1",
        "-H",
        "Cookie: a=b",
        "-H",
        "Accept: text/css",
        "--peer",
        "10.0.0.1",
    ]);
    assert_eq!(exit, Exit::Fine);
    assert_eq!(
        out,
        "\
request      GET https://api.example.com/api/../api//x%7ey?a=1
path         /api/x~y, as `/api/../api//x%7ey` is understood
route        echo
  host       any
  path       /api/{*rest}
  methods    any
  parameter  rest = \"x~y\"
policy       limit-body: request bodies up to 100 MB
policy       transform: request: remove cookie, set x-client; response: remove server, set x-served-by
action       upstream echo: http://127.0.0.1:9103/{*rest}

the upstream gets, with 2s to begin its answer:
  GET http://127.0.0.1:9103/x~y?a=1
  accept: text/css
  cdn-loop: edgate-demo
  forwarded: for=10.0.0.1;host=api.example.com;proto=https
  via: 1.1 edgate-demo
  x-client: 10.0.0.1
  x-forwarded-for: 10.0.0.1
  x-forwarded-host: api.example.com
  x-forwarded-proto: https
  x-request-id: dc647b302c979ad9dd8f082e550eb9c5
"
    );
}

#[test]
fn a_refusal_names_the_routes_that_came_near() {
    let (exit, out) = explain(&["DELETE", "/orders"]);
    assert_eq!(exit, Exit::Mistakes);
    assert!(out.contains("the answer, refused by the gateway: method-not-allowed:\n  405 Method Not Allowed\n  allow: GET, HEAD, POST, OPTIONS\n"), "{out}");
    assert!(out.contains("other routes that came near:\n  orders-preview  /orders: takes GET only\n  orders          /orders: takes GET, POST only\n"), "{out}");
}

#[test]
fn conditions_that_fail_are_told() {
    let (exit, out) = explain(&["GET", "/orders"]);
    assert_eq!(exit, Exit::Fine);
    assert!(out.contains("route        orders\n"), "{out}");
    assert!(out.contains("  orders-preview  /orders: header `x-preview` is missing\n"), "{out}");
    let (_, out) = explain(&["GET", "/orders", "-H", "X-Preview: 1"]);
    assert!(out.contains("route        orders-preview\n"), "{out}");
    assert!(out.contains("  condition  header x-preview\n"), "{out}");
    assert!(out.contains("the answer, by the gateway itself:\n  501 Not Implemented\n"), "{out}");
    assert!(out.contains("  orders  /orders: matches too, and is less specific\n"), "{out}");
}

#[test]
fn what_no_route_takes_is_told() {
    let (exit, out) = explain(&["GET", "/nowhere"]);
    assert_eq!(exit, Exit::Mistakes);
    assert!(out.contains("refused by the gateway: no-route:\n  404 Not Found\n"), "{out}");
    let (exit, out) = explain(&["GET", "/a%2fb"]);
    assert_eq!(exit, Exit::Mistakes);
    assert!(out.contains("bad-path"), "{out}");
    let (exit, out) = explain(&["POST", "/upload", "-H", "Content-Length: 2000000"]);
    assert_eq!(exit, Exit::Mistakes);
    assert!(out.contains("refused by the gateway: body-too-large"), "{out}");
    assert!(out.contains("route        upload\n"), "{out}");
}

#[test]
fn a_redirection_is_told_with_its_location() {
    let (exit, out) = explain(&["GET", "/shop/a%20b/c?x"]);
    assert_eq!(exit, Exit::Fine);
    assert!(out.contains("action       redirect: 308 /orders/{path.rest}\n"), "{out}");
    assert!(out.contains("  location: /orders/a%20b/c?x\n"), "{out}");
}

#[test]
fn secrets_are_never_shown() {
    let folder = Folder::new("explain-secrets");
    folder.write(
        "edgate.toml",
        "[upstream.a]\nurl = \"https://a.example\"\n[route.a]\nmatch = { path = \"/\" }\nupstream = \"a\"\n\
         request_headers = { set = { authorization = { secret = \"KEY\", prefix = \"Bearer \" } } }\n",
    );
    let outcome = folder.run(&["explain", "GET", "/"]);
    assert!(outcome.out.contains("  authorization: Bearer ***\n"), "{}", outcome.out);
}

/// Nor is anybody asked for a token: the endpoint is nobody's.
#[test]
fn what_upstreams_are_shown_is_told_by_name() {
    let of = |name: &str, credentials: &str| {
        format!(
            "[upstream.{name}]\nurl = \"https://a.example/{name}\"\ncredentials = {{ {credentials} }}\n\
             [route.{name}]\nmatch = {{ path = \"/{name}\" }}\nupstream = \"{name}\"\n"
        )
    };
    let document = [
        of("field", "header = { name = \"x-api-key\", value = { secret = \"KEY\" } }"),
        of("basic", "basic = { user = \"edgate\", password = { secret = \"KEY\" } }"),
        of(
            "token",
            "client_credentials = { url = \"https://login.invalid/token\", client_id = \"gw\", client_secret = { secret = \"KEY\" } }",
        ),
        of(
            "aws",
            "aws = { service = \"s3\", region = \"eu-north-1\", access_key_id = { secret = \"ID\" }, secret_access_key = { secret = \"KEY\" } }",
        ),
    ];
    let folder = Folder::new("explain-credentials");
    folder.write("edgate.toml", &document.concat());
    folder.write(".dev.vars", "KEY=hunter2\nID=AKID-hunter2\n");
    for (name, told, field) in [
        ("field", "the secret KEY in x-api-key", "x-api-key"),
        ("basic", "Basic: edgate, with the secret KEY", "authorization"),
        ("token", "a token of https://login.invalid/token for the client gw, with the secret KEY", "authorization"),
        ("aws", "an AWS signature for s3 in eu-north-1, with the secrets ID and KEY", "authorization"),
    ] {
        let outcome = folder.run(&["explain", "GET", &format!("/{name}"), "-H", "Authorization: Bearer of-the-client"]);
        assert_eq!(outcome.exit, Exit::Fine, "{}{}", outcome.out, outcome.err);
        assert!(outcome.out.contains(&format!("  shows      {told}\n")), "{}", outcome.out);
        assert!(outcome.out.contains(&format!("  {field}: ***\n")), "{}", outcome.out);
        assert!(!outcome.out.contains("hunter2") && !outcome.out.contains("of-the-client"), "{}", outcome.out);
    }
}

const UPSTREAMS: &str = r#"
[upstream.orders]
targets = ["https://a.example", { url = "https://b.example", weight = 3 }]
balance = "in_order"
retry = {}
hedge = { after = "200ms" }
breaker = { rate = "50%" }
max_ejected = "50%"
fallback = { upstream = "backup", stale = "10m", respond = { status = 203 } }

[upstream.backup]
url = "https://backup.example"

[route.all]
match = { path = "/{*rest}" }
upstream = "orders"
split = [{ upstream = "backup", weight = "5%", key = "client.address", when = "header.x-beta == 'on'" }]
mirror = { upstream = "backup", share = "10%" }
"#;

#[test]
fn upstreams_are_told_with_what_happens_where_they_fail() {
    let folder = Folder::new("explain-upstreams");
    folder.write("edgate.toml", UPSTREAMS);
    let out = folder.run(&["explain", "GET", "/x"]).out;
    let told = "\
action       upstream orders: https://a.example/{*rest} (1 of 2 targets)
  split      backup gets 5% by client.address where header.x-beta == 'on'
  mirror     backup gets a copy of 10%
  target     1: https://a.example
  target     2: https://b.example, weight 3
  balance    the first that is well
  retry      3 tries with pauses up to 50ms to 1s, 20% on top; for no answer, 502, 503, 504
  hedge      a second target after 200ms
  breaker    after 50% of 20 requests or more in 10s, for 10s, 1 of 2 targets at most; for no answer, 500, 502, 503, 504
  fallback   upstream backup, then the last good answer, up to 10m old, then a fixed 203; for no answer, 502, 503, 504

the upstream gets, with 15s to begin its answer:
  GET https://a.example/x
";
    assert!(out.contains(told), "{out}");
}

#[test]
fn the_upstream_that_a_split_gives_a_request_to_is_told() {
    let folder = Folder::new("explain-split");
    folder.write("edgate.toml", &UPSTREAMS.replace("\"5%\"", "\"100%\""));
    let out = folder.run(&["explain", "GET", "/x", "-H", "X-Beta: on"]).out;
    assert!(out.contains("  taken by   backup\n\nthe upstream gets"), "{out}");
    assert!(out.contains("  GET https://backup.example/x\n"), "{out}");
}

#[test]
fn what_is_no_request_is_refused() {
    let folder = Folder::example();
    for command in [["G T", "/"], ["GET", "orders"], ["GET", "ftp://x/"]] {
        let outcome = folder.run(&["explain", command[0], command[1]]);
        assert_eq!(outcome.exit, Exit::Usage, "{command:?}");
    }
    assert_eq!(folder.run(&["explain", "GET", "/", "-H", "nonsense"]).exit, Exit::Usage);
}

#[test]
fn the_plan_of_an_aggregate_is_drawn() {
    let (exit, out) = explain(&["GET", "/pages/7"]);
    assert_eq!(exit, Exit::Fine);
    assert_eq!(
        out,
        "\
request      GET https://localhost/pages/7
route        page
  host       any
  path       /pages/{id}
  methods    GET
  parameter  id = \"7\"
policy       limit-body: request bodies up to 100 MB
action       aggregate of 5 parts: 14 requests at most, 6 at once
  longest    3s, the deadline: the time-outs come to 22s
  1. user    GET http://127.0.0.1:9102/users/{path.id}, stops with 404 when part.user.status == 404, required, 5s
  1. orders  GET http://127.0.0.1:9101/v1/orders, required, 5s
  1. news    GET http://127.0.0.1:9102/news, optional, 5s
  2. first   GET http://127.0.0.1:9101/v1/orders/{part.orders.body.orders.0.id}, after orders, required, 5s
  2. totals  GET http://127.0.0.1:9101/v1/orders/{item.id}, for each of part.orders.body.orders, 10 at most, after orders, required, 5s

the upstreams of the first parts get, and those of later ones what is made of the answers:
  GET http://127.0.0.1:9102/users/7
  accept: application/json
  cdn-loop: edgate-demo
  via: 1.1 edgate-demo
  x-request-id: dc647b302c979ad9dd8f082e550eb9c5

  GET http://127.0.0.1:9101/v1/orders?user=7
  accept: application/json
  cdn-loop: edgate-demo
  via: 1.1 edgate-demo
  x-request-id: dc647b302c979ad9dd8f082e550eb9c5

  GET http://127.0.0.1:9102/news
  accept: application/json
  cdn-loop: edgate-demo
  via: 1.1 edgate-demo
  x-request-id: dc647b302c979ad9dd8f082e550eb9c5
"
    );
}

/// Limits of every accuracy, keys that a policy takes away, and tiers.
const LIMITS: &str = r#"
[gateway]
TARGETS

[consumer.acme]
api_keys = [{ sha256 = "fc99ba00afac19fb0d1c64fe91ff8f89d02e0af922386cbdb3c3e24afa86d493" }]

[limit.per-client]
rate = "2/1h"
key = "client.address"
tiers = [{ when = "header.x-plan == 'gold'", rate = "20/1h", burst = 5 }]
exempt = { addresses = ["10.0.0.0/8"] }

[limit.per-session]
quota = "1000/day"
key = ["cookie.session", "query.page"]
accuracy = "leased"
cost = { response_header = "x-cost", estimate = 2 }

[limit.per-user]
concurrency = 3
key = "identity.consumer or client.address"
dry_run = true

[limit.all]
rate = "5000/1m"
key = "global"
accuracy = "ALL"

[upstream.orders]
url = "https://orders.example.com"

[route.orders]
match = { path = "/orders" }
upstream = "orders"
limits = ["per-client", "all", { limit = "per-session", cost = 3 }, "per-user"]
authenticate = { methods = ["api_key"] }
request_headers = { remove = ["cookie", "x-plan"] }

[route.search]
match = { path = "/search" }
upstream = "orders"
limits = ["per-session"]
"#;

#[test]
fn limits_are_told_with_what_they_count() {
    let folder = Folder::new("explain-limits");
    let key = "X-API-Key: edgate_2WZm45yZYkRQJMPmNKz2njmF7xGTob3BcLv2ZF08Ueb0iwq1T";
    let mut text = String::new();
    for (name, targets, all, command) in [
        (
            "a tier",
            "targets = [\"cloudflare\"]",
            "regional",
            &["GET", "/orders", "-H", key, "-H", "X-Plan: gold", "-H", "Cookie: a=b; session=7"][..],
        ),
        (
            "an exempt client, and a parameter that says two things",
            "redis = \"redis://redis.example.com\"",
            "local",
            &["GET", "/orders?page=1&page=2", "-H", key, "--peer", "10.1.2.3"],
        ),
        ("nobody who is known", "targets = [\"spin\"]", "local", &["GET", "/orders", "--peer", "2001:db8::7"]),
        ("what only the answer tells", "", "leased", &["GET", "/search?page=1"]),
    ] {
        folder.write("edgate.toml", &LIMITS.replace("TARGETS", targets).replace("ALL", all));
        let outcome = folder.run(&[&["explain"], command].concat());
        let rows = outcome.out.lines().skip_while(|line| !line.starts_with("limit "));
        let rows: Vec<&str> = rows.take_while(|line| !line.is_empty()).collect();
        text += &format!("### {name}\n{}\n{}({:?})\n\n", rows.join("\n"), outcome.err, outcome.exit);
    }
    super::key::expect("explain/limits.txt", &text);
}
