//! The adapter as `entry.js` drives it, without the platform: configurations as bindings, requests and replies as the
//! strings of [`super::wire`]. What the gateway decides is tested elsewhere; this is about who says what, when.

use super::*;
use crate::body::Body;
use http::Response;
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
    let mut text = format!("{method}\n{url}\nHTTP/1.1");
    let mut size = 0;
    for (name, value) in fields {
        text += &format!("\n{name}\n{value}");
        size += name.len() + value.len() + 4;
    }
    let step = lines(&begin(NOW, has_body, size as u32, text));
    interest(&step).map_or(step.clone(), |(_, _, rest)| rest)
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

/// The fields of requests and of responses that are wanted, and the lines after them.
fn interest(step: &[String]) -> Option<(Vec<String>, Vec<String>, Vec<String>)> {
    let rest = step.split_first().filter(|(kind, _)| *kind == "I")?.1;
    let (request, rest) = counted(rest, 1);
    let (response, rest) = counted(&rest, 1);
    Some((request, response, rest))
}

/// So many lines as the first line says, times `each`, and the lines after them.
fn counted(lines: &[String], each: usize) -> (Vec<String>, Vec<String>) {
    let (count, rest) = lines.split_first().expect("there is a number");
    let (these, rest) = rest.split_at(count.parse::<usize>().expect("it is a number") * each);
    (these.to_vec(), rest.to_vec())
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
    assert_eq!(step[2..8], ["GET", "https://orders.test/v1/orders/7?a=b", "none", "", "2000", "0"]);
    let changes = Changes::read(&step[8..]);
    assert!(changes.from_what_came);
    assert_eq!(changes.removed, ["connection", "x-hop"]);
    assert_eq!(changes.added("x-forwarded-for"), Some("203.0.113.9"));
    assert_eq!(changes.added("accept"), None, "what has not changed is not sent back");

    let answer = reply(&step, &["R", "201", "1", "content-type", "application/json", "keep-alive", "timeout=5"]);
    assert_eq!(answer[..3], ["A", "201", "stream"]);
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
    let first = lines(&begin(NOW, false, 0, "GET\nhttps://gw.test/\nHTTP/2".to_owned()));
    let (request, response, rest) = interest(&first).expect("it is said");
    assert!(request.iter().any(|name| name == "x-preview"), "{request:?}");
    assert!(!response.iter().any(|name| name == "x-preview"), "{response:?}");
    assert_eq!(rest[0], "A");
    let second = lines(&begin(NOW, false, 0, "GET\nhttps://gw.test/\nHTTP/2".to_owned()));
    assert_eq!(second[0], "A");
}

#[wasm_bindgen_test]
fn binary_body_is_asked_for() {
    let answer = Response::new(Body::bytes(vec![0xff, 0x00]));
    let step = HOST.with(|host| host.answer(answer, &Received::default()));
    assert_eq!(lines(&step)[..3], ["A", "200", "binary"]);
    assert_eq!((body(), body()), (vec![0xff, 0x00], vec![]));
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
    let answer = interest(&answer).map_or(answer, |(_, _, rest)| rest);
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
    let waiting = || TASKS.with(|tasks| tasks.borrow().waiting.len());
    let forgotten = get("https://gw.test/a");
    let before = waiting();
    for _ in 0..64 {
        let step = lines(&begin(NOW + 2_000.0 + GRACE_MS + 1.0, false, 0, "TRACE\nhttps://gw.test/\n1".to_owned()));
        assert_eq!(step[..2], ["A", "501"]);
    }
    assert!(waiting() < before);
    assert_eq!(reply(&forgotten, &["R", "200", "0"])[..2], ["A", "503"]);
}
