//! What operators are told, as JSON.

use super::question::Meant;
use crate::body::Body;
use crate::config::limit::Accuracy;
use crate::limit::{Limit, Numbers};
use crate::meter::{Count, MOST, Meter};
use crate::reject::Reject;
use crate::rule::Rule;
use http::Response;
use http::header::{self, HeaderValue};
use serde::Serialize;
use std::collections::BTreeMap;
use std::rc::Rc;

/// All limits.
#[derive(Serialize)]
pub struct List<'a> {
    limits: Vec<Described<'a>>,
}

/// What a limit says.
#[derive(Serialize)]
struct Described<'a> {
    limit: &'a str,
    /// Nothing where all requests count together.
    key: Vec<&'a str>,
    counts: String,
    tiers: Vec<Tier>,
    accuracy: &'static str,
    /// Whether it refuses nobody.
    dry_run: bool,
}

#[derive(Serialize)]
struct Tier {
    when: String,
    counts: String,
}

/// The counters of a key.
#[derive(Serialize)]
pub struct Shown<'a> {
    limit: &'a str,
    /// Null for a value that the requests do not have.
    key: BTreeMap<&'a str, Option<&'a str>>,
    accuracy: &'static str,
    /// Whether others than this instance count elsewhere.
    this_instance_only: bool,
    /// Whether the counters have just begun anew.
    reset: bool,
    /// What the limit itself counts, and then each tier.
    counters: Vec<Counter>,
}

/// What is left.
#[derive(Serialize)]
pub struct Counter {
    /// The tier's rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<String>,
    counts: String,
    /// How much there is when nothing was taken.
    most: u64,
    left: u64,
    /// How much was taken, or is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    taken: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<u64>,
    /// In how many seconds something is there: 0 where it is.
    retry_s: Option<u64>,
    /// In how many seconds all is there again, if nobody takes anything.
    reset_s: Option<u64>,
    /// Whether what the counter said could not be read, so that it begins anew.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unreadable: bool,
}

/// What all limits say.
pub fn list(limits: &[Rc<Limit>]) -> List<'_> {
    List { limits: limits.iter().map(|limit| Described::new(limit)).collect() }
}

impl Described<'_> {
    fn new(limit: &Limit) -> Described<'_> {
        let tier = |(rule, numbers): &(Rule, Numbers)| Tier { when: rule.to_string(), counts: numbers.describe() };
        Described {
            limit: &limit.name,
            key: limit.key.parts.iter().map(|part| part.text.as_str()).collect(),
            counts: limit.numbers.describe(),
            tiers: limit.tiers.iter().map(tier).collect(),
            accuracy: limit.accuracy.name(),
            dry_run: limit.dry_run,
        }
    }
}

impl<'a> Shown<'a> {
    pub fn new(meant: &'a Meant<'a>, reset: bool, counters: Vec<Counter>) -> Shown<'a> {
        let limit = meant.limit;
        Shown {
            limit: &limit.name,
            key: meant.key.iter().map(|(name, value)| (*name, value.as_deref())).collect(),
            accuracy: limit.accuracy.name(),
            this_instance_only: limit.accuracy == Accuracy::Local,
            reset,
            counters,
        }
    }
}

impl Counter {
    pub fn new(when: Option<String>, numbers: &Numbers, meter: &Meter, count: &Count) -> Counter {
        let most = match *meter {
            Meter::Bucket { burst: most, .. }
            | Meter::Until { limit: most, .. }
            | Meter::Within { limit: most, .. } => most,
        };
        let seconds = |ms: u64| (ms < MOST).then(|| ms.div_ceil(1_000));
        let gone = most.saturating_sub(count.left);
        let held = matches!(numbers, Numbers::Concurrency { .. });
        Counter {
            when,
            counts: numbers.describe(),
            most,
            left: count.left,
            taken: (!held).then_some(gone),
            held: held.then_some(gone),
            retry_s: seconds(count.retry_ms),
            reset_s: seconds(count.reset_ms),
            unreadable: count.unreadable,
        }
    }
}

/// An answer that nobody keeps.
pub fn respond(told: &impl Serialize) -> Result<Response<Body>, Reject> {
    let text = serde_json::to_string(told).map_err(|_| Reject::LimitUnavailable)?;
    let mut response = Response::new(Body::bytes(text));
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
