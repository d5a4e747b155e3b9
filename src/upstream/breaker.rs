//! When a target gets no more requests, and when it gets some again: a circuit breaker for each target. It is a function of
//! what it saw and of the time; it reads no clock and calls nobody.
//!
//! Closed, it lets everything through, and counts. After too many failures it opens, and lets nothing through until its
//! time is over. Then it is half open: one request after the other goes through, to see. As many as it wants must go well
//! before it closes, and the first that does not opens it again.

use super::tally::Tally;

/// When it opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// After so many failures in a row.
    pub failures: Option<u32>,
    /// When so large a part of the window's requests failed.
    pub rate: Option<f64>,
    /// How many requests the window must have for the rate to mean anything.
    pub requests: u32,
    pub window_ms: f64,
    pub open_ms: f64,
    /// How many probes must go well.
    pub probes: u32,
}

/// What it knows.
#[derive(Debug, Clone)]
pub struct Breaker {
    state: State,
    /// Failures since the last success.
    streak: u32,
    /// Successes and failures in the window.
    tally: Tally,
    /// How often it has opened, or let a probe through: what began before says nothing of what is now.
    generation: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Closed,
    Open {
        until: f64,
    },
    /// `until`: by when the probe that is under way must have come back, or be taken for lost.
    HalfOpen {
        until: Option<f64>,
        passed: u32,
    },
}

/// Whether a request may pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Admission {
    Pass,
    /// To see whether the target is well again.
    Probe,
    /// Not before a time, in milliseconds since 1970.
    Refused {
        until: f64,
    },
}

/// What a request that passed is known by when it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    pub probe: bool,
    generation: u32,
}

/// What a request says of its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Good,
    Bad,
    /// Nothing: the client went away, or made the mistake.
    Nothing,
}

/// What a request has changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// It opened after so many failures in a row.
    Failures(u32),
    /// It opened, since so many of so many requests failed.
    Rate(u32, u32),
    /// It opened again: a probe failed.
    Probe,
    Closed,
}

impl Breaker {
    pub fn new(rules: &Rules) -> Breaker {
        Breaker { state: State::Closed, streak: 0, tally: Tally::new(rules.window_ms), generation: 0 }
    }

    /// Whether a request might pass. This changes nothing.
    pub fn look(&self, now: f64) -> Admission {
        match self.state {
            State::Closed => Admission::Pass,
            State::Open { until } | State::HalfOpen { until: Some(until), .. } if now < until => {
                Admission::Refused { until }
            }
            State::Open { .. } | State::HalfOpen { .. } => Admission::Probe,
        }
    }

    /// Until when it is open, where it is and has no probe yet.
    pub fn opened(&self) -> Option<f64> {
        if let State::Open { until } = self.state { Some(until) } else { None }
    }

    /// Whether it is not closed.
    pub fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// Lets a request through, if one may pass. A probe must be back after `longest_ms`: its end may never be seen.
    pub fn enter(&mut self, now: f64, longest_ms: f64) -> Option<Pass> {
        let probe = match self.look(now) {
            Admission::Refused { .. } => return None,
            Admission::Pass => false,
            Admission::Probe => {
                let passed = if let State::HalfOpen { passed, .. } = self.state { passed } else { 0 };
                self.state = State::HalfOpen { until: Some(now + longest_ms), passed };
                self.generation = self.generation.wrapping_add(1);
                true
            }
        };
        Some(Pass { probe, generation: self.generation })
    }

    /// Takes back a request that passed. `may_open` is whether another target may be left out.
    pub fn record(&mut self, rules: &Rules, came: (Pass, Outcome), may_open: bool, now: f64) -> Option<Change> {
        let (pass, outcome) = came;
        if pass.generation != self.generation {
            return None;
        }
        match (self.state, pass.probe) {
            (State::Closed, false) => self.count(rules, outcome, may_open, now),
            (State::HalfOpen { passed, .. }, true) => self.probed(rules, outcome, passed, now),
            (State::Closed | State::Open { .. } | State::HalfOpen { .. }, _) => None,
        }
    }

    /// Forgets a request that passed: nobody waits for it any more.
    pub fn abandon(&mut self, pass: Pass) {
        if let State::HalfOpen { passed, .. } = self.state
            && pass.probe
            && pass.generation == self.generation
        {
            self.state = State::HalfOpen { until: None, passed };
        }
    }

    fn count(&mut self, rules: &Rules, outcome: Outcome, may_open: bool, now: f64) -> Option<Change> {
        match outcome {
            Outcome::Nothing => return None,
            Outcome::Good => {
                self.streak = 0;
                self.tally.add(0, now);
                return None;
            }
            Outcome::Bad => {
                self.streak = self.streak.saturating_add(1);
                self.tally.add(1, now);
            }
        }
        if !may_open {
            return None;
        }
        let change = self.is_too_much(rules, now)?;
        self.open(now + rules.open_ms);
        Some(change)
    }

    fn is_too_much(&mut self, rules: &Rules, now: f64) -> Option<Change> {
        if rules.failures.is_some_and(|most| self.streak >= most) {
            return Some(Change::Failures(self.streak));
        }
        let rate = rules.rate?;
        let [good, bad] = self.tally.sums(now);
        let all = good.saturating_add(bad);
        (all >= rules.requests && f64::from(bad) >= rate * f64::from(all)).then_some(Change::Rate(bad, all))
    }

    fn probed(&mut self, rules: &Rules, outcome: Outcome, passed: u32, now: f64) -> Option<Change> {
        match outcome {
            Outcome::Nothing => self.state = State::HalfOpen { until: None, passed },
            Outcome::Good if passed + 1 < rules.probes => {
                self.state = State::HalfOpen { until: None, passed: passed + 1 };
            }
            Outcome::Good => {
                self.state = State::Closed;
                return Some(Change::Closed);
            }
            Outcome::Bad => {
                self.open(now + rules.open_ms);
                return Some(Change::Probe);
            }
        }
        None
    }

    /// Opens it until a time: another instance has seen what this one has not.
    pub fn open_until(&mut self, until: f64, now: f64) -> bool {
        let opens = self.state == State::Closed && until > now;
        if opens {
            self.open(until);
        }
        opens
    }

    fn open(&mut self, until: f64) {
        self.state = State::Open { until };
        self.streak = 0;
        self.tally.clear();
        self.generation = self.generation.wrapping_add(1);
    }
}

// What they are made of is there on this machine only.
#[cfg(not(target_family = "wasm"))]
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: Rules =
        Rules { failures: Some(3), rate: Some(0.5), requests: 10, window_ms: 1_000.0, open_ms: 500.0, probes: 2 };

    /// One request that comes back at once.
    fn request(breaker: &mut Breaker, outcome: Outcome, now: f64) -> Option<Change> {
        let pass = breaker.enter(now, 100.0).expect("it passes");
        breaker.record(&RULES, (pass, outcome), true, now)
    }

    fn opened(breaker: &mut Breaker) {
        let changes: Vec<_> = (0..3).map(|_| request(breaker, Outcome::Bad, 0.0)).collect();
        assert_eq!(changes.last(), Some(&Some(Change::Failures(3))));
    }

    #[test]
    fn failures_in_a_row_open_it() {
        let mut breaker = Breaker::new(&RULES);
        for outcome in [Outcome::Bad, Outcome::Bad, Outcome::Good, Outcome::Bad, Outcome::Nothing, Outcome::Bad] {
            assert_eq!(request(&mut breaker, outcome, 0.0), None);
        }
        assert_eq!(request(&mut breaker, Outcome::Bad, 0.0), Some(Change::Failures(3)));
        assert_eq!(breaker.look(499.0), Admission::Refused { until: 500.0 });
        assert_eq!(breaker.look(500.0), Admission::Probe);
    }

    #[test]
    fn a_rate_opens_it_where_there_are_enough_requests() {
        let mut breaker = Breaker::new(&RULES);
        for _ in 0..4 {
            assert_eq!(request(&mut breaker, Outcome::Bad, 0.0), None);
            assert_eq!(request(&mut breaker, Outcome::Good, 0.0), None);
        }
        assert_eq!(request(&mut breaker, Outcome::Good, 0.0), None);
        assert_eq!(request(&mut breaker, Outcome::Bad, 0.0), Some(Change::Rate(5, 10)));
    }

    #[test]
    fn as_many_probes_as_it_wants_close_it() {
        let mut breaker = Breaker::new(&RULES);
        opened(&mut breaker);
        assert_eq!(request(&mut breaker, Outcome::Good, 500.0), None);
        assert_eq!(request(&mut breaker, Outcome::Good, 500.0), Some(Change::Closed));
        assert_eq!(breaker.look(500.0), Admission::Pass);
    }

    #[test]
    fn a_failed_probe_opens_it_again() {
        let mut breaker = Breaker::new(&RULES);
        opened(&mut breaker);
        assert_eq!(request(&mut breaker, Outcome::Good, 500.0), None);
        assert_eq!(request(&mut breaker, Outcome::Bad, 600.0), Some(Change::Probe));
        assert_eq!(breaker.look(1_099.0), Admission::Refused { until: 1_100.0 });
        // What went well before counts no more.
        assert_eq!(request(&mut breaker, Outcome::Good, 1_100.0), None);
        assert_eq!(request(&mut breaker, Outcome::Good, 1_100.0), Some(Change::Closed));
    }

    #[test]
    fn a_probe_that_never_comes_back_does_not_hold_it() {
        let mut breaker = Breaker::new(&RULES);
        opened(&mut breaker);
        assert!(breaker.enter(500.0, 100.0).is_some());
        assert_eq!(breaker.look(599.0), Admission::Refused { until: 600.0 });
        assert_eq!(breaker.look(600.0), Admission::Probe);
    }

    #[test]
    fn it_stays_closed_where_no_more_may_be_left_out() {
        let mut breaker = Breaker::new(&RULES);
        for _ in 0..20 {
            let pass = breaker.enter(0.0, 100.0).expect("it passes");
            assert_eq!(breaker.record(&RULES, (pass, Outcome::Bad), false, 0.0), None);
        }
        assert_eq!(breaker.look(0.0), Admission::Pass);
        assert_eq!(request(&mut breaker, Outcome::Bad, 0.0), Some(Change::Failures(21)));
    }

    #[test]
    fn others_may_open_it() {
        let mut breaker = Breaker::new(&RULES);
        assert!(!breaker.open_until(10.0, 10.0));
        assert!(breaker.open_until(20.0, 10.0));
        assert!(!breaker.open_until(30.0, 10.0), "it has an end of its own");
        assert_eq!(breaker.look(15.0), Admission::Refused { until: 20.0 });
    }

    #[derive(Debug, Clone)]
    enum Step {
        Enter,
        /// The oldest that is under way comes back.
        Back(Outcome),
        /// It is lost, and nobody says so.
        Forget,
        /// Nobody waits for it any more.
        Abandon,
        /// Others say that it should be open for so long.
        Others(f64),
        Wait(f64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let outcome = prop::sample::select(vec![Outcome::Good, Outcome::Bad, Outcome::Bad, Outcome::Nothing]);
        prop_oneof![
            4 => Just(Step::Enter),
            4 => outcome.prop_map(Step::Back),
            1 => Just(Step::Forget),
            1 => Just(Step::Abandon),
            1 => (0..700u32).prop_map(|ms| Step::Others(f64::from(ms))),
            2 => (0..300u32).prop_map(|ms| Step::Wait(f64::from(ms))),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// From when it opens until its time is over nothing passes, and half open there is one probe at a time.
        #[test]
        fn nothing_passes_while_it_is_open(
            steps in prop::collection::vec(step(), 0..200),
            failures in prop::option::of(1..4u32),
            probes in 1..4u32,
        ) {
            let rules = Rules { failures, probes, requests: 4, ..RULES };
            let mut breaker = Breaker::new(&rules);
            let mut now = 0.0;
            let mut open_until = f64::NEG_INFINITY;
            let mut under_way: Vec<(Pass, f64)> = Vec::new();
            for step in steps {
                match step {
                    Step::Wait(ms) => now += ms,
                    Step::Forget if !under_way.is_empty() => drop(under_way.remove(0)),
                    Step::Abandon if !under_way.is_empty() => breaker.abandon(under_way.remove(0).0),
                    Step::Forget | Step::Abandon => {}
                    Step::Others(ms) => {
                        if breaker.open_until(now + ms, now) {
                            open_until = now + ms;
                        }
                    }
                    Step::Enter => {
                        let looked = breaker.look(now);
                        let pass = breaker.enter(now, 100.0);
                        prop_assert_eq!(pass.is_some(), !matches!(looked, Admission::Refused { .. }));
                        if let Some(pass) = pass {
                            prop_assert!(now >= open_until, "it passed while it was open");
                            under_way.push((pass, now));
                        }
                        let probing = under_way.iter().filter(|(pass, at)| pass.probe && now < at + 100.0);
                        prop_assert!(probing.count() <= 1, "two probes at once");
                    }
                    Step::Back(outcome) if !under_way.is_empty() => {
                        let (pass, _) = under_way.remove(0);
                        let change = breaker.record(&rules, (pass, outcome), true, now);
                        if matches!(change, Some(Change::Failures(_) | Change::Rate(..) | Change::Probe)) {
                            prop_assert_eq!(outcome, Outcome::Bad);
                            open_until = now + rules.open_ms;
                        }
                    }
                    Step::Back(_) => {}
                }
            }
        }

        /// A target whose requests all go well is never left out.
        #[test]
        fn it_never_opens_without_a_failure(steps in prop::collection::vec(0..100u32, 0..100)) {
            let mut breaker = Breaker::new(&RULES);
            let mut now = 0.0;
            for ms in steps {
                now += f64::from(ms);
                prop_assert_eq!(request(&mut breaker, Outcome::Good, now), None);
            }
        }
    }
}
