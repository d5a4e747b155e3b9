//! The syntax of names that lead to a value inside others: `realm_access.roles`. A name is letters, digits, `_` and `-`;
//! one with other characters stands in brackets and quotes: `["https://example.com/roles"].admin`. What a name leads to
//! is decided elsewhere.

use std::ops::Range;

/// Where names, or a quoted text, cannot be read, in bytes, and why.
pub type Malformed = (Range<usize>, &'static str);

/// Takes names apart; there is one at least.
pub fn path(text: &str) -> Result<Vec<String>, Malformed> {
    let (names, end) = path_at(text, 0)?;
    match end == text.len() {
        true => Ok(names),
        false => Err((end..text.len(), "names are joined by dots, and others stand in brackets and quotes")),
    }
}

/// Takes the names apart that begin at a byte, and says where they end.
pub fn path_at(text: &str, start: usize) -> Result<(Vec<String>, usize), Malformed> {
    let mut names = Vec::new();
    let mut at = start;
    loop {
        let (name, end) = match text[at..].chars().next() {
            Some('[') => bracketed(text, at)?,
            Some('.') if !names.is_empty() => word(text, at + 1)?,
            _ if names.is_empty() => word(text, at)?,
            _ => return Ok((names, at)),
        };
        names.push(name);
        at = end;
    }
}

/// The text in the quotes that open at a byte, `'` or `"`, and where it ends. A `\` stands before a quote, or before
/// another `\`.
pub fn quoted(text: &str, start: usize) -> Result<(String, usize), Malformed> {
    let mut chars = text[start..].char_indices();
    let quote = chars.next().map(|(_, quote)| quote);
    let mut value = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            c if Some(c) == quote => return Ok((value, start + at + 1)),
            '\\' => match chars.next() {
                Some((_, c @ ('\\' | '"' | '\''))) => value.push(c),
                Some((next, c)) => {
                    let range = start + at..start + next + c.len_utf8();
                    return Err((range, "a `\\` stands before a quote or another `\\`"));
                }
                None => break,
            },
            c => value.push(c),
        }
    }
    Err((start..text.len(), "a quote that is not closed"))
}

/// Whether a name may stand without brackets and quotes.
pub fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

fn word(text: &str, start: usize) -> Result<(String, usize), Malformed> {
    let rest = &text[start..];
    let length = rest.find(|c| !is_plain(c)).unwrap_or(rest.len());
    if length > 0 {
        return Ok((rest[..length].to_owned(), start + length));
    }
    // The character that is none of a name, or the dot before the end.
    let range = match rest.chars().next() {
        Some(c) => start..start + c.len_utf8(),
        None => start.saturating_sub(1)..start,
    };
    Err((range, "a name is letters, digits, `_` and `-`; others stand in brackets and quotes: `[\"a/b\"]`"))
}

fn bracketed(text: &str, start: usize) -> Result<(String, usize), Malformed> {
    let malformed = || (start..text.len(), "a name in brackets has quotes: `[\"a/b\"]`");
    if !text[start + 1..].starts_with(['"', '\'']) {
        return Err(malformed());
    }
    let (name, end) = quoted(text, start + 1)?;
    match text[end..].starts_with(']') {
        true => Ok((name, end + 1)),
        false => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        for (text, names) in [
            ("sub", vec!["sub"]),
            ("realm_access.roles", vec!["realm_access", "roles"]),
            ("a-b.2", vec!["a-b", "2"]),
            (r#"["https://example.com/roles"].admin"#, vec!["https://example.com/roles", "admin"]),
            (r#"a["b.c"]['d']"#, vec!["a", "b.c", "d"]),
            (r#"["a\"\\'é"]"#, vec!["a\"\\'é"]),
        ] {
            assert_eq!(path(text), Ok(names.into_iter().map(str::to_owned).collect()), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused_where_it_stands() {
        for (text, range) in [
            ("", 0..0),
            (".", 0..1),
            ("a.", 1..2),
            ("a..b", 2..3),
            (".a", 0..1),
            ("a b", 1..3),
            ("é", 0..2),
            ("a.é", 2..4),
            ("[a]", 0..3),
            (r#"["a""#, 0..4),
            (r#"a["b"#, 2..4),
            (r#"a["b\n"]"#, 4..6),
            ("a.[\"b\"]", 2..3),
            ("[", 0..1),
            ("a]", 1..2),
        ] {
            assert_eq!(path(text).map_err(|(range, _)| range), Err(range), "{text}");
        }
    }
}
