//! What upstreams are shown, over many requests at once and where nobody's request is the cause, in memory.

use edgate::body::Body;
use edgate::config::Platform;
use edgate::config::document::Sections;
use edgate::host::{Capabilities, ClientFacts, Incoming, SharedHost};
use edgate::instance::Instance;
use edgate::memory::clock::finish;
use edgate::memory::{Answer, MemoryHost};
use edgate::race::all;
use http::{HeaderMap, Method, Response};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

/// What reached whom, with which `Authorization`.
type Seen = Rc<RefCell<Vec<(String, String)>>>;

const CLIENT: &str = r#"{ "client_credentials": {
    "url": "https://login.test/token", "client_id": "gateway", "client_secret": { "secret": "SECRET" }
} }"#;

/// A world with a token endpoint that takes 50 ms, and slow upstreams.
fn world() -> (Rc<MemoryHost>, Seen) {
    let seen = Seen::default();
    let noted = Rc::clone(&seen);
    let host = MemoryHost::new(move |request| {
        let shown = request.headers.get("authorization").map(|value| String::from_utf8_lossy(value.as_bytes()).into());
        noted.borrow_mut().push((request.url.clone(), shown.unwrap_or_default()));
        let body = match request.url.starts_with("https://login.test") {
            true => Body::bytes(r#"{ "access_token": "t", "token_type": "Bearer", "expires_in": 3600 }"#),
            false => Body::Empty,
        };
        Answer { after: Duration::from_millis(50), result: Ok(Response::new(body)) }
    });
    let secrets = [("SECRET".to_owned(), "s3cret".to_owned())];
    let host = host.with_secrets(secrets.into());
    host.set_value("STATE", "something", "");
    (Rc::new(host), seen)
}

fn instance(mut upstream: Value) -> Rc<Instance> {
    upstream["credentials"] = serde_json::from_str(CLIENT).unwrap();
    let document = json!({
        "gateway": { "store": "STATE", "targets": ["cloudflare"] },
        "upstream": { "orders": upstream },
        "route": { "all": { "match": { "path": "/{*rest}" }, "upstream": "orders" } },
    });
    let mut mistakes = Vec::new();
    let sections = Sections::from_document(document, &mut mistakes);
    Instance::new(Capabilities::of(Platform::Cloudflare), sections, mistakes)
}

fn request() -> Incoming {
    Incoming {
        method: Method::GET,
        scheme: "https",
        authority: "gateway.test".to_owned(),
        path: "/x".to_owned(),
        query: None,
        headers: HeaderMap::new(),
        headers_size: 0,
        body: Body::Empty,
        peer: None,
        facts: ClientFacts::default(),
        version: "1.1",
    }
}

type Answered = Pin<Box<dyn Future<Output = Response<Body>>>>;

/// Sends requests at the same time.
fn at_once(instance: &Rc<Instance>, host: &Rc<MemoryHost>, count: usize) -> Vec<u16> {
    let shared: SharedHost = host.clone();
    let one = || -> Answered { Box::pin(Rc::clone(instance).handle(Rc::clone(&shared), request())) };
    let running: Vec<Answered> = (0..count).map(|_| one()).collect();
    let answers = finish(all(running, usize::MAX)).expect("nothing else is waited for");
    let statuses: Vec<u16> = answers.iter().map(|response| response.status().as_u16()).collect();
    statuses
}

fn count(seen: &Seen, of: &str) -> usize {
    seen.borrow().iter().filter(|(url, _)| url.starts_with(of)).count()
}

#[test]
fn a_token_is_fetched_once_for_all_that_wait() {
    let (host, seen) = world();
    let instance = instance(json!({ "url": "http://orders.test" }));
    // The first one loads the configuration.
    assert_eq!(at_once(&instance, &host, 50), vec![200; 50]);
    assert_eq!((count(&seen, "https://login.test"), count(&seen, "http://orders.test")), (1, 50));
    let shown = |(url, shown): &(String, String)| url.starts_with("https://login.test") || shown == "Bearer t";
    assert!(seen.borrow().iter().all(shown), "{:?}", seen.borrow());
}

#[test]
fn a_second_target_beside_the_first_is_shown_the_same() {
    let (host, seen) = world();
    let targets = json!(["http://a.test", "http://b.test"]);
    let instance = instance(json!({ "targets": targets, "balance": "in_order", "hedge": { "after": "10ms" } }));
    assert_eq!(at_once(&instance, &host, 1), vec![200]);
    let both = [("http://a.test/x".to_owned(), "Bearer t".to_owned()), ("http://b.test/x".into(), "Bearer t".into())];
    assert_eq!(seen.borrow()[1..], both);
}

#[test]
fn questions_for_health_are_shown_it_too() {
    let (host, seen) = world();
    let instance = instance(json!({ "url": "http://orders.test", "health": { "path": "/health" } }));
    let shared: SharedHost = host.clone();
    finish(Rc::clone(&instance).check(shared)).expect("nothing else is waited for");
    let asked = seen.borrow().last().cloned();
    assert_eq!(asked, Some(("http://orders.test/health".to_owned(), "Bearer t".to_owned())));
}
