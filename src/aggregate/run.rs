//! Asking the parts: each as soon as those that it waits for are done, and as many at once as may be. All of it happens in
//! the task of the one request: its futures are polled in turn.

use super::call::{At, Called, call};
use super::failure::Failure;
use super::merge::Piece;
use super::outcome::Outcome;
use super::state::{Held, Phase, Standing, State, standing};
use super::{Aggregate, Part};
use crate::config::aggregate::Need;
use crate::exchange::{Attempt, Exchange};
use crate::host::{SharedHost, Task};
use crate::part::Answer;
use crate::raw::Document;
use crate::upstream::Upstream;
use std::cell::Cell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

/// All answers together have at most so many bytes: an instance has little memory, and is not alone in it.
pub const MOST_BYTES: u64 = 16_000_000;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All parts are done.
    All,
    /// A rule of this part has stopped it.
    Stopped(usize),
    /// This part is required, and has no answer.
    Failed(usize),
}

/// What came of asking.
pub struct Ran {
    pub end: End,
    /// In the order of the parts.
    pub states: Vec<State>,
    pub attempts: Vec<Attempt>,
}

struct Run<'a> {
    parts: &'a [Part],
    at_once: usize,
    at: At<'a>,
    states: Vec<State>,
    /// Requests to make: part and item.
    queue: VecDeque<(usize, usize)>,
    under_way: Vec<(usize, usize, Task<'a, Called>)>,
    attempts: Vec<Attempt>,
    end: Option<End>,
}

/// Asks the parts, until all are done or the answer does not depend on them any more.
pub async fn run(aggregate: &Aggregate, host: &SharedHost, ex: &Exchange, upstreams: &[Rc<Upstream>]) -> Ran {
    let Aggregate { parts, at_once, stale: shelf, .. } = aggregate;
    let room = Cell::new(MOST_BYTES);
    let mut run = Run {
        parts,
        at_once: *at_once,
        at: At { host, ex, upstreams, shelf, room: &room },
        states: parts.iter().map(|_| State::default()).collect(),
        queue: VecDeque::new(),
        under_way: Vec::new(),
        attempts: Vec::new(),
        end: None,
    };
    let end = poll_fn(|cx| run.poll(cx)).await;
    Ran { end, states: run.states, attempts: run.attempts }
}

impl Run<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let mut moved = self.begin_parts();
            moved |= self.begin_calls();
            moved |= self.poll_calls(cx);
            if let Some(end) = self.end {
                // Whatever is still under way is let go.
                self.under_way.clear();
                return Poll::Ready(end);
            }
            if self.states.iter().all(|state| state.phase == Phase::Done) {
                return Poll::Ready(End::All);
            }
            if !moved && self.under_way.is_empty() {
                // Nobody would ever wake it. A plan that comes to this is refused when it is loaded.
                let open = self.states.iter().position(|state| state.phase != Phase::Done);
                return Poll::Ready(End::Failed(open.unwrap_or_default()));
            }
            if !moved {
                return Poll::Pending;
            }
        }
    }

    /// Begins with the parts that wait for nothing any more.
    fn begin_parts(&mut self) -> bool {
        let mut moved = false;
        for (at, part) in self.parts.iter().enumerate() {
            let is_waiting = self.states.get(at).is_some_and(|state| state.phase == Phase::Waiting);
            if is_waiting && self.end.is_none() && part.after.iter().all(|before| self.is_done(*before)) {
                self.begin_part(at, part);
                moved = true;
            }
        }
        moved
    }

    fn begin_part(&mut self, at: usize, part: &Part) {
        let ex = self.at.ex;
        let is_failed =
            |other: usize| matches!(self.states.get(other), Some(State { outcome: Some(Outcome::Failed(_)), .. }));
        if part.for_part.is_some_and(|other| !is_failed(other)) {
            return self.finish(at, Outcome::Unneeded);
        }
        let needs: Vec<Standing> = part.needs.iter().map(|other| standing(self.parts, &self.states, *other)).collect();
        if needs.contains(&Standing::Skipped) || part.when.as_ref().is_some_and(|rule| !rule.holds(ex)) {
            return self.finish(at, Outcome::Skipped);
        }
        if needs.contains(&Standing::Missing) {
            return self.fail(at, part, Failure::Needs);
        }
        let (items, cut) = match part.each.as_ref().map(|each| ex.parts.items(&each.over, each.most)) {
            None => (vec![Document::null()], false),
            Some(Some(found)) => found,
            Some(None) => return self.fail(at, part, Failure::NoValue),
        };
        let count = items.len();
        let Some(state) = self.states.get_mut(at) else { return };
        (state.phase, state.items, state.cut) = (Phase::Asked, items, cut);
        state.results.resize_with(count, || None);
        self.queue.extend((0..count).map(|item| (at, item)));
        if count == 0 {
            self.complete(at, part);
        }
    }

    /// Makes as many requests as may be under way.
    fn begin_calls(&mut self) -> bool {
        let mut moved = false;
        while self.under_way.len() < self.at_once && self.end.is_none() {
            let Some((at, item)) = self.next() else { break };
            let Some((part, state)) = self.parts.get(at).zip(self.states.get_mut(at)) else { continue };
            if state.phase != Phase::Asked {
                continue;
            }
            moved = true;
            let now = self.at.host.now();
            state.begun.get_or_insert(now);
            let filled = state.items.get_mut(item).map(|item| std::mem::replace(item, Document::null()));
            let ex = self.at.ex;
            match ex.parts.with_item(filled, || part.ask.request(ex, part.accept.decode)) {
                Some(request) => {
                    state.calls += 1;
                    self.under_way.push((at, item, Box::pin(call(self.at, part, request))));
                }
                None => self.record(at, item, Called::failed(Failure::NoValue, now)),
            }
        }
        moved
    }

    /// What is asked next: for a required part first. While there is one that may still ask, others leave it a lane, so
    /// that what may be missing does not hold up what may not.
    fn next(&mut self) -> Option<(usize, usize)> {
        let begins = |(at, _): &(usize, usize)| {
            let most = self.parts.get(*at).and_then(|part| part.each.as_ref()).map_or(1, |each| each.at_once);
            self.under_way.iter().filter(|(other, ..)| other == at).count() < most
        };
        let mut waiting = self.queue.iter().enumerate().filter(|(_, next)| begins(next));
        let first = waiting.clone().next().map(|(position, _)| position);
        if let Some((position, _)) = waiting.find(|(_, (at, _))| self.is_required(*at)) {
            return self.queue.remove(position);
        }
        let open = (0..self.parts.len()).any(|at| !self.is_done(at) && self.is_required(at));
        let others = self.under_way.iter().filter(|(at, ..)| !self.is_required(*at)).count();
        let lanes = if open { self.at_once.saturating_sub(1).max(1) } else { self.at_once };
        if others < lanes { self.queue.remove(first?) } else { None }
    }

    /// Whether there is no answer without it, or without whom it stands in for.
    fn is_required(&self, at: usize) -> bool {
        self.parts.get(first_of(self.parts, at)).is_some_and(|part| part.need == Need::Required)
    }

    fn poll_calls(&mut self, cx: &mut Context<'_>) -> bool {
        let mut ended = Vec::new();
        self.under_way.retain_mut(|(at, item, task)| match task.as_mut().poll(cx) {
            Poll::Ready(called) => {
                ended.push((*at, *item, called));
                false
            }
            Poll::Pending => true,
        });
        let moved = !ended.is_empty();
        for (at, item, mut called) in ended {
            if let Some(state) = self.states.get_mut(at) {
                // One was counted when it was begun.
                state.calls = (state.calls + called.attempts.len() as u64).saturating_sub(1);
            }
            self.attempts.append(&mut called.attempts);
            // The first one that ends it decides: nothing of what it has seen changes any more.
            if self.end.is_none() {
                self.record(at, item, called);
            }
        }
        moved
    }

    fn record(&mut self, at: usize, item: usize, called: Called) {
        let Some((part, state)) = self.parts.get(at).zip(self.states.get_mut(at)) else { return };
        if state.phase != Phase::Asked {
            return;
        }
        state.status = called.status.or(state.status);
        state.ended = Some(called.ended);
        if called.stale {
            state.stood_in = Some(Outcome::Stale);
        }
        if let Err(failure) = called.result {
            if part.each.is_none() {
                // Rules may ask for what the upstream has said instead.
                let answer = Answer { status: called.status, headers: called.headers, ..Answer::default() };
                self.at.ex.parts.put(&part.name, Rc::new(answer));
            } else if part.is_lost_with_one() {
                return self.fail(at, part, failure);
            }
        }
        if let Some(slot) = state.results.get_mut(item) {
            *slot = Some(called.result.map(Rc::new));
        }
        if state.results.iter().all(Option::is_some) {
            self.complete(at, part);
        }
    }

    /// All of a part's requests have come to something.
    fn complete(&mut self, at: usize, part: &Part) {
        let Some(state) = self.states.get_mut(at) else { return };
        let (answer, outcome) = state.result(part);
        if let Some(answer) = answer {
            self.hold(at, part, answer);
        }
        if part.stop.as_ref().is_some_and(|stop| stop.when.holds(self.at.ex)) {
            self.done(at, outcome);
            self.end = self.end.or(Some(End::Stopped(at)));
        } else if let Outcome::Failed(failure) = outcome {
            self.fail(at, part, failure);
        } else {
            self.finish(at, outcome);
        }
    }

    /// A part has no answer of its own.
    fn fail(&mut self, at: usize, part: &Part, failure: Failure) {
        // Its other items are asked for nothing now.
        self.under_way.retain(|(other, ..)| *other != at);
        let Some(fallback) = &part.fallback else { return self.finish(at, Outcome::Failed(failure)) };
        // What stands in for an item stands in for none where there are no items.
        let answer = match part.each {
            None => Rc::clone(fallback),
            Some(_) => {
                Rc::new(Answer { body: Some(Document::array(std::iter::empty())), good: true, ..Answer::default() })
            }
        };
        self.hold(at, part, answer);
        self.finish(at, Outcome::Fallback);
    }

    /// Keeps an answer for later parts, and for the whole: of a part, and of the one that it stands in for.
    fn hold(&mut self, from: usize, part: &Part, answer: Rc<Answer>) {
        let mut next = Some((from, part));
        while let Some((at, part)) = next {
            self.at.ex.parts.put(&part.name, Rc::clone(&answer));
            next = part.for_part.and_then(|other| Some((other, self.parts.get(other)?)));
            if let Some(state) = self.states.get_mut(at).filter(|_| next.is_none()) {
                state.answer = Some(Held { answer: Rc::clone(&answer), from, shaped: false });
            }
        }
    }

    fn done(&mut self, at: usize, outcome: Outcome) {
        if let Some(state) = self.states.get_mut(at) {
            (state.phase, state.outcome) = (Phase::Done, Some(outcome));
        }
    }

    /// A part is done, and the others see it.
    fn finish(&mut self, at: usize, outcome: Outcome) {
        self.done(at, outcome);
        let first = first_of(self.parts, at);
        if self.is_required(at) && standing(self.parts, &self.states, first) == Standing::Missing {
            self.end = self.end.or(Some(End::Failed(first)));
        }
        self.let_go();
    }

    /// What no other part asks for any more gets its shape: what that leaves out is not held any longer.
    fn let_go(&mut self) {
        for (at, part) in self.parts.iter().enumerate() {
            let mut others = self.parts.iter().zip(&self.states);
            let is_read = others.any(|(other, state)| state.phase != Phase::Done && other.after.contains(&at));
            if is_read || !self.is_done(at) {
                continue;
            }
            self.at.ex.parts.take(&part.name);
            let Some(held) = self.states.get_mut(at).and_then(|state| state.answer.as_mut()) else { continue };
            if let Some(body) = Piece::of(part, self.parts, held).and_then(|piece| piece.shaped()) {
                *held =
                    Held { answer: Rc::new(Answer { body: Some(body), ..Answer::default() }), from: at, shaped: true };
            }
        }
    }

    fn is_done(&self, at: usize) -> bool {
        self.states.get(at).is_some_and(|state| state.phase == Phase::Done)
    }
}

/// The part that a part stands in for, however many others are between them.
fn first_of(parts: &[Part], at: usize) -> usize {
    let mut first = at;
    while let Some(other) = parts.get(first).and_then(|part| part.for_part) {
        first = other;
    }
    first
}

impl Part {
    /// Whether it has no answer where one of its items has none.
    fn is_lost_with_one(&self) -> bool {
        self.need == Need::Required && self.fallback.is_none() && self.stop.is_none()
    }
}
