//! Which route takes a request: the most specific of those whose conditions all hold.
//!
//! A host that is named comes before a wildcard, the longer wildcard before the shorter, and both before any host.
//! Then the path decides (see [`pattern::Pattern`]'s order), then the method (named before any), then the number of
//! header conditions, then that of query conditions. The order in the file never decides: where two routes would be
//! equal, the configuration is refused.
//!
//! A matchit tree finds the most specific pattern for a path in time that does not grow with the number of routes.
//! Only when no route of that pattern takes the request are the others looked at one by one.

pub mod condition;
pub mod pattern;

use condition::{Conditions, Facts, Methods, Takes};
use pattern::{Pattern, matched_length};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

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

/// Two patterns that cannot stand in one tree.
#[derive(Debug)]
pub struct Conflict {
    pub entry: usize,
    pub with: usize,
}

/// All entries, in trees by host.
#[derive(Default)]
pub struct Router {
    exact: BTreeMap<String, Table>,
    /// The longest first.
    wildcards: Vec<(String, Table)>,
    any: Table,
}

/// The patterns of one host.
#[derive(Default)]
struct Table {
    /// One tree of the patterns without a catch-all, then one for each depth at which a catch-all begins, the deepest
    /// first: matchit has no place for `/{a}` and `/{*b}` in one tree.
    trees: Vec<matchit::Router<usize>>,
    /// The most specific first.
    shapes: Vec<Shape>,
}

/// The entries of one pattern, whatever they name its parameters; the most specific first.
struct Shape {
    pattern: Rc<Pattern>,
    entries: Vec<Entry>,
}

impl Router {
    /// Builds the trees. Conflicts are told as positions in `entries`.
    pub fn compile(entries: &[Entry]) -> Result<Router, Conflict> {
        let mut by_host: BTreeMap<&HostPattern, Vec<usize>> = BTreeMap::new();
        for (position, entry) in entries.iter().enumerate() {
            by_host.entry(&entry.host).or_default().push(position);
        }
        let mut router = Router::default();
        for (host, positions) in by_host {
            let table = Table::compile(entries, positions)?;
            match host {
                HostPattern::Exact(host) => drop(router.exact.insert(host.clone(), table)),
                HostPattern::Wildcard(suffix) => router.wildcards.push((suffix.clone(), table)),
                HostPattern::Any => router.any = table,
            }
        }
        router.wildcards.sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        Ok(router)
    }

    /// The route that takes a request.
    pub fn find(&self, facts: &Facts<'_>) -> Result<Found, Miss> {
        let mut methods = Methods::default();
        let mut matched = false;
        for table in self.tables(facts.host) {
            match table.find(facts) {
                Ok(found) => return Ok(found),
                Err(Miss::NoRoute) => {}
                Err(Miss::Method(more)) => {
                    matched = true;
                    methods = methods.union(more);
                }
            }
        }
        Err(if matched { Miss::Method(methods) } else { Miss::NoRoute })
    }

    /// Every entry, the most specific first, with what there is against it: for `edgate explain`, and for the test
    /// that holds the trees against it.
    pub fn consider(&self, facts: &Facts<'_>) -> Vec<(&Entry, Verdict)> {
        let wildcards = self.wildcards.iter().map(|(_, table)| table);
        let tables = self.exact.values().chain(wildcards).chain([&self.any]);
        let mut considered: Vec<(&Entry, Verdict)> = tables
            .flat_map(|table| table.shapes.iter().flat_map(|shape| &shape.entries))
            .map(|entry| (entry, entry.judge(facts)))
            .collect();
        considered.sort_by_key(|(entry, _)| entry.precedence(facts));
        considered
    }

    /// Every entry, the most specific first: for `edgate routes`.
    pub fn entries(&self) -> Vec<&Entry> {
        let wildcards = self.wildcards.iter().map(|(_, table)| table);
        let tables = self.exact.values().chain(wildcards).chain([&self.any]);
        let mut entries: Vec<&Entry> =
            tables.flat_map(|table| &table.shapes).flat_map(|shape| &shape.entries).collect();
        // A route that names methods comes before one that takes any.
        entries.sort_by_key(|entry| {
            let any = entry.conditions.methods.is_empty();
            (entry.host.rank(), Pattern::clone(&entry.pattern), any, std::cmp::Reverse(entry.conditions.weight()))
        });
        entries
    }

    /// The header fields that conditions look at.
    pub fn fields(&self) -> impl Iterator<Item = &http::HeaderName> {
        let wildcards = self.wildcards.iter().map(|(_, table)| table);
        let tables = self.exact.values().chain(wildcards).chain([&self.any]);
        let entries = tables.flat_map(|table| &table.shapes).flat_map(|shape| &shape.entries);
        entries.flat_map(|entry| entry.conditions.headers.iter().map(|(name, _)| name))
    }

    /// The methods that routes take at a host and path, whatever their other conditions.
    pub fn methods(&self, facts: &Facts<'_>) -> Methods {
        let entries = self.tables(facts.host).flat_map(|table| table.shapes.iter()).flat_map(|shape| &shape.entries);
        let here = entries.filter(|entry| entry.pattern.capture(facts.path).is_some());
        here.fold(Methods::default(), |all, entry| {
            all.union(if entry.conditions.methods.is_empty() { Methods::all() } else { entry.conditions.methods })
        })
    }

    fn tables<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Table> {
        let exact = self.exact.get(host);
        let wildcards = self.wildcards.iter().filter(|(suffix, _)| is_below(host, suffix)).map(|(_, table)| table);
        exact.into_iter().chain(wildcards).chain([&self.any])
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

impl Table {
    fn compile(entries: &[Entry], positions: Vec<usize>) -> Result<Table, Conflict> {
        let mut by_shape: BTreeMap<Rc<Pattern>, Vec<usize>> = BTreeMap::new();
        for position in positions {
            by_shape.entry(Rc::clone(&entries[position].pattern)).or_default().push(position);
        }
        let mut table = Table::default();
        let mut depth = None;
        for (index, (pattern, positions)) in by_shape.iter().enumerate() {
            let catches_at = pattern.catch_all.then_some(pattern.segments.len());
            if table.trees.is_empty() || depth != catches_at {
                depth = catches_at;
                table.trees.push(matchit::Router::new());
            }
            if let Some(tree) = table.trees.last_mut()
                && tree.insert(pattern.shape(), index).is_err()
            {
                return Err(Conflict { entry: positions[0], with: clash(pattern, by_shape.iter().take(index)) });
            }
            let mut members: Vec<Entry> = positions.iter().map(|position| entries[*position].clone()).collect();
            members.sort_by_key(|entry| std::cmp::Reverse(entry.conditions.weight()));
            table.shapes.push(Shape { pattern: Rc::clone(pattern), entries: members });
        }
        Ok(table)
    }

    fn find(&self, facts: &Facts<'_>) -> Result<Found, Miss> {
        let path = match &facts.path[..matched_length(facts.path)] {
            "" => "/",
            path => path,
        };
        let Some(index) = self.trees.iter().find_map(|tree| tree.at(path).ok().map(|found| *found.value)) else {
            return Err(Miss::NoRoute);
        };
        let mut methods = Methods::default();
        let mut matched = false;
        for shape in &self.shapes[index..] {
            let Some(captured) = shape.pattern.capture(facts.path) else { continue };
            match shape.pick(facts) {
                Ok(entry) => {
                    return Ok(Found { route: entry.route, pattern: Rc::clone(&entry.pattern), captured });
                }
                Err(Miss::NoRoute) => {}
                Err(Miss::Method(more)) => {
                    matched = true;
                    methods = methods.union(more);
                }
            }
        }
        Err(if matched { Miss::Method(methods) } else { Miss::NoRoute })
    }
}

impl Shape {
    fn pick(&self, facts: &Facts<'_>) -> Result<&Entry, Miss> {
        let mut best: Option<(Takes, &Entry)> = None;
        let mut refused = Methods::default();
        let mut matched = false;
        for entry in self.entries.iter().filter(|entry| entry.conditions.hold(facts)) {
            matched = true;
            match entry.conditions.takes(facts.method) {
                Some(takes) if best.is_none_or(|(other, _)| takes < other) => best = Some((takes, entry)),
                Some(_) => {}
                None => refused = refused.union(entry.conditions.methods),
            }
        }
        match best {
            Some((_, entry)) => Ok(entry),
            None if matched => Err(Miss::Method(refused)),
            None => Err(Miss::NoRoute),
        }
    }
}

/// The earlier pattern that a tree has no place beside: the nearest in order, which shares the place of the clash.
fn clash<'a>(pattern: &Pattern, earlier: impl Iterator<Item = (&'a Rc<Pattern>, &'a Vec<usize>)>) -> usize {
    let mut last = 0;
    for (other, positions) in earlier {
        let mut pair = matchit::Router::new();
        let clashes = pair.insert(other.shape(), 0).is_ok() && pair.insert(pattern.shape(), 1).is_err();
        if clashes && other.catch_all == pattern.catch_all {
            return positions[0];
        }
        last = positions[0];
    }
    last
}
