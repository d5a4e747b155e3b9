//! What one request to an upstream may come to at most: how many of the platform's, and how much time. Configurations and
//! plans are held against it.

use super::Upstream;
use super::retry::{Retry, is_idempotent};
use http::Method;
use std::time::Duration;

impl Upstream {
    /// How many requests come of one. Any method where none is given.
    pub fn most_calls(&self, method: Option<&Method>) -> u64 {
        let tries = self.tries(method).map_or(1, |retry| retry.attempts as u64);
        let reads = method.is_none_or(|method| *method == Method::GET || *method == Method::HEAD);
        // The last try may have a second target asked beside it.
        tries + u64::from(self.hedge.is_some() && reads)
    }

    /// How long it takes until the answer to the last try begins.
    pub fn longest(&self, method: &Method) -> Duration {
        let hedge = self.hedge.unwrap_or_default();
        let once = self.timeout.saturating_add(hedge);
        let Some(retry) = self.tries(Some(method)) else { return once };
        let tries = u32::try_from(retry.attempts).unwrap_or(u32::MAX);
        once.saturating_mul(tries).saturating_add(retry.longest_pauses())
    }

    /// How it tries again, where it may.
    fn tries(&self, method: Option<&Method>) -> Option<&Retry> {
        self.retry.as_ref().filter(|retry| method.is_none_or(is_idempotent) || retry.tells_unsent)
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
