//! Which targets of an upstream may get a request, and which one does.

use super::balance::{self, Candidate, Pick, Turns};
use super::request::Request;
use super::target::{Target, Ticket};
use super::{Balance, Course, Upstream, uniform};
use crate::host::{Host, Timestamp};
use crate::reject::Reject;

impl Upstream {
    /// In how many milliseconds the first of the targets that were all asked wants to be asked again.
    pub(super) fn soonest(&self, course: &Course, now: Timestamp) -> Option<f64> {
        let waits = self.candidates(now.0, &[]).into_iter().map(|one| course.waits_ms(one.position, now));
        waits.min_by(f64::total_cmp).filter(|wait| *wait > 0.0)
    }

    /// The target for the next try: one that was not asked yet, if there is one; else one that wants to be asked again.
    pub(super) fn pick(&self, host: &dyn Host, request: &Request<'_>, course: &Course) -> Result<Ticket<'_>, Reject> {
        let now = host.now();
        if request.time_left(now).is_none() {
            return Err(Reject::DeadlineExceeded);
        }
        let mut candidates = self.candidates(now.0, &course.asked);
        if candidates.is_empty() {
            candidates = self.candidates(now.0, &[]);
            // Clocks are as fine as a millisecond, and so is what is waited for.
            let due = |one: &Candidate| course.waits_ms(one.position, now) <= 1.0;
            if candidates.iter().any(due) {
                candidates.retain(due);
            }
        }
        self.enter(host, &candidates, request.key).ok_or_else(|| self.unavailable(now))
    }

    pub(super) fn enter(&self, host: &dyn Host, candidates: &[Candidate], key: Option<u64>) -> Option<Ticket<'_>> {
        let pick = match (&self.balance, key) {
            (Balance::InOrder, _) => Pick::InOrder,
            (Balance::RoundRobin, _) => Pick::RoundRobin,
            (Balance::LeastInFlight, _) => Pick::LeastInFlight,
            (Balance::TwoChoices, _) => Pick::TwoChoices,
            (Balance::Sticky(_), Some(key)) => Pick::Hash(key),
            (Balance::Sticky(_), None) | (Balance::Random, _) => Pick::Random,
        };
        let mut turns = self.state.turns.borrow_mut();
        let weights = || self.targets.iter().map(|target| target.weight);
        let turns = turns.get_or_insert_with(|| Turns::new(weights(), || uniform(host)));
        let position = balance::pick(pick, candidates, turns, &mut || uniform(host))?;
        self.targets.get(position)?.enter(position, host.now().0, self.timeout.as_secs_f64() * 1000.0)
    }

    /// The targets that may get a request, without some.
    pub(super) fn candidates(&self, now: f64, without: &[usize]) -> Vec<Candidate> {
        // Where nobody else is left, it is more likely that whoever asks them for their health is not well.
        let may = |target: &Target| target.weight > 0 && target.until(now).is_none();
        let believed = self.targets.iter().any(|target| may(target) && !target.is_unwell(now));
        let fits = |(position, target): &(usize, &Target)| {
            may(target) && !(believed && target.is_unwell(now)) && !without.contains(position)
        };
        let candidate = |(position, target): (usize, &Target)| Candidate {
            position,
            weight: target.weight,
            in_flight: target.in_flight(),
            number: target.number,
        };
        self.targets.iter().enumerate().filter(fits).map(candidate).collect()
    }

    /// How many targets are left out, of those that would get requests.
    pub(super) fn left_out(&self, now: f64) -> usize {
        let out = |target: &&Target| target.weight > 0 && (target.is_open() || target.is_unwell(now));
        self.targets.iter().filter(out).count()
    }

    /// No target may get a request, and when one might.
    fn unavailable(&self, now: Timestamp) -> Reject {
        let until = self.targets.iter().filter(|target| target.weight > 0);
        let until = until.map(|target| target.until(now.0).unwrap_or(now.0));
        let soonest = until.min_by(f64::total_cmp).unwrap_or(now.0);
        let seconds = (Timestamp(soonest).since(now) / 1000.0).ceil();
        Reject::UpstreamUnavailable { retry_after: seconds.max(1.0) as u64 }
    }
}
