//! From what came of the parts to the answer, and to what is told of it.

use super::Aggregate;
use super::failure::Failure;
use super::merge::{Collision, Piece, merge};
use super::outcome::{COMPLETED, Outcome, SERVER_TIMING, server_timing};
use super::run::{End, Ran, run};
use super::state::{Standing, State, outcome, standing};
use crate::body::Body;
use crate::exchange::Exchange;
use crate::host::SharedHost;
use crate::part::Parts;
use crate::raw::{Document, push_string};
use crate::reject::Reject;
use crate::upstream::Upstream;
use http::{HeaderValue, Response, StatusCode, header};
use std::rc::Rc;

impl Aggregate {
    /// Asks the parts, and makes one answer of theirs.
    pub async fn answer(
        &self,
        host: &SharedHost,
        ex: &mut Exchange,
        upstreams: &[Rc<Upstream>],
    ) -> Result<Response<Body>, Reject> {
        let Ran { end, states, attempts } = run(self, host, ex, upstreams).await;
        ex.notes.attempts.extend(attempts);
        let notes = self.parts.iter().zip(&states).enumerate();
        ex.notes.parts = notes.map(|(at, (part, state))| state.note(part, outcome(&self.parts, &states, at))).collect();
        let mut answer = match end {
            End::All => self.whole(ex, &states),
            End::Stopped(at) => {
                // What is said may have come of what is lacking, or of what stands in.
                let is_lacking = |state: &State| state.outcome.is_some_and(|outcome| !outcome.is_complete());
                ex.notes.complete = states.iter().any(is_lacking).then_some(false);
                Ok(self.stopped(ex, at))
            }
            End::Failed(at) => Err(self.failed(&states, at)),
        };
        if let (Ok(response), Some(timing)) = (&mut answer, server_timing(&ex.notes.parts)) {
            response.headers_mut().insert(SERVER_TIMING, timing);
        }
        // Nobody asks for what the parts have answered any more.
        ex.parts = Parts::default();
        answer
    }

    /// The answer of all parts.
    fn whole(&self, ex: &mut Exchange, states: &[State]) -> Result<Response<Body>, Reject> {
        let parts = self.parts.as_slice();
        let seen = || parts.iter().enumerate().filter(|(_, part)| part.for_part.is_none()).map(|(at, _)| at);
        let is_complete = states.iter().all(|state| state.outcome.is_some_and(Outcome::is_complete));
        let lacks = seen().any(|at| {
            standing(parts, states, at) == Standing::Missing || outcome(parts, states, at) == Outcome::Incomplete
        });
        let held = seen().filter_map(|at| parts.get(at).zip(states.get(at)?.answer.as_ref()));
        let pieces: Vec<Piece<'_>> = held.filter_map(|(part, held)| Piece::of(part, parts, held)).collect();
        let outcomes = self.outcomes.as_deref().map(|name| (name, self.outcomes(states, seen())));
        let outcomes = outcomes.as_ref().map(|(name, outcomes)| (*name, outcomes.raw()));
        let body = merge(self.layout, self.on_collision, &pieces, outcomes).map_err(|Collision(a, b)| {
            let name = |at: usize| pieces.get(at).map(|piece| Rc::from(piece.name)).unwrap_or_default();
            Reject::Collision([name(a), name(b)])
        })?;
        ex.notes.complete = Some(is_complete);
        let mut response = json(if lacks { self.partial } else { StatusCode::OK }, body);
        let completed = HeaderValue::from_static(if is_complete { "true" } else { "false" });
        response.headers_mut().insert(COMPLETED, completed);
        Ok(response)
    }

    /// What came of each part, as JSON.
    fn outcomes(&self, states: &[State], seen: impl Iterator<Item = usize>) -> Document {
        let mut out = String::from("{");
        for at in seen {
            out.push_str(if out.len() == 1 { "" } else { "," });
            push_string(self.parts.get(at).map_or("", |part| &part.name), &mut out);
            out.push(':');
            outcome(&self.parts, states, at).write(&mut out);
        }
        out.push('}');
        Document::known(out)
    }

    /// The answer of a part's rule.
    fn stopped(&self, ex: &Exchange, at: usize) -> Response<Body> {
        let stop = self.parts.get(at).and_then(|part| part.stop.as_ref());
        let status = stop.map_or(StatusCode::OK, |stop| stop.status);
        match stop.and_then(|stop| stop.body.as_ref()) {
            Some(body) => json(status, body.fill(ex)),
            None => {
                let mut response = Response::new(Body::Empty);
                *response.status_mut() = status;
                response
            }
        }
    }

    /// Why there is no answer.
    fn failed(&self, states: &[State], at: usize) -> Reject {
        let name = self.parts.get(at).map(|part| Rc::clone(&part.name)).unwrap_or_default();
        let failure = states.get(at).and_then(|state| state.outcome?.failure());
        if failure.is_some_and(Failure::is_late) { Reject::PartLate(name) } else { Reject::PartFailed(name) }
    }
}

fn json(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::bytes(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
