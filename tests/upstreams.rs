//! Upstreams over many requests and several instances, in memory: what is lost when targets fail, how much load tries add,
//! and what instances tell each other.

use edgate::body::Body;
use edgate::config::Platform;
use edgate::config::document::Sections;
use edgate::host::{Capabilities, ClientFacts, Host, HostError, Incoming, SharedHost};
use edgate::instance::Instance;
use edgate::memory::clock::finish;
use edgate::memory::{Answer, MemoryHost};
use http::{HeaderMap, Method, Response};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Targets, some of which are down, and how often each was called.
#[derive(Clone, Default)]
struct World {
    down: Rc<RefCell<BTreeSet<String>>>,
    calls: Rc<RefCell<BTreeMap<String, u32>>>,
}

impl World {
    fn host(&self) -> Rc<MemoryHost> {
        let world = self.clone();
        let host = MemoryHost::new(move |request| {
            let name =
                request.url.trim_start_matches("http://").split(['.', '/']).next().unwrap_or_default().to_owned();
            *world.calls.borrow_mut().entry(name.clone()).or_default() += 1;
            let result = match world.down.borrow().contains(&name) {
                true => Err(HostError::Disconnected("down".to_owned())),
                false => Ok(Response::new(Body::Empty)),
            };
            Answer { after: Duration::from_millis(5), result }
        });
        host.set_value("STATE", "something", "");
        Rc::new(host)
    }

    fn set_down(&self, name: &str) {
        self.down.borrow_mut().insert(name.to_owned());
    }

    fn set_up(&self, name: &str) {
        self.down.borrow_mut().remove(name);
    }

    fn take_calls(&self) -> BTreeMap<String, u32> {
        self.calls.take()
    }
}

/// An instance with an upstream of three targets, and what else is said of it.
fn instance(more: Value) -> Rc<Instance> {
    let mut upstream = json!({ "targets": ["http://a.test", "http://b.test", "http://c.test"], "timeout": "1s" });
    let said = more.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone()));
    upstream.as_object_mut().unwrap().extend(said);
    let document = json!({
        "gateway": { "store": "STATE", "targets": ["cloudflare"] },
        "upstream": { "orders": upstream },
        "route": { "all": { "match": { "path": "/{*rest}" }, "upstream": "orders" } },
    });
    let mut mistakes = Vec::new();
    let sections = Sections::from_document(document, &mut mistakes);
    Instance::new(Capabilities::of(Platform::Cloudflare), sections, mistakes)
}

fn request(method: Method) -> Incoming {
    Incoming {
        method,
        scheme: "https",
        authority: "gateway.test".to_owned(),
        path: "/x".to_owned(),
        query: None,
        headers: HeaderMap::new(),
        headers_size: 0,
        body: Body::Empty,
        peer: "192.0.2.1".parse().ok(),
        facts: ClientFacts::default(),
        version: "2",
    }
}

/// The status of an answer, when everything behind it is done.
fn ask(instance: &Rc<Instance>, host: &Rc<MemoryHost>, method: Method) -> u16 {
    let shared: SharedHost = host.clone();
    let response = finish(Rc::clone(instance).handle(shared, request(method))).expect("nothing is waited for");
    host.run_later();
    response.status().as_u16()
}

fn get(instance: &Rc<Instance>, host: &Rc<MemoryHost>) -> u16 {
    ask(instance, host, Method::GET)
}

/// What was logged beside the records.
fn events(host: &MemoryHost) -> Vec<String> {
    let event = |line: String| {
        let value: Value = serde_json::from_str(&line).ok()?;
        let message = value["message"].as_str()?.to_owned();
        Some(format!("{} {}: {message}", value["upstream"].as_str()?, value["target"]))
    };
    host.take_log().into_iter().filter_map(event).collect()
}

#[test]
fn a_failure_that_goes_from_target_to_target_loses_no_idempotent_request() {
    for balance in ["round_robin", "random", "least_in_flight", "two_choices", "in_order"] {
        let world = World::default();
        let host = world.host();
        let instance = instance(json!({ "balance": balance, "retry": {}, "breaker": { "open": "1s" } }));
        for target in ["a", "b", "c", "b", "a"] {
            world.set_down(target);
            for number in 0..400 {
                let method = [Method::GET, Method::PUT, Method::DELETE][number % 3].clone();
                assert_eq!(ask(&instance, &host, method), 200, "{balance}, {target} is down");
                host.advance(Duration::from_millis(10));
            }
            world.set_up(target);
            host.advance(2 * SECOND);
        }
    }
}

#[test]
fn tries_add_a_fifth_to_the_load_of_an_upstream_that_fails() {
    for requests in [10, 100, 1_000] {
        let world = World::default();
        let host = world.host();
        let instance = instance(json!({ "retry": { "attempts": 10, "max_backoff": "50ms", "budget": "20%" } }));
        ["a", "b", "c"].into_iter().for_each(|target| world.set_down(target));
        // All within the budget's time: what is slept in between is what moves the clock.
        for _ in 0..requests {
            assert_eq!(get(&instance, &host), 502);
        }
        let calls: u32 = world.take_calls().values().sum();
        let seconds = (host.now().0 - 1_767_225_600_000.0) / 1_000.0;
        let floors = 10.0 * (seconds / 9.0 + 1.0);
        let most = f64::from(requests) * 1.2 + floors;
        assert!(f64::from(calls) <= most, "{calls} calls for {requests} requests in {seconds} s");
    }
}

#[test]
fn what_must_not_be_done_twice_is_done_once() {
    let world = World::default();
    let host = world.host();
    let instance = instance(json!({ "retry": { "attempts": 10 } }));
    ["a", "b", "c"].into_iter().for_each(|target| world.set_down(target));
    for _ in 0..50 {
        assert_eq!(ask(&instance, &host, Method::POST), 502);
    }
    assert_eq!(world.take_calls().values().sum::<u32>(), 50);
}

#[test]
fn targets_get_their_shares() {
    let world = World::default();
    let host = world.host();
    let targets =
        json!(["http://a.test", { "url": "http://b.test", "weight": 3 }, { "url": "http://c.test", "weight": 0 }]);
    let instance = instance(json!({ "targets": targets }));
    for _ in 0..400 {
        assert_eq!(get(&instance, &host), 200);
    }
    let calls = world.take_calls();
    assert!((99..=101).contains(&calls["a"]) && !calls.contains_key("c"), "{calls:?}");
}

#[test]
fn instances_tell_each_other_which_targets_they_leave_out() {
    let world = World::default();
    let host = world.host();
    let more =
        json!({ "balance": "in_order", "retry": {}, "breaker": { "failures": 2, "open": "30s", "share": true } });
    let (one, other) = (instance(more.clone()), instance(more));
    world.set_down("a");
    (0..2).for_each(|_| assert_eq!(get(&one, &host), 200));
    assert_eq!(events(&host), ["orders 1: it gets no requests for 30s: 2 failures in a row"]);
    world.take_calls();
    // What it has not read yet it does not know, and nobody waits for it.
    assert_eq!(get(&other, &host), 200);
    assert_eq!(world.take_calls()["a"], 1);
    assert_eq!(events(&host), ["orders 1: it gets no requests for 30s: another instance has seen it fail"]);
    assert_eq!(get(&other, &host), 200);
    assert!(!world.take_calls().contains_key("a"));
    world.set_up("a");
    host.advance(31 * SECOND);
    assert_eq!(get(&other, &host), 200);
    assert_eq!(world.take_calls()["a"], 1);
    assert_eq!(events(&host), ["orders 1: it gets requests again"]);
}

#[test]
fn what_others_say_leaves_out_no_more_than_may_be() {
    let world = World::default();
    let host = world.host();
    let more = json!({
        "balance": "in_order", "max_ejected": "34%", "breaker": { "failures": 1, "open": "30s", "share": true },
    });
    let (one, other) = (instance(more.clone()), instance(more));
    world.set_down("a");
    assert_eq!(get(&one, &host), 502);
    world.set_up("a");
    world.set_down("b");
    assert_eq!(get(&other, &host), 200);
    events(&host);
    assert_eq!(get(&other, &host), 502);
    assert_eq!(events(&host), Vec::<String>::new());
}

fn check(instance: &Rc<Instance>, host: &Rc<MemoryHost>) {
    let shared: SharedHost = host.clone();
    finish(Rc::clone(instance).check(shared)).expect("nothing is waited for");
}

#[test]
fn targets_that_are_not_well_are_left_out_until_they_are() {
    let world = World::default();
    let host = world.host();
    let more = json!({ "balance": "in_order", "health": { "path": "/health" } });
    let (checks, serves) = (instance(more.clone()), instance(more));
    world.set_down("a");
    let minute = |host: &MemoryHost| host.advance(60 * SECOND);
    check(&checks, &host);
    assert_eq!(events(&host), Vec::<String>::new(), "one bad answer is none yet");
    minute(&host);
    check(&checks, &host);
    assert_eq!(events(&host), ["orders 1: it is not well: disconnected: down"]);
    assert_eq!(world.take_calls(), BTreeMap::from(["a", "b", "c"].map(|name| (name.to_owned(), 2))));
    // The first request reads what is known, behind its answer.
    assert_eq!(get(&serves, &host), 502);
    assert_eq!(get(&serves, &host), 200);
    assert_eq!(world.take_calls(), BTreeMap::from(["a", "b"].map(|name| (name.to_owned(), 1))));
    world.set_up("a");
    minute(&host);
    check(&checks, &host);
    assert_eq!(events(&host), ["orders 1: it is well again"]);
    world.take_calls();
    get(&serves, &host);
    get(&serves, &host);
    assert_eq!(world.take_calls(), BTreeMap::from(["a", "b"].map(|name| (name.to_owned(), 1))));
}

#[test]
fn where_all_are_not_well_nobody_believes_it() {
    let world = World::default();
    let host = world.host();
    let instance = instance(json!({ "health": { "path": "/health", "unhealthy": 1 } }));
    ["a", "b", "c"].into_iter().for_each(|target| world.set_down(target));
    check(&instance, &host);
    ["a", "b", "c"].into_iter().for_each(|target| world.set_up(target));
    (0..6).for_each(|_| assert_eq!(get(&instance, &host), 200));
    assert_eq!(world.take_calls(), BTreeMap::from(["a", "b", "c"].map(|name| (name.to_owned(), 3))));
}

#[test]
fn verdicts_that_nobody_renews_are_forgotten() {
    let world = World::default();
    let host = world.host();
    let instance = instance(json!({ "balance": "in_order", "health": { "path": "/health", "unhealthy": 1 } }));
    world.set_down("a");
    check(&instance, &host);
    get(&instance, &host);
    world.take_calls();
    assert_eq!(get(&instance, &host), 200);
    assert!(!world.take_calls().contains_key("a"));
    host.advance(200 * SECOND);
    get(&instance, &host);
    world.take_calls();
    get(&instance, &host);
    assert!(world.take_calls().contains_key("a"));
}

#[test]
fn a_minute_is_asked_for_once_and_a_store_that_fails_changes_nothing() {
    let world = World::default();
    let host = world.host();
    let instance = instance(json!({ "balance": "in_order", "health": { "path": "/health" } }));
    world.set_down("a");
    (0..3).for_each(|_| check(&instance, &host));
    assert_eq!(world.take_calls()["a"], 1, "another trigger of the same minute is none");
    assert_eq!(events(&host), Vec::<String>::new());
    // What an instance has found out, it knows, though a store may still have what was before.
    host.advance(60 * SECOND);
    host.set_value("STATE", "edgate.health.edgate.orders", "{}");
    check(&instance, &host);
    assert_eq!(events(&host), ["orders 1: it is not well: disconnected: down"]);
    let bare = Rc::new(MemoryHost::new(|_| Answer {
        after: Duration::ZERO,
        result: Err(HostError::Disconnected("down".to_owned())),
    }));
    check(&instance, &bare);
    assert_eq!(events(&bare), ["orders null: what is known of its targets cannot be read"]);
    world.take_calls();
    assert_eq!(get(&instance, &host), 200);
    assert!(!world.take_calls().contains_key("a"));
}

#[test]
fn whoever_is_left_gets_requests_however_others_were_left_out() {
    let world = World::default();
    let host = world.host();
    let more = json!({ "breaker": { "failures": 1 }, "health": { "path": "/health", "unhealthy": 1 } });
    let instance = instance(more);
    ["a", "b"].into_iter().for_each(|target| world.set_down(target));
    check(&instance, &host);
    ["a", "b"].into_iter().for_each(|target| world.set_up(target));
    assert_eq!(get(&instance, &host), 200);
    world.set_down("c");
    assert_eq!(get(&instance, &host), 502);
    // All that is left are those that are said to be unwell.
    (0..4).for_each(|_| assert_eq!(get(&instance, &host), 200));
}

#[test]
fn what_others_say_is_no_reason_to_ask_nobody() {
    let world = World::default();
    let host = world.host();
    let more = json!({ "breaker": { "share": true, "open": "10s" } });
    let tells = instance(json!({ "breaker": { "share": true, "failures": 1, "open": "10s" } }));
    ["a", "b", "c"].into_iter().for_each(|target| world.set_down(target));
    (0..3).for_each(|_| assert_eq!(get(&tells, &host), 502));
    ["a", "b", "c"].into_iter().for_each(|target| world.set_up(target));
    let follows = instance(more.clone());
    (0..6).for_each(|_| assert_eq!(get(&follows, &host), 200));
    // A time that nobody could have meant is as long as one's own.
    let stored = finish(host.get("STATE", "edgate.open.edgate.orders")).unwrap().unwrap().unwrap();
    let mut table: BTreeMap<String, f64> = serde_json::from_slice(&stored).unwrap();
    let first = table.keys().next().unwrap().clone();
    table.insert(first, 1e300);
    host.set_value("STATE", "edgate.open.edgate.orders", serde_json::to_string(&table).unwrap());
    let follows = instance(more);
    get(&follows, &host);
    host.advance(11 * SECOND);
    host.set_value("STATE", "edgate.open.edgate.orders", "{}");
    world.take_calls();
    (0..6).for_each(|_| assert_eq!(get(&follows, &host), 200));
    assert_eq!(world.take_calls().len(), 3);
}

#[test]
fn copies_for_somebody_slow_do_not_pile_up() {
    let copies = Rc::new(RefCell::new(0));
    let counted = Rc::clone(&copies);
    let host = Rc::new(MemoryHost::new(move |request| {
        *counted.borrow_mut() += u32::from(request.url.starts_with("http://shadow"));
        Answer { after: Duration::ZERO, result: Ok(Response::new(Body::Empty)) }
    }));
    let document = json!({
        "upstream": { "orders": { "url": "http://a.test" }, "shadow": { "url": "http://shadow.test" } },
        "route": { "all": { "match": { "path": "/{*rest}" }, "upstream": "orders", "mirror": { "upstream": "shadow" } } },
    });
    let mut mistakes = Vec::new();
    let sections = Sections::from_document(document, &mut mistakes);
    let instance = Instance::new(Capabilities::of(Platform::Cloudflare), sections, mistakes);
    let shared: SharedHost = host.clone();
    for _ in 0..100 {
        let answer = finish(Rc::clone(&instance).handle(Rc::clone(&shared), request(Method::GET)));
        assert!(answer.is_some_and(|response| response.status() == 200));
    }
    let mirrored = host.take_log().iter().filter(|line| line.contains("\"mirror\":\"shadow\"")).count();
    host.run_later();
    assert_eq!((mirrored, *copies.borrow()), (64, 64));
    assert_eq!(get(&instance, &host), 200);
    assert_eq!(*copies.borrow(), 65);
}

#[test]
fn a_slow_client_is_no_slow_target() {
    let host = Rc::new(MemoryHost::new(|_| Answer {
        after: Duration::from_millis(400),
        result: Ok(Response::new(Body::Empty)),
    }));
    let mut document = json!({
        "upstream": { "orders": { "url": "http://a.test", "timeout": "1s", "breaker": { "failures": 1, "open": "1m" } } },
        "route": { "all": { "match": { "path": "/{*rest}" }, "upstream": "orders", "deadline": "2s" } },
    });
    // Whoever held the request back before the upstream was asked: here, a limit whose counters are slow.
    document["limit"] =
        json!({ "slow": { "rate": "9/1s", "key": "global", "accuracy": "exact", "timeout": "1800ms" } });
    document["route"]["all"]["limits"] = json!(["slow"]);
    let mut mistakes = Vec::new();
    let sections = Sections::from_document(document, &mut mistakes);
    let instance = Instance::new(Capabilities::of(Platform::Cloudflare), sections, mistakes);
    host.set_counting(edgate::memory::counters::Counting::Slow);
    assert_eq!(get(&instance, &host), 504);
    host.set_counting(edgate::memory::counters::Counting::Well);
    host.advance(2 * SECOND);
    assert_eq!(get(&instance, &host), 200);
}

#[test]
fn targets_are_asked_as_often_as_was_said() {
    let world = World::default();
    let host = world.host();
    let instance = instance(json!({ "health": { "path": "/health", "interval": "5m" } }));
    for _ in 0..20 {
        check(&instance, &host);
        host.advance(60 * SECOND);
    }
    assert_eq!(world.take_calls()["a"], 4);
}

#[test]
fn an_instance_that_has_just_begun_has_the_last_good_answers() {
    let fresh = Rc::new(RefCell::new(true));
    let is_fresh = Rc::clone(&fresh);
    let host = Rc::new(MemoryHost::new(move |_| {
        let mut response = Response::new(Body::bytes(vec![0, 159, 146, 150]));
        response.headers_mut().insert("content-type", "application/octet-stream".parse().expect("a value"));
        response.headers_mut().insert("x-made-by", "orders".parse().expect("a value"));
        response.headers_mut().insert("cache-control", "max-age=60".parse().expect("a value"));
        let result = if *is_fresh.borrow() { Ok(response) } else { Err(HostError::Unreachable("down".to_owned())) };
        Answer { after: Duration::ZERO, result }
    }));
    host.set_value("STATE", "something", "");
    let more = json!({ "fallback": { "stale": "1h" } });
    assert_eq!(get(&instance(more.clone()), &host), 200);
    *fresh.borrow_mut() = false;
    host.advance(30 * SECOND);
    let other = instance(more);
    let shared: SharedHost = host.clone();
    let response = finish(Rc::clone(&other).handle(shared, request(Method::GET))).expect("nothing is waited for");
    let fields = ["content-type", "x-made-by", "age"].map(|name| response.headers()[name].to_str().unwrap().to_owned());
    assert_eq!(
        (response.status().as_u16(), fields),
        (200, ["application/octet-stream", "orders", "30"].map(str::to_owned))
    );
    assert_eq!(edgate::memory::collect(response.into_body()).unwrap()[..], [0, 159, 146, 150]);
    // Nobody else has its answer, and it is not given for ever.
    assert_eq!(ask(&other, &host, Method::HEAD), 502);
    host.advance(3_600 * SECOND);
    assert_eq!(get(&other, &host), 502);
}

#[test]
fn a_store_that_is_written_over_harms_nobody() {
    let world = World::default();
    let host = world.host();
    let more = json!({
        "breaker": { "share": true }, "health": { "path": "/health" }, "fallback": { "stale": "1h" },
    });
    let instance = instance(more);
    for text in ["", "nonsense", "[]", "{\"a\":{}}", "{\"at\":1,\"fields\":[[]],\"vary\":7,\"body\":\"?\"}", "\u{fffd}"]
    {
        for kind in ["open", "health"] {
            host.set_value("STATE", &format!("edgate.{kind}.edgate.orders"), text);
        }
        assert_eq!(get(&instance, &host), 200, "{text}");
        check(&instance, &host);
        host.advance(60 * SECOND);
    }
}
