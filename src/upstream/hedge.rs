//! A second request beside one that takes long, to another target.

use super::breaker::Outcome;
use super::request::Request;
use super::target::Ticket;
use super::{Course, Tried, Upstream};
use crate::host::{Host, SharedHost, Task};
use crate::race::{First, first};
use std::rc::Rc;
use std::time::Duration;

/// How many second requests there may be on top, where there is no budget for retries.
const HEDGES: f64 = 0.2;

impl Upstream {
    /// One request to a target, and, where that takes long, to another one beside it: the first good answer counts.
    pub(super) async fn hedged(
        self: &Rc<Self>,
        host: &SharedHost,
        request: &Request<'_>,
        (mut ticket, after): (Ticket<'_>, Duration),
        course: &mut Course,
    ) -> Tried {
        self.prepare(host, request).await;
        let one: Task<'_, Tried> = Box::pin(self.try_once(host, request, &mut ticket, course.why));
        let one = match first(one, host.sleep(after)).await {
            First::One(came, _) => return came,
            First::Other(one, ()) => one,
        };
        let Some(mut second) = self.second(&**host, request, &course.asked) else { return one.await };
        course.asked.push(second.position);
        let other: Task<'_, Tried> = Box::pin(self.try_once(host, request, &mut second, Some("hedge")));
        let (came, rest) = match first(one, other).await {
            First::One(came, other) => (came, other),
            First::Other(one, came) => (came, one),
        };
        if !came.is_good() {
            return rest.await;
        }
        drop(rest);
        // Whoever is asked to see whether it is well, and is late, is not. Of others, to be late says nothing.
        if ticket.is_probe() {
            self.record(host, &mut ticket, Outcome::Bad, host.now());
        }
        came
    }

    /// A target that was not asked yet, for a request that takes long, where the budget has room for it.
    fn second(&self, host: &dyn Host, request: &Request<'_>, asked: &[usize]) -> Option<Ticket<'_>> {
        let now = host.now().0;
        let candidates = self.candidates(now, asked);
        let share = self.retry.as_ref().map_or(HEDGES, |retry| retry.budget);
        if candidates.is_empty() {
            return None;
        }
        self.state.budget.borrow_mut().take(share, now)?;
        self.enter(host, &candidates, request.key)
    }
}
