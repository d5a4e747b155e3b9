//! Lines of words and whole numbers, without the formatting machinery: this is a part of what a request costs.

use super::MOST;

/// A line that is being written.
#[derive(Default)]
pub struct Line(String);

impl Line {
    pub fn word(&mut self, word: &str) -> &mut Line {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(word);
        self
    }

    pub fn number(&mut self, number: u64) -> &mut Line {
        self.word(itoa::Buffer::new().format(number))
    }

    pub fn end(self) -> String {
        self.0
    }
}

/// A line that is being read, one space between two words.
pub struct Words<'a>(Option<&'a str>);

impl<'a> Words<'a> {
    pub fn of(line: &'a str) -> Words<'a> {
        Words(Some(line))
    }

    pub fn word(&mut self) -> Option<&'a str> {
        let rest = self.0?;
        let (word, rest) = match rest.bytes().position(|byte| byte == b' ') {
            Some(end) => (rest.get(..end)?, rest.get(end + 1..)),
            None => (rest, None),
        };
        self.0 = rest;
        Some(word)
    }

    /// Up to 16 decimal digits, at most [`MOST`].
    pub fn number(&mut self) -> Option<u64> {
        let word = self.word()?;
        if word.is_empty() || word.len() > 16 {
            return None;
        }
        let mut number = 0;
        for byte in word.bytes() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            number = number * 10 + u64::from(digit);
        }
        (number <= MOST).then_some(number)
    }

    pub fn is_at_end(&self) -> bool {
        self.0.is_none()
    }
}
