//! Why a part has no answer. A client sees the code and a sentence, never an address nor what the platform said: that is
//! in the log, with the attempts.

use crate::raw::Flaw;
use crate::reject::Reject;
use http::StatusCode;

/// Why a part has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Its upstream gave no answer, or broke it off.
    NoAnswer,
    /// Its answer was not there in time.
    Timeout,
    /// The request's deadline passed.
    Deadline,
    /// Its answer has another status than those that are expected.
    Status,
    TooLarge,
    /// Its answer is written in something else.
    MediaType,
    /// Its answer cannot be read.
    Unreadable,
    /// Its answer does not have what is taken of it.
    NoTarget,
    /// Its answer is no array.
    NoCollection,
    /// Something that its request needs is not there, or has characters that it cannot have.
    NoValue,
    /// A part that it needs has no answer.
    Needs,
    /// What tells its upstream who calls cannot be had.
    NoCredentials,
}

impl Failure {
    pub const ALL: [Failure; 12] = [
        Failure::NoAnswer,
        Failure::Timeout,
        Failure::Deadline,
        Failure::Status,
        Failure::TooLarge,
        Failure::MediaType,
        Failure::Unreadable,
        Failure::NoTarget,
        Failure::NoCollection,
        Failure::NoValue,
        Failure::Needs,
        Failure::NoCredentials,
    ];

    /// The stable code, and what a client is told.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Failure::NoAnswer => ("part-no-answer", "The service behind this part gave no answer."),
            Failure::Timeout => ("part-timeout", "The service behind this part did not answer in time."),
            Failure::Deadline => ("part-deadline", "The request took longer than it may take."),
            Failure::Status => ("part-status", "The service behind this part answered something else."),
            Failure::TooLarge => ("part-too-large", "The answer to this part is larger than it may be."),
            Failure::MediaType => ("part-media-type", "The answer to this part is written in something else."),
            Failure::Unreadable => ("part-unreadable", "The answer to this part cannot be read."),
            Failure::NoTarget => ("part-no-target", "The answer to this part lacks what is taken of it."),
            Failure::NoCollection => ("part-no-collection", "The answer to this part is no list."),
            Failure::NoValue => ("part-no-value", "A value that this part needs is missing, or cannot be used."),
            Failure::Needs => ("part-needs", "Another part that this one needs is missing."),
            Failure::NoCredentials => ("part-no-credentials", "The gateway cannot show this part's service who calls."),
        }
    }

    /// Whether it is that something took too long.
    pub fn is_late(self) -> bool {
        matches!(self, Failure::Timeout | Failure::Deadline)
    }

    /// Whether an earlier answer may stand in (RFC 5861, section 4): not where the upstream has said that there is none, nor
    /// where it was not asked.
    pub fn may_be_stale(self, status: Option<u16>) -> bool {
        match (self, status) {
            (Failure::NoValue | Failure::Needs, _) => false,
            (Failure::Status, Some(200..=299)) => false,
            (_, Some(status)) => !(300..500).contains(&status),
            (_, None) => true,
        }
    }

    /// The status that the gateway would answer, were it all that is asked for.
    pub fn status(self) -> StatusCode {
        if self.is_late() { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY }
    }
}

impl From<Flaw> for Failure {
    fn from(_: Flaw) -> Failure {
        Failure::Unreadable
    }
}

impl From<Reject> for Failure {
    fn from(reject: Reject) -> Failure {
        match reject {
            Reject::DeadlineExceeded => Failure::Deadline,
            Reject::UpstreamTimeout => Failure::Timeout,
            Reject::BodyTooLarge => Failure::TooLarge,
            Reject::BadParameter => Failure::NoValue,
            Reject::IdentityUnavailable => Failure::NoCredentials,
            _ => Failure::NoAnswer,
        }
    }
}
