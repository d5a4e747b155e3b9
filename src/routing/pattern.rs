//! A path pattern, in the syntax of matchit: `/orders`, `/orders/{id}`, `/img-{name}.png`, `/files/{*rest}`. This is
//! also the naive matcher that the tree is tested against, and that finds the routes which the tree passed over.

use crate::path::escape_segment;
use std::cmp::{Ordering, Reverse};
use std::ops::Range;

/// A pattern, taken apart. Patterns that differ only in the names of their parameters are equal.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// As it was written.
    pub text: String,
    pub segments: Vec<Segment>,
    /// Whether the last segment takes all that is left.
    pub catch_all: bool,
    /// The names of the parameters, in order; the catch-all's is the last.
    pub names: Vec<String>,
    order: Order,
}

/// What orders patterns: the most specific pattern comes first. One without a catch-all before one with; of two with,
/// the one whose catch-all begins later; then segment by segment from the left, a literal before a parameter with
/// something around it (the more of it, the earlier) before a parameter alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Order {
    catches_at: Reverse<usize>,
    ranks: Vec<Rank>,
    shape: String,
}

/// A literal, a parameter with something around it, a parameter alone; how much is around it, and how much before it.
type Rank = (u8, Reverse<usize>, Reverse<usize>);

/// One segment of a pattern. A catch-all's is not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    Literal(String),
    /// A parameter, with what stands around it.
    Parameter {
        prefix: String,
        suffix: String,
    },
}

/// A pattern that cannot be parsed: where, in bytes of its text, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    pub range: Range<usize>,
    pub reason: String,
}

impl Pattern {
    /// Parses a pattern.
    pub fn parse(text: &str) -> Result<Pattern, Malformed> {
        let all = 0..text.len();
        let fail = |range: Range<usize>, reason: &str| Err(Malformed { range, reason: reason.to_owned() });
        let Some(inside) = text.strip_prefix('/') else { return fail(all, "a pattern begins with a slash") };
        let mut pattern = Pattern {
            text: text.to_owned(),
            segments: Vec::new(),
            catch_all: false,
            names: Vec::new(),
            order: Order::default(),
        };
        let mut start = 1;
        let mut written = inside.split('/').peekable();
        while let Some(segment) = written.next() {
            let range = start..start + segment.len();
            start = range.end + 1;
            let last = written.peek().is_none();
            if segment.is_empty() && last {
                break;
            }
            if segment.is_empty() {
                return fail(
                    range.start..range.end + 1,
                    "an empty segment never matches: paths are matched without them",
                );
            }
            if let Some(name) = segment.strip_prefix("{*").and_then(|rest| rest.strip_suffix('}')) {
                if !last {
                    return fail(range, "a catch-all stands at the end");
                }
                pattern.name(name, range)?;
                pattern.catch_all = true;
                break;
            }
            pattern.segment(segment, range)?;
        }
        pattern.order = Order {
            catches_at: Reverse(if pattern.catch_all { pattern.segments.len() } else { usize::MAX }),
            ranks: pattern.segments.iter().map(Segment::rank).collect(),
            shape: pattern.written(|prefix, position, suffix| format!("{prefix}{{{position}}}{suffix}")),
        };
        Ok(pattern)
    }

    fn segment(&mut self, text: &str, range: Range<usize>) -> Result<(), Malformed> {
        let fail = |reason: &str| Err(Malformed { range: range.clone(), reason: reason.to_owned() });
        let mut literals = vec![String::new()];
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '{' if chars.next_if(|(_, next)| *next == '{').is_some() => push(&mut literals, "{"),
                '}' if chars.next_if(|(_, next)| *next == '}').is_some() => push(&mut literals, "}"),
                '}' => return fail("a `}` that closes nothing; write `}}` for the character"),
                '{' => {
                    let Some(length) = text[at..].find('}') else { return fail("a `{` that is not closed") };
                    if literals.len() == 2 {
                        return fail("a segment has one parameter at most");
                    }
                    let name = &text[at + 1..at + length];
                    if name.starts_with('*') {
                        return fail("a catch-all is a whole segment");
                    }
                    self.name(name, range.start + at..range.start + at + length + 1)?;
                    literals.push(String::new());
                    while chars.next_if(|(next, _)| *next <= at + length).is_some() {}
                }
                c => push(&mut literals, c.encode_utf8(&mut [0; 4])),
            }
        }
        let segment = match <[String; 2]>::try_from(literals) {
            Ok([prefix, suffix]) => Segment::Parameter { prefix, suffix },
            Err(literal) => Segment::Literal(literal.concat()),
        };
        if let Segment::Literal(literal) = &segment
            && matches!(literal.as_str(), "." | "..")
        {
            return fail("a dot segment never matches: paths are matched without them");
        }
        self.segments.push(segment);
        Ok(())
    }

    fn name(&mut self, name: &str, range: Range<usize>) -> Result<(), Malformed> {
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(fine) {
            let reason = "a parameter's name is letters, digits, `_` and `-`".to_owned();
            return Err(Malformed { range, reason });
        }
        if self.names.iter().any(|other| other == name) {
            return Err(Malformed { range, reason: format!("the parameter `{name}` stands twice") });
        }
        self.names.push(name.to_owned());
        Ok(())
    }

    /// Where its catch-all begins; one without comes before all others.
    pub fn catches_at(&self) -> Reverse<usize> {
        self.order.catches_at
    }

    /// The pattern for a matchit tree. Parameters have their position for a name, so that routes may name them
    /// differently, and are whole segments.
    pub fn tree_path(&self) -> String {
        self.written(|_, position, _| format!("{{{position}}}"))
    }

    /// The pattern with its parameters written by `parameter`, and the catch-all by its position.
    fn written(&self, parameter: impl Fn(&str, usize, &str) -> String) -> String {
        let mut shape = String::new();
        let mut position = 0;
        for segment in &self.segments {
            shape.push('/');
            match segment {
                Segment::Literal(literal) => shape.push_str(literal),
                Segment::Parameter { prefix, suffix } => {
                    shape.push_str(&parameter(prefix, position, suffix));
                    position += 1;
                }
            }
        }
        if self.catch_all {
            shape.push_str(&format!("/{{*{position}}}"));
        }
        if shape.is_empty() { "/".to_owned() } else { shape }
    }

    /// The values of the parameters, as ranges of `path`, where the pattern matches. `path` is normalized; a trailing
    /// slash makes no difference, except that it is part of what a catch-all takes.
    pub fn capture(&self, path: &str) -> Option<Vec<Range<usize>>> {
        let mut captured = Vec::with_capacity(self.names.len());
        let end = matched_length(path);
        let mut at = 0;
        for segment in &self.segments {
            if at >= end {
                return None;
            }
            let start = at + 1;
            let length = path[start..end].find('/').unwrap_or(end - start);
            let text = &path[start..start + length];
            match segment {
                Segment::Literal(literal) if literal == text => {}
                Segment::Literal(_) => return None,
                Segment::Parameter { prefix, suffix } => {
                    let inner = text.strip_prefix(prefix.as_str())?.strip_suffix(suffix.as_str())?;
                    if inner.is_empty() {
                        return None;
                    }
                    captured.push(start + prefix.len()..start + length - suffix.len());
                }
            }
            at = start + length;
        }
        match self.catch_all {
            true if at + 1 < end => captured.push(at + 1..path.len()),
            true => return None,
            false if at < end => return None,
            false => {}
        }
        Some(captured)
    }

    /// The literal that every path of this pattern begins with, up to a slash: `/api/v1` of `/api/v1/{id}`.
    pub fn begins_with(&self, prefix: &str) -> bool {
        let wanted = prefix.trim_end_matches('/').split('/').skip(1);
        wanted.enumerate().all(|(index, segment)| {
            matches!(self.segments.get(index), Some(Segment::Literal(literal)) if literal == segment)
        })
    }
}

/// How much of a path is matched: all of it but a trailing slash.
pub fn matched_length(path: &str) -> usize {
    path.strip_suffix('/').unwrap_or(path).len()
}

fn push(literals: &mut [String], text: &str) {
    if let Some(literal) = literals.last_mut() {
        escape_segment(text, literal);
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.order == other.order
    }
}

impl Eq for Pattern {}

impl Ord for Pattern {
    fn cmp(&self, other: &Pattern) -> Ordering {
        self.order.cmp(&other.order)
    }
}

impl PartialOrd for Pattern {
    fn partial_cmp(&self, other: &Pattern) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Segment {
    fn rank(&self) -> Rank {
        match self {
            Segment::Literal(_) => (0, Reverse(0), Reverse(0)),
            Segment::Parameter { prefix, suffix } => match prefix.len() + suffix.len() {
                0 => (2, Reverse(0), Reverse(0)),
                around => (1, Reverse(around), Reverse(prefix.len())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(pattern: &str, path: &str) -> Option<Vec<String>> {
        let ranges = Pattern::parse(pattern).unwrap().capture(path)?;
        Some(ranges.into_iter().map(|range| path[range].to_owned()).collect())
    }

    #[test]
    fn patterns_capture_what_stands_for_their_parameters() {
        let found = |values: &[&str]| Some(values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>());
        assert_eq!(captured("/", "/"), found(&[]));
        assert_eq!(captured("/orders/{id}", "/orders/7"), found(&["7"]));
        assert_eq!(captured("/orders/{id}", "/orders/7/"), found(&["7"]));
        assert_eq!(captured("/orders/{id}", "/orders"), None);
        assert_eq!(captured("/orders/{id}", "/orders/7/lines"), None);
        assert_eq!(captured("/img-{name}.png", "/img-cat.png"), found(&["cat"]));
        assert_eq!(captured("/img-{name}.png", "/img-.png"), None);
        assert_eq!(captured("/files/{*rest}", "/files/a/b/"), found(&["a/b/"]));
        assert_eq!(captured("/files/{*rest}", "/files/"), None);
        assert_eq!(captured("/{*rest}", "/"), None);
        assert_eq!(captured("/caf\u{e9}/{{x}}", "/caf%C3%A9/%7Bx%7D"), found(&[]));
    }

    #[test]
    fn malformed_patterns_are_refused_where_they_are_wrong() {
        for (pattern, range) in [
            ("orders", 0..6),
            ("/a//b", 3..4),
            ("/a/{*rest}/b", 3..10),
            ("/a/{x}-{y}", 3..10),
            ("/a/x{*y}", 3..8),
            ("/a/{}", 3..5),
            ("/{a}/{a}", 5..8),
            ("/a/..", 3..5),
            ("/a/{b", 3..5),
            ("/a/b}", 3..5),
        ] {
            assert_eq!(Pattern::parse(pattern).map_err(|malformed| malformed.range), Err(range), "{pattern}");
        }
    }

    #[test]
    fn the_most_specific_pattern_comes_first() {
        let mut patterns: Vec<Pattern> = ["/{*all}", "/a/{*rest}", "/a/{x}", "/a/{x}.png", "/a/b", "/{y}/b"]
            .map(|text| Pattern::parse(text).unwrap())
            .into();
        patterns.sort();
        let order: Vec<&str> = patterns.iter().map(|pattern| pattern.text.as_str()).collect();
        assert_eq!(order, ["/a/b", "/a/{x}.png", "/a/{x}", "/{y}/b", "/a/{*rest}", "/{*all}"]);
    }
}
