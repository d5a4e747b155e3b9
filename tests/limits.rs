//! What holds for limits whatever happens: several instances, each with its own memory, share the counters of one host.
//! Requests come at any time to any of them, and whatever goes on behind answers goes on.

use edgate::compile;
use edgate::config::Platform;
use edgate::config::document::Sections;
use edgate::gateway::Gateway;
use edgate::host::{Capabilities, ClientFacts, Host, HostError, Incoming, Outgoing, SharedHost};
use edgate::memory::counters::Counting;
use edgate::memory::{Answer, MemoryHost, finish};
use http::{HeaderMap, HeaderValue, Method};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::rc::Rc;
use std::time::Duration;

/// Instances of one gateway.
struct World {
    host: Rc<MemoryHost>,
    instances: Vec<Gateway>,
}

impl World {
    fn new(limit: Value, instances: usize) -> World {
        let config = json!({
            "limit": { "it": limit },
            "route": { "all": { "match": { "path": "/" }, "respond": {}, "limits": ["it"] } },
        });
        let nobody =
            |_: &Outgoing<'_>| Answer { after: Duration::ZERO, result: Err(HostError::Other("nobody".to_owned())) };
        World { host: Rc::new(MemoryHost::new(nobody)), instances: (0..instances).map(|_| gateway(&config)).collect() }
    }

    /// Sends a request to an instance. Gives back its status.
    fn send(&self, instance: usize, key: &str) -> u16 {
        let mut headers = HeaderMap::new();
        headers.insert("key", HeaderValue::from_str(key).expect("it is a value"));
        let incoming = Incoming {
            method: Method::GET,
            scheme: "https",
            authority: "gate.test".to_owned(),
            path: "/".to_owned(),
            query: None,
            headers,
            headers_size: 0,
            body: edgate::body::Body::Empty,
            peer: None,
            facts: ClientFacts::default(),
            version: "1.1",
        };
        let host: SharedHost = self.host.clone();
        let instance = &self.instances[instance % self.instances.len()];
        let response = finish(instance.handle(&host, incoming)).expect("nothing is waited for");
        self.host.run_later();
        response.status().as_u16()
    }

    fn advance(&self, ms: u64) {
        self.host.advance(Duration::from_millis(ms));
        self.host.run_later();
    }

    fn now(&self) -> u64 {
        self.host.now().whole_ms()
    }
}

fn gateway(config: &Value) -> Gateway {
    let mut diagnostics = Vec::new();
    let sections = Sections::from_document(config.clone(), &mut diagnostics);
    let loaded = compile::load(&sections, Some(Capabilities::of(Platform::Cloudflare)));
    assert!(loaded.diagnostics.is_empty() && diagnostics.is_empty(), "{:#?}", loaded.diagnostics);
    loaded.gateway.expect("it serves")
}

/// What happens: to which instance a request goes, and how long after the one before.
fn arrivals() -> impl Strategy<Value = Vec<(usize, u64)>> {
    let pause = prop_oneof![6 => Just(0_u64), 3 => 0..50_u64, 2 => 0..2_000_u64, 1 => 0..20_000_u64];
    prop::collection::vec((0..4_usize, pause), 1..400)
}

/// Whether in no time more was admitted than a rate allows: `burst + limit * time / period`, in whole numbers.
fn keeps_rate(times: &[u64], limit: u64, period: u64, burst: u64) -> Result<(), TestCaseError> {
    for (first, begin) in times.iter().enumerate() {
        for (last, end) in times.iter().enumerate().skip(first) {
            let admitted = (last - first + 1) as u64;
            prop_assert!(
                admitted * period <= burst * period + limit * (end - begin),
                "{admitted} from {begin} to {end}"
            );
        }
    }
    Ok(())
}

/// The times at which requests were admitted.
fn admitted(world: &World, arrivals: &[(usize, u64)]) -> Vec<u64> {
    let mut times = Vec::new();
    for (instance, pause) in arrivals {
        world.advance(*pause);
        if world.send(*instance, "k") == 200 {
            times.push(world.now());
        }
    }
    times
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_rate_is_never_exceeded(
        arrivals in arrivals(), limit in 1..60_u64, seconds in 1..30_u64, burst in 1..60_u64, leased: bool,
    ) {
        let accuracy = if leased { "leased" } else { "exact" };
        let rate = format!("{limit}/{seconds}s");
        let world = World::new(json!({ "rate": rate, "burst": burst, "key": "global", "accuracy": accuracy }), 4);
        keeps_rate(&admitted(&world, &arrivals), limit, seconds * 1_000, burst)?;
    }

    #[test]
    fn a_window_that_moves_is_never_exceeded(arrivals in arrivals(), limit in 1..60_u64, leased: bool) {
        let accuracy = if leased { "leased" } else { "exact" };
        let world = World::new(json!({ "quota": format!("{limit}/60s"), "key": "global", "accuracy": accuracy }), 4);
        let times = admitted(&world, &arrivals);
        for begin in &times {
            let within = times.iter().filter(|time| (*begin..begin + 60_000).contains(time)).count() as u64;
            prop_assert!(within <= limit, "{within} from {begin} on");
        }
    }

    #[test]
    fn an_hour_admits_just_its_quota(arrivals in arrivals(), limit in 1..60_u64) {
        let world = World::new(json!({ "quota": format!("{limit}/hour"), "key": "global" }), 4);
        let times = admitted(&world, &arrivals);
        let mut wanted = arrivals.iter();
        let mut hours = std::collections::BTreeMap::<u64, (u64, u64)>::new();
        let mut now = world.now() - arrivals.iter().map(|(_, pause)| pause).sum::<u64>();
        while let Some((_, pause)) = wanted.next() {
            now += pause;
            hours.entry(now / 3_600_000).or_default().0 += 1;
        }
        times.iter().for_each(|time| hours.entry(time / 3_600_000).or_default().1 += 1);
        for (sent, admitted) in hours.into_values() {
            prop_assert_eq!(admitted, sent.min(limit));
        }
    }

    #[test]
    fn leases_of_a_day_never_exceed_its_quota(arrivals in arrivals(), limit in 1..300_u64) {
        let world = World::new(json!({ "quota": format!("{limit}/day"), "key": "global", "accuracy": "leased" }), 4);
        let count = admitted(&world, &arrivals).len() as u64;
        prop_assert!(count <= limit, "{count} of {limit}");
    }

    #[test]
    fn counters_that_come_and_go_admit_no_more_where_failure_denies(
        arrivals in arrivals(), states in prop::collection::vec(0..3_usize, 400), limit in 1..40_u64,
    ) {
        let limits = json!({ "quota": format!("{limit}/day"), "key": "global", "on_failure": "deny", "accuracy": "leased" });
        let world = World::new(limits, 4);
        let mut count = 0;
        for ((instance, pause), state) in arrivals.iter().zip(&states) {
            world.advance(*pause);
            world.host.set_counting([Counting::Well, Counting::Down, Counting::Slow][*state]);
            let status = world.send(*instance, "k");
            prop_assert!([200, 429, 503].contains(&status), "{status}");
            count += u64::from(status == 200);
        }
        prop_assert!(count <= limit, "{count} of {limit}");
    }
}

#[test]
fn one_key_does_not_count_for_another() {
    let world = World::new(json!({ "rate": "1/1h", "key": "header.key" }), 2);
    assert_eq!([world.send(0, "a"), world.send(1, "b"), world.send(1, "a"), world.send(0, "b")], [200, 200, 429, 429]);
}

#[test]
fn most_requests_of_a_leased_limit_ask_nobody() {
    let world = World::new(json!({ "rate": "1000/1s", "burst": 10_000, "key": "global", "accuracy": "leased" }), 1);
    // A thousand requests a second for ten seconds.
    let admitted = (0..10_000).filter(|_| {
        world.advance(1);
        world.send(0, "k") == 200
    });
    assert_eq!(admitted.count(), 10_000);
    let asked = world.host.questions();
    assert!(asked < 500, "{asked} questions for 10000 requests");
}

#[test]
fn what_a_lease_does_not_use_comes_back() {
    let world = World::new(json!({ "quota": "1000/day", "key": "global", "accuracy": "leased" }), 2);
    // One instance takes larger and larger blocks, and stops in the middle of one.
    (0..200).for_each(|_| assert_eq!(world.send(0, "k"), 200));
    world.advance(6_000);
    let rest = (0..2_000).filter(|_| world.send(1, "k") == 200).count();
    world.advance(6_000);
    let last = (0..100).filter(|_| world.send(0, "k") == 200).count();
    assert_eq!(200 + rest + last, 1_000);
}
