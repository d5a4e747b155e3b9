//! From the words of a rule to what it asks. What could never hold, or would always hold, is a mistake here already:
//! `identity.groups contains "a" or "b"` must not let everybody pass.

use super::source::Source;
use super::value::{Kind, Operator};
use super::words::{LETTERS, Placed, Word, split};
use super::{MAX_DEPTH, Mistake, Operand, Test};
use crate::config::diagnostic::did_you_mean;
use serde_json::{Number, Value as Json};
use std::ops::Range;

/// What a rule reads, and where it says so.
pub type Uses = Vec<(Source, Range<usize>)>;

/// Reads a rule.
pub fn parse(text: &str) -> Result<(Test, Uses), Mistake> {
    let words = split(text)?;
    let mut reader = Reader { words: &words, at: 0, depth: 0, uses: Vec::new() };
    let test = reader.any()?;
    match reader.words.get(reader.at) {
        None => Ok((test, reader.uses)),
        Some((Word::Mark(")"), range)) => Err(Mistake::new(range.clone(), "a `)` that closes nothing")),
        Some((Word::Mark(mark), range)) if operator(mark).is_some() => {
            let reason = "a comparison has two sides, and is no side of another one";
            Err(Mistake::new(range.clone(), reason).help("join comparisons with `and`"))
        }
        Some((word, range)) => {
            let mistake = Mistake::new(range.clone(), "an operator, or `and`, or `or`, is missing before this");
            let help = match word {
                Word::Name(names) => did_you_mean(&names.join("."), LETTERS),
                _ => None,
            };
            Err(Mistake { help, ..mistake })
        }
    }
}

struct Reader<'a> {
    words: &'a [Placed],
    /// The next word.
    at: usize,
    depth: usize,
    uses: Uses,
}

impl Reader<'_> {
    fn any(&mut self) -> Result<Test, Mistake> {
        let mut tests = vec![self.all()?];
        while self.take("or").is_some() {
            tests.push(self.all()?);
        }
        Ok(joined(tests, Test::Any))
    }

    fn all(&mut self) -> Result<Test, Mistake> {
        let mut tests = vec![self.not()?];
        while self.take("and").is_some() {
            tests.push(self.not()?);
        }
        Ok(joined(tests, Test::All))
    }

    fn not(&mut self) -> Result<Test, Mistake> {
        if let Some(range) = self.take("not") {
            return self.deeper(range, Reader::not).map(|test| Test::Not(Box::new(test)));
        }
        if let Some(open) = self.take("(") {
            let test = self.deeper(open.clone(), Reader::any)?;
            return match self.take(")") {
                Some(_) => Ok(test),
                None => Err(Mistake::new(self.here(), "a `)` is missing here, or after this")),
            };
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Test, Mistake> {
        let (left, start) = self.operand()?;
        let mark = match self.words.get(self.at) {
            Some((Word::Mark(mark), _)) => operator(mark).map(|operator| (operator, *mark)),
            _ => None,
        };
        let Some((operator, mark)) = mark else {
            return match left {
                Operand::Source(source) => Ok(Test::Is(source)),
                Operand::Literal(_) => {
                    let reason = "a fixed value alone is the same for every request";
                    Err(Mistake::new(start, reason).help("compare something with it on both sides of `and` and `or`"))
                }
            };
        };
        self.at += 1;
        let (right, end) = self.operand()?;
        if let Err(Senseless { reason, help }) = sense(&left, operator, &right) {
            let reason = format!("{reason}, so this `{mark}` says nothing");
            return Err(Mistake { help, ..Mistake::new(start.start..end.end, reason) });
        }
        Ok(Test::Compare(left, operator, right))
    }

    fn operand(&mut self) -> Result<(Operand, Range<usize>), Mistake> {
        let Some((word, range)) = self.words.get(self.at).cloned() else {
            return Err(Mistake::new(self.here(), "a value is missing after this"));
        };
        self.at += 1;
        match word {
            Word::Literal(value) => Ok((Operand::Literal(value), range)),
            Word::Name(names) => {
                let source = Source::find(&names, range.clone())?;
                self.uses.push((source.clone(), range.clone()));
                Ok((Operand::Source(source), range))
            }
            Word::Mark("[") => self.list(range),
            Word::Mark(mark) => Err(Mistake::new(range, format!("a value is missing before `{mark}`"))),
        }
    }

    fn list(&mut self, open: Range<usize>) -> Result<(Operand, Range<usize>), Mistake> {
        let mut items = Vec::new();
        loop {
            match self.words.get(self.at) {
                Some((Word::Literal(item), _)) => items.push(item.clone()),
                _ => {
                    let reason = "a list has texts, numbers, `true` and `false`, one at least: `[\"a\", \"b\"]`";
                    return Err(Mistake::new(self.here(), reason));
                }
            }
            self.at += 1;
            if let Some(close) = self.take("]") {
                return Ok((Operand::Literal(Json::Array(items)), open.start..close.end));
            }
            if self.take(",").is_none() {
                return Err(Mistake::new(self.here(), "a `,` or a `]` is missing here, or after this"));
            }
        }
    }

    /// Takes a mark, if it comes next.
    fn take(&mut self, mark: &str) -> Option<Range<usize>> {
        match self.words.get(self.at) {
            Some((Word::Mark(next), range)) if *next == mark => {
                self.at += 1;
                Some(range.clone())
            }
            _ => None,
        }
    }

    /// Where the next word stands, or the last one.
    fn here(&self) -> Range<usize> {
        self.words.get(self.at).or(self.words.last()).map_or(0..0, |(_, range)| range.clone())
    }

    fn deeper(
        &mut self,
        range: Range<usize>,
        read: impl FnOnce(&mut Self) -> Result<Test, Mistake>,
    ) -> Result<Test, Mistake> {
        if self.depth == MAX_DEPTH {
            return Err(Mistake::new(range, format!("parentheses and `not` are {MAX_DEPTH} deep at most")));
        }
        self.depth += 1;
        let test = read(self)?;
        self.depth -= 1;
        Ok(test)
    }
}

fn joined(mut tests: Vec<Test>, join: impl FnOnce(Vec<Test>) -> Test) -> Test {
    match (tests.len(), tests.pop()) {
        (1, Some(test)) => test,
        (_, last) => {
            tests.extend(last);
            join(tests)
        }
    }
}

fn operator(mark: &str) -> Option<Operator> {
    Operator::ALL.iter().find(|(known, _)| *known == mark).map(|(_, operator)| *operator)
}

/// Why a comparison says the same of every request, and what may be meant.
struct Senseless {
    reason: &'static str,
    help: Option<String>,
}

/// Whether a comparison can come out one way or the other.
fn sense(left: &Operand, operator: Operator, right: &Operand) -> Result<(), Senseless> {
    let fail = |reason, help: &str| Err(Senseless { reason, help: (!help.is_empty()).then(|| help.to_owned()) });
    if let (Operand::Literal(_), Operand::Literal(_)) = (left, right) {
        return fail("both sides are fixed", "");
    }
    let no_number =
        |operand: &Operand| matches!(operand, Operand::Literal(Json::String(text)) if text.parse::<Number>().is_err());
    let empty = matches!(right, Operand::Literal(Json::String(text)) if text.is_empty());
    match (operator, left.kind(), right.kind()) {
        (Operator::Equal | Operator::Unequal, Kind::List, Kind::Text | Kind::Number | Kind::Bool) => {
            fail("a list equals no single value", "write `contains` to ask for one of its values")
        }
        (Operator::Equal | Operator::Unequal, Kind::Text | Kind::Number | Kind::Bool, Kind::List) => {
            fail("a single value equals no list", "write `in` to ask for it among the list's values")
        }
        (Operator::Equal | Operator::Unequal, Kind::Bool, Kind::Text | Kind::Number)
        | (Operator::Equal | Operator::Unequal, Kind::Text | Kind::Number, Kind::Bool) => {
            fail("a text or a number equals neither `true` nor `false`", "write a text in quotes: `\"true\"`")
        }
        (Operator::Less | Operator::AtMost | Operator::Greater | Operator::AtLeast, a, b) => {
            let unordered = [a, b].iter().any(|kind| matches!(kind, Kind::Bool | Kind::List));
            match unordered || (a, b) == (Kind::Text, Kind::Text) || no_number(left) || no_number(right) {
                true => fail("only numbers have an order, and this compares none", ""),
                false => Ok(()),
            }
        }
        (Operator::In, _, Kind::Text | Kind::Number | Kind::Bool) => {
            fail("what stands after `in` is no list", "write a list, or `contains` and `==` the other way around")
        }
        (Operator::In, Kind::List, _) => {
            fail("a list is not in another one", "write `contains` to ask for one of its values")
        }
        (Operator::Contains, Kind::Number | Kind::Bool, _) => fail("only lists and texts contain something", ""),
        (Operator::Contains, Kind::Text | Kind::List, Kind::List) => {
            fail("`contains` asks for one value", "join several with `or`")
        }
        (Operator::Contains, Kind::Text, Kind::Number | Kind::Bool) => {
            fail("a text contains texts only", "write a text in quotes")
        }
        (Operator::StartsWith | Operator::EndsWith, left, right)
            if [left, right].iter().any(|kind| !matches!(kind, Kind::Any | Kind::Text)) =>
        {
            fail("only texts begin and end with something", "")
        }
        (Operator::StartsWith | Operator::EndsWith, ..) | (Operator::Contains, Kind::Text, _) if empty => {
            fail("no text contains an empty one", "")
        }
        _ => Ok(()),
    }
}

impl Operand {
    fn kind(&self) -> Kind {
        match self {
            Operand::Source(source) => source.kind(),
            Operand::Literal(Json::String(_)) => Kind::Text,
            Operand::Literal(Json::Number(_)) => Kind::Number,
            Operand::Literal(Json::Bool(_)) => Kind::Bool,
            Operand::Literal(Json::Array(_)) => Kind::List,
            Operand::Literal(Json::Null | Json::Object(_)) => Kind::Any,
        }
    }
}
