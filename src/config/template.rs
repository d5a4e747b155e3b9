//! The syntax of templates: text with placeholders in braces, `/v2/orders/{path.id}`. Doubled braces stand for
//! themselves. Which placeholders exist, and what they mean, is decided where a template is compiled.

use std::ops::Range;

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Literal(String),
    /// What stands between the braces, and where, in bytes of the template, braces included.
    Placeholder {
        name: String,
        range: Range<usize>,
    },
}

/// A template that cannot be parsed: where, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    pub range: Range<usize>,
    pub reason: &'static str,
}

/// Takes a template apart.
pub fn parse(text: &str) -> Result<Vec<Piece>, Malformed> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '{' if chars.next_if(|(_, next)| *next == '{').is_some() => literal.push('{'),
            '}' if chars.next_if(|(_, next)| *next == '}').is_some() => literal.push('}'),
            '}' => {
                return Err(Malformed {
                    range: at..at + 1,
                    reason: "a `}` that closes nothing; write `}}` for the character",
                });
            }
            '{' => {
                let length = text[at..].find('}').ok_or(Malformed {
                    range: at..text.len(),
                    reason: "a `{` that is not closed; write `{{` for the character",
                })?;
                let range = at..at + length + 1;
                let name = text[at + 1..at + length].to_owned();
                if name.is_empty() || name.contains('{') {
                    return Err(Malformed { range, reason: "a placeholder is a name in braces: `{path.id}`" });
                }
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                while chars.next_if(|(next, _)| *next < range.end).is_some() {}
                pieces.push(Piece::Placeholder { name, range });
            }
            c => literal.push(c),
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_know_their_place() {
        let pieces = parse("/a{{b}}/{path.id}é").unwrap();
        assert_eq!(
            pieces,
            [
                Piece::Literal("/a{b}/".to_owned()),
                Piece::Placeholder { name: "path.id".to_owned(), range: 8..17 },
                Piece::Literal("é".to_owned()),
            ]
        );
    }

    #[test]
    fn loose_braces_are_refused_where_they_stand() {
        assert_eq!(parse("/a/}").unwrap_err().range, 3..4);
        assert_eq!(parse("/a/{b").unwrap_err().range, 3..5);
        assert_eq!(parse("/{}").unwrap_err().range, 1..3);
        assert!(parse("{{{{").is_ok());
    }
}
