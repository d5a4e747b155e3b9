//! A rule as words: names, literals, and marks.

use super::Mistake;
use crate::config::names::{is_plain, path_at, quoted};
use serde_json::{Number, Value as Json};
use std::ops::Range;

/// A word of a rule.
#[derive(Debug, Clone, PartialEq)]
pub enum Word {
    /// `claim.realm_access.roles`.
    Name(Vec<String>),
    /// A text, a number, `true` or `false`.
    Literal(Json),
    /// An operator, a parenthesis, a bracket, a comma, `and`, `or`, `not`.
    Mark(&'static str),
}

/// A word, and where it stands.
pub type Placed = (Word, Range<usize>);

/// Marks that are letters.
pub const LETTERS: [&str; 7] = ["and", "or", "not", "in", "contains", "starts_with", "ends_with"];

/// Other marks; one that begins another comes after it.
const MARKS: [&str; 11] = ["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ","];

/// What people write who think of another language.
const FOREIGN: [(&str, &str); 6] = [("&&", "and"), ("||", "or"), ("&", "and"), ("|", "or"), ("!", "not"), ("=", "==")];

/// Takes a rule apart.
pub fn split(text: &str) -> Result<Vec<Placed>, Mistake> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (word, end) = word(text, at, c)?;
        words.push((word, at..end));
        at = end;
    }
    Ok(words)
}

/// The word that begins at a byte, with this character.
fn word(text: &str, at: usize, first: char) -> Result<(Word, usize), Mistake> {
    let malformed = |(range, reason)| Mistake::new(range, reason);
    let rest = &text[at..];
    match first {
        '"' | '\'' => quoted(text, at).map(|(text, end)| (Word::Literal(Json::String(text)), end)).map_err(malformed),
        '-' | '0'..='9' => number(rest, at),
        first if is_plain(first) => {
            let length = rest.find(|c| !is_plain(c)).unwrap_or(rest.len());
            let mark = LETTERS.iter().find(|mark| **mark == &rest[..length]);
            match (mark, &rest[..length]) {
                (Some(mark), _) => Ok((Word::Mark(mark), at + length)),
                (None, "true") => Ok((Word::Literal(Json::Bool(true)), at + length)),
                (None, "false") => Ok((Word::Literal(Json::Bool(false)), at + length)),
                (None, _) => path_at(text, at).map(|(names, end)| (Word::Name(names), end)).map_err(malformed),
            }
        }
        other => match MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            Some(mark) => Ok((Word::Mark(mark), at + mark.len())),
            None => Err(foreign(rest, at, other)),
        },
    }
}

fn number(rest: &str, at: usize) -> Result<(Word, usize), Mistake> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | '_');
    let text = &rest[..rest.find(|c| !part(c)).unwrap_or(rest.len())];
    let range = at..at + text.len();
    let number: Number = text.parse().map_err(|_| {
        Mistake::new(range.clone(), format!("`{text}` is no number"))
            .help("numbers are written as in JSON: 42, -1.5, 1e3")
    })?;
    if number.is_f64() && number.as_f64() != Some(0.0) && !text.contains(['.', 'e', 'E']) {
        let reason = format!("`{text}` is larger than whole numbers can be");
        return Err(Mistake::new(range, reason).help("write it as a text, in quotes"));
    }
    Ok((Word::Literal(Json::Number(number)), range.end))
}

fn foreign(rest: &str, at: usize, first: char) -> Mistake {
    match FOREIGN.iter().find(|(written, _)| rest.starts_with(written)) {
        Some((written, meant)) => Mistake::new(at..at + written.len(), format!("`{written}` means nothing in a rule"))
            .help(format!("write `{meant}`")),
        None => Mistake::new(at..at + first.len_utf8(), format!("`{}` means nothing in a rule", first.escape_debug())),
    }
}
