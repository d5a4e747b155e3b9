//! What happens where a target, or all of an upstream's, fail: tries, breakers, fallbacks.

use super::{Code, Diagnostic, Diagnostics, One, Place, TIMEOUT, within};
use crate::compile::route::action::respond;
use crate::compile::{out_of_range, size, unknown_upstream};
use crate::config::units::Duration;
use crate::config::upstream as section;
use crate::host::Capabilities;
use crate::upstream::Breaking;
use crate::upstream::breaker::Rules;
use crate::upstream::fallback::Fallback;
use crate::upstream::retry::Retry;
use crate::upstream::stale::Stale;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration as Std;

/// Statuses of servers that cannot answer.
const UNAVAILABLE: [u16; 3] = [502, 503, 504];

const BACKOFF: Std = Std::from_millis(50);
const MAX_BACKOFF: Std = Std::from_secs(1);
const WINDOW: Std = Std::from_secs(10);
const OPEN: Std = Std::from_secs(10);

/// A pause between two tries, or before a second one.
const PAUSE: RangeInclusive<Std> = Std::from_millis(1)..=Std::from_secs(60);

impl One<'_> {
    pub fn retry(&self, retry: &section::Retry, diagnostics: &mut Diagnostics) -> Retry {
        let place = self.place.key("retry");
        let attempts = number(retry.attempts, 3, 2..=10, &place.key("attempts"), diagnostics);
        within(retry.backoff, PAUSE, &place.key("backoff"), diagnostics);
        within(retry.max_backoff, PAUSE, &place.key("max_backoff"), diagnostics);
        let backoff = retry.backoff.map_or(BACKOFF, |pause| pause.0);
        // What nobody has said never contradicts what somebody has.
        let most = retry.max_backoff.map_or(MAX_BACKOFF.max(backoff), |pause| pause.0);
        if most < backoff {
            let message = "the longest pause is shorter than the first one";
            let place = place.key("max_backoff");
            diagnostics.push(Diagnostic::new(Code::BadUpstream, place, message, "shorter than `backoff`"));
        }
        let throttled = |status: u16| status == 429 || (500..=599).contains(&status);
        Retry {
            attempts: attempts as usize,
            backoff_ms: milliseconds(backoff),
            max_backoff_ms: milliseconds(most),
            budget: retry.budget.map_or(0.2, |share| share.of_one()),
            statuses: statuses(retry.statuses.as_deref(), &UNAVAILABLE, throttled, &place, diagnostics),
            max_body: size(retry.max_body, 64_000, 0..=1_000_000, &place.key("max_body"), diagnostics),
            tells_unsent: self.scope.targets.iter().all(Capabilities::tells_unsent),
        }
    }

    pub fn hedge(&self, hedge: &section::Hedge, diagnostics: &mut Diagnostics) -> Std {
        let place = self.place.key("hedge").key("after");
        within(Some(hedge.after), PAUSE, &place, diagnostics);
        let timeout = self.section.timeout.map_or(TIMEOUT, |timeout| timeout.0);
        if hedge.after.0 >= timeout {
            let message = format!("the first target has given up by then: `timeout` is {}", Duration(timeout));
            diagnostics
                .push(Diagnostic::new(Code::BadUpstream, place.clone(), message, "never").help("write a shorter time"));
        }
        hedge.after.0
    }

    pub fn breaking(&self, breaker: &section::Breaker, diagnostics: &mut Diagnostics) -> Breaking {
        let place = self.place.key("breaker");
        let of_rate = [("window", breaker.window.is_some()), ("requests", breaker.requests.is_some())];
        for (key, _) in of_rate.into_iter().filter(|(_, given)| *given && breaker.rate.is_none()) {
            let message = format!("`{key}` is about the `rate` of failures");
            diagnostics.push(Diagnostic::new(Code::MisplacedKey, place.key(key).name(), message, "no `rate`"));
        }
        if breaker.rate.is_some_and(|rate| rate.0 == 0) {
            diagnostics.push(out_of_range("0%", &place.key("rate"), "more than 0%, up to 100%".to_owned()));
        }
        within(breaker.window, Std::from_secs(1)..=Std::from_secs(600), &place.key("window"), diagnostics);
        within(breaker.open, Std::from_millis(100)..=Std::from_secs(3_600), &place.key("open"), diagnostics);
        let failures = number(breaker.failures, 5, 1..=1_000, &place.key("failures"), diagnostics);
        let rules = Rules {
            failures: (breaker.failures.is_some() || breaker.rate.is_none()).then_some(failures),
            rate: breaker.rate.map(|rate| rate.of_one()),
            requests: number(breaker.requests, 20, 1..=10_000, &place.key("requests"), diagnostics),
            window_ms: milliseconds(breaker.window.map_or(WINDOW, |window| window.0)),
            open_ms: milliseconds(breaker.open.map_or(OPEN, |open| open.0)),
            probes: number(breaker.probes, 1, 1..=100, &place.key("probes"), diagnostics),
        };
        let failures = |status: u16| (500..=599).contains(&status);
        let all = [500, 502, 503, 504];
        Breaking { rules, statuses: statuses(breaker.statuses.as_deref(), &all, failures, &place, diagnostics) }
    }

    /// How many of so many targets may be left out.
    pub fn most_ejected(&self, targets: usize, diagnostics: &mut Diagnostics) -> usize {
        let Some(share) = self.section.max_ejected else { return targets };
        let place = self.place.key("max_ejected");
        if self.section.breaker.is_none() && self.section.health.is_none() && self.complete {
            let message = "nothing leaves a target out";
            let help = "add a `breaker` or `health`, or take it away";
            diagnostics.push(Diagnostic::new(Code::MisplacedKey, place.name(), message, "no `breaker`").help(help));
            return targets;
        }
        let most = targets * share.0 as usize / 10_000;
        if most == 0 && targets > 0 {
            let message = format!("{share} of {targets} targets are none");
            let help = "write more, or take `breaker` and `health` away";
            diagnostics.push(Diagnostic::new(Code::BadUpstream, place, message, "none may be left out").help(help));
        }
        most
    }

    pub fn fallback(
        &self,
        fallback: &section::Fallback,
        addresses: &[(String, u32)],
        diagnostics: &mut Diagnostics,
    ) -> Fallback {
        let place = self.place.key("fallback");
        if fallback.upstream.is_none() && fallback.stale.is_none() && fallback.respond.is_none() && self.complete {
            let message = "the fallback does not say what to do";
            let help = "add `upstream`, `stale` or `respond`";
            diagnostics.push(Diagnostic::new(Code::BadUpstream, place.clone(), message, "nothing").help(help));
        }
        within(fallback.stale, Std::from_secs(1)..=Std::from_secs(30 * 86_400), &place.key("stale"), diagnostics);
        if fallback.stale_unmarked && fallback.stale.is_none() {
            let message = "`stale_unmarked` says which answers are kept";
            let place = place.key("stale_unmarked").name();
            diagnostics.push(Diagnostic::new(Code::MisplacedKey, place, message, "no `stale`"));
        }
        if fallback.respond.as_ref().is_some_and(|respond| respond.delay.is_some()) {
            let message = "whoever waits for an upstream has waited";
            let place = place.key("respond").key("delay").name();
            diagnostics.push(Diagnostic::new(Code::MisplacedKey, place, message, "never waited for"));
        }
        let failures = |status: u16| (500..=599).contains(&status);
        Fallback {
            upstream: self.other(fallback.upstream.as_deref(), &place.key("upstream"), diagnostics),
            stale: fallback.stale.map(|most| self.stale(most, fallback.stale_unmarked, addresses)),
            respond: fallback.respond.as_ref().and_then(|one| respond(one, &place.key("respond"), diagnostics)),
            statuses: statuses(fallback.statuses.as_deref(), &UNAVAILABLE, failures, &place, diagnostics),
        }
    }

    fn stale(&self, most: Duration, unmarked: bool, addresses: &[(String, u32)]) -> Stale {
        let addresses = addresses.iter().map(|(base, _)| base.as_str());
        let of: Vec<&str> = [self.scope.gateway, self.name].into_iter().chain(addresses).collect();
        Stale {
            of: of.join("\n"),
            unmarked,
            most: most.0,
            store: self.scope.store.clone(),
            gateway: Rc::from(self.scope.gateway),
            shelf: Rc::clone(&self.scope.shelf),
        }
    }

    /// The position of another upstream.
    fn other(&self, name: Option<&str>, place: &Place, diagnostics: &mut Diagnostics) -> Option<usize> {
        let name = name?;
        let position = self.scope.names.iter().position(|known| *known == name);
        if position.is_none() {
            diagnostics.push(unknown_upstream(name, self.scope.names, place.clone()));
        }
        if name == self.name {
            let message = "an upstream does not stand in for itself";
            let help = "name another one; `retry` asks this one again";
            diagnostics.push(Diagnostic::new(Code::BadUpstream, place.clone(), message, "itself").help(help));
        }
        position
    }
}

fn milliseconds(duration: Std) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// A number in a range.
pub fn number(
    given: Option<u32>,
    default: u32,
    range: RangeInclusive<u32>,
    place: &Place,
    diagnostics: &mut Diagnostics,
) -> u32 {
    if let Some(given) = given.filter(|given| !range.contains(given)) {
        let range: [&dyn Display; 2] = [range.start(), range.end()];
        diagnostics.push(out_of_range(&given.to_string(), place, format!("{} to {}", range[0], range[1])));
    }
    given.unwrap_or(default)
}

/// The `statuses` of a table.
fn statuses(
    given: Option<&[u16]>,
    default: &[u16],
    fits: impl Fn(u16) -> bool,
    table: &Place,
    diagnostics: &mut Diagnostics,
) -> Vec<u16> {
    let Some(given) = given else { return default.to_vec() };
    for (index, status) in given.iter().enumerate().filter(|(_, status)| !fits(**status)) {
        let message = format!("{status} is no failure of a server");
        let help = if fits(429) { "it can be 429, or 500 to 599" } else { "it can be 500 to 599" };
        let place = table.key("statuses").index(index);
        diagnostics.push(Diagnostic::new(Code::BadStatus, place, message, "not a failure").help(help));
    }
    given.to_vec()
}
