//! What one request to an upstream may come to at most: how many of the platform's, and how much time. Configurations and
//! plans are held against it.

use super::Upstream;
use super::retry::{Retry, is_idempotent};
use http::Method;
use std::time::Duration;

/// What may be done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Two targets may be asked at once.
    Reads,
    /// It may be tried again.
    Repeatable,
    /// Only where no target has seen it.
    Once,
}

impl Upstream {
    /// How many requests come of one.
    pub fn most_calls(&self, what: What) -> u64 {
        let tries = self.tries(what).map_or(1, |retry| retry.attempts as u64);
        // The last try may have a second target asked beside it.
        tries + u64::from(self.hedge.is_some() && what == What::Reads)
    }

    /// How long it takes until the answer to the last try begins.
    pub fn longest(&self, what: What) -> Duration {
        let hedge = self.hedge.filter(|_| what == What::Reads).unwrap_or_default();
        let once = self.timeout.saturating_add(hedge);
        let Some(retry) = self.tries(what) else { return once };
        let tries = u32::try_from(retry.attempts).unwrap_or(u32::MAX);
        once.saturating_mul(tries).saturating_add(retry.longest_pauses())
    }

    /// How it tries again, where it may.
    fn tries(&self, what: What) -> Option<&Retry> {
        self.retry.as_ref().filter(|retry| what != What::Once || retry.tells_unsent)
    }
}

impl What {
    /// What a request is: `keyed` where it says by a key of its own that it is the same one.
    pub fn of(method: &Method, keyed: bool) -> What {
        match *method {
            Method::GET | Method::HEAD => What::Reads,
            _ if keyed || is_idempotent(method) => What::Repeatable,
            _ => What::Once,
        }
    }
}

impl Retry {
    /// All pauses between its tries.
    fn longest_pauses(&self) -> Duration {
        let pauses = (1..self.attempts).map(|tries| self.longest_pause(tries));
        Duration::try_from_secs_f64(pauses.sum::<f64>() / 1000.0).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_add_up() {
        let retry = |attempts| Retry {
            attempts,
            backoff_ms: 100.0,
            max_backoff_ms: 300.0,
            budget: 0.2,
            statuses: Vec::new(),
            max_body: 0,
            tells_unsent: false,
        };
        let ms = |attempts| retry(attempts).longest_pauses().as_millis();
        assert_eq!([ms(1), ms(2), ms(3), ms(5)], [0, 100, 300, 900]);
    }
}
