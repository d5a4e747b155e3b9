//! What happens to the counters of limits between exchanges, and what several requests come to.

use serde::Deserialize;
use std::fmt;

/// What happens to the counters of limits. It lasts until something else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// Nobody answers where they are.
    Down,
    /// What is asked there is done, but answers come too late.
    Slow,
    /// They answer again.
    Up,
    /// Somebody writes over the states of all counters.
    Corrupt,
    /// Whatever keeps them ends without warning, and begins again with what it has kept: workerd with its Durable
    /// Objects, the Redis of Spin, or Spin itself where it has none. In memory a new instance begins.
    Restart,
    /// Redis forgets its scripts.
    Flush,
}

/// How many answers of several have a status: a number, or `{ at_least = 90, at_most = 100 }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(from = "CountForm")]
pub struct ExpectedCount {
    pub at_least: usize,
    pub at_most: usize,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a number, or { at_least = 1, at_most = 2 }")]
enum CountForm {
    Exactly(usize),
    Between(CountTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CountTable {
    #[serde(default)]
    at_least: usize,
    at_most: Option<usize>,
}

impl From<CountForm> for ExpectedCount {
    fn from(form: CountForm) -> ExpectedCount {
        match form {
            CountForm::Exactly(count) => ExpectedCount { at_least: count, at_most: count },
            CountForm::Between(CountTable { at_least, at_most }) => {
                ExpectedCount { at_least, at_most: at_most.unwrap_or(usize::MAX) }
            }
        }
    }
}

impl fmt::Display for ExpectedCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            ExpectedCount { at_least, at_most } if at_least == at_most => write!(f, "{at_least}"),
            ExpectedCount { at_least, at_most: usize::MAX } => write!(f, "{at_least} or more"),
            ExpectedCount { at_least, at_most } => write!(f, "{at_least} to {at_most}"),
        }
    }
}
