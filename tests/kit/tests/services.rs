//! Services of upstreams: what they answer, how exchanges change them, how requests are counted.

use edgate_kit::client::send;
use edgate_kit::compare;
use edgate_kit::scenario::play::Play;
use edgate_kit::scenario::service::Script;
use edgate_kit::scenario::{Exchange, Request, parse};
use edgate_kit::seen::{AnsweredBy, SeenBody, SeenRequest};
use edgate_kit::upstream::Upstreams;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SERVICES: &str = r#"
    title = "a test"
    [keys]
    rsa = { jwk = "rsa-1", kid = "r1" }
    ec = { jwk = "p256-1" }

    [[service]]
    at = "issuer.test"
    answer.status = 404
    [[service]]
    at = "issuer.test"
    path = "/jwks"
    answer.body.json = "{jwks:rsa}"

    [[exchange]]
    request.target = "/1"
    calls = { "issuer.test" = 2, "issuer.test/jwks" = 1, "a.test" = 0 }
    [[exchange.upstream]]
    at = "issuer.test"
    expect.target = "/introspect"
    answer.body = "a step"

    [[exchange]]
    request.target = "/2"
    [[exchange.service]]
    at = "issuer.test"
    path = "/jwks"
    answer = { body = { json = "{jwks:ec}" }, delay = "1s" }

    [[exchange]]
    request.target = "/3"
    [[exchange.service]]
    at = "issuer.test"
    answer.fault = "refuse"

    [[exchange]]
    request.target = "/4"
    [[exchange.service]]
    at = "issuer.test"
    restore = true

    [[exchange]]
    request.target = "/5"
    [[exchange.upstream]]
    at = "a.test"
"#;

/// 2026-01-01T00:00:00Z.
fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

fn play() -> Play {
    Play::begin(&parse(SERVICES).expect("it is valid"), start()).expect("it begins")
}

fn at(play: &Play, position: usize) -> Exchange {
    play.exchange(position, start()).expect("it can be played")
}

fn body(script: &mut Script, target: &str) -> (u16, String, AnsweredBy) {
    let (answer, by) = script.answer("GET", target);
    (answer.status, format!("{:?}", answer.body), by)
}

#[test]
fn services_answer_what_no_step_is_for_and_change_from_an_exchange_on() {
    let play = play();
    let script = |position| Script::of(&at(&play, position), "issuer.test");
    let mut first = script(0);
    assert_eq!(body(&mut first, "/jwks?x").2, AnsweredBy::Service, "the step is for another path");
    assert_eq!(body(&mut first, "/introspect").2, AnsweredBy::Step);
    assert_eq!(body(&mut first, "/introspect").0, 404);
    assert_eq!(Script::of(&at(&play, 0), "a.test").answer("GET", "/").1, AnsweredBy::Nothing);
    let (was, is) = (body(&mut first, "/jwks"), body(&mut script(1), "/jwks"));
    assert!(was.1 != is.1 && was.2 == is.2, "{was:?} {is:?}");
    assert!(!script(1).refuses().expect("it is clear") && script(2).refuses().expect("it is clear"));
    assert!(!script(3).refuses().expect("it is clear"));
    assert_eq!(body(&mut script(3), "/jwks"), was);
    assert_eq!(body(&mut script(4), "/jwks"), was, "as it was from then on");
}

#[test]
fn calls_are_counted_by_upstream_and_by_path() {
    let one = |target: &str, answered_by| SeenRequest {
        method: "GET".to_owned(),
        target: target.to_owned(),
        headers: Vec::new(),
        body: SeenBody::empty(),
        complete: true,
        answered_by,
    };
    let exchange = at(&play(), 0);
    let mut seen = BTreeMap::from([(
        "issuer.test".to_owned(),
        vec![one("/jwks?a", AnsweredBy::Service), one("/introspect", AnsweredBy::Step)],
    )]);
    assert!(compare::calls(&exchange.calls, &seen).is_empty());
    assert!(compare::requests(&exchange.upstreams, &seen).is_empty(), "a service's requests are expected");
    seen.get_mut("issuer.test").expect("it is there").push(one("/jwks", AnsweredBy::Service));
    let wanted = [
        "issuer.test: expected 2 calls, saw 3: [\"GET /jwks?a\", \"GET /introspect\", \"GET /jwks\"]",
        "issuer.test/jwks: expected 1 calls, saw 2: [\"GET /jwks?a\", \"GET /jwks\"]",
    ];
    assert_eq!(compare::calls(&exchange.calls, &seen), wanted);
}

#[tokio::test]
async fn real_upstreams_serve_and_count_what_comes_late() {
    let scenario = parse(SERVICES).expect("it is valid");
    let mut upstreams = Upstreams::start(scenario.upstream_names()).await.expect("they start");
    let addresses = upstreams.addresses();
    let play = Play::begin(&scenario.with_addresses(&addresses).expect("all are known"), start()).expect("it begins");
    let exchange = at(&play, 0);
    upstreams.prepare(&exchange).await.expect("they accept it");
    let get = |target: &str| Request::new("GET", target);
    let issuer = addresses["issuer.test"];
    let keys = send(issuer, &get("/jwks")).await.expect("it answers");
    assert!(keys.body.text().contains("\"kid\":\"r1\""), "{keys:?}");
    let late = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        send(issuer, &get("/introspect")).await
    });
    upstreams.settle(&exchange, Duration::from_secs(5)).await;
    assert!(late.is_finished(), "it was waited for");
    let seen = upstreams.take_seen(&exchange, Duration::ZERO).await;
    assert_eq!(compare::calls(&exchange.calls, &seen), Vec::<String>::new());
    assert_eq!(compare::requests(&exchange.upstreams, &seen), Vec::<String>::new());
}
