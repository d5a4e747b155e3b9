//! The numbers of a limit, and of its tiers: `"100/1m"`, `"10000/day"`.

use crate::config::diagnostic::{Code, Diagnostic, Place};
use crate::config::limit::{Limit, Tier};
use crate::config::units::Duration;
use crate::limit::Numbers;
use crate::meter::MOST;
use crate::window::Calendar;
use std::ops::RangeInclusive;
use std::time::Duration as Std;

type Diagnostics = Vec<Diagnostic>;

/// More than this in one window is no limit.
const MOST_LIMIT: u64 = 1_000_000_000_000;

/// More than this at the same time is no limit.
const MOST_HELD: u64 = 100_000;

const RATE: RangeInclusive<Std> = Std::from_secs(1)..=Std::from_secs(86_400);
const ROLLING: RangeInclusive<Std> = Std::from_secs(60)..=Std::from_secs(31 * 86_400);
const LEASE: RangeInclusive<Std> = Std::from_secs(5)..=Std::from_secs(600);
const DEFAULT_LEASE: Std = Std::from_secs(60);

/// What a limit or a tier says.
struct Said<'a> {
    rate: Option<&'a str>,
    burst: Option<u64>,
    quota: Option<&'a str>,
    concurrency: Option<u64>,
}

/// A limit's own numbers. `None` after a mistake.
pub fn own(section: &Limit, place: &Place, diagnostics: &mut Diagnostics) -> Option<Numbers> {
    let Limit { rate, burst, quota, concurrency, .. } = section;
    let said = Said { rate: rate.as_deref(), burst: *burst, quota: quota.as_deref(), concurrency: *concurrency };
    let lease = section.lease.unwrap_or(Duration(DEFAULT_LEASE));
    super::within(section.lease, LEASE, &place.key("lease"), diagnostics);
    let numbers = said.numbers(lease, place, diagnostics)?;
    let mut misplaced = |key: &str, kind: &str| {
        let message = format!("`{key}` belongs to a {kind}");
        let place = place.key(key).name();
        diagnostics.push(Diagnostic::new(Code::MisplacedKey, place, message, "means nothing here"));
    };
    if section.lease.is_some() && !matches!(numbers, Numbers::Concurrency { .. }) {
        misplaced("lease", "limit of what happens at the same time: `concurrency`");
    }
    if section.zone.is_some() && !matches!(numbers, Numbers::Calendar { .. }) {
        misplaced("zone", "`quota` of an hour, a day or a month");
    }
    if let Some(zone) = section.zone.as_deref().filter(|zone| !is_zone(zone)) {
        let message = format!("`{zone}` is no time zone");
        let help = "zones have the names of the IANA database: \"Europe/Oslo\", \"America/New_York\", \"UTC\"";
        diagnostics.push(Diagnostic::new(Code::BadValue, place.key("zone"), message, "not a zone").help(help));
    }
    Some(numbers)
}

/// A tier's numbers: those that it does not give are the limit's.
pub fn of_tier(tier: &Tier, own: &Numbers, place: &Place, diagnostics: &mut Diagnostics) -> Option<Numbers> {
    let Tier { rate, burst, quota, concurrency, .. } = tier;
    let said = Said { rate: rate.as_deref(), burst: *burst, quota: quota.as_deref(), concurrency: *concurrency };
    // A tier of a rate may say that more comes at once, and no more.
    if let (Numbers::Rate { limit, period_ms, .. }, None, Some(_)) = (*own, &said.rate, said.burst)
        && said.quota.is_none()
        && said.concurrency.is_none()
    {
        return rate_of(limit, period_ms, said.burst, place, diagnostics);
    }
    let lease_ms = if let Numbers::Concurrency { lease_ms, .. } = own { *lease_ms } else { 0 };
    let numbers = said.numbers(Duration(Std::from_millis(lease_ms)), place, diagnostics)?;
    let same = matches!(
        (own, &numbers),
        (Numbers::Rate { .. }, Numbers::Rate { .. })
            | (Numbers::Concurrency { .. }, Numbers::Concurrency { .. })
            | (Numbers::Calendar { .. } | Numbers::Rolling { .. }, Numbers::Calendar { .. } | Numbers::Rolling { .. })
    );
    if !same {
        let message = "a tier changes the numbers of its limit, and not their kind";
        let help = "make another limit for those clients, with `exempt` on this one";
        diagnostics.push(Diagnostic::new(Code::BadLimit, place.clone(), message, "of another kind").help(help));
    }
    same.then_some(numbers)
}

impl Said<'_> {
    fn numbers(&self, lease: Duration, place: &Place, diagnostics: &mut Diagnostics) -> Option<Numbers> {
        let given = [
            ("rate", self.rate.is_some()),
            ("quota", self.quota.is_some()),
            ("concurrency", self.concurrency.is_some()),
        ];
        let given: Vec<&str> = given.into_iter().filter_map(|(key, given)| given.then_some(key)).collect();
        match given.as_slice() {
            [_] => {}
            [] => {
                let message = "it is not said how much may be asked for";
                let help = "add `rate`, `quota` or `concurrency`";
                diagnostics.push(Diagnostic::new(Code::BadLimit, place.clone(), message, "no numbers").help(help));
                return None;
            }
            [first, second, ..] => {
                let message = format!("it says several things: `{}`", given.join("` and `"));
                let diagnostic = Diagnostic::new(Code::BadLimit, place.key(second).name(), message, "a second thing")
                    .help("make two limits, and name both: routes take several")
                    .related(place.key(first).name(), "the first");
                diagnostics.push(diagnostic);
                return None;
            }
        }
        if self.burst.is_some() && self.rate.is_none() {
            let message = "`burst` belongs to a `rate`";
            let place = place.key("burst").name();
            diagnostics.push(Diagnostic::new(Code::MisplacedKey, place, message, "means nothing here"));
        }
        if let Some(text) = self.rate {
            return rate(text, self.burst, place, diagnostics);
        }
        if let Some(limit) = self.concurrency {
            let limit = ranged(limit, MOST_HELD, &place.key("concurrency"), diagnostics)?;
            return Some(Numbers::Concurrency { limit, lease_ms: ms(lease) });
        }
        quota(self.quota?, &place.key("quota"), diagnostics)
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.0.as_millis()).unwrap_or(MOST)
}

fn rate(text: &str, burst: Option<u64>, place: &Place, diagnostics: &mut Diagnostics) -> Option<Numbers> {
    let at = place.key("rate");
    let help = "write how many in which time: \"100/1m\", \"10/1s\"";
    let (limit, time) = pair(text, &at, help, diagnostics)?;
    let Ok(period) = time.parse::<Duration>() else {
        let message = format!("`{time}` is no time with a unit");
        diagnostics.push(Diagnostic::new(Code::BadLimit, at, message, "not a time").help(help));
        return None;
    };
    let before = diagnostics.len();
    super::within(Some(period), RATE, &at, diagnostics);
    (diagnostics.len() == before).then(|| rate_of(limit, ms(period), burst, place, diagnostics)).flatten()
}

fn rate_of(
    limit: u64,
    period_ms: u64,
    burst: Option<u64>,
    place: &Place,
    diagnostics: &mut Diagnostics,
) -> Option<Numbers> {
    let key = if burst.is_some() { "burst" } else { "rate" };
    let most = MOST_LIMIT.min(MOST / 4 / period_ms.max(1));
    let burst = ranged(burst.unwrap_or(limit), most, &place.key(key), diagnostics)?;
    let limit = ranged(limit, most, &place.key("rate"), diagnostics)?;
    Some(Numbers::Rate { limit, period_ms, burst })
}

fn quota(text: &str, place: &Place, diagnostics: &mut Diagnostics) -> Option<Numbers> {
    let help = "write how many in which window: \"10000/day\" (or hour, month) of the calendar, or \"1000/24h\" in any 24 hours";
    let (limit, time) = pair(text, place, help, diagnostics)?;
    let limit = ranged(limit, MOST_LIMIT, place, diagnostics)?;
    let calendar = match time {
        "hour" => Some(Calendar::Hour),
        "day" => Some(Calendar::Day),
        "month" => Some(Calendar::Month),
        _ => None,
    };
    if let Some(calendar) = calendar {
        return Some(Numbers::Calendar { limit, calendar });
    }
    let Ok(span) = time.parse::<Duration>() else {
        let message = format!("`{time}` is neither a window of the calendar nor a time with a unit");
        diagnostics.push(Diagnostic::new(Code::BadLimit, place.clone(), message, "not a window").help(help));
        return None;
    };
    let before = diagnostics.len();
    super::within(Some(span), ROLLING, place, diagnostics);
    (diagnostics.len() == before).then(|| Numbers::Rolling { limit, span_ms: ms(span) })
}

/// A number, and what stands after the slash.
fn pair<'a>(text: &'a str, place: &Place, help: &str, diagnostics: &mut Diagnostics) -> Option<(u64, &'a str)> {
    let found = text.split_once('/').and_then(|(limit, time)| Some((limit.trim().parse().ok()?, time.trim())));
    if found.is_none() {
        let message = format!("`{text}` is not how many in which time");
        diagnostics.push(Diagnostic::new(Code::BadLimit, place.clone(), message, "cannot be read").help(help));
    }
    found
}

fn ranged(number: u64, most: u64, place: &Place, diagnostics: &mut Diagnostics) -> Option<u64> {
    if (1..=most).contains(&number) {
        return Some(number);
    }
    diagnostics.push(crate::compile::out_of_range(&number.to_string(), place, format!("1 to {most}")));
    None
}

/// Whether there is such a time zone. Workers has them itself, so there it is seen when the configuration is loaded.
fn is_zone(zone: &str) -> bool {
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    return crate::zone::offset(zone, crate::host::Timestamp::default()).is_some();
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    return !zone.is_empty();
}
