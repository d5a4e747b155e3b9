//! An address of an upstream, and what an instance knows of it: how many requests are on their way, and whether it gets
//! any. When the instance ends, it has to be found out again, which costs some requests their first try.

use super::breaker::{Admission, Breaker, Change, Outcome, Pass, Rules};
use super::hash::number;
use std::cell::{Cell, RefCell};

/// An address of an upstream.
#[derive(Debug)]
pub struct Target {
    /// Scheme and authority, and a path without a slash at its end: `https://orders.example/base`.
    pub base: String,
    /// 0 where it gets no requests.
    pub weight: u32,
    /// The number that its address has where keys decide.
    pub number: u64,
    in_flight: Cell<u32>,
    breaker: Option<RefCell<Breaker>>,
    /// Until when it is not well, as those who ask for its health say.
    pub unwell: Cell<f64>,
}

/// A request on its way to a target. However it ends, the target has one less on its way.
#[derive(Debug)]
pub struct Ticket<'a> {
    /// Its place in the list.
    pub position: usize,
    pub target: &'a Target,
    pass: Option<Pass>,
}

impl Target {
    pub fn new(base: String, weight: u32, rules: Option<&Rules>) -> Target {
        let number = number(&base);
        let breaker = rules.map(|rules| RefCell::new(Breaker::new(rules)));
        Target { base, weight, number, in_flight: Cell::new(0), breaker, unwell: Cell::new(f64::NEG_INFINITY) }
    }

    pub fn in_flight(&self) -> u32 {
        self.in_flight.get()
    }

    /// What its breaker says.
    pub fn look(&self, now: f64) -> Admission {
        self.breaker.as_ref().map_or(Admission::Pass, |breaker| breaker.borrow().look(now))
    }

    /// Whether its breaker is not closed.
    pub fn is_open(&self) -> bool {
        self.breaker.as_ref().is_some_and(|breaker| breaker.borrow().is_open())
    }

    /// Whether those who ask for its health say that it is not well.
    pub fn is_unwell(&self, now: f64) -> bool {
        now < self.unwell.get()
    }

    /// Until when its breaker is open, where it is.
    pub fn opened(&self) -> Option<f64> {
        self.breaker.as_ref().and_then(|breaker| breaker.borrow().opened())
    }

    /// Until when its breaker lets nothing through.
    pub fn until(&self, now: f64) -> Option<f64> {
        match self.look(now) {
            Admission::Refused { until } => Some(until),
            Admission::Pass | Admission::Probe => None,
        }
    }

    /// Opens its breaker until a time, because others have. Whether that is news.
    pub fn open_until(&self, until: f64, now: f64) -> bool {
        self.breaker.as_ref().is_some_and(|breaker| breaker.borrow_mut().open_until(until, now))
    }

    /// Lets a request through, which takes `longest_ms` at most.
    pub fn enter(&self, position: usize, now: f64, longest_ms: f64) -> Option<Ticket<'_>> {
        let pass = match &self.breaker {
            Some(breaker) => Some(breaker.borrow_mut().enter(now, longest_ms)?),
            None => None,
        };
        self.in_flight.set(self.in_flight.get().saturating_add(1));
        Some(Ticket { position, target: self, pass })
    }
}

impl Ticket<'_> {
    /// Whether it is to see if the target is well again, and has not.
    pub fn is_probe(&self) -> bool {
        self.pass.is_some_and(|pass| pass.probe)
    }

    /// Tells the breaker what came of it.
    pub fn settle(&mut self, rules: &Rules, outcome: Outcome, may_open: bool, now: f64) -> Option<Change> {
        let (pass, breaker) = (self.pass.take()?, self.target.breaker.as_ref()?);
        breaker.borrow_mut().record(rules, (pass, outcome), may_open, now)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.target.in_flight.set(self.target.in_flight.get().saturating_sub(1));
        if let (Some(pass), Some(breaker)) = (self.pass.take(), &self.target.breaker) {
            breaker.borrow_mut().abandon(pass);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules =
        Rules { failures: Some(1), rate: None, requests: 1, window_ms: 1_000.0, open_ms: 500.0, probes: 1 };

    #[test]
    fn what_nobody_waits_for_is_not_on_its_way() {
        let target = Target::new("http://a.test".to_owned(), 1, None);
        let (one, two) = (target.enter(0, 0.0, 1.0), target.enter(0, 0.0, 1.0));
        assert_eq!(target.in_flight(), 2);
        drop(one);
        assert_eq!(target.in_flight(), 1);
        drop(two);
        assert_eq!(target.in_flight(), 0);
    }

    #[test]
    fn a_probe_that_is_let_go_makes_room_for_the_next() {
        let target = Target::new("http://a.test".to_owned(), 1, Some(&RULES));
        let mut ticket = target.enter(0, 0.0, 1e9).expect("it is closed");
        assert_eq!(ticket.settle(&RULES, Outcome::Bad, true, 0.0), Some(Change::Failures(1)));
        drop(ticket);
        assert!(target.is_open() && target.enter(0, 499.0, 1e9).is_none());
        let probe = target.enter(0, 500.0, 1e9).expect("a probe");
        assert!(target.enter(0, 500.0, 1e9).is_none());
        drop(probe);
        let mut probe = target.enter(0, 500.0, 1e9).expect("another probe");
        assert_eq!(probe.settle(&RULES, Outcome::Good, true, 500.0), Some(Change::Closed));
        assert_eq!(target.look(500.0), Admission::Pass);
    }
}
