//! What is asked of a signature beside that it holds: what it covers, and when it was made (RFC 9421, section 3.2.1).

use super::Message;
use super::candidate::Candidate;
use super::component::{Component, Identifier};
use super::flaw::Flaw;

/// What is asked of a signature.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// What it must cover. `@target-uri` is also covered by `@scheme`, `@authority`, `@path` and `@query` together.
    /// `content-digest` must be covered only where there is content.
    pub components: Vec<Identifier>,
    /// How old it may be, in seconds.
    pub max_age: f64,
    /// How far clocks may be apart, in seconds.
    pub leeway: f64,
    /// The `tag` that it must have; any, or none, where none is given.
    pub tag: Option<String>,
    /// Whether it must have a nonce. Whether that has been seen before is the caller's to say.
    pub nonce_required: bool,
}

impl Rules {
    /// What a signature must cover where nothing else is said. Without the method and the whole target, it could be
    /// taken from one request and put to another (section 7.2.1).
    pub const COMPONENTS: [&str; 3] = ["@method", "@target-uri", "content-digest"];

    /// Whether a candidate is what is asked for. `now`: seconds since 1970-01-01T00:00:00Z.
    pub fn check(&self, candidate: &Candidate, message: &Message<'_>, now: f64) -> Result<(), Flaw> {
        self.check_cover(candidate, message)?;
        self.check_time(candidate, now)?;
        if self.tag.is_some() && candidate.tag != self.tag {
            return Err(Flaw::WrongTag);
        }
        if self.nonce_required && candidate.nonce.as_ref().is_none_or(String::is_empty) {
            return Err(Flaw::NoNonce);
        }
        Ok(())
    }

    /// How long one signature can be taken again after it was taken once, in seconds: as long must its nonce be kept.
    pub fn lifetime(&self) -> f64 {
        self.max_age + 2.0 * self.leeway
    }

    fn check_cover(&self, candidate: &Candidate, message: &Message<'_>) -> Result<(), Flaw> {
        candidate.components()?;
        let wanted =
            self.components.iter().filter(|wanted| message.has_content || !wanted.component.is_content_digest());
        for wanted in wanted {
            if !covers(candidate, &wanted.component) {
                return Err(Flaw::UncoveredComponent(wanted.text.clone()));
            }
        }
        Ok(())
    }

    fn check_time(&self, candidate: &Candidate, now: f64) -> Result<(), Flaw> {
        let created = candidate.created.ok_or(Flaw::NoCreated)?;
        let age = now - seconds(created);
        if age < -self.leeway {
            return Err(Flaw::FromFuture);
        }
        if age > self.max_age + self.leeway {
            return Err(Flaw::TooOld);
        }
        if candidate.expires.is_some_and(|expires| now > seconds(expires) + self.leeway) {
            return Err(Flaw::Expired);
        }
        Ok(())
    }
}

fn covers(candidate: &Candidate, wanted: &Component) -> bool {
    const PARTS: [Component; 4] = [Component::Scheme, Component::Authority, Component::Path, Component::Query];
    let in_parts = || *wanted == Component::TargetUri && PARTS.iter().all(|part| candidate.covers(part));
    candidate.covers(wanted) || in_parts()
}

/// Exact: a structured field's Integers have 15 digits at most.
#[expect(clippy::cast_precision_loss, reason = "15 digits fit into 53 bits")]
fn seconds(time: i64) -> f64 {
    time as f64
}
