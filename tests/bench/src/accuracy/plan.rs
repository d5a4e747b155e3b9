//! What is tried: which limits, where, and what happens meanwhile.

use edgate_kit::running::Limiter;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Workerd,
    SeveralWorkerd,
    SpinRedis,
    SpinStore,
}

/// How exact a limit says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accuracy {
    Exact,
    Leased,
    Local,
    Regional,
}

/// What is limited. No window ends meanwhile, but for the minute, which is the longest that Cloudflare's own limiter has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Quota,
    Rate,
    Minute,
}

/// What happens while clients send requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Nothing,
    /// The one that counts is killed, and starts again with what it has kept.
    CountersKilled,
    /// A gateway that does not count itself is killed.
    GatewayKilled,
    /// Nobody comes for so long that the Durable Object leaves the memory.
    Evicted,
}

/// One try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    pub place: Place,
    pub accuracy: Accuracy,
    pub kind: Kind,
    /// How much may be asked for.
    pub limit: u64,
    pub event: Event,
}

/// So many gateways share counters where several do.
pub const SEVERAL: usize = 3;

/// The places of each platform.
pub const CLOUDFLARE: [Place; 2] = [Place::Workerd, Place::SeveralWorkerd];
pub const SPIN: [Place; 2] = [Place::SpinRedis, Place::SpinStore];

const DAY: Duration = Duration::from_secs(86_400);

const LIMITS: [u64; 3] = [1, 100, 1_000];

/// All that is tried at a place.
pub fn cases(place: Place) -> Vec<Case> {
    let case = |accuracy, kind, limit, event| Case { place, accuracy, kind, limit, event };
    let claiming = [Accuracy::Exact, Accuracy::Leased].into_iter();
    let kinds = [Kind::Quota, Kind::Rate];
    let mut cases = Vec::new();
    for accuracy in claiming.clone() {
        let numbers = kinds.into_iter().flat_map(|kind| LIMITS.map(|limit| (kind, limit)));
        cases.extend(numbers.map(|(kind, limit)| case(accuracy, kind, limit, Event::Nothing)));
    }
    cases.push(case(Accuracy::Local, Kind::Quota, 100, Event::Nothing));
    if CLOUDFLARE.contains(&place) {
        cases.push(case(Accuracy::Regional, Kind::Minute, 100, Event::Nothing));
    }
    for event in events(place) {
        // Objects take their time to leave the memory.
        let kinds = if *event == Event::Evicted { &kinds[..1] } else { &kinds };
        let numbers = claiming.clone().flat_map(|accuracy| kinds.iter().map(move |kind| (accuracy, *kind)));
        cases.extend(numbers.map(|(accuracy, kind)| case(accuracy, kind, 1_000, *event)));
    }
    cases
}

fn events(place: Place) -> &'static [Event] {
    match place {
        Place::Workerd => &[Event::CountersKilled, Event::Evicted],
        Place::SeveralWorkerd | Place::SpinRedis => &[Event::CountersKilled, Event::GatewayKilled],
        Place::SpinStore => &[Event::GatewayKilled],
    }
}

impl Case {
    /// The name of its limit, of its route, and the route's path.
    pub fn name(&self) -> String {
        let kind = match self.kind {
            Kind::Quota => "quota",
            Kind::Rate => "rate",
            Kind::Minute => "minute",
        };
        let event = match self.event {
            Event::Nothing => "",
            Event::CountersKilled => "-counters-killed",
            Event::GatewayKilled => "-gateway-killed",
            Event::Evicted => "-evicted",
        };
        format!("{kind}-{}-{}{event}", self.limit, self.accuracy.name())
    }

    pub fn path(&self) -> String {
        format!("/{}", self.name())
    }

    /// The limit as the configuration has it.
    pub fn numbers(&self) -> String {
        match self.kind {
            Kind::Quota => format!("{}/day", self.limit),
            Kind::Rate => format!("{}/1d", self.limit),
            Kind::Minute => format!("{}/1m", self.limit),
        }
    }

    /// The sections of the configuration for it.
    pub fn sections(&self) -> [(String, Value); 2] {
        let name = self.name();
        let mut limit = json!({
            "key": "global",
            "accuracy": self.accuracy.name(),
            // What is not counted is not admitted, and no answer of a counter comes too late on a busy machine.
            "on_failure": "deny",
            "timeout": "10s",
        });
        match self.kind {
            Kind::Quota => {
                limit["quota"] = json!(self.numbers());
                limit["zone"] = json!(zone());
            }
            Kind::Rate | Kind::Minute => limit["rate"] = json!(self.numbers()),
        }
        let route = json!({ "match": { "path": self.path() }, "upstream": "counting", "limits": [name] });
        let binding = name.replace('-', "_").to_uppercase();
        [(format!("LIMIT_{binding}"), limit), (format!("ROUTE_{binding}"), route)]
    }

    /// The platform's own limiter, where it asks that.
    pub fn limiter(&self) -> Option<(String, Limiter)> {
        let binding = format!("REGIONAL_{}", self.name().replace('-', "_").to_uppercase());
        let limiter = Limiter { limit: self.limit, period: 60 };
        (self.accuracy == Accuracy::Regional).then_some((binding, limiter))
    }

    /// The most that may be admitted in this time: a rate's bucket is filled again, slowly.
    pub fn most(&self, time: Duration) -> u64 {
        match self.kind {
            Kind::Quota | Kind::Minute => self.limit,
            Kind::Rate => self.limit + (self.limit as f64 * time.as_secs_f64() / DAY.as_secs_f64()).floor() as u64,
        }
    }

    /// Whether it may never admit too much.
    pub fn claims(&self) -> bool {
        matches!(self.accuracy, Accuracy::Exact | Accuracy::Leased)
    }
}

/// A zone in which the day does not end soon.
fn zone() -> &'static str {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // The day in Tokyo begins when nine hours are left of that in UTC.
    if now.as_secs() % DAY.as_secs() < 18 * 3_600 { "UTC" } else { "Asia/Tokyo" }
}

impl Accuracy {
    pub fn name(self) -> &'static str {
        match self {
            Accuracy::Exact => "exact",
            Accuracy::Leased => "leased",
            Accuracy::Local => "local",
            Accuracy::Regional => "regional",
        }
    }
}

impl Place {
    /// In words.
    pub fn text(self) -> String {
        match self {
            Place::Workerd => "workerd".to_owned(),
            Place::SeveralWorkerd => format!("{SEVERAL} workerd, one with the counters"),
            Place::SpinRedis => format!("{SEVERAL} Spin, one Redis"),
            Place::SpinStore => format!("{SEVERAL} Spin, one key-value store"),
        }
    }

    /// What happens there, in words.
    pub fn happens(self, event: Event) -> &'static str {
        match (self, event) {
            (_, Event::Nothing) => "nothing",
            (Place::Workerd, Event::CountersKilled) => "workerd is killed, and starts again",
            (Place::SeveralWorkerd, Event::CountersKilled) => "the one with the counters is killed, and starts again",
            (_, Event::CountersKilled) => "Redis is killed, and starts again",
            (_, Event::GatewayKilled) => "a gateway is killed",
            (_, Event::Evicted) => "the Durable Object is evicted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_tries_share_a_counter() {
        for place in CLOUDFLARE.into_iter().chain(SPIN) {
            let cases = cases(place);
            let names: BTreeSet<String> = cases.iter().map(Case::name).collect();
            assert_eq!(names.len(), cases.len(), "{}", place.text());
        }
    }

    #[test]
    fn bucket_that_is_filled_again_admits_more() {
        let case = Case {
            place: Place::Workerd,
            accuracy: Accuracy::Exact,
            kind: Kind::Rate,
            limit: 1_000,
            event: Event::Nothing,
        };
        assert_eq!(case.most(Duration::from_secs(86)), 1_000);
        assert_eq!(case.most(Duration::from_secs(87)), 1_001);
        assert_eq!(Case { kind: Kind::Quota, ..case }.most(Duration::from_secs(87)), 1_000);
    }
}
