//! Where the characters of a string stand in the file, escapes and all: TOML's strings (TOML 1.1) and JSON's
//! (RFC 8259, section 7).

/// Where each byte of a TOML string stands, and its end, from its text with quotes, which begins at `start`. `None`
/// where that does not come to `decoded`.
pub fn toml(raw: &str, start: usize, decoded: &str) -> Option<Vec<usize>> {
    let (quote, literal) = match raw.get(..3) {
        Some("'''") => (3, true),
        Some("\"\"\"") => (3, false),
        _ => (1, raw.starts_with('\'')),
    };
    let mut from = quote;
    if quote == 3 {
        // A newline right after the opening quotes is not part of the string.
        let rest = raw.get(from..)?;
        from += if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    }
    let content = raw.get(from..raw.len().checked_sub(quote)?)?;
    let offsets = if literal { plain(content) } else { escaped(content)? };
    (offsets.text == decoded).then(|| offsets.at.into_iter().map(|at| start + from + at).collect())
}

/// Where each byte of a JSON string stands in `raw`, its text with quotes, and its end.
pub fn json(raw: &str, decoded: &str) -> Option<Vec<usize>> {
    let content = raw.strip_prefix('"')?.strip_suffix('"')?;
    let offsets = escaped(content)?;
    (offsets.text == decoded).then(|| offsets.at.into_iter().map(|at| at + 1).collect())
}

/// A decoded text, and where each of its bytes stood.
#[derive(Default)]
struct Offsets {
    text: String,
    at: Vec<usize>,
}

impl Offsets {
    fn push(&mut self, c: char, at: usize) {
        self.text.push(c);
        self.at.extend(std::iter::repeat_n(at, c.len_utf8()));
    }
}

fn plain(content: &str) -> Offsets {
    Offsets { text: content.to_owned(), at: (0..=content.len()).collect() }
}

fn escaped(content: &str) -> Option<Offsets> {
    let mut offsets = Offsets::default();
    let mut at = 0;
    while let Some(c) = content[at..].chars().next() {
        if c != '\\' {
            // Each byte of a character stands for itself.
            offsets.text.push(c);
            offsets.at.extend(at..at + c.len_utf8());
            at += c.len_utf8();
            continue;
        }
        match escape(&content[at..])? {
            (Some(c), length) => {
                offsets.push(c, at);
                at += length;
            }
            (None, length) => at += length,
        }
    }
    offsets.at.push(content.len());
    Some(offsets)
}

/// The character that an escape stands for, and the escape's length. No character for an escaped line ending.
fn escape(text: &str) -> Option<(Option<char>, usize)> {
    let kind = text[1..].chars().next()?;
    let simple = |c| Some((Some(c), 2));
    match kind {
        'b' => simple('\u{8}'),
        't' => simple('\t'),
        'n' => simple('\n'),
        'f' => simple('\u{c}'),
        'r' => simple('\r'),
        'e' => simple('\u{1b}'),
        '"' | '\\' | '/' => simple(kind),
        'x' => Some((char::from_u32(hexadecimal(text, 2, 2)?), 4)),
        'u' => unicode(text),
        'U' => Some((Some(char::from_u32(hexadecimal(text, 2, 8)?)?), 10)),
        c if c.is_whitespace() => {
            let rest = text[1..].trim_start_matches([' ', '\t', '\r', '\n']);
            Some((None, text.len() - rest.len()))
        }
        _ => None,
    }
}

/// `\uXXXX`; in JSON, two of them may be one character (a surrogate pair).
fn unicode(text: &str) -> Option<(Option<char>, usize)> {
    let first = hexadecimal(text, 2, 4)?;
    if let Some(c) = char::from_u32(first) {
        return Some((Some(c), 6));
    }
    let second = text.get(6..8).filter(|next| *next == "\\u").and_then(|_| hexadecimal(text, 8, 4))?;
    let high = first.checked_sub(0xD800)?;
    let low = second.checked_sub(0xDC00)?;
    Some((Some(char::from_u32(0x1_0000 + (high << 10) + low)?), 12))
}

fn hexadecimal(text: &str, from: usize, digits: usize) -> Option<u32> {
    u32::from_str_radix(text.get(from..from + digits)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands in the file where `part` stands in the decoded text.
    fn raw_of<'a>(raw: &'a str, decoded: &str, part: &str) -> &'a str {
        let offsets = toml(raw, 0, decoded).unwrap();
        let start = decoded.find(part).unwrap();
        &raw[offsets[start]..offsets[start + part.len()]]
    }

    #[test]
    fn parts_of_strings_are_found_behind_escapes() {
        assert_eq!(raw_of(r#""a\"b\u00e9c""#, "a\"béc", "c"), "c");
        assert_eq!(raw_of(r#""a\"bc""#, "a\"bc", "\""), "\\\"");
        assert_eq!(raw_of(r#""\x41b""#, "Ab", "A"), r"\x41");
        assert_eq!(raw_of("'a\\b'", "a\\b", "b"), "b");
        assert_eq!(raw_of("'''\nab\ncd'''", "ab\ncd", "cd"), "cd");
        assert_eq!(raw_of("\"\"\"\nab\\\n   cd\"\"\"", "abcd", "cd"), "cd");
        assert_eq!(raw_of("\"é\u{10348}x\"", "é\u{10348}x", "x"), "x");
    }

    #[test]
    fn json_knows_surrogate_pairs() {
        let raw = r#""\uD83D\uDE00x\/""#;
        let offsets = json(raw, "\u{1F600}x/").unwrap();
        assert_eq!(offsets[4], 13);
        assert_eq!(json(r#""\uD83D""#, "?"), None);
    }

    #[test]
    fn a_text_that_does_not_come_out_has_no_offsets() {
        assert_eq!(toml("\"a\"", 0, "b"), None);
        assert_eq!(toml("'", 0, ""), None);
        assert_eq!(toml("", 0, ""), None);
    }
}
