//! One limit's turn with one request: what is asked, and what came of it.

use super::Applied;
use crate::config::limit::{Accuracy, OnFailure};
use crate::exchange::{Exchange, LimitNote, LimitOutcome, Stage, Taken};
use crate::host::{Host, Question, SharedHost};
use crate::limit::key::Values;
use crate::limit::{Cost, Numbers, fields};
use crate::meter::{Act, Ask, Count, MOST};
use std::rc::Rc;
use std::time::Duration;

/// One limit's turn with one request.
pub struct Turn<'a> {
    pub applied: &'a Applied,
    position: usize,
    numbers: Numbers,
    tier: Option<usize>,
    pub values: Values,
    /// By what the instance knows what it knows of it.
    pub place: [u8; 32],
    pub counter: String,
    pub cost: u64,
    /// For how long a block may be kept; 0 where none is taken.
    pub hold_ms: u64,
    pub outcome: Option<LimitOutcome>,
    /// Who decided, for the log.
    by: &'static str,
    pub left: Option<u64>,
    pub reset_ms: Option<u64>,
    pub retry_ms: Option<u64>,
    /// What goes with giving back what was taken, of a counter or of a block.
    stamp: Option<u64>,
}

impl<'a> Turn<'a> {
    /// `None` for a request that costs nothing here.
    pub fn new(applied: &'a Applied, position: usize, ex: &Exchange) -> Option<Turn<'a>> {
        let limit = &applied.limit;
        let (numbers, tier) = limit.numbers(ex);
        let cost = match applied.cost() {
            Cost::Fixed(cost) => *cost,
            Cost::Answered { estimate, .. } => *estimate,
        };
        let values = limit.key.values(ex);
        (cost > 0).then(|| Turn {
            applied,
            position,
            numbers: *numbers,
            tier,
            place: limit.place(&values, tier),
            counter: limit.counter(numbers, &values),
            values,
            cost,
            hold_ms: limit.hold_ms(numbers),
            outcome: None,
            by: "counter",
            left: None,
            reset_ms: None,
            retry_ms: None,
            stamp: None,
        })
    }

    /// What the instance knows by itself.
    pub fn decide_here(&mut self, host: &SharedHost) {
        let limit = &self.applied.limit;
        let now = host.now().0;
        if limit.accuracy == Accuracy::Local {
            let ask = self.ask(&**host, Act::Take { least: self.cost, most: self.cost });
            self.by = "instance";
            match limit.known.ask(self.place, &ask, now) {
                Some(count) => {
                    self.decide(&count);
                    self.stamp = (count.taken > 0).then_some(count.stamp);
                }
                None => self.failed(),
            }
            return;
        }
        // What the instance has is there to be spent, whatever the counter has said since.
        if self.spend(now) {
            return;
        }
        if let Some(retry_ms) = limit.known.denied(&self.place, self.cost, now) {
            self.by = "memory";
            self.outcome = Some(LimitOutcome::Denied);
            self.retry_ms = Some(retry_ms).filter(|ms| *ms < MOST);
        }
    }

    /// Whether a block that the instance has is enough.
    fn spend(&mut self, now: f64) -> bool {
        let known = &self.applied.limit.known;
        let stamp = if self.hold_ms > 0 { known.spend(&self.place, self.cost, now) } else { None };
        if stamp.is_some() {
            self.by = "lease";
            self.outcome = Some(LimitOutcome::Admitted);
            self.stamp = stamp;
            (self.left, self.reset_ms, self.retry_ms) = (None, None, None);
        }
        stamp.is_some()
    }

    pub fn waits_for_counter(&self) -> bool {
        let shared = matches!(self.applied.limit.accuracy, Accuracy::Exact | Accuracy::Leased);
        shared && self.outcome.is_none()
    }

    /// Whether it stands against the request.
    pub fn refuses(&self) -> bool {
        let refuses = match self.outcome {
            Some(LimitOutcome::Denied) => true,
            Some(LimitOutcome::Unavailable) => self.applied.limit.on_failure == OnFailure::Deny,
            _ => false,
        };
        refuses && !self.only_tries()
    }

    pub fn only_tries(&self) -> bool {
        self.applied.limit.dry_run
    }

    pub fn ask(&self, host: &dyn Host, act: Act) -> Ask {
        Ask { act, meter: self.applied.limit.meter(host, &self.numbers) }
    }

    /// Takes the answer of a shared counter, to a question that was asked then.
    pub fn counted(&mut self, host: &SharedHost, count: Count, asked: f64) {
        let limit = &self.applied.limit;
        let key = self.place;
        self.decide(&count);
        if count.taken == 0 {
            if !matches!(self.numbers, Numbers::Concurrency { .. }) {
                limit.known.deny(key, self.cost, count.retry_ms, host.now().0);
            }
            // Another request may have got a block meanwhile.
            self.spend(host.now().0);
            return;
        }
        self.stamp = Some(count.stamp);
        if self.hold_ms == 0 {
            return;
        }
        // How much the counter has left, others have not.
        self.left = None;
        self.reset_ms = None;
        if let Some(block) = limit.known.keep(key, &count, self.cost, (asked, self.hold_ms)) {
            // What is not used in time is given back.
            let (counter, limit, numbers) = (self.counter.clone(), Rc::clone(limit), self.numbers);
            let (task_host, hold) = (Rc::clone(host), Duration::from_millis(self.hold_ms));
            host.wait_until(Box::pin(async move {
                task_host.sleep(hold).await;
                let act = Act::Return { amount: block.left.take(), stamp: block.stamp };
                let ask = Ask { act, meter: limit.meter(&*task_host, &numbers) };
                if !matches!(act, Act::Return { amount: 0, .. }) {
                    // A failure leaves it where it is: counted.
                    drop(task_host.count(&limit.counters, &[Question { counter, ask }], limit.timeout).await);
                }
            }));
        }
    }

    fn decide(&mut self, count: &Count) {
        self.outcome = Some(if count.taken > 0 { LimitOutcome::Admitted } else { LimitOutcome::Denied });
        self.left = Some(count.left);
        // Whatever is held may be given back at any moment: when it would run out says nothing.
        if !matches!(self.numbers, Numbers::Concurrency { .. }) {
            self.reset_ms = Some(count.reset_ms);
            self.retry_ms = (count.taken == 0 && count.retry_ms < MOST).then_some(count.retry_ms);
        }
    }

    pub fn admitted_by_platform(&mut self, admitted: bool) {
        self.by = "platform";
        self.outcome = Some(if admitted { LimitOutcome::Admitted } else { LimitOutcome::Denied });
        // It does not say when: all of its period is not too early.
        if let (false, Numbers::Rate { period_ms, .. }) = (admitted, self.numbers) {
            self.retry_ms = Some(period_ms);
        }
    }

    pub fn failed(&mut self) {
        self.outcome = Some(LimitOutcome::Unavailable);
    }

    /// Gives back what the request took, since it is refused; what a shared counter must be asked for that.
    pub fn give_back(&mut self, host: &SharedHost) -> Option<Question> {
        if self.outcome != Some(LimitOutcome::Admitted) {
            return None;
        }
        self.left = None;
        let limit = &self.applied.limit;
        let now = host.now();
        let amount = self.cost;
        let stamp = self.stamp.take()?;
        if self.by == "lease" {
            limit.known.put_back(&self.place, (amount, stamp), now.0);
            return None;
        }
        let ask = self.ask(&**host, Act::Return { amount, stamp });
        if limit.accuracy == Accuracy::Local {
            limit.known.ask(self.place, &ask, now.0);
            return None;
        }
        Some(Question { counter: self.counter.clone(), ask })
    }

    /// What is left of it for the answer and the log. `None` where it was not asked, since another one refused already.
    pub fn note(self, host: &SharedHost, stage: Stage) -> Option<LimitNote> {
        let outcome = self.outcome?;
        let (counter, key) = (self.counter.clone(), self.place);
        let taken = self.stamp.map(|stamp| Taken { counter, key, numbers: self.tier, stamp, amount: self.cost });
        let (limit, numbers) = (&self.applied.limit, &self.numbers);
        let note = fields::note(&**host, limit, numbers, stage, self.position);
        let Turn { by, left, reset_ms, retry_ms, .. } = self;
        let by = Some(by).filter(|_| outcome != LimitOutcome::Unavailable);
        Some(LimitNote { outcome, by, left, reset_ms, retry_ms, taken, ..note })
    }
}
