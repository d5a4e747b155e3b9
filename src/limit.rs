//! A limit that a configuration names: whose requests count together, how much they may be, and what this instance
//! knows of their counters. The arithmetic is [`crate::meter`]'s, and the counters are the host's;
//! [`crate::policy::throttle`] asks them.
//!
//! What an instance knows is worth time, and never correctness: a block of a lease that is lost has been counted
//! already, and a denial that is forgotten is given again.

pub mod fields;
pub mod key;
pub mod known;
pub mod outage;

use crate::config::limit::{Accuracy, OnFailure};
use crate::exchange::Exchange;
use crate::host::{Counters, Host, Timestamp};
use crate::interest::Interest;
use crate::meter::Meter;
use crate::rule::Rule;
use crate::window::{Calendar, Window, window};
use http::HeaderName;
use ipnet::IpNet;
use key::{Key, Values};
use known::Known;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// A limit, which all routes that name it share.
pub struct Limit {
    pub name: Rc<str>,
    /// What its counters are called before the names of their keys: the gateway's name and the limit's.
    pub prefix: String,
    pub key: Key,
    pub numbers: Numbers,
    /// Other numbers for those for whom a rule holds; the first one.
    pub tiers: Vec<(Rule, Numbers)>,
    pub accuracy: Accuracy,
    pub cost: Cost,
    pub exempt: Exempt,
    pub on_failure: OnFailure,
    pub timeout: Duration,
    pub dry_run: bool,
    /// The zone of its calendar.
    pub zone: Option<String>,
    /// Where the platform that has no counters of its own counts.
    pub counters: Rc<Counters>,
    pub known: Known,
    /// The calendar's window, as it was last worked out.
    pub window: Cell<Option<Window>>,
}

/// How much may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// `limit` in `period_ms`, and `burst` at once.
    Rate { limit: u64, period_ms: u64, burst: u64 },
    /// `limit` in a window of the calendar.
    Calendar { limit: u64, calendar: Calendar },
    /// `limit` in any time of `span_ms`.
    Rolling { limit: u64, span_ms: u64 },
    /// `limit` at the same time, each for `lease_ms` unless it goes on.
    Concurrency { limit: u64, lease_ms: u64 },
}

/// How much a request counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cost {
    Fixed(u64),
    /// What a field of the answer says, up to `most`; `estimate` until then.
    Answered {
        field: HeaderName,
        estimate: u64,
        most: u64,
    },
}

/// Whose requests do not count.
#[derive(Debug, Default)]
pub struct Exempt {
    pub networks: Vec<IpNet>,
    pub rules: Vec<Rule>,
}

/// In how many steps a window moves: an amount counts for up to a step longer than the window.
const STEPS: u64 = 30;

/// A lease of something that is held counts for up to this much longer.
const HELD_STEP_MS: u64 = 1_000;

/// The longest that an instance keeps a block before it spends it.
const MOST_HOLD_MS: u64 = 5_000;

/// A block that could be kept for less is not worth taking.
const LEAST_HOLD_MS: u64 = 100;

impl Limit {
    /// The numbers for a request, and which tier they are of, if one.
    pub fn numbers(&self, ex: &Exchange) -> (&Numbers, Option<usize>) {
        match self.tiers.iter().position(|(rule, _)| rule.holds(ex)) {
            Some(tier) => (self.tiers.get(tier).map_or(&self.numbers, |(_, numbers)| numbers), Some(tier)),
            None => (&self.numbers, None),
        }
    }

    /// Whether a request does not count.
    pub fn is_exempt(&self, ex: &Exchange) -> bool {
        let Exempt { networks, rules } = &self.exempt;
        let address = ex.client.address.map(|address| address.to_canonical());
        address.is_some_and(|address| networks.iter().any(|network| network.contains(&address)))
            || rules.iter().any(|rule| rule.holds(ex))
    }

    /// The name of a counter: the gateway's name, the limit's, what it counts, and the hash of its key's values.
    pub fn counter(&self, numbers: &Numbers, values: &Values) -> String {
        [&self.prefix, ":", &numbers.kind(), ":", &values.name()].concat()
    }

    /// By what this instance knows what it knows of a key. What a tier was denied, or was given in advance, is its own;
    /// counters of the instance's own are told apart by what they count, as shared ones are.
    pub fn place(&self, values: &Values, tier: Option<usize>) -> [u8; 32] {
        let numbers = tier.and_then(|tier| self.tiers.get(tier)).map_or(&self.numbers, |(_, numbers)| numbers);
        let mark = match self.accuracy {
            Accuracy::Local => numbers.mark(),
            _ => tier.map_or(0, |tier| tier as u64 + 1),
        };
        let mut place = values.hash;
        // Hashes that differ in so little are nobody's to find.
        place.iter_mut().zip(mark.to_be_bytes()).for_each(|(byte, mark)| *byte ^= mark);
        place
    }

    /// Forgets all that this instance knows of a key.
    pub fn forget(&self, values: &Values) {
        let tiers = (0..self.tiers.len()).map(Some);
        [None].into_iter().chain(tiers).for_each(|tier| self.known.forget(&self.place(values, tier)));
    }

    /// The meter of the shared counter. Where blocks are taken of it, what has been taken may be used until a while
    /// later: it has so much less room, or so much more memory, that the limit holds at any time.
    pub fn meter(&self, host: &dyn Host, numbers: &Numbers) -> Meter {
        let hold_ms = self.hold_ms(numbers);
        match *numbers {
            Numbers::Rate { limit, period_ms, .. } => {
                Meter::Bucket { limit, period_ms, burst: self.most_at_once(numbers) }
            }
            Numbers::Calendar { limit, calendar } => {
                let Window { end_ms, next_ms, .. } = self.window(host, calendar);
                Meter::Until { limit, end_ms, next_ms }
            }
            Numbers::Rolling { limit, span_ms } => {
                Meter::Within { limit, step_ms: (span_ms / STEPS).max(1), span_ms: span_ms + hold_ms }
            }
            Numbers::Concurrency { limit, lease_ms } => {
                Meter::Within { limit, step_ms: HELD_STEP_MS, span_ms: lease_ms }
            }
        }
    }

    /// How much can be asked for at once: of a burst, what is not left alone because of blocks.
    pub fn most_at_once(&self, numbers: &Numbers) -> u64 {
        match *numbers {
            Numbers::Rate { limit, period_ms, burst } => {
                burst.saturating_sub(meanwhile(limit, period_ms, self.hold_ms(numbers))).max(1)
            }
            _ => numbers.limit(),
        }
    }

    /// For how long a block may be kept: a tenth of the time in which a bucket fills, so that a tenth of it at most has to
    /// be left alone. 0 where no block is taken.
    pub fn hold_ms(&self, numbers: &Numbers) -> u64 {
        if self.accuracy != Accuracy::Leased {
            return 0;
        }
        match *numbers {
            Numbers::Rate { limit, period_ms, burst } => {
                let hold_ms = (burst.saturating_mul(period_ms) / limit.max(1) / 10).min(MOST_HOLD_MS);
                let leaves_room = meanwhile(limit, period_ms, hold_ms) < burst;
                if hold_ms >= LEAST_HOLD_MS && leaves_room { hold_ms } else { 0 }
            }
            Numbers::Calendar { .. } | Numbers::Rolling { .. } => MOST_HOLD_MS,
            Numbers::Concurrency { .. } => 0,
        }
    }

    /// The calendar's window, now.
    pub fn window(&self, host: &dyn Host, calendar: Calendar) -> Window {
        let now_ms = host.now().whole_ms();
        if let Some(known) = self.window.get().filter(|known| (known.start_ms..known.end_ms).contains(&now_ms)) {
            return known;
        }
        let zone = self.zone.as_deref();
        // A zone that nobody knows is found when the configuration is loaded.
        let offset = |at_ms: u64| zone.and_then(|zone| host.offset(zone, Timestamp(at_ms as f64))).unwrap_or_default();
        let found = window(calendar, &offset, now_ms);
        self.window.set(Some(found));
        found
    }

    /// Whether it has to know who the client is.
    pub fn asks_who(&self) -> bool {
        let sources = self.key.parts.iter().flat_map(|part| &part.sources);
        let rules = self.rules().flat_map(|rule| rule.uses.iter().map(|(source, _)| source));
        sources.chain(rules).any(|source| source.is_of_identity())
    }

    /// The rules of its tiers and exemptions.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.tiers.iter().map(|(rule, _)| rule).chain(&self.exempt.rules)
    }

    pub fn interest(&self, interest: &mut Interest) {
        self.key.parts.iter().flat_map(|part| &part.sources).for_each(|source| source.interest(interest));
        self.rules().for_each(|rule| rule.interest(interest));
    }

    /// Under which name the platform's own rate limiter is bound.
    pub fn binding(&self) -> String {
        binding(&self.name)
    }

    /// What it says, in a few words: `100 in 1m, 20 at once, by client.address, exact`.
    pub fn describe(&self) -> String {
        let accuracy = self.accuracy.name();
        let mut text = format!("{} ({}, {}, {accuracy}", self.name, self.numbers.describe(), self.key.describe());
        let tiers = self.tiers.iter().map(|(rule, numbers)| format!("; {} where {rule}", numbers.describe()));
        tiers.for_each(|tier| text += &tier);
        if self.dry_run {
            text += "; only logged";
        }
        text + ")"
    }
}

/// Under which name the platform's own rate limiter is bound for a limit.
pub fn binding(limit: &str) -> String {
    ["REGIONAL_", &limit.to_ascii_uppercase().replace('-', "_")].concat()
}

/// How much a bucket gets back in a time, rounded up.
fn meanwhile(limit: u64, period_ms: u64, time_ms: u64) -> u64 {
    limit.saturating_mul(time_ms).div_ceil(period_ms.max(1))
}

impl Numbers {
    /// How much it is that may be asked for.
    pub fn limit(&self) -> u64 {
        match self {
            Numbers::Rate { limit, .. } | Numbers::Calendar { limit, .. } => *limit,
            Numbers::Rolling { limit, .. } | Numbers::Concurrency { limit, .. } => *limit,
        }
    }

    /// How much can be asked for at once.
    pub fn most_at_once(&self) -> u64 {
        match self {
            Numbers::Rate { burst, .. } => *burst,
            numbers => numbers.limit(),
        }
    }

    /// What is counted: counters of different kinds say nothing of each other, and have different names.
    fn kind(&self) -> String {
        let timed = |letter: &str, ms: &u64| [letter, &ms.to_string()].concat();
        match self {
            Numbers::Rate { period_ms, .. } => timed("r", period_ms),
            Numbers::Calendar { calendar, .. } => word(*calendar).to_owned(),
            Numbers::Rolling { span_ms, .. } => timed("w", span_ms),
            Numbers::Concurrency { .. } => "held".to_owned(),
        }
    }

    /// The same as a number.
    fn mark(&self) -> u64 {
        match *self {
            Numbers::Rate { period_ms, .. } => period_ms.saturating_mul(4),
            Numbers::Rolling { span_ms, .. } => span_ms.saturating_mul(4) + 1,
            Numbers::Calendar { calendar, .. } => (calendar as u64) * 4 + 2,
            Numbers::Concurrency { .. } => 3,
        }
    }

    /// `100 in 1m, 20 at once`.
    pub fn describe(&self) -> String {
        let time = |ms: u64| crate::config::units::Duration(Duration::from_millis(ms));
        match *self {
            Numbers::Rate { limit, period_ms, burst } if burst == limit => format!("{limit} in {}", time(period_ms)),
            Numbers::Rate { limit, period_ms, burst } => format!("{limit} in {}, {burst} at once", time(period_ms)),
            Numbers::Calendar { limit, calendar } => format!("{limit} in each {}", word(calendar)),
            Numbers::Rolling { limit, span_ms } => format!("{limit} in any {}", time(span_ms)),
            Numbers::Concurrency { limit, .. } => format!("{limit} at the same time"),
        }
    }
}

fn word(calendar: Calendar) -> &'static str {
    match calendar {
        Calendar::Hour => "hour",
        Calendar::Day => "day",
        Calendar::Month => "month",
    }
}

impl std::fmt::Debug for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.describe())
    }
}
