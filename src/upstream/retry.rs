//! Whether a request is tried again, and when: a function of what its last try came to, of what is left of its deadline and
//! of the budget. Only what may be done twice is repeated (RFC 9110, section 9.2.2), and never so much that it doubles
//! the load of whoever fails already.

use super::tally::Tally;
use http::Method;

/// When requests are tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// How many tries there are, the first one too.
    pub attempts: usize,
    pub backoff_ms: f64,
    pub max_backoff_ms: f64,
    /// How many tries may come on top of the requests of the window, as a part of them.
    pub budget: f64,
    pub statuses: Vec<u16>,
    /// In bytes.
    pub max_body: u64,
    /// Whether every platform of the configuration tells where no connection came about: then any method may be repeated,
    /// if that was all.
    pub tells_unsent: bool,
}

/// Over how long the budget is taken, in milliseconds.
pub const WINDOW_MS: f64 = 10_000.0;

/// How many more tries there may be in that time beside the share, where there were as many requests: an instance with few
/// requests needs some. One may always be.
pub const FLOOR: u32 = 10;

/// Requests, and tries on top of them.
#[derive(Debug, Clone)]
pub struct Budget(Tally);

impl Default for Budget {
    fn default() -> Budget {
        Budget(Tally::new(WINDOW_MS))
    }
}

impl Budget {
    /// Counts a request.
    pub fn request(&mut self, now: f64) {
        self.0.add(0, now);
    }

    /// Takes one more try, if there is one left.
    pub fn take(&mut self, share: f64, now: f64) -> Option<()> {
        let [requests, more] = self.0.sums(now);
        let requests = f64::from(requests);
        let most = (f64::from(FLOOR) + share * requests).min(requests + 1.0);
        (f64::from(more) + 1.0 <= most).then(|| self.0.add(1, now))
    }
}

/// What a try came to that was no success.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Failed {
    /// How many tries there were.
    pub tries: usize,
    /// Whether doing it again does no harm.
    pub repeatable: bool,
    /// Whether its content can be sent again.
    pub replayable: bool,
    /// Whether there is a target that may be asked, and whether it is another one.
    pub next: Option<Target>,
    /// When the target wants to be asked again, in milliseconds.
    pub retry_after_ms: Option<f64>,
    /// Whether it was the client that has asked for too much (429): no other target will see that otherwise.
    pub is_throttled: bool,
    /// What is left of the deadline, in milliseconds.
    pub left_ms: f64,
}

/// Who would be asked next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Same,
    Another,
}

/// What is done about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Next {
    /// Nothing, and why: a word for the log.
    Stop(&'static str),
    /// It is tried again, after a pause.
    Again { after_ms: f64 },
}

impl Retry {
    /// Decides what is done. `uniform` is a number between 0 and 1.
    pub fn decide(&self, failed: &Failed, budget: &mut Budget, uniform: f64, now: f64) -> Next {
        if failed.tries >= self.attempts {
            return Next::Stop("attempts");
        }
        if !failed.repeatable {
            return Next::Stop("not-repeatable");
        }
        if !failed.replayable {
            return Next::Stop("content-gone");
        }
        let Some(next) = failed.next else { return Next::Stop("no-target") };
        // RFC 9110, section 10.2.3: it is asked of whoever asks the same server again.
        let binds = next == Target::Same || failed.is_throttled;
        let wanted = failed.retry_after_ms.filter(|_| binds).unwrap_or_default();
        let after_ms = self.pause(failed.tries, uniform).max(wanted);
        if after_ms >= failed.left_ms {
            return Next::Stop("deadline");
        }
        match budget.take(self.budget, now) {
            Some(()) => Next::Again { after_ms },
            None => Next::Stop("budget"),
        }
    }

    /// Any time up to one that doubles with each try: whoever fails at the same time does not come back at the same time.
    fn pause(&self, tries: usize, uniform: f64) -> f64 {
        uniform * self.longest_pause(tries)
    }

    pub fn longest_pause(&self, tries: usize) -> f64 {
        let doublings = i32::try_from(tries.saturating_sub(1)).unwrap_or(i32::MAX).min(32);
        (self.backoff_ms * 2f64.powi(doublings)).min(self.max_backoff_ms)
    }
}

/// Whether a method can be repeated without harm (RFC 9110, section 9.2.2).
pub fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE].contains(method)
}

// What they are made of is there on this machine only.
#[cfg(not(target_family = "wasm"))]
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn retry() -> Retry {
        Retry {
            attempts: 3,
            backoff_ms: 50.0,
            max_backoff_ms: 1_000.0,
            budget: 0.2,
            statuses: vec![503],
            max_body: 0,
            tells_unsent: false,
        }
    }

    const FAILED: Failed = Failed {
        tries: 1,
        repeatable: true,
        replayable: true,
        next: Some(Target::Another),
        retry_after_ms: None,
        is_throttled: false,
        left_ms: 10_000.0,
    };

    fn decide(failed: Failed) -> Next {
        retry().decide(&failed, &mut Budget::default(), 0.5, 0.0)
    }

    #[test]
    fn it_says_why_it_stops() {
        assert_eq!(decide(FAILED), Next::Again { after_ms: 25.0 });
        assert_eq!(decide(Failed { tries: 3, ..FAILED }), Next::Stop("attempts"));
        assert_eq!(decide(Failed { repeatable: false, ..FAILED }), Next::Stop("not-repeatable"));
        assert_eq!(decide(Failed { replayable: false, ..FAILED }), Next::Stop("content-gone"));
        assert_eq!(decide(Failed { next: None, ..FAILED }), Next::Stop("no-target"));
        assert_eq!(decide(Failed { left_ms: 25.0, ..FAILED }), Next::Stop("deadline"));
    }

    #[test]
    fn the_pause_doubles_and_ends() {
        assert_eq!(decide(Failed { tries: 2, ..FAILED }), Next::Again { after_ms: 50.0 });
        let patient = Retry { attempts: usize::MAX, ..retry() };
        let late = Failed { tries: 1_000_000, ..FAILED };
        assert_eq!(patient.decide(&late, &mut Budget::default(), 1.0, 0.0), Next::Again { after_ms: 1_000.0 });
    }

    #[test]
    fn retry_after_holds_for_whoever_said_it() {
        let asked = Failed { retry_after_ms: Some(2_000.0), ..FAILED };
        assert_eq!(decide(asked), Next::Again { after_ms: 25.0 });
        assert_eq!(decide(Failed { next: Some(Target::Same), ..asked }), Next::Again { after_ms: 2_000.0 });
        assert_eq!(decide(Failed { is_throttled: true, ..asked }), Next::Again { after_ms: 2_000.0 });
        assert_eq!(decide(Failed { is_throttled: true, left_ms: 2_000.0, ..asked }), Next::Stop("deadline"));
    }

    #[test]
    fn methods_that_may_be_repeated() {
        for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"] {
            assert!(is_idempotent(&method.parse().expect("a method")), "{method}");
        }
        for method in ["POST", "PATCH", "CONNECT", "PROPFIND", "get"] {
            assert!(!is_idempotent(&method.parse().expect("a method")), "{method}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        /// The budget's law: in any time of the window's length, however requests come and fail, there are never more tries
        /// on top than the share of the requests of that time and of one such time before, and the floor; and never more than
        /// those requests, and one. So an upstream that fails gets no more than twice its requests.
        #[test]
        fn retries_never_exceed_the_budget(
            share in 0..=100u32,
            // Whether each is a request or a try on top, and how long after the one before.
            events in prop::collection::vec((prop::bool::weighted(0.3), 0..400u32), 1..600),
        ) {
            let share = f64::from(share) / 100.0;
            let mut budget = Budget::default();
            let mut now = 1e12;
            let (mut requests, mut more): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
            for (is_request, pause) in events {
                now += f64::from(pause);
                if is_request {
                    budget.request(now);
                    requests.push(now);
                } else if budget.take(share, now).is_some() {
                    more.push(now);
                    // What the budget sees is the window, and never more.
                    let since = |times: &[f64], span: f64| times.iter().filter(|at| now - **at < span).count() as f64;
                    let within = since(&more, WINDOW_MS * 0.9);
                    let seen = since(&requests, WINDOW_MS);
                    let most = (f64::from(FLOOR) + share * seen).min(seen + 1.0);
                    prop_assert!(within <= most, "{within} on top of {seen}");
                }
            }
        }

        /// A client that always fails, with all it may: its upstream gets at most twice its requests, and one for each window,
        /// however often each may be tried; and where there are many, (1 + share) times its requests, and the floor.
        #[test]
        fn retries_never_double_the_load(attempts in 2..10usize, share in 0..=100u32, pause in 1..200u32, requests in 1..400u32) {
            let retry = Retry { attempts, budget: f64::from(share) / 100.0, ..retry() };
            let mut budget = Budget::default();
            let mut tries = 0u32;
            for number in 0..requests {
                let now = 1e12 + f64::from(number * pause);
                budget.request(now);
                tries += 1;
                let mut failed = Failed { tries: 1, ..FAILED };
                while let Next::Again { .. } = retry.decide(&failed, &mut budget, 0.0, now) {
                    tries += 1;
                    failed.tries += 1;
                }
            }
            // A floor for each window that has begun, and one for its beginning.
            let windows = f64::from(requests * pause) / (WINDOW_MS * 0.9) + 2.0;
            let requests = f64::from(requests);
            let most = (1.0 + retry.budget) * requests + windows * f64::from(FLOOR);
            prop_assert!(f64::from(tries) <= most.min(2.0 * requests + windows), "{tries} tries of {requests}");
        }

        /// A pause is never longer than it may be, nor than what is left.
        #[test]
        fn pauses_end_before_the_deadline(tries in 1..10usize, left_ms in 0.0..3_000.0f64, uniform in 0.0..1.0f64, asked in prop::option::of(0.0..5_000.0f64)) {
            let retry = Retry { attempts: 11, ..retry() };
            let failed = Failed { tries, left_ms, retry_after_ms: asked, next: Some(Target::Same), ..FAILED };
            if let Next::Again { after_ms } = retry.decide(&failed, &mut Budget::default(), uniform, 0.0) {
                prop_assert!(after_ms < left_ms);
                prop_assert!(after_ms <= 1_000f64.max(asked.unwrap_or_default()));
                prop_assert!(after_ms >= asked.unwrap_or_default());
            }
        }
    }
}
