//! What is left to do when there is an answer: counting what it says it cost, and giving back, at its end, what was held
//! meanwhile.

use super::Throttle;
use crate::body::Body;
use crate::config::limit::Accuracy;
use crate::exchange::{Exchange, LimitNote, LimitOutcome, Taken};
use crate::host::{Counters, Question, SharedHost, Watch};
use crate::limit::{Cost, Limit, Numbers};
use crate::meter::{Act, Ask};
use http::{HeaderName, Response};
use std::rc::Rc;
use std::time::Duration;

/// The longest that something is held whose end is not seen, in milliseconds: a WebSocket, an answer that never ends.
const MOST_HELD_MS: f64 = 86_400_000.0;

/// Asks counters for something whose answers nobody waits for.
pub fn ask_later(host: &SharedHost, counters: Rc<Counters>, questions: Vec<Question>) {
    if questions.is_empty() {
        return;
    }
    let task_host = Rc::clone(host);
    host.wait_until(Box::pin(async move {
        // What cannot be given back runs out; what cannot be counted was counted as an estimate.
        drop(task_host.count(&counters, &questions, Duration::from_secs(5)).await);
    }));
}

/// Counts what the answer says it cost, beside what was counted before.
pub fn settle(throttle: &Throttle, host: &SharedHost, ex: &mut Exchange, response: &mut Response<Body>) {
    for (position, applied) in throttle.limits.iter().enumerate() {
        let Cost::Answered { field, most, .. } = applied.cost() else { continue };
        let said = said(field, &mut ex.notes.said, response);
        let note = |note: &&LimitNote| note.stage == throttle.stage && note.position == position;
        let Some(note) = ex.notes.limits.iter().find(note) else { continue };
        let (Some(said), LimitOutcome::Admitted) = (said, note.outcome) else { continue };
        if let Some(taken) = &note.taken {
            let cost = said.min(*most);
            let act = match cost.checked_sub(taken.amount) {
                Some(0) => continue,
                Some(amount) => Act::Charge { amount },
                None if note.by == Some("lease") => {
                    applied.limit.known.put_back(&taken.key, (taken.amount - cost, taken.stamp), host.now().0);
                    continue;
                }
                None => Act::Return { amount: taken.amount - cost, stamp: taken.stamp },
            };
            ask_again(host, &applied.limit, taken, act);
        }
    }
}

/// What a field of the answer says, which no client sees. Several limits may read it: the first takes it away.
fn said(field: &HeaderName, known: &mut Vec<(HeaderName, Option<u64>)>, response: &mut Response<Body>) -> Option<u64> {
    if let Some((_, said)) = known.iter().find(|(name, _)| name == field) {
        return *said;
    }
    let value = response.headers_mut().remove(field);
    let said = value.and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    known.push((field.clone(), said));
    said
}

/// Has what is held given back when the answer has been sent, and not before.
pub fn hold(throttle: &Throttle, host: &SharedHost, ex: &mut Exchange, response: &mut Response<Body>) {
    let mut held = Vec::new();
    for note in ex.notes.limits.iter_mut().filter(|note| note.stage == throttle.stage && note.at_once) {
        if let (Some(applied), Some(taken)) = (throttle.limits.get(note.position), note.taken.take()) {
            held.push((Rc::clone(&applied.limit), taken));
        }
    }
    if held.is_empty() {
        return;
    }
    let task_host = Rc::clone(host);
    if ex.within.is_some() {
        ex.afterwards.push(Box::pin(async move { give_back(&task_host, &held).await }));
        return;
    }
    let (body, watch) = host.watch(std::mem::take(response.body_mut()));
    *response.body_mut() = body;
    host.wait_until(Box::pin(release(task_host, watch, held)));
}

/// Renews what is held until the end of an answer, and gives it back then.
async fn release(host: SharedHost, watch: Box<dyn Watch>, mut held: Vec<(Rc<Limit>, Taken)>) {
    let begun = host.now();
    let terms = held.iter().map(|(limit, taken)| lease_ms(&numbers(limit, taken)));
    let half = Duration::from_millis(terms.min().unwrap_or_default() / 2);
    while !watch.ended(half).await && host.now().since(begun) < MOST_HELD_MS {
        for (limit, taken) in &mut held {
            let act = Act::Renew { amount: taken.amount, stamp: taken.stamp };
            if let Some(stamp) = ask(&host, limit, taken, act).await {
                taken.stamp = stamp;
            }
        }
    }
    give_back(&host, &held).await;
}

async fn give_back(host: &SharedHost, held: &[(Rc<Limit>, Taken)]) {
    for (limit, taken) in held {
        ask(host, limit, taken, Act::Return { amount: taken.amount, stamp: taken.stamp }).await;
    }
}

fn numbers(limit: &Limit, taken: &Taken) -> Numbers {
    taken.numbers.and_then(|tier| limit.tiers.get(tier)).map_or(limit.numbers, |(_, numbers)| *numbers)
}

fn lease_ms(numbers: &Numbers) -> u64 {
    match numbers {
        Numbers::Concurrency { lease_ms, .. } => *lease_ms,
        _ => 0,
    }
}

fn ask_again(host: &SharedHost, limit: &Rc<Limit>, taken: &Taken, act: Act) {
    let (task_host, limit, taken) = (Rc::clone(host), Rc::clone(limit), taken.clone());
    host.wait_until(Box::pin(async move {
        ask(&task_host, &limit, &taken, act).await;
    }));
}

/// Asks the counter that something was taken of. Gives back the new stamp.
async fn ask(host: &SharedHost, limit: &Limit, taken: &Taken, act: Act) -> Option<u64> {
    let ask = Ask { act, meter: limit.meter(&**host, &numbers(limit, taken)) };
    if limit.accuracy == Accuracy::Local {
        return limit.known.ask(taken.key, &ask, host.now().0).map(|count| count.stamp);
    }
    let question = Question { counter: taken.counter.clone(), ask };
    let answers = host.count(&limit.counters, &[question], limit.timeout).await;
    answers.into_iter().next()?.ok().map(|count| count.stamp)
}
