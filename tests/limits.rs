//! What holds for limits whatever happens: several instances, each with its own memory, share the counters of one host.
//! Requests come at any time to any of them, and whatever goes on behind answers goes on.

use edgate::compile;
use edgate::config::Platform;
use edgate::config::document::Sections;
use edgate::gateway::Gateway;
use edgate::host::{Capabilities, ClientFacts, Host, HostError, Incoming, Outgoing, SharedHost};
use edgate::memory::clock::finish;
use edgate::memory::counters::Counting;
use edgate::memory::{Answer, MemoryHost};
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

/// What happens: to which instance requests go, how long after the ones before, and how many at once.
type Arrivals = Vec<(usize, u64, usize)>;

fn arrivals(most: usize) -> impl Strategy<Value = Arrivals> {
    let pause = prop_oneof![3 => Just(0_u64), 4 => 0..100_u64, 2 => 0..2_000_u64, 1 => 0..20_000_u64];
    let count = prop_oneof![2 => Just(1_usize), 3 => 1..=most];
    prop::collection::vec((0..3_usize, pause, count), 1..120)
}

/// Whether in no time more was admitted than a rate allows: `burst + limit * time / period`, in whole numbers.
fn keeps_rate(times: &[(u64, u64)], limit: u64, period: u64, burst: u64) -> Result<(), TestCaseError> {
    for (first, (begin, _)) in times.iter().enumerate() {
        let mut admitted = 0;
        for (end, count) in &times[first..] {
            admitted += count;
            let most = burst * period + limit * (end - begin);
            prop_assert!(admitted * period <= most, "{admitted} from {begin} to {end}");
        }
    }
    Ok(())
}

/// How many requests were admitted, and when.
fn admitted(world: &World, arrivals: &Arrivals) -> Vec<(u64, u64)> {
    let step = |(instance, pause, count): &(usize, u64, usize)| {
        world.advance(*pause);
        let admitted = (0..*count).filter(|_| world.send(*instance, "k") == 200).count();
        (world.now(), admitted as u64)
    };
    arrivals.iter().map(step).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_rate_is_never_exceeded(
        arrivals in arrivals(60), limit in 1..300_u64, seconds in 1..10_u64, burst in 1..300_u64, leased: bool,
    ) {
        let accuracy = if leased { "leased" } else { "exact" };
        let rate = format!("{limit}/{seconds}s");
        let world = World::new(json!({ "rate": rate, "burst": burst, "key": "global", "accuracy": accuracy }), 3);
        keeps_rate(&admitted(&world, &arrivals), limit, seconds * 1_000, burst)?;
    }

    #[test]
    fn a_window_that_moves_is_never_exceeded(arrivals in arrivals(60), limit in 1..1_000_u64, leased: bool) {
        let accuracy = if leased { "leased" } else { "exact" };
        let world = World::new(json!({ "quota": format!("{limit}/60s"), "key": "global", "accuracy": accuracy }), 3);
        let times = admitted(&world, &arrivals);
        for (begin, _) in &times {
            let within = times.iter().filter(|(time, _)| (*begin..begin + 60_000).contains(time));
            let within: u64 = within.map(|(_, count)| count).sum();
            prop_assert!(within <= limit, "{within} from {begin} on");
        }
    }

    #[test]
    fn an_hour_admits_just_its_quota(arrivals in arrivals(10), limit in 1..60_u64) {
        let world = World::new(json!({ "quota": format!("{limit}/hour"), "key": "global" }), 3);
        let mut hours = std::collections::BTreeMap::<u64, (u64, u64)>::new();
        for ((time, admitted), (_, _, sent)) in admitted(&world, &arrivals).into_iter().zip(&arrivals) {
            let hour = hours.entry(time / 3_600_000).or_default();
            *hour = (hour.0 + *sent as u64, hour.1 + admitted);
        }
        for (sent, admitted) in hours.into_values() {
            prop_assert_eq!(admitted, sent.min(limit));
        }
    }

    #[test]
    fn leases_of_a_day_never_exceed_its_quota(arrivals in arrivals(60), limit in 1..3_000_u64) {
        let world = World::new(json!({ "quota": format!("{limit}/day"), "key": "global", "accuracy": "leased" }), 3);
        let count: u64 = admitted(&world, &arrivals).into_iter().map(|(_, count)| count).sum();
        prop_assert!(count <= limit, "{count} of {limit}");
    }

    #[test]
    fn counters_that_come_and_go_admit_no_more_where_failure_denies(
        arrivals in arrivals(20), states in prop::collection::vec(0..3_usize, 120), limit in 1..400_u64,
    ) {
        let limits = json!({ "quota": format!("{limit}/day"), "key": "global", "on_failure": "deny", "accuracy": "leased" });
        let world = World::new(limits, 3);
        let mut admitted = 0;
        for ((instance, pause, count), state) in arrivals.iter().zip(&states) {
            world.advance(*pause);
            world.host.set_counting([Counting::Well, Counting::Down, Counting::Slow][*state]);
            for _ in 0..*count {
                let status = world.send(*instance, "k");
                prop_assert!([200, 429, 503].contains(&status), "{status}");
                admitted += u64::from(status == 200);
            }
        }
        prop_assert!(admitted <= limit, "{admitted} of {limit}");
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
