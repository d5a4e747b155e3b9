//! What came of the parts so far.

use super::Part;
use super::failure::Failure;
use super::outcome::Outcome;
use crate::config::aggregate::Need;
use crate::exchange::PartNote;
use crate::host::Timestamp;
use crate::part::Answer;
use crate::raw::Document;
use http::HeaderMap;
use std::rc::Rc;

/// What came of a part so far.
#[derive(Default)]
pub struct State {
    pub phase: Phase,
    /// What came of it, once it is done.
    pub outcome: Option<Outcome>,
    /// What stands in the answer for it.
    pub answer: Option<Held>,
    /// The status of its last answer.
    pub status: Option<u16>,
    pub begun: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    /// How many requests it has made.
    pub calls: u64,
    /// What it is repeated for.
    pub items: Vec<Document>,
    /// Whether there were more items than may be.
    pub cut: bool,
    /// The results by item; one, where it is not repeated.
    pub results: Vec<Option<Result<Rc<Answer>, Failure>>>,
    /// What has stood in for an answer.
    pub stood_in: Option<Outcome>,
}

/// An answer for the whole.
#[derive(Clone)]
pub struct Held {
    pub answer: Rc<Answer>,
    /// The part that has given it, and whose shape it gets.
    pub from: usize,
    /// Whether it has its shape.
    pub shaped: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    #[default]
    Waiting,
    Asked,
    Done,
}

/// What is there in the place of a part, with those that stand in for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Open,
    There,
    Skipped,
    Missing,
}

/// What is there in the place of a part.
pub fn standing(parts: &[Part], states: &[State], at: usize) -> Standing {
    let outcome = states.get(at).and_then(|state| state.outcome);
    match (outcome, parts.get(at).and_then(|part| part.stand_in)) {
        (None, _) => Standing::Open,
        (Some(Outcome::Failed(_)), Some(other)) => match standing(parts, states, other) {
            Standing::Skipped => Standing::Missing,
            standing => standing,
        },
        (Some(Outcome::Failed(_)), None) => Standing::Missing,
        (Some(Outcome::Skipped | Outcome::Unneeded), _) => Standing::Skipped,
        (Some(_), _) => Standing::There,
    }
}

/// What came of a part, with those that stand in for it.
pub fn outcome(parts: &[Part], states: &[State], at: usize) -> Outcome {
    match states.get(at).and_then(|state| state.outcome) {
        Some(Outcome::Failed(_)) if standing(parts, states, at) == Standing::There => {
            // What stands in may lack something itself.
            match parts.get(at).and_then(|part| part.stand_in).map(|other| outcome(parts, states, other)) {
                Some(Outcome::Incomplete) => Outcome::Incomplete,
                _ => Outcome::Fallback,
            }
        }
        Some(outcome) => outcome,
        None => Outcome::Unfinished,
    }
}

impl State {
    /// What the results come to.
    pub fn result(&mut self, part: &Part) -> (Option<Rc<Answer>>, Outcome) {
        let results: Vec<_> = std::mem::take(&mut self.results).into_iter().flatten().collect();
        let (answer, outcome) = match &part.each {
            Some(_) => together(part, &results, self.cut),
            None => match results.into_iter().next() {
                Some(Ok(answer)) => (Some(answer), Outcome::Ok),
                Some(Err(failure)) => (None, Outcome::Failed(failure)),
                None => (None, Outcome::Failed(Failure::NoAnswer)),
            },
        };
        match (outcome, self.stood_in) {
            (Outcome::Ok, Some(stood_in)) => (answer, stood_in),
            (outcome, _) => (answer, outcome),
        }
    }

    /// What is told of it.
    pub fn note(&self, part: &Part, outcome: Outcome) -> PartNote {
        PartNote {
            name: Rc::clone(&part.name),
            outcome: outcome.name(),
            code: self.outcome.and_then(Outcome::failure).map(|failure| failure.words().0),
            status: self.status,
            calls: self.calls,
            duration: self.begun.zip(self.ended).map(|(begun, ended)| ended.since(begun)),
        }
    }
}

/// The results of a part's items as one array. What is missing is null in it, or what the configuration says.
fn together(part: &Part, results: &[Result<Rc<Answer>, Failure>], cut: bool) -> (Option<Rc<Answer>>, Outcome) {
    let failure = results.iter().find_map(|result| result.as_ref().err().copied());
    let none = results.iter().all(Result::is_err);
    let outcome = match (failure, &part.fallback) {
        (Some(failure), None) if none || part.need == Need::Required => return (None, Outcome::Failed(failure)),
        (Some(_), None) => Outcome::Incomplete,
        _ if cut => Outcome::Incomplete,
        (Some(_), Some(_)) => Outcome::Fallback,
        (None, _) => Outcome::Ok,
    };
    let null = Document::null();
    let instead = part.fallback.as_ref().and_then(|answer| answer.body.as_ref()).unwrap_or(&null);
    let bodies = results.iter().map(|result| match result {
        Ok(answer) => answer.body.as_ref().unwrap_or(&null).raw(),
        Err(_) => instead.raw(),
    });
    let body = Some(Document::array(bodies));
    (Some(Rc::new(Answer { body, good: true, status: None, headers: HeaderMap::new() })), outcome)
}
