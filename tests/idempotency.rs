//! Requests that are done once, over several instances and requests at the same time, in memory.

use edgate::body::Body;
use edgate::config::Platform;
use edgate::config::document::Sections;
use edgate::host::{Capabilities, ClientFacts, Incoming, SharedHost};
use edgate::instance::Instance;
use edgate::memory::clock::finish;
use edgate::memory::counters::Counting;
use edgate::memory::{Answer, MemoryHost};
use edgate::race::all;
use http::{HeaderMap, HeaderValue, Method, Response};
use serde_json::json;
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

/// A world whose upstream takes a second, and how often it was called.
fn world() -> (Rc<MemoryHost>, Rc<Cell<u32>>) {
    let calls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&calls);
    let host = MemoryHost::new(move |_| {
        counted.set(counted.get() + 1);
        Answer { after: Duration::from_secs(1), result: Ok(Response::new(Body::bytes("done"))) }
    });
    (Rc::new(host), calls)
}

fn instance() -> Rc<Instance> {
    let document = json!({
        "upstream": { "orders": { "url": "http://orders.test" } },
        "route": { "all": {
            "match": { "path": "/{*rest}" },
            "upstream": "orders",
            "deadline": "5s",
            "idempotency": { "key": "client.address", "ttl": "1h" },
        } },
    });
    let mut mistakes = Vec::new();
    let sections = Sections::from_document(document, &mut mistakes);
    Instance::new(Capabilities::of(Platform::Cloudflare), sections, mistakes)
}

fn request(key: &str) -> Incoming {
    let mut headers = HeaderMap::new();
    headers.insert("idempotency-key", HeaderValue::from_str(&format!("\"{key}\"")).unwrap());
    Incoming {
        method: Method::POST,
        scheme: "https",
        authority: "gateway.test".to_owned(),
        path: "/x".to_owned(),
        query: None,
        headers,
        headers_size: 0,
        body: Body::bytes("content"),
        peer: None,
        facts: ClientFacts::default(),
        version: "1.1",
    }
}

type Answered = Pin<Box<dyn Future<Output = Response<Body>>>>;

fn send(instance: &Rc<Instance>, host: &Rc<MemoryHost>, key: &str) -> Answered {
    let shared: SharedHost = host.clone();
    Box::pin(Rc::clone(instance).handle(shared, request(key)))
}

fn status(answered: Answered) -> u16 {
    finish(answered).expect("nothing else is waited for").status().as_u16()
}

#[test]
fn of_many_at_once_one_is_done() {
    let (host, calls) = world();
    let running: Vec<Answered> = (0..20).map(|_| send(&instance(), &host, "a")).collect();
    let answers = finish(all(running, usize::MAX)).expect("nothing else is waited for");
    let statuses: Vec<u16> = answers.iter().map(|response| response.status().as_u16()).collect();
    assert_eq!(calls.get(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 19);
    assert_eq!(status(send(&instance(), &host, "a")), 200);
    assert_eq!(calls.get(), 1);
}

#[test]
fn an_answer_is_kept_as_long_as_was_said() {
    let (host, calls) = world();
    assert_eq!(status(send(&instance(), &host, "a")), 200);
    host.advance(Duration::from_secs(3_500));
    assert_eq!((status(send(&instance(), &host, "a")), calls.get()), (200, 1));
    host.advance(Duration::from_secs(200));
    assert_eq!((status(send(&instance(), &host, "a")), calls.get()), (200, 2));
}

#[test]
fn a_request_whose_instance_has_ended_is_under_way_for_a_while() {
    let (host, calls) = world();
    let mut lost = send(&instance(), &host, "a");
    assert!(lost.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(lost);
    assert_eq!(calls.get(), 1);
    assert_eq!(status(send(&instance(), &host, "a")), 409);
    host.advance(Duration::from_secs(64));
    assert_eq!(status(send(&instance(), &host, "a")), 409);
    host.advance(Duration::from_secs(2));
    assert_eq!((status(send(&instance(), &host, "a")), calls.get()), (200, 2));
}

#[test]
fn where_nobody_decides_nothing_is_done() {
    let (host, calls) = world();
    host.set_counting(Counting::Down);
    let mut response = finish(send(&instance(), &host, "a")).expect("nothing else is waited for");
    assert_eq!((response.status().as_u16(), calls.get()), (503, 0));
    assert_eq!(response.headers_mut().remove("retry-after"), Some(HeaderValue::from_static("5")));
    host.set_counting(Counting::Well);
    assert_eq!((status(send(&instance(), &host, "a")), calls.get()), (200, 1));
}
