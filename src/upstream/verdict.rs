//! What a try came to: whether it is a success, whose fault it is if not, and whether anything was sent. A client that went
//! away, and a client's mistake (4xx), say nothing of a target.

use super::breaker::Outcome;
use crate::body::Body;
use crate::host::HostError;
use crate::reject::Reject;
use http::{Response, StatusCode};

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Statuses that are tried again, and that are failures of the target.
    pub again: &'a [u16],
    pub failures: &'a [u16],
    /// Whether the request's body came from the client while it was sent: then nobody knows which of the two ended it, or
    /// was slow.
    pub streamed: bool,
    /// Whether the target had less time than it may take, because others had taken it.
    pub hurried: bool,
}

/// What a try came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Why it is no success: a word for the log.
    pub failed: Option<&'static str>,
    /// What it says of the target.
    pub outcome: Outcome,
    /// Whether the target cannot have begun to do it.
    pub unsent: bool,
    /// Whether another try could end otherwise.
    pub hopeful: bool,
}

impl Verdict {
    /// Nothing was sent, for a reason that is none of the target's and that is the same for all of them.
    pub const UNMADE: Verdict =
        Verdict { failed: Some("credentials"), outcome: Outcome::Nothing, unsent: true, hopeful: false };
}

/// Judges a try.
pub fn judge(result: &Result<Response<Body>, HostError>, facts: Facts<'_>) -> Verdict {
    match result {
        Ok(response) => judge_status(response.status(), facts),
        Err(error) => judge_error(error, facts),
    }
}

fn judge_status(status: StatusCode, facts: Facts<'_>) -> Verdict {
    let code = status.as_u16();
    let bad = facts.failures.contains(&code);
    let failed = facts.again.contains(&code).then_some("status");
    let outcome = if bad { Outcome::Bad } else { Outcome::Good };
    Verdict { failed, outcome, unsent: false, hopeful: true }
}

fn judge_error(error: &HostError, facts: Facts<'_>) -> Verdict {
    let fault = |word, outcome| Verdict { failed: Some(word), outcome, unsent: false, hopeful: true };
    let its_own = if facts.streamed { Outcome::Nothing } else { Outcome::Bad };
    match error {
        HostError::Unreachable(_) => Verdict { unsent: true, ..fault("unreachable", Outcome::Bad) },
        HostError::Denied(_) => Verdict { unsent: true, ..fault("denied", Outcome::Bad) },
        HostError::Timeout if facts.hurried => fault("timeout", Outcome::Nothing),
        HostError::Timeout => fault("timeout", its_own),
        HostError::Disconnected(_) => fault("disconnected", its_own),
        HostError::Protocol(_) => fault("protocol", its_own),
        HostError::Other(_) => fault("other", its_own),
        HostError::BodyTooLarge => Verdict { hopeful: false, ..fault("body-too-large", Outcome::Nothing) },
        HostError::Unsendable(_) => Verdict { hopeful: false, unsent: true, ..fault("unsendable", Outcome::Nothing) },
    }
}

/// What the client is told of a failure.
pub fn blame(error: &HostError) -> Reject {
    match error {
        HostError::Timeout => Reject::UpstreamTimeout,
        HostError::BodyTooLarge => Reject::BodyTooLarge,
        HostError::Unreachable(_)
        | HostError::Disconnected(_)
        | HostError::Protocol(_)
        | HostError::Denied(_)
        | HostError::Unsendable(_)
        | HostError::Other(_) => Reject::UpstreamFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: Facts<'_> =
        Facts { again: &[502, 503, 429], failures: &[500, 502, 503], streamed: false, hurried: false };

    fn status(code: u16) -> (Option<&'static str>, Outcome) {
        let verdict = judge_status(StatusCode::from_u16(code).expect("a status"), FACTS);
        (verdict.failed, verdict.outcome)
    }

    #[test]
    fn mistakes_of_clients_are_no_failures() {
        assert_eq!(status(200), (None, Outcome::Good));
        for code in [301, 400, 401, 404, 409, 422, 499] {
            assert_eq!(status(code), (None, Outcome::Good), "{code}");
        }
        assert_eq!(status(429), (Some("status"), Outcome::Good));
        assert_eq!(status(500), (None, Outcome::Bad));
        assert_eq!(status(503), (Some("status"), Outcome::Bad));
    }

    #[test]
    fn who_goes_away_while_sending_is_nobodys_fault() {
        let lost = HostError::Disconnected(String::new());
        assert_eq!(judge_error(&lost, FACTS).outcome, Outcome::Bad);
        let streamed = Facts { streamed: true, ..FACTS };
        for error in [lost, HostError::Timeout, HostError::Other(String::new()), HostError::BodyTooLarge] {
            assert_eq!(judge_error(&error, streamed).outcome, Outcome::Nothing, "{error}");
        }
        let refused = judge_error(&HostError::Unreachable(String::new()), streamed);
        assert_eq!((refused.outcome, refused.unsent), (Outcome::Bad, true));
    }

    #[test]
    fn what_cannot_be_sent_says_nothing_of_anybody() {
        let verdict = judge_error(&HostError::Unsendable(String::new()), FACTS);
        assert_eq!((verdict.outcome, verdict.unsent, verdict.hopeful), (Outcome::Nothing, true, false));
    }

    #[test]
    fn who_has_no_time_is_not_late() {
        assert_eq!(judge_error(&HostError::Timeout, FACTS).outcome, Outcome::Bad);
        assert_eq!(judge_error(&HostError::Timeout, Facts { hurried: true, ..FACTS }).outcome, Outcome::Nothing);
    }
}
