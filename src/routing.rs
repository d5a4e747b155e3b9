//! Which route takes a request: the most specific of those whose conditions all hold.
//!
//! A host that is named comes before a wildcard, the longer wildcard before the shorter, and both before any host.
//! Then the path decides (see [`pattern::Pattern`]'s order), then the method (named before any), then the number of
//! header conditions, then that of query conditions. The order in the file never decides: where two routes would be
//! equal, the configuration is refused.
//!
//! How it is found without looking at every route is the business of `routing/table.rs`.

pub mod condition;
pub mod pattern;
mod table;

use crate::config::sorted::{Sorted, in_order};
use condition::{Conditions, Facts, Methods, Takes};
use pattern::Pattern;
use std::ops::Range;
use std::rc::Rc;
use table::Table;

/// The position of a route among the gateway's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(pub usize);

/// One way in to a route: a host, a pattern, its conditions. A route with several hosts or paths has several.
#[derive(Debug, Clone)]
pub struct Entry {
    pub route: RouteId,
    pub host: HostPattern,
    pub pattern: Rc<Pattern>,
    pub conditions: Rc<Conditions>,
}

/// Which hosts an entry is for; the most specific first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostPattern {
    Exact(String),
    /// What follows the `*`: `.example.com`.
    Wildcard(String),
    Any,
}

/// A route for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub route: RouteId,
    pub pattern: Rc<Pattern>,
    /// The values of the pattern's parameters, as ranges of the path.
    pub captured: Vec<Range<usize>>,
}

/// No route for a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Miss {
    /// None matches.
    NoRoute,
    /// Some match but for the method. These do they take.
    Method(Methods),
}

/// Why an entry does not take a request, or that it does.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Host,
    Path,
    Method,
    /// A condition that does not hold, in words.
    Condition(String),
    Matches,
}

/// All entries, in trees by host.
#[derive(Default)]
pub struct Router {
    exact: Sorted<String, Table>,
    /// The longest first.
    wildcards: Vec<(String, Table)>,
    any: Table,
}

impl Router {
    /// Builds the trees.
    pub fn compile(entries: &[Entry]) -> Router {
        let weight = |entry: &Entry| std::cmp::Reverse(entry.conditions.weight());
        let entries = in_order(entries, &|one, other| {
            one.place().cmp(&other.place()).then_with(|| weight(one).cmp(&weight(other)))
        });
        let mut router = Router::default();
        for entries in entries.chunk_by(|one, other| one.host == other.host) {
            let table = Table::compile(entries);
            match entries.first().map(|entry| &entry.host) {
                Some(HostPattern::Exact(host)) => drop(router.exact.insert(host.clone(), table)),
                Some(HostPattern::Wildcard(suffix)) => {
                    let at = router.wildcards.partition_point(|(longer, _)| longer.len() >= suffix.len());
                    router.wildcards.insert(at, (suffix.clone(), table));
                }
                Some(HostPattern::Any) => router.any = table,
                None => {}
            }
        }
        router
    }

    /// The route that takes a request.
    pub fn find(&self, facts: &Facts<'_>) -> Result<Found, Miss> {
        let mut miss = Miss::NoRoute;
        for table in self.tables(facts.host) {
            match table.find(facts) {
                Ok(found) => return Ok(found),
                Err(other) => miss = miss.and(other),
            }
        }
        Err(miss)
    }

    /// Every entry, the most specific first, with what there is against it: for `edgate explain`, and for the test
    /// that holds the trees against it.
    pub fn consider(&self, facts: &Facts<'_>) -> Vec<(&Entry, Verdict)> {
        let mut considered: Vec<(&Entry, Verdict)> = self.all().map(|entry| (entry, entry.judge(facts))).collect();
        considered.sort_by_key(|(entry, _)| entry.precedence(facts));
        considered
    }

    /// Every entry, the most specific first: for `edgate routes`.
    pub fn entries(&self) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.all().collect();
        // A route that names methods comes before one that takes any.
        entries.sort_by_key(|entry| {
            let any = entry.conditions.methods.is_empty();
            (entry.host.rank(), Pattern::clone(&entry.pattern), any, std::cmp::Reverse(entry.conditions.weight()))
        });
        entries
    }

    /// The header fields that conditions look at.
    pub fn fields(&self) -> impl Iterator<Item = &http::HeaderName> {
        self.all().flat_map(|entry| entry.conditions.headers.iter().map(|(name, _)| name))
    }

    /// The methods that routes take at a host and path, whatever their other conditions.
    pub fn methods(&self, facts: &Facts<'_>) -> Methods {
        let here = self
            .tables(facts.host)
            .flat_map(Table::entries)
            .filter(|entry| entry.pattern.capture(facts.path).is_some());
        here.fold(Methods::default(), |all, entry| {
            all.union(if entry.conditions.methods.is_empty() { Methods::all() } else { entry.conditions.methods })
        })
    }

    fn all(&self) -> impl Iterator<Item = &Entry> {
        let wildcards = self.wildcards.iter().map(|(_, table)| table);
        self.exact.values().chain(wildcards).chain([&self.any]).flat_map(Table::entries)
    }

    fn tables<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Table> {
        let exact = self.exact.get(host);
        let wildcards = self.wildcards.iter().filter(|(suffix, _)| is_below(host, suffix)).map(|(_, table)| table);
        exact.into_iter().chain(wildcards).chain([&self.any])
    }
}

impl Miss {
    /// What two places that were looked at say together.
    fn and(self, other: Miss) -> Miss {
        match (self, other) {
            (Miss::Method(one), Miss::Method(other)) => Miss::Method(one.union(other)),
            (Miss::NoRoute, miss) | (miss, Miss::NoRoute) => miss,
        }
    }
}

/// Whether a host is below a wildcard's suffix: at least one label before it.
fn is_below(host: &str, suffix: &str) -> bool {
    host.len() > suffix.len() && host.ends_with(suffix)
}

impl HostPattern {
    /// What orders hosts: names, then wildcards, the longest first, then any.
    fn rank(&self) -> impl Ord + use<> {
        match self {
            HostPattern::Exact(name) => (0, 0, name.clone()),
            HostPattern::Wildcard(suffix) => (1, usize::MAX - suffix.len(), suffix.clone()),
            HostPattern::Any => (2, 0, String::new()),
        }
    }

    fn takes(&self, host: &str) -> bool {
        match self {
            HostPattern::Exact(name) => name == host,
            HostPattern::Wildcard(suffix) => is_below(host, suffix),
            HostPattern::Any => true,
        }
    }
}

impl Entry {
    /// What brings requests here, before its conditions are looked at.
    pub fn place(&self) -> (&HostPattern, &Pattern) {
        (&self.host, &self.pattern)
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        if !self.host.takes(facts.host) {
            Verdict::Host
        } else if self.pattern.capture(facts.path).is_none() {
            Verdict::Path
        } else if self.conditions.takes(facts.method).is_none() {
            Verdict::Method
        } else {
            self.conditions.unmet(facts).map_or(Verdict::Matches, Verdict::Condition)
        }
    }

    /// What orders entries for a request, the most specific first.
    fn precedence(&self, facts: &Facts<'_>) -> impl Ord + use<> {
        let takes = self.conditions.takes(facts.method).unwrap_or(Takes::Any);
        (self.host.rank(), Pattern::clone(&self.pattern), takes, std::cmp::Reverse(self.conditions.weight()))
    }
}
