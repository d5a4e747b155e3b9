//! The patterns of one host, and finding the one that takes a path in time that does not grow with their number.
//!
//! A matchit tree finds the most specific of patterns whose segments are literals and whole parameters. A parameter
//! with something around it (`{name}.json`) stands in the tree as a whole one, because matchit does not look further
//! where such a segment fits and what follows does not; it is then one of a few candidates, each held against the path.
//! Only when no candidate takes the request are all patterns looked at in their order.

use super::condition::{Facts, Methods, Takes};
use super::pattern::{Pattern, Segment, matched_length};
use super::{Entry, Found, Miss};
use crate::config::sorted::in_order;
use std::cmp::Reverse;
use std::rc::Rc;

/// The patterns of one host.
#[derive(Default)]
pub struct Table {
    /// One tree of the patterns without a catch-all, then one for each depth at which a catch-all begins, the deepest
    /// first: matchit has no place for `/{a}` and `/{*b}` in one tree. Their values are positions in `candidates`.
    trees: Vec<matchit::Router<usize>>,
    /// For each leaf of a tree, the shapes that may take a path that leads to it, the most specific first.
    candidates: Vec<Candidates>,
    /// The most specific first.
    shapes: Vec<Shape>,
}

/// Where to look for the shape of a path.
struct Candidates {
    /// Positions of shapes to try; none where the order among them cannot be known beforehand.
    first: Vec<usize>,
    /// Where to begin when none of them takes the request.
    rest: usize,
}

/// The entries of one pattern, whatever they name its parameters; the most specific first.
struct Shape {
    pattern: Rc<Pattern>,
    entries: Vec<Entry>,
}

impl Table {
    /// From entries in the order of their patterns; of those with one pattern, the one with more conditions first.
    pub fn compile(entries: &[&Entry]) -> Table {
        let shapes = entries.chunk_by(|one, other| one.pattern == other.pattern).filter_map(|entries| {
            let pattern = Rc::clone(&entries.first()?.pattern);
            Some(Shape { pattern, entries: entries.iter().copied().cloned().collect() })
        });
        let shapes = shapes.collect();
        let mut table = Table { trees: Vec::new(), candidates: Vec::new(), shapes };
        table.plant();
        table
    }

    /// Builds the trees, and the candidates at their leaves.
    fn plant(&mut self) {
        let partial: Vec<usize> =
            (0..self.shapes.len()).filter(|index| self.shapes[*index].pattern.is_partial()).collect();
        let leaves = self.shapes.iter().enumerate();
        let leaves: Vec<((Reverse<usize>, String), usize)> =
            leaves.map(|(index, shape)| ((shape.pattern.catches_at(), shape.pattern.tree_path()), index)).collect();
        let leaves = in_order(&leaves, &|(one, _), (other, _)| one.cmp(other));
        let mut depth = None;
        for leaf in leaves.chunk_by(|(one, _), (other, _)| one == other) {
            let Some(((catches_at, path), _)) = leaf.first() else { continue };
            let mut shapes = leaf.iter().map(|(_, index)| *index);
            let whole = shapes.find(|index| !self.shapes[*index].pattern.is_partial());
            if depth != Some(catches_at) {
                depth = Some(catches_at);
                self.trees.push(matchit::Router::new());
            }
            let planted = self.trees.last_mut().map(|tree| tree.insert(path.as_str(), self.candidates.len()));
            debug_assert!(matches!(planted, Some(Ok(()))), "patterns of one depth have a place in one tree");
            let candidates = match whole {
                // Nothing before it can match: the search goes on behind it.
                Some(whole) if partial.is_empty() => Candidates { first: vec![whole], rest: whole },
                Some(whole) => {
                    let pattern = &self.shapes[whole].pattern;
                    let mut first: Vec<usize> =
                        partial.iter().copied().filter(|index| self.shapes[*index].pattern.overlaps(pattern)).collect();
                    first.insert(first.partition_point(|index| *index < whole), whole);
                    Candidates { first, rest: 0 }
                }
                None => Candidates { first: Vec::new(), rest: 0 },
            };
            self.candidates.push(candidates);
        }
    }

    /// Every entry, the most specific pattern first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.shapes.iter().flat_map(|shape| &shape.entries)
    }

    /// The entry that takes a request.
    pub fn find(&self, facts: &Facts<'_>) -> Result<Found, Miss> {
        let path = match &facts.path[..matched_length(facts.path)] {
            "" => "/",
            path => path,
        };
        let leaf = self.trees.iter().find_map(|tree| tree.at(path).ok().map(|found| *found.value));
        let Some(candidates) = leaf.and_then(|leaf| self.candidates.get(leaf)) else { return Err(Miss::NoRoute) };
        let first = candidates.first.iter().filter_map(|index| self.shapes.get(*index));
        if let Some(found) = first.filter_map(|shape| shape.find(facts).ok()).next() {
            return Ok(found);
        }
        let mut miss = Miss::NoRoute;
        for shape in self.shapes.iter().skip(candidates.rest) {
            match shape.find(facts) {
                Ok(found) => return Ok(found),
                Err(other) => miss = miss.and(other),
            }
        }
        Err(miss)
    }
}

impl Shape {
    fn find(&self, facts: &Facts<'_>) -> Result<Found, Miss> {
        let captured = self.pattern.capture(facts.path).ok_or(Miss::NoRoute)?;
        let entry = self.pick(facts)?;
        Ok(Found { route: entry.route, pattern: Rc::clone(&entry.pattern), captured })
    }

    fn pick(&self, facts: &Facts<'_>) -> Result<&Entry, Miss> {
        let mut best: Option<(Takes, &Entry)> = None;
        let mut refused = None;
        for entry in self.entries.iter().filter(|entry| entry.conditions.hold(facts)) {
            match entry.conditions.takes(facts.method) {
                Some(takes) if best.is_none_or(|(other, _)| takes < other) => best = Some((takes, entry)),
                Some(_) => {}
                None => refused = Some(entry.conditions.methods.union(refused.unwrap_or_default())),
            }
        }
        best.map(|(_, entry)| entry).ok_or(refused.map_or(Miss::NoRoute, |methods: Methods| Miss::Method(methods)))
    }
}

impl Pattern {
    /// Whether a parameter of it has something around it.
    fn is_partial(&self) -> bool {
        self.segments.iter().any(Segment::is_partial)
    }

    /// Whether some path may match both, as far as whole segments tell.
    fn overlaps(&self, other: &Pattern) -> bool {
        let common = self.segments.iter().zip(&other.segments).all(|(one, other)| one.overlaps(other));
        let ends = |long: &Pattern, short: &Pattern| {
            long.segments.len() == short.segments.len()
                || (short.catch_all && long.segments.len() > short.segments.len())
        };
        common && (ends(self, other) || ends(other, self))
    }
}

impl Segment {
    fn is_partial(&self) -> bool {
        matches!(self, Segment::Parameter { prefix, suffix } if !prefix.is_empty() || !suffix.is_empty())
    }

    fn overlaps(&self, other: &Segment) -> bool {
        match (self, other) {
            (Segment::Literal(one), Segment::Literal(other)) => one == other,
            (Segment::Literal(literal), Segment::Parameter { prefix, suffix })
            | (Segment::Parameter { prefix, suffix }, Segment::Literal(literal)) => {
                literal.starts_with(prefix.as_str()) && literal.ends_with(suffix.as_str())
            }
            (Segment::Parameter { .. }, Segment::Parameter { .. }) => true,
        }
    }
}
