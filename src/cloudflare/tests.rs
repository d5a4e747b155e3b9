//! The adapter as `entry.js` drives it, without the platform: configurations as bindings, requests and replies as the
//! strings of [`super::wire`]. What the gateway decides is tested elsewhere; this is about who says what, when.

mod beside;
mod limits;

use super::handle::Handle;
use super::*;
use crate::body::Body;
use crate::host::{Check, ClientFacts, Host, HostError, MadeOf, Outgoing};
use crate::jose::algorithm::Algorithm;
use crate::jose::key::{PublicKey, SigningKey};
use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use std::time::Duration;
use wasm_bindgen_test::wasm_bindgen_test;

/// 2026-11-01T00:00:00Z.
const NOW: f64 = 1_793_491_200_000.0;

/// Bindings, as the platform hands them over: those that begin with `{` as objects, the others as text.
fn env(bindings: &[(&str, &str)]) -> Env {
    let env = js_sys::Object::new();
    for (name, value) in bindings {
        let value = match value.starts_with('{') {
            true => js_sys::JSON::parse(value).expect("it is JSON"),
            false => JsValue::from_str(value),
        };
        js_sys::Reflect::set(&env, &JsValue::from_str(name), &value).expect("it is an object");
    }
    env.unchecked_into()
}

const ORDERS: (&str, &str) = ("UPSTREAM_ORDERS", r#"{ "url": "https://orders.test/v1", "timeout": "2s" }"#);

/// A gateway with one route, which passes everything on.
fn load_proxy(route: &str) {
    let route = format!(r#"{{ "match": {{ "path": "/{{*rest}}" }}, "upstream": "orders"{route} }}"#);
    load(env(&[ORDERS, ("ROUTE_ALL", &route)]));
}

/// A request, without the step that says which header fields are wanted.
fn request(method: &str, url: &str, fields: &[(&str, &str)], has_body: bool) -> Vec<String> {
    let mut text = format!("{method}\n{url}\nHTTP/1.1\n");
    let mut size = 0;
    for (name, value) in fields {
        text += &format!("\n{name}\n{value}");
        size += name.len() + value.len() + 4;
    }
    let step = lines(&begin(NOW, has_body, size as u32, text));
    interest(&step).map_or(step.clone(), |interest| interest.rest)
}

fn get(url: &str) -> Vec<String> {
    request("GET", url, &[], false)
}

fn lines(step: &str) -> Vec<String> {
    step.split('\n').map(str::to_owned).collect()
}

/// Goes on with a step, with a reply.
fn reply(step: &[String], reply: &[&str]) -> Vec<String> {
    lines(&resume(step[1].parse().expect("it has an identifier"), NOW + 5.0, reply.join("\n")))
}

/// What is wanted, and the lines after it.
struct Said {
    request: Vec<String>,
    response: Vec<String>,
    wishes: String,
    rest: Vec<String>,
}

fn interest(step: &[String]) -> Option<Said> {
    let rest = step.split_first().filter(|(kind, _)| *kind == "I")?.1;
    let (request, rest) = counted(rest, 1);
    let (response, rest) = counted(&rest, 1);
    let (wishes, rest) = rest.split_first().expect("there is a line of wishes");
    Some(Said { request, response, wishes: wishes.clone(), rest: rest.to_vec() })
}

/// So many lines as the first line says, times `each`, and the lines after them.
fn counted(lines: &[String], each: usize) -> (Vec<String>, Vec<String>) {
    let (count, rest) = lines.split_first().expect("there is a number");
    let (these, rest) = rest.split_at(count.parse::<usize>().expect("it is a number") * each);
    (these.to_vec(), rest.to_vec())
}

/// What is let go before a step, and the step.
fn gone(step: &[String]) -> (Vec<String>, Vec<String>) {
    assert_eq!(step[0], "X", "{step:?}");
    counted(&step[1..], 1)
}

/// Changes to a header section, and the lines after them.
struct Changes {
    from_what_came: bool,
    removed: Vec<String>,
    added: Vec<(String, String)>,
    rest: Vec<String>,
}

impl Changes {
    fn read(lines: &[String]) -> Changes {
        let (removed, rest) = counted(&lines[1..], 1);
        let (added, rest) = counted(&rest, 2);
        let added = added.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        Changes { from_what_came: lines[0] == "1", removed, added, rest }
    }

    fn added(&self, name: &str) -> Option<&str> {
        self.added.iter().find(|(added, _)| added == name).map(|(_, value)| value.as_str())
    }
}

/// A problem document: the step must be an answer with that status and code.
fn assert_problem(step: &[String], status: &str, code: &str) {
    assert_eq!(step[..3], ["A", status, "text"], "{step:?}");
    let changes = Changes::read(&step[3..]);
    assert_eq!(changes.added("content-type"), Some("application/problem+json"));
    assert!(changes.rest.join("\n").contains(&format!(r#""code":"{code}""#)), "{step:?}");
}

#[wasm_bindgen_test]
fn targets_are_asked_for_their_health_on_a_schedule() {
    load(env(&[
        ("EDGATE", r#"{ "store": "STATE", "targets": ["cloudflare"] }"#),
        ("UPSTREAM_ORDERS", r#"{ "url": "https://orders.test/v1", "health": { "path": "/up" } }"#),
        ("ROUTE_ALL", r#"{ "match": { "path": "/{*rest}" }, "upstream": "orders" }"#),
    ]));
    let step = lines(&schedule(NOW));
    let step = interest(&step).map_or(step.clone(), |interest| interest.rest);
    assert_eq!(
        (step[0].as_str(), &step[2..]),
        ("G", &["STATE".to_owned(), "edgate.health.edgate.orders".to_owned()][..])
    );
    let step = reply(&step, &["V", "0"]);
    assert_eq!([&step[0], &step[2], &step[3]], ["F", "GET", "https://orders.test/v1/up"]);
    let (_, step) = gone(&reply(&step, &["R", "204", "0"]));
    assert_eq!([&step[0], &step[2], &step[3]], ["P", "STATE", "edgate.health.edgate.orders"]);
    assert!(step[5].contains(r#""well":true"#), "{step:?}");
    assert_eq!(reply(&step, &["V", "0"]), ["D"]);
}

#[wasm_bindgen_test]
fn fixed_answer_is_the_first_step() {
    load(env(&[("ROUTE_HELLO", r#"{ "match": { "path": "/" }, "respond": { "body": "a\nb" } }"#)]));
    let step = get("https://gw.test/");
    assert_eq!(step[..3], ["A", "200", "text"]);
    let changes = Changes::read(&step[3..]);
    assert!(!changes.from_what_came);
    assert_eq!(changes.added("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(changes.rest, ["a", "b"]);
}

#[wasm_bindgen_test]
fn proxied_request_is_fetched_and_its_stream_answered() {
    load_proxy("");
    let fields =
        [("accept", "*/*"), ("cf-connecting-ip", "203.0.113.9"), ("connection", "close, x-hop"), ("x-hop", "1")];
    let step = request("GET", "https://gw.test/orders/7?a=b", &fields, false);
    assert_eq!(step[0], "F");
    assert_eq!(step[2..9], ["GET", "https://orders.test/v1/orders/7?a=b", "none", "", "2000", "0", ""]);
    let changes = Changes::read(&step[9..]);
    assert!(changes.from_what_came);
    assert_eq!(changes.removed, ["connection", "x-hop"]);
    assert_eq!(changes.added("x-forwarded-for"), Some("203.0.113.9"));
    assert_eq!(changes.added("accept"), None, "what has not changed is not sent back");

    let answer = reply(&step, &["R", "201", "1", "content-type", "application/json", "keep-alive", "timeout=5"]);
    assert_eq!(answer[..3], ["A", "201", &step[1]]);
    let changes = Changes::read(&answer[3..]);
    assert!(changes.from_what_came);
    assert_eq!(changes.removed, ["keep-alive"]);
    assert_eq!(changes.added("via"), Some("1.1 edgate"));
    assert!(changes.rest.is_empty());
}

#[wasm_bindgen_test]
fn body_of_the_client_is_handed_on_with_its_limit() {
    load_proxy(r#", "max_body": "1 KB""#);
    let unknown = request("POST", "https://gw.test/a", &[("transfer-encoding", "chunked")], true);
    assert_eq!(unknown[4..6], ["client", "1000"]);
    assert_problem(&reply(&unknown, &["E", "body-too-large", "Error"]), "413", "body-too-large");
    let known = request("POST", "https://gw.test/a", &[("content-length", "1000")], true);
    assert_eq!(known[4], "client");
    let too_large = request("POST", "https://gw.test/a", &[("content-length", "1001")], true);
    assert_problem(&too_large, "413", "body-too-large");
}

#[wasm_bindgen_test]
fn failures_of_the_platform_become_problems() {
    for (kind, status, code) in [
        ("timeout", "504", "upstream-timeout"),
        ("unreachable", "502", "upstream-failed"),
        ("disconnected", "502", "upstream-failed"),
        ("protocol", "502", "upstream-failed"),
        ("other", "502", "upstream-failed"),
    ] {
        load_proxy("");
        let step = get("https://gw.test/a");
        assert_problem(&reply(&step, &["E", kind, "its words"]), status, code);
    }
}

#[wasm_bindgen_test]
fn tasks_that_wait_are_answered_in_any_order() {
    load_proxy("");
    let (first, second) = (get("https://gw.test/1"), get("https://gw.test/2"));
    assert_ne!(first[1], second[1]);
    assert_eq!(reply(&second, &["R", "202", "0"])[..2], ["A", "202"]);
    assert_eq!(reply(&first, &["R", "201", "0"])[..2], ["A", "201"]);
    assert_eq!(reply(&first, &["R", "200", "0"])[..2], ["A", "503"], "it is over");
}

#[wasm_bindgen_test]
fn fields_to_send_are_said_once() {
    let route = r#"{ "match": { "path": "/", "headers": { "x-preview": true } }, "respond": {} }"#;
    load(env(&[("ROUTE_A", route)]));
    let first = lines(&begin(NOW, false, 0, "GET\nhttps://gw.test/\nHTTP/2\n".to_owned()));
    let Said { request, response, wishes, rest } = interest(&first).expect("it is said");
    assert!(request.iter().any(|name| name == "x-preview"), "{request:?}");
    assert!(!response.iter().any(|name| name == "x-preview"), "{response:?}");
    assert_eq!(wishes, "");
    assert_eq!(rest[0], "A");
    let second = lines(&begin(NOW, false, 0, "GET\nhttps://gw.test/\nHTTP/2\n".to_owned()));
    assert_eq!(second[0], "A");
}

#[wasm_bindgen_test]
fn wishes_are_words_on_one_line() {
    let interest = Interest { all_request_fields: true, country: true, certificate: true, ..Interest::default() };
    assert_eq!(wire::interest(&interest), "I\n0\n0\ncountry certificate fields\n");
    let interest = Interest { certificate: true, ..Interest::default() };
    assert_eq!(wire::interest(&interest), "I\n0\n0\ncertificate\n");
}

fn facts(line: &str) -> ClientFacts {
    let text = format!("GET\nhttps://gw.test/\nHTTP/2\n{line}\naccept\n*/*");
    let (incoming, _) = wire::incoming(text, false, 0).expect("it is a request");
    assert_eq!(incoming.headers.len(), 1);
    incoming.facts
}

#[wasm_bindgen_test]
fn facts_about_the_client_come_in() {
    assert_eq!(facts(""), ClientFacts::default());
    assert_eq!(facts(r#"["NO"]"#), ClientFacts { country: Some("NO".to_owned()), certificate: None });
    assert_eq!(facts(r#"[null,"0","NONE","0","","","","",""]"#), ClientFacts::default());
    let line = r#"["NO","1","SUCCESS","0","AB12","CN=a\nb,O=Acme","CN=ca","0F","Dec 22 19:39:00 2027 GMT"]"#;
    let known = facts(line).certificate.expect("there is a certificate");
    assert!(known.verified);
    assert_eq!(
        [known.sha256, known.subject, known.issuer, known.serial, known.not_after],
        ["ab12", "CN=a\nb,O=Acme", "CN=ca", "0F", "Dec 22 19:39:00 2027 GMT"]
    );
}

#[wasm_bindgen_test]
fn certificate_is_verified_only_where_everything_says_so() {
    for said in [r#""1","NONE","0""#, r#""1","FAILED:expired","0""#, r#""1","SUCCESS","1""#, r#""1","SUCCESS",null"#] {
        let certificate = facts(&format!("[null,{said}]")).certificate.expect("there is a certificate");
        assert!(!certificate.verified, "{said}");
    }
    for nonsense in ["{", "7", r#"["NO",{}]"#] {
        assert_eq!(facts(nonsense), ClientFacts::default(), "{nonsense}");
    }
}

#[wasm_bindgen_test]
fn binary_body_is_asked_for() {
    let step = lines(&spawn_step(async |_| Response::new(Body::bytes(vec![0xff, 0x00]))));
    assert_eq!(step[..3], ["A", "200", "binary"]);
    assert_eq!((body(0), body(0)), (vec![0xff, 0x00], vec![]));
}

/// The first step of a task of its own.
fn spawn_step(task: impl AsyncFnOnce(Rc<WorkersHost>) -> Response<Body> + 'static) -> String {
    let host = HOST.with(Rc::clone);
    host.set_time(NOW);
    let shared = Rc::clone(&host);
    let future = Box::pin(async move { Step::Answer(task(shared).await) });
    let step = advance(&host, Running::new(future, Fields::default()), None);
    interest(&lines(&step)).map_or(step, |said| said.rest.join("\n"))
}

/// Runs a task whose answer is text: what is said of the outcome.
fn task<T: std::fmt::Debug>(task: impl AsyncFnOnce(Rc<WorkersHost>) -> T + 'static) -> Vec<String> {
    let said = async |host| Response::new(Body::bytes(format!("{:?}", task(host).await)));
    lines(&spawn_step(said))
}

/// The body of an answer that is text.
fn said(step: &[String]) -> String {
    assert_eq!(step[..3], ["A", "200", "text"], "{step:?}");
    Changes::read(&step[3..]).rest.join("\n")
}

/// A request of the gateway's own.
async fn fetch(host: &WorkersHost, headers: &HeaderMap, content: Body) -> Result<Response<Body>, HostError> {
    let request = Outgoing {
        method: Method::POST,
        url: "https://issuer.test/keys".to_owned(),
        headers,
        made_of: MadeOf::Nothing,
        body: content,
        timeout: Duration::from_secs(5),
        upgrade: false,
        reads: None,
    };
    host.fetch(request).await
}

#[wasm_bindgen_test]
fn own_request_sends_bytes_and_its_response_is_read() {
    let step = task(async |host| {
        let headers = HeaderMap::from_iter([(http::header::ACCEPT, "application/json".parse().expect("it is one"))]);
        let response = fetch(&host, &headers, Body::bytes(&b"a\nb"[..])).await.expect("there is a response");
        let cached = response.headers()["cache-control"].clone();
        (cached, host.collect(response.into_body(), 100, Duration::from_secs(1)).await)
    });
    assert_eq!(step[0], "F");
    let own =
        ["POST", "https://issuer.test/keys", "bytes", "", "5000", "0", "", "0", "0", "1", "accept", "application/json"];
    assert_eq!(step[2..], own);
    assert_eq!(body(step[1].parse().expect("it is a number")), b"a\nb");
    let fetched = step[1].clone();
    let step = reply(&step, &["R", "200", "1", "cache-control", "max-age=60"]);
    assert_eq!(step[0], "B");
    assert_eq!(step[2..], [&fetched, "100", "1000"]);
    deliver(vec![b'a', 0xff]);
    deliver(vec![0]);
    assert_eq!(said(&reply(&step, &["B"])), r#"("max-age=60", Ok(b"a\xff\0"))"#);
}

#[wasm_bindgen_test]
fn own_response_leaves_that_of_the_clients_upstream_alone() {
    let step = spawn_step(async |host| {
        let headers = HeaderMap::new();
        let outgoing = Outgoing {
            method: Method::GET,
            url: "https://orders.test/".to_owned(),
            headers: &headers,
            made_of: MadeOf::Client,
            body: Body::Empty,
            timeout: Duration::from_secs(5),
            upgrade: false,
            reads: None,
        };
        let response = host.fetch(outgoing).await.expect("there is a response");
        fetch(&host, &headers, Body::Empty).await.expect("there is a response");
        response
    });
    let upstream = lines(&step);
    let own = reply(&upstream, &["R", "201", "1", "x-upstream", "1"]);
    let (gone, answer) = gone(&reply(&own, &["R", "200", "1", "x-own", "1"]));
    assert_eq!(gone, [own[1].clone()]);
    assert_eq!(answer[..3], ["A", "201", &upstream[1]]);
    let changes = Changes::read(&answer[3..]);
    assert!(changes.from_what_came && changes.removed.is_empty() && changes.added.is_empty());
}

#[wasm_bindgen_test]
fn own_response_can_be_the_answer() {
    let step = spawn_step(async |host| fetch(&host, &HeaderMap::new(), Body::Empty).await.expect("it answers"));
    let step = lines(&step);
    let answer = reply(&step, &["R", "403", "1", "x-own", "1"]);
    assert_eq!(answer[..3], ["A", "403", &step[1]]);
    let changes = Changes::read(&answer[3..]);
    assert_eq!((changes.from_what_came, changes.added("x-own")), (false, Some("1")));
}

#[wasm_bindgen_test]
fn bodies_that_need_no_reading_do_not_cross() {
    const SECOND: Duration = Duration::from_secs(1);
    let step = task(async |host| {
        let too_long = Body::host(Handle::Request, Some(11));
        [
            host.collect(Body::Empty, 10, SECOND).await,
            host.collect(Body::host(Handle::Request, Some(0)), 10, SECOND).await,
            host.collect(Body::bytes("abc"), 3, SECOND).await,
            host.collect(Body::bytes("abc"), 2, SECOND).await,
            host.collect(too_long, 10, SECOND).await,
        ]
    });
    assert_eq!(said(&step), r#"[Ok(b""), Ok(b""), Ok(b"abc"), Err(BodyTooLarge), Err(BodyTooLarge)]"#);
}

#[wasm_bindgen_test]
fn body_of_the_client_is_read_as_far_as_it_may() {
    let step = task(async |host| {
        let mut body = Body::host(Handle::Request, None);
        if let Body::Host(body) = &mut body {
            body.limit = Some(7);
        }
        host.collect(body, 10, Duration::from_millis(1500)).await
    });
    assert_eq!(step[2..], ["request", "7", "1500"]);
    assert_eq!(said(&reply(&step, &["E", "body-too-large", ""])), "Err(BodyTooLarge)");
}

#[wasm_bindgen_test]
fn claim_goes_to_one_of_many_places() {
    let claim = |key: &'static str| task(async move |host| host.claim(None, key, Duration::from_secs(60)).await);
    let (a, b) = (claim("a\nb"), claim("c"));
    assert_eq!(a[0], "L");
    assert_eq!(a[3..], ["60000", "a", "b"]);
    assert_ne!(a[2], b[2]);
    assert_eq!(said(&reply(&a, &["V", "1", "1"])), "Ok(true)");
    assert_eq!(said(&reply(&b, &["V", "1", "0"])), "Ok(false)");
    let unbound = claim("c");
    assert_eq!(unbound[2], b[2]);
    assert_eq!(said(&reply(&unbound, &["E", "denied", "not bound"])), r#"Err(Denied("not bound"))"#);
}

/// A key as a JWK says it.
fn jwk(thumbprint: &str) -> PublicKey {
    let jwk = serde_json::from_str(r#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#).expect("it is a JWK");
    PublicKey { jwk, thumbprint: thumbprint.to_owned() }
}

/// Checks a signature.
fn check(thumbprint: &'static str, lasting: bool) -> Vec<String> {
    task(async move |host| {
        let key = jwk(thumbprint);
        let check = Check { algorithm: Algorithm::EdDsa, key: &key, message: "a\nb", signature: &[1, 0xff], lasting };
        host.verify(check).await
    })
}

#[wasm_bindgen_test]
fn key_crosses_with_the_first_signature_alone() {
    let first = check("lasting", true);
    assert_eq!(first[0], "C");
    assert_eq!(first[2..4], ["EdDSA", "EdDSA lasting"]);
    assert!(first[4].contains("Ed25519"), "{first:?}");
    assert_eq!(first[5..], ["2"]);
    assert_eq!(body(first[1].parse().expect("it is a number")), b"\x01\xffa\nb");
    assert_eq!(said(&reply(&first, &["V", "1", "1"])), "Ok(true)");

    let second = check("lasting", true);
    assert_eq!(second[2..], ["EdDSA", "EdDSA lasting", "", "2"]);
    assert_eq!(said(&reply(&second, &["V", "1", "0"])), "Ok(false)");

    let forgotten = reply(&check("lasting", true), &["E", "unknown-key", ""]);
    assert_eq!(forgotten[2..], first[2..]);
    assert_eq!(body(forgotten[1].parse().expect("it is a number")), b"\x01\xffa\nb");
    assert_eq!(said(&reply(&forgotten, &["E", "other", "no"])), r#"Err(Other("no"))"#);
}

#[wasm_bindgen_test]
fn key_that_does_not_last_has_no_name() {
    for _ in 0..2 {
        let step = check("passing", false);
        assert_eq!(step[3], "");
        assert!(step[4].contains("Ed25519"), "{step:?}");
        assert_eq!(said(&reply(&step, &["V", "1", "1"])), "Ok(true)");
    }
}

#[wasm_bindgen_test]
fn signature_is_delivered() {
    let sign = || {
        task(async |host| {
            let PublicKey { jwk, thumbprint } = jwk("private");
            host.sign(&SigningKey { algorithm: Algorithm::EdDsa, jwk, thumbprint }, "message").await
        })
    };
    let step = sign();
    assert_eq!(step[0], "K");
    assert_eq!(step[2..4], ["EdDSA", "sign EdDSA private"]);
    assert!(step[4].contains("Ed25519"), "{step:?}");
    assert_eq!(body(step[1].parse().expect("it is a number")), b"message");
    deliver(vec![1, 2]);
    assert_eq!(said(&reply(&step, &["B"])), "Ok([1, 2])");
    assert_eq!(sign()[4], "");
}

#[wasm_bindgen_test]
fn bytes_of_two_tasks_do_not_mix() {
    let send = |content: &'static [u8]| {
        task(async move |host| fetch(&host, &HeaderMap::new(), Body::Bytes(Bytes::from_static(content))).await.is_ok())
    };
    let (first, second) = (send(b"1"), send(b"2"));
    let taken = |step: &[String]| body(step[1].parse().expect("it is a number"));
    assert_eq!((taken(&first), taken(&second)), (b"1".to_vec(), b"2".to_vec()));
}

#[wasm_bindgen_test]
fn bad_configuration_is_answered_503() {
    for bindings in
        [&[("ROUTE_A", r#"{ "match": { "path": "/" }, "upstream": "nobody" }"#)][..], &[("ROUTE_A", "no JSON")], &[]]
    {
        load(env(bindings));
        assert_problem(&get("https://gw.test/"), "503", "not-configured");
    }
}

#[wasm_bindgen_test]
fn secrets_are_bindings_of_their_own() {
    let edits = r#", "request_headers": { "set": { "authorization": { "secret": "KEY", "prefix": "Bearer " } } }"#;
    let route = format!(r#"{{ "match": {{ "path": "/" }}, "upstream": "orders"{edits} }}"#);
    load(env(&[ORDERS, ("ROUTE_A", &route), ("KEY", "s3cret")]));
    let step = get("https://gw.test/");
    assert_eq!(Changes::read(&step[8..]).added("authorization"), Some("Bearer s3cret"));
    load(env(&[ORDERS, ("ROUTE_A", &route)]));
    assert_problem(&get("https://gw.test/"), "503", "not-configured");
}

#[wasm_bindgen_test]
fn stored_configuration_is_read_first_and_kept_behind_the_answer() {
    load(env(&[("EDGATE", r#"{ "source": { "store": "CONFIG", "key": "edgate" } }"#)]));
    let step = get("https://gw.test/");
    assert_eq!(step[0], "G");
    assert_eq!(step[2..], ["CONFIG", "edgate"]);
    let document = r#"{ "route": { "a": { "match": { "path": "/" }, "respond": { "status": 204 } } } }"#;
    let step = reply(&step, &["V", "1", document]);

    // `W`, the lines of the first step of what goes on, and then the answer itself.
    assert_eq!(step[0], "W");
    let (behind, answer) = counted(&step[1..], 1);
    let answer = interest(&answer).map_or(answer.clone(), |said| said.rest);
    assert_eq!(answer[..2], ["A", "204"]);
    assert_eq!(behind[0], "G");
    assert_eq!(behind[2..], ["CONFIG", "edgate.last-good"]);
    let behind = reply(&behind, &["V", "0"]);
    assert_eq!(behind[0], "P");
    assert_eq!(behind[2..], ["CONFIG", "edgate.last-good", "", document]);
    assert_eq!(reply(&behind, &["V", "0"]), ["D"]);

    assert_eq!(get("https://gw.test/")[..2], ["A", "204"], "it is not read again");
}

#[wasm_bindgen_test]
fn delay_is_slept_by_the_platform() {
    load(env(&[("ROUTE_A", r#"{ "match": { "path": "/" }, "respond": { "delay": "1s500ms" } }"#)]));
    let step = get("https://gw.test/");
    assert_eq!((step[0].as_str(), step[2].as_str()), ("S", "1500"));
    assert_eq!(reply(&step, &["V", "0"])[..2], ["A", "200"]);
}

#[wasm_bindgen_test]
fn nonsense_gets_an_answer() {
    load_proxy("");
    for nonsense in ["", "GET", "GET\n", "G T\nhttps://gw.test/\n", "GET\ngw.test\nHTTP/1.1"] {
        assert_eq!(lines(&begin(NOW, false, 0, nonsense.to_owned()))[..2], ["A", "503"], "{nonsense:?}");
    }
    assert_eq!(lines(&resume(4_000_000, NOW, "V\n0".to_owned()))[..2], ["A", "503"]);
    let step = get("https://gw.test/a");
    assert_problem(&reply(&step, &["?"]), "502", "upstream-failed");
}

#[wasm_bindgen_test]
fn forgotten_tasks_are_swept_away() {
    load_proxy("");
    let waiting = || WAITING.with(|all| all.borrow().len());
    let forgotten = get("https://gw.test/a");
    let before = waiting();
    let step = lines(&begin(NOW + 2_000.0 + GRACE_MS + 1.0, false, 0, "TRACE\nhttps://gw.test/\n1\n".to_owned()));
    assert_eq!(step[..2], ["A", "501"]);
    assert!(waiting() < before);
    assert_eq!(reply(&forgotten, &["R", "200", "0"])[..2], ["A", "503"]);
}
