//! Laws of aggregates: what comes of one depends on what upstreams answer, not on which of them is first; no more is under
//! way at once than may be, and no part is asked before those that it waits for; whatever upstreams answer, what comes
//! out is JSON.

use bytes::Bytes;
use edgate::body::Body;
use edgate::config::Platform;
use edgate::config::document::Sections;
use edgate::host::{Capabilities, ClientFacts, Host, HostError, Incoming, Outgoing};
use edgate::instance::Instance;
use edgate::memory::clock::finish;
use edgate::memory::{Answer, MemoryHost, Stream, collect};
use edgate::raw::Document;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// What an upstream answers: status, media type, body; `None` for none at all.
type Scripted = Option<(u16, &'static str, Vec<u8>)>;

fn instance(parts: Value, more: Value) -> Rc<Instance> {
    let mut aggregate = json!({ "parts": parts, "outcomes": "outcomes", "on_collision": "last" });
    let members = aggregate.as_object_mut().expect("it is an object");
    members.extend(more.as_object().expect("it is an object").clone());
    let config = json!({
        "gateway": { "store": "SHARED" },
        "upstream": { "u": { "url": "http://u.test", "timeout": "5s" } },
        "route": { "page": { "match": { "path": "/" }, "aggregate": aggregate, "deadline": "1m" } },
    });
    let mut mistakes = Vec::new();
    let sections = Sections::from_document(config, &mut mistakes);
    let loaded = edgate::compile::load(&sections, None);
    assert!(loaded.gateway.is_some(), "{:#?}", loaded.diagnostics);
    Instance::new(Capabilities::of(Platform::Cloudflare), sections, mistakes)
}

/// A host whose upstream answers after a while that depends on the request's target.
fn host(answer: impl Fn(&str) -> (u64, Scripted) + 'static) -> Rc<MemoryHost> {
    let host = MemoryHost::new(move |request: &Outgoing<'_>| {
        let (delay, scripted) = answer(request.url.trim_start_matches("http://u.test"));
        let result = match scripted {
            None => Err(HostError::Disconnected("closed".to_owned())),
            Some((status, media_type, body)) => {
                let stream = Stream { chunks: vec![Bytes::from(body)], ..Stream::default() };
                let mut response = Response::new(Body::host(stream, None));
                *response.status_mut() = StatusCode::from_u16(status).expect("it is one");
                if !media_type.is_empty() {
                    response.headers_mut().insert("content-type", HeaderValue::from_static(media_type));
                }
                Ok(response)
            }
        };
        Answer { after: Duration::from_millis(delay), result }
    });
    host.set_value("SHARED", "of this test", "");
    Rc::new(host)
}

fn get() -> Incoming {
    Incoming {
        method: Method::GET,
        scheme: "https",
        authority: "gate.test".to_owned(),
        path: "/".to_owned(),
        query: None,
        headers: HeaderMap::new(),
        headers_size: 0,
        body: Body::Empty,
        peer: "192.0.2.1".parse().ok(),
        facts: ClientFacts::default(),
        version: "1.1",
    }
}

/// Status, body, and how long it took in milliseconds.
fn ask(instance: &Rc<Instance>, host: &Rc<MemoryHost>) -> (u16, Vec<u8>, u64) {
    let begun = host.now();
    let shared: Rc<dyn Host> = host.clone();
    let response = finish(Rc::clone(instance).handle(shared, get())).expect("it comes to an end");
    let took = host.now().since(begun);
    host.run_later();
    let status = response.status().as_u16();
    (status, collect(response.into_body()).expect("it is whole").into(), took as u64)
}

/// A plan of parts, each of which waits for some of those before it.
fn plan() -> impl Strategy<Value = Vec<Vec<usize>>> {
    prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..3), 1..9).prop_map(|parts| {
        let after = |(at, after): (usize, Vec<prop::sample::Index>)| {
            let mut after: Vec<usize> = after.iter().filter(|_| at > 0).map(|index| index.index(at)).collect();
            after.sort_unstable();
            after.dedup();
            after
        };
        parts.into_iter().enumerate().map(after).collect()
    })
}

/// Parts whose requests are made of what those before them have answered. All are optional, so that none ends it.
fn parts(plan: &[Vec<usize>]) -> Value {
    let part = |(at, after): (usize, &Vec<usize>)| {
        let query: BTreeMap<String, String> =
            after.iter().map(|other| (format!("p{other}"), format!("{{part.p{other}.body.v}}"))).collect();
        json!({ "name": format!("p{at}"), "upstream": "u", "path": format!("/{at}"), "query": query, "need": "optional" })
    };
    plan.iter().enumerate().map(part).collect()
}

/// The same, some with what stands in for them, some under a rule, and some repeated over what an earlier one has answered.
fn all_kinds(plan: &[Vec<usize>], kinds: &[u8]) -> Value {
    let mut parts = parts(plan);
    for ((at, after), kind) in plan.iter().enumerate().zip(kinds) {
        let mut more = json!({});
        match (kind, after.first()) {
            (1, _) => more = json!({ "fallback": { "v": "f", "list": [7] } }),
            (2, Some(other)) => more = json!({ "when": format!("part.p{other}.status == 200") }),
            (3, Some(other)) => {
                let each = format!("part.p{other}.body.list");
                more = json!({ "each": each, "most": 2, "at_once": 1, "path": format!("/{at}/{{item}}") });
            }
            _ => {}
        }
        let part = parts[at].as_object_mut().expect("it is an object");
        part.extend(more.as_object().expect("it is an object").clone());
    }
    parts
}

#[test]
fn a_store_that_is_slow_holds_nobody_up() {
    let parts =
        json!([{ "name": "a", "upstream": "u", "path": "/0", "need": "optional", "timeout": "1s", "stale": "1h" }]);
    let well = Rc::new(RefCell::new(true));
    let is_well = Rc::clone(&well);
    let host = host(move |_| (0, is_well.borrow().then(|| (200, "application/json", b"7".to_vec()))));
    let first = instance(parts.clone(), json!({}));
    assert_eq!(ask(&first, &host).0, 200);
    *well.borrow_mut() = false;
    let stale = |host: &Rc<MemoryHost>| {
        // One that has just begun knows what is in the store alone.
        let (_, body, took) = ask(&instance(parts.clone(), json!({})), host);
        (String::from_utf8(body).expect("it is text").contains("stale"), took)
    };
    host.stores_take.set(Duration::from_millis(300));
    assert_eq!(stale(&host), (true, 300));
    host.stores_take.set(Duration::from_secs(30));
    assert_eq!(stale(&host), (false, 1_000));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_comes_of_it_does_not_depend_on_who_is_first(
        plan in plan(),
        fails in prop::collection::vec(prop::bool::weighted(0.2), 9),
        kinds in prop::collection::vec(0..4u8, 9),
        delays in prop::collection::vec(prop::collection::vec(0..50u64, 9), 4),
        at_once in 1..7u64,
        shape in prop::sample::select(vec!["nested", "merged"]),
        on_collision in prop::sample::select(vec!["first", "last"]),
    ) {
        let parts = all_kinds(&plan, &kinds);
        let instance = instance(parts, json!({ "at_once": at_once, "shape": shape, "on_collision": on_collision }));
        let mut answers = Vec::new();
        for delays in delays {
            let fails = fails.clone();
            let host = host(move |target| {
                let at: usize = target[1..2].parse().expect("it is a digit");
                // What is answered depends on what was asked.
                let body = json!({ "v": target, "of": at, at.to_string(): at, "list": [1, 2, 3] });
                (delays[at], (!fails[at]).then(|| (200, "application/json", body.to_string().into_bytes())))
            });
            let (status, body, _) = ask(&instance, &host);
            answers.push((status, String::from_utf8(body).expect("it is text")));
        }
        prop_assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{:#?}", answers);
    }

    #[test]
    fn no_part_is_asked_before_those_it_waits_for_and_no_more_at_once_than_may_be(
        plan in plan(), delays in prop::collection::vec(1..50u64, 9), at_once in 1..7usize,
    ) {
        let instance = instance(parts(&plan), json!({ "at_once": at_once }));
        let begun: Rc<RefCell<Vec<(usize, f64)>>> = Rc::default();
        let now: Rc<RefCell<Option<Rc<MemoryHost>>>> = Rc::default();
        let (seen, clock, times) = (Rc::clone(&begun), Rc::clone(&now), delays.clone());
        let host = host(move |target| {
            let at: usize = target[1..2].parse().expect("it is a digit");
            let now = clock.borrow().as_ref().expect("it is there").now().0;
            seen.borrow_mut().push((at, now));
            (times[at], Some((200, "", b"{\"v\":1}".to_vec())))
        });
        *now.borrow_mut() = Some(Rc::clone(&host));
        let start = host.now().0;
        let (status, _, took) = ask(&instance, &host);
        prop_assert_eq!(status, 200);
        let begun: BTreeMap<usize, f64> = begun.borrow().iter().copied().collect();
        let span = |at: usize| (begun[&at], begun[&at] + delays[at] as f64);
        for (at, after) in plan.iter().enumerate() {
            for other in after {
                prop_assert!(span(*other).1 <= span(at).0, "{} waits for {}", at, other);
            }
            let at_that_time = (0..plan.len()).filter(|other| span(*other).0 <= span(at).0 && span(at).0 < span(*other).1);
            prop_assert!(at_that_time.count() <= at_once);
        }
        let ended = (0..plan.len()).map(|at| span(at).1).fold(start, f64::max);
        prop_assert_eq!(took, (ended - start) as u64);
        // Nobody waits who need not: with room for all, a part begins when the last one ends that it waits for.
        if at_once >= plan.len() {
            for (at, after) in plan.iter().enumerate() {
                let ready = after.iter().map(|other| span(*other).1).fold(start, f64::max);
                prop_assert_eq!(span(at).0, ready);
            }
        }
        *now.borrow_mut() = None;
    }

    #[test]
    fn whatever_upstreams_answer_what_comes_out_is_json(
        bodies in prop::collection::vec(body(), 3),
        media_types in prop::collection::vec(prop::sample::select(vec!["", "application/json", "text/xml", "text/plain", "a/b"]), 3),
        shape in prop::sample::select(vec!["nested", "merged"]),
    ) {
        let parts = json!([
            { "name": "a", "upstream": "u", "path": "/0", "need": "optional", "deny": ["b.c", "items[].id"], "flatten": ["items[]", "a"], "mapping": { "c": "b" } },
            { "name": "b", "upstream": "u", "path": "/1", "query": { "x": "{part.a.body.items.0}", "y": "{part.a.body}" }, "need": "optional", "allow": ["a.b", "items[]"], "target": "a" },
            { "name": "c", "upstream": "u", "path": "/2/{item}", "body": { "x": ["{item.id}", "{part.b.body.b}!"] }, "method": "POST", "each": "part.a.body.items", "most": 3, "need": "optional", "collection": true },
        ]);
        let instance = instance(parts, json!({ "shape": shape }));
        let host = host(move |target| {
            let at: usize = target[1..2].parse().expect("it is a digit");
            (0, Some((200, media_types[at], bodies[at].clone())))
        });
        let (status, body, _) = ask(&instance, &host);
        prop_assert_eq!(status, 200);
        // Half of a character is JSON too, and passes.
        let whole = Document::parse(body.clone()).ok();
        let path = ["outcomes", "c", "outcome"].map(str::to_owned);
        let outcome = whole.as_ref().and_then(|whole| whole.raw().find(&path)?.string());
        prop_assert!(outcome.is_some(), "{}", String::from_utf8_lossy(&body));
    }
}

/// Bytes, texts, and what is nearly JSON or XML.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"b\"",
        "\"items\"",
        "\"items\":[[1,{\"id\":2}],{\"id\":\"x\"}]",
        "1",
        "null",
        "<a>",
        "</a>",
        "<items id='1'/>",
        "&amp;",
        "\\",
        "é",
        " ",
        "\"\\ud800\"",
        "{\"a\":{\"a\":1,\"b\":[]},\"items\":[1,2,3,4]}",
    ]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..20),
        prop::collection::vec(word, 0..12).prop_map(|words| words.concat().into_bytes()),
    ]
}

fn numbers(value: &'static str) -> impl Fn(&str) -> (u64, Scripted) {
    move |_| (100, Some((200, "application/json", value.as_bytes().to_vec())))
}

#[test]
fn three_parts_of_100_ms_take_100_ms() {
    let parts = json!([
        { "name": "a", "upstream": "u", "path": "/a" },
        { "name": "b", "upstream": "u", "path": "/b" },
        { "name": "c", "upstream": "u", "path": "/c" },
    ]);
    let (status, _, took) = ask(&instance(parts, json!({})), &host(numbers("1")));
    assert_eq!((status, took), (200, 100));
}

#[test]
fn twenty_items_six_at_once_take_four_rounds() {
    let parts = json!([
        { "name": "a", "upstream": "u", "path": "/a" },
        { "name": "b", "upstream": "u", "path": "/b/{item}", "each": "part.a.body", "most": 20 },
    ]);
    let list = "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]";
    let (status, _, took) = ask(&instance(parts, json!({})), &host(numbers(list)));
    assert_eq!((status, took), (200, 500));
}

#[test]
fn a_new_instance_finds_the_last_good_answer_in_the_store() {
    let parts = || json!([{ "name": "a", "upstream": "u", "path": "/a", "stale": "10m", "need": "optional" }]);
    let works = Rc::new(RefCell::new(true));
    let switch = Rc::clone(&works);
    let host = host(move |_| (0, switch.borrow().then(|| (200, "", b"{\"n\": 1.0}".to_vec()))));
    let whole = |instance: &Rc<Instance>| String::from_utf8(ask(instance, &host).1).expect("it is text");
    assert_eq!(whole(&instance(parts(), json!({}))), r#"{"a":{"n": 1.0},"outcomes":{"a":{"outcome":"ok"}}}"#);
    *works.borrow_mut() = false;
    assert_eq!(whole(&instance(parts(), json!({}))), r#"{"a":{"n": 1.0},"outcomes":{"a":{"outcome":"stale"}}}"#);
    host.advance(Duration::from_secs(601));
    let late = whole(&instance(parts(), json!({})));
    assert!(late.contains("part-no-answer"), "{late}");
}

#[test]
fn each_of_many_requests_in_one_has_its_record_and_a_name_of_the_whole() {
    let config = json!({
        "gateway": { "request_id": "always" },
        "upstream": { "u": { "url": "http://u.test" } },
        "route": {
            "batch": { "match": { "path": "/" }, "batch": {} },
            "all": { "match": { "path": "/{*rest}" }, "upstream": "u" },
        },
    });
    let mut mistakes = Vec::new();
    let sections = Sections::from_document(config, &mut mistakes);
    let instance = Instance::new(Capabilities::of(Platform::Spin), sections, mistakes);
    let host = host(|_| (100, Some((200, "text/plain", b"x".to_vec()))));
    let mut incoming = get();
    incoming.method = Method::POST;
    incoming.headers.insert("x-request-id", HeaderValue::from_static("r"));
    incoming.body = Body::bytes(r#"[{"path":"/a"},{"path":"/b"}]"#);
    let (begun, shared): (_, Rc<dyn Host>) = (host.now(), host.clone());
    let response = finish(instance.handle(shared, incoming)).expect("it comes to an end");
    assert_eq!((response.status().as_u16(), host.now().since(begun) as u64), (200, 100));
    let records: Vec<Value> =
        host.take_log().iter().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    let told = |record: &Value| {
        (record["request_id"].as_str().map(str::to_owned), record["route"].as_str().map(str::to_owned))
    };
    let named = |id: &str, route: &str| (Some(id.to_owned()), Some(route.to_owned()));
    assert_eq!(
        records.iter().map(told).collect::<Vec<_>>(),
        [named("r-1", "all"), named("r-2", "all"), named("r", "batch")]
    );
}
