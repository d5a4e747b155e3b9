//! Workers' own rate limiters, as wrangler.toml binds them: `[[ratelimits]]`, one for each limit that is `regional`.

use super::tree::Node;
use crate::config::diagnostic::Place;
use crate::config::units::Duration;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The key of wrangler.toml that has them.
pub const KEY: &str = "ratelimits";

/// What a rate limiter lets pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limiter {
    /// How many requests of a key.
    pub limit: u64,
    /// In how many seconds.
    pub period: u64,
    /// What says so.
    pub place: Place,
}

impl Limiter {
    /// The one of a rate, `100/1m`. `None` for what is no rate: that has been reported by others.
    pub fn of(rate: &str, place: Place) -> Option<Limiter> {
        let (limit, period) = rate.split_once('/')?;
        let Duration(period) = period.parse().ok()?;
        Some(Limiter { limit: limit.trim().parse().ok()?, period: period.as_secs(), place })
    }

    /// Whether a binding says the same.
    pub fn is(&self, bound: &Node) -> bool {
        let says = |key: &str| bound.get("simple").and_then(|simple| simple.get(key)).map(Node::value);
        says("limit") == Some(Value::from(self.limit)) && says("period") == Some(Value::from(self.period))
    }

    /// As wrangler.toml has it.
    pub fn simple(&self) -> String {
        format!("simple = {{ limit = {}, period = {} }}", self.limit, self.period)
    }

    /// In words.
    pub fn describe(&self) -> String {
        format!("{} in {} s", self.limit, self.period)
    }
}

/// The rate limiter that is bound by this name. Environments do not inherit them.
pub fn find<'a>(table: &'a Node, binding: &str) -> Option<&'a Node> {
    let all = table.get(KEY).map(Node::elements).unwrap_or_default();
    all.iter().find(|one| one.get("name").and_then(Node::text) == Some(binding))
}

/// A number for a rate limiter that no other has. Cloudflare wants an integer that is unique in the account: rate limiters
/// of one number count together, so that it depends on whose it is. `owner` is the Worker and its environment.
pub fn namespace(taken: &[String], owner: &str, binding: &str) -> String {
    let hash = Sha256::digest(format!("{owner}\n{binding}"));
    let first = hash.iter().take(4).fold(0, |number, byte| number << 8 | u64::from(*byte));
    // Nine digits, which every reader of integers can hold.
    let mut all = (first..).map(|number| (100_000_000 + number % 900_000_000).to_string());
    all.find(|number| !taken.contains(number)).unwrap_or_default()
}

/// The numbers of all rate limiters of a manifest, whatever environment they are of.
pub fn namespaces(root: &Node) -> Vec<String> {
    let environments = root.get("env").map(Node::entries).unwrap_or_default().iter().map(|entry| &entry.value);
    let all = [root].into_iter().chain(environments).filter_map(|table| table.get(KEY)).flat_map(Node::elements);
    all.filter_map(|one| one.get("namespace_id")?.text().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_limits_have_them() {
        let read = |rate| Limiter::of(rate, Place::default()).map(|limiter| (limiter.limit, limiter.period));
        assert_eq!(read("100/1m"), Some((100, 60)));
        assert_eq!(read("5 / 10s"), Some((5, 10)));
        for broken in ["100", "100/", "/1m", "x/1m", "100/minute", "-1/1m"] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }

    #[test]
    fn numbers_are_stable_and_differ() {
        let number = namespace(&[], "edgate", "REGIONAL_A");
        assert_eq!(namespace(&[], "edgate", "REGIONAL_A"), number);
        assert_ne!(namespace(&[], "edgate", "REGIONAL_B"), number);
        assert_ne!(namespace(&[], "edgate env staging", "REGIONAL_A"), number);
        let next = namespace(std::slice::from_ref(&number), "edgate", "REGIONAL_A");
        assert_ne!(next, number);
        assert!([number, next].iter().all(|number| number.len() == 9 && number.parse::<u32>().is_ok()));
    }
}
