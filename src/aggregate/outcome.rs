//! What came of each part, and what is told of it: in the answer, in its header section, in the log.

use super::failure::Failure;
use crate::exchange::PartNote;
use crate::raw::push_string;
use http::{HeaderName, HeaderValue};
use std::fmt::Write as _;

/// What came of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It has answered.
    Ok,
    /// Its rule did not hold, or it is made of one whose did not.
    Skipped,
    /// It would have stood in for another one, which has answered.
    Unneeded,
    /// Its last good answer stands in for it, or that of one of its items.
    Stale,
    /// What the configuration says stands in for it, or for one of its items.
    Fallback,
    /// Some of its items are missing.
    Incomplete,
    Failed(Failure),
    /// The answer was there before it was done.
    Unfinished,
}

/// `true` where each part that was to be asked has answered.
pub const COMPLETED: HeaderName = HeaderName::from_static("x-edgate-completed");

pub const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

impl Outcome {
    /// Its name in the answer and in the log.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Skipped => "skipped",
            Outcome::Unneeded => "unneeded",
            Outcome::Stale => "stale",
            Outcome::Fallback => "fallback",
            Outcome::Incomplete => "incomplete",
            Outcome::Failed(_) => "failed",
            Outcome::Unfinished => "unfinished",
        }
    }

    pub fn failure(self) -> Option<Failure> {
        match self {
            Outcome::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    /// Whether nothing else than its own answer was there or was wanted.
    pub fn is_complete(self) -> bool {
        matches!(self, Outcome::Ok | Outcome::Skipped | Outcome::Unneeded)
    }

    /// Writes it as JSON: a problem document (RFC 9457) where it has failed.
    pub fn write(self, out: &mut String) {
        out.push_str("{\"outcome\":\"");
        out.push_str(self.name());
        out.push('"');
        if let Some(failure) = self.failure() {
            let (code, detail) = failure.words();
            let status = failure.status();
            out.push_str(",\"type\":\"about:blank\",\"title\":");
            push_string(status.canonical_reason().unwrap_or_default(), out);
            let _ = write!(out, ",\"status\":{}", status.as_u16());
            out.push_str(",\"detail\":");
            push_string(detail, out);
            out.push_str(",\"code\":");
            push_string(code, out);
        }
        out.push('}');
    }
}

/// How long each part took that was asked (Server Timing, section 3). What it is besides is in `desc`.
pub fn server_timing(parts: &[PartNote]) -> Option<HeaderValue> {
    let metric = |part: &PartNote| {
        let duration = (part.duration? * 10.0).round() / 10.0;
        let what = if part.outcome == "ok" { String::new() } else { format!(";desc=\"{}\"", part.outcome) };
        Some(format!("{};dur={duration}{what}", part.name))
    };
    let metrics: Vec<String> = parts.iter().filter_map(metric).collect();
    HeaderValue::try_from(metrics.join(", ")).ok().filter(|value| !value.is_empty())
}
