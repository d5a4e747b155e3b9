//! How much clients may ask for: the limits of a route that count before it is known who the client is, and those that
//! count after. Every limit is asked in the order of the configuration, those that share a place all at once; a request
//! that one of them refuses is given back to the others.
//!
//! A limit that cannot be asked refuses nobody, unless the configuration says so, and the record of the request tells.

mod answer;
mod turn;

use crate::body::Body;
use crate::config::limit::{Accuracy, LimitFields, OnFailure};
use crate::event::{Level, Subject, event};
use crate::exchange::{Exchange, LimitOutcome, Stage};
use crate::host::{HostError, Question, SharedHost};
use crate::interest::Interest;
use crate::limit::{Cost, Limit, fields};
use crate::meter::{Act, Count};
use crate::reject::{Exceeded, Reject};
use http::Response;
use std::rc::Rc;
use turn::Turn;

/// The limits of a route that count at one stage.
#[derive(Debug)]
pub struct Throttle {
    pub stage: Stage,
    pub limits: Vec<Applied>,
    pub fields: LimitFields,
    /// Whether no other limits come after these.
    pub last: bool,
}

/// A limit of a route.
#[derive(Debug)]
pub struct Applied {
    pub limit: Rc<Limit>,
    /// How much a request counts, where the route says otherwise.
    pub cost: Option<Cost>,
}

impl Applied {
    fn cost(&self) -> &Cost {
        self.cost.as_ref().unwrap_or(&self.limit.cost)
    }
}

impl Throttle {
    pub fn describe(&self) -> String {
        let cost = |applied: &Applied| match &applied.cost {
            Some(Cost::Fixed(cost)) => format!(", each request counts {cost}"),
            Some(Cost::Answered { field, .. }) => format!(", a request counts what `{field}` says"),
            None => String::new(),
        };
        let words = self.limits.iter().map(|applied| applied.limit.describe() + &cost(applied));
        words.collect::<Vec<_>>().join("; ")
    }

    pub fn interest(&self, interest: &mut Interest) {
        for applied in &self.limits {
            applied.limit.interest(interest);
            if let Cost::Answered { field, .. } = applied.cost() {
                interest.response.insert(field.clone());
            }
        }
        if self.fields != LimitFields::None {
            interest.response.extend(fields::FIELDS.iter().cloned());
        }
    }

    /// Counts a request, or refuses it.
    pub async fn on_request(&self, host: &SharedHost, ex: &mut Exchange) -> Result<(), Reject> {
        let mut turns = Vec::with_capacity(self.limits.len());
        for (position, applied) in self.limits.iter().enumerate() {
            if applied.limit.is_exempt(ex) {
                ex.notes.limits.push(fields::exempt(&applied.limit, self.stage, position));
                continue;
            }
            turns.extend(Turn::new(applied, position, ex));
        }
        turns.iter_mut().for_each(|turn| turn.decide_here(host));
        if !turns.iter().any(Turn::refuses) {
            ask_counters(host, &mut turns).await;
            ask_platform(host, &mut turns).await;
        }
        if turns.iter().any(Turn::refuses) {
            give_back(host, &mut turns);
        }
        let reject = reject(&turns);
        for turn in turns {
            if turn.only_tries()
                && let Some(reject) = turn.reject()
            {
                ex.notes.would_refuse.push(("limit", reject.entry().code));
            }
            ex.notes.limits.extend(turn.note(host, self.stage));
        }
        reject.map_or(Ok(()), Err)
    }

    /// Counts what only the answer tells, has what is held given back at its end, and tells the client.
    pub fn on_response(&self, host: &SharedHost, ex: &mut Exchange, response: &mut Response<Body>) {
        answer::settle(self, host, ex, response);
        answer::hold(self, host, ex, response);
        if self.fields != LimitFields::None {
            fields::write(ex, self.stage, self.fields, self.last, response.headers_mut());
        }
    }
}

/// Asks the shared counters, all at once.
async fn ask_counters(host: &SharedHost, turns: &mut [Turn<'_>]) {
    let now = host.now().0;
    let mut asked = Vec::new();
    let mut questions = Vec::new();
    let mut timeout = std::time::Duration::ZERO;
    let mut counters = None;
    for (position, turn) in turns.iter_mut().enumerate().filter(|(_, turn)| turn.waits_for_counter()) {
        let limit = &turn.applied.limit;
        if limit.known.outage.covers(&turn.place, now) {
            turn.failed();
            continue;
        }
        timeout = timeout.max(limit.timeout);
        counters = Some(Rc::clone(&limit.counters));
        questions.push(turn.question(&**host, now));
        asked.push(position);
    }
    // All limits of a configuration have the same place.
    let Some(counters) = counters else { return };
    let answers = host.count(&counters, &questions, timeout).await;
    let mut answers = answers.into_iter();
    for position in asked {
        let answer = answers.next().unwrap_or_else(|| Err(HostError::Other("no answer".to_owned())));
        if let Some(turn) = turns.get_mut(position) {
            take(host, turn, answer, now);
        }
    }
}

/// Takes a counter's answer.
fn take(host: &SharedHost, turn: &mut Turn<'_>, answer: Result<Count, HostError>, asked: f64) {
    let limit = &turn.applied.limit;
    match answer {
        Ok(count) => {
            limit.known.outage.end(&turn.place);
            if count.unreadable {
                let message = "a counter could not be read, and begins anew";
                event(host, Level::Warning, Subject::Limit(&limit.name), message);
            }
            turn.counted(host, count, asked);
        }
        Err(error) => {
            if limit.known.outage.note(&turn.place, host.now().0) {
                let goes_on = match limit.on_failure {
                    OnFailure::Allow => "requests go on uncounted",
                    OnFailure::Deny => "requests are refused",
                };
                let message = format!("its counters cannot be asked, so {goes_on}: {error}");
                event(host, Level::Warning, Subject::Limit(&limit.name), &message);
            }
            turn.failed();
        }
    }
}

/// Asks the platform's own rate limiters.
async fn ask_platform(host: &SharedHost, turns: &mut [Turn<'_>]) {
    for turn in turns.iter_mut().filter(|turn| turn.applied.limit.accuracy == Accuracy::Regional) {
        let limit = &turn.applied.limit;
        let now = host.now().0;
        if limit.known.outage.covers(&turn.place, now) {
            turn.failed();
            continue;
        }
        match host.admit(&limit.binding(), &turn.values.name(), limit.timeout).await {
            Ok(admitted) => {
                limit.known.outage.end(&turn.place);
                turn.admitted_by_platform(admitted);
            }
            Err(error) => {
                if limit.known.outage.note(&turn.place, host.now().0) {
                    let message = format!("the platform's rate limiter cannot be asked: {error}");
                    event(host, Level::Warning, Subject::Limit(&limit.name), &message);
                }
                turn.failed();
            }
        }
    }
}

/// What a request that is refused has taken from other limits.
fn give_back(host: &SharedHost, turns: &mut [Turn<'_>]) {
    let mut questions = Vec::new();
    for turn in turns.iter_mut() {
        questions.extend(turn.give_back(host));
    }
    if let Some(counters) = turns.first().map(|turn| Rc::clone(&turn.applied.limit.counters)) {
        answer::ask_later(host, counters, questions);
    }
}

/// Why the request is refused, if it is: by all limits that refuse it together.
fn reject(turns: &[Turn<'_>]) -> Option<Reject> {
    let refusing = || turns.iter().filter(|turn| turn.refuses());
    let mut exceeded = Exceeded::default();
    for turn in refusing().filter(|turn| turn.outcome == Some(LimitOutcome::Denied)) {
        exceeded.policies.push(Rc::clone(&turn.applied.limit.name));
        exceeded.retry_after = exceeded.retry_after.max(turn.retry_ms.map(|ms| ms.div_ceil(1_000).max(1)));
    }
    match exceeded.policies.is_empty() {
        false => Some(Reject::QuotaExceeded(exceeded)),
        true => refusing().next().map(|_| Reject::LimitUnavailable),
    }
}

impl Turn<'_> {
    /// Why this limit alone would refuse the request.
    fn reject(&self) -> Option<Reject> {
        match self.outcome? {
            LimitOutcome::Denied => Some(Reject::QuotaExceeded(Exceeded::default())),
            LimitOutcome::Unavailable if self.applied.limit.on_failure == OnFailure::Deny => {
                Some(Reject::LimitUnavailable)
            }
            _ => None,
        }
    }

    fn question(&self, host: &dyn crate::host::Host, now: f64) -> Question {
        let least = self.cost;
        let most = match self.hold_ms {
            0 => least,
            _ => self.applied.limit.known.block_size(&self.place, least, now),
        };
        Question { counter: self.counter.clone(), ask: self.ask(host, Act::Take { least, most }) }
    }
}
