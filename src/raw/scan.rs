//! Reading JSON without making anything of it: where a value ends, and whether it is one.

use super::{Flaw, MOST_DEEP};

/// A place in a text.
pub struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

/// The arrays and objects that are open, the innermost last. There is one bit for each: 1 for an object.
#[derive(Default)]
struct Open {
    objects: u128,
    depth: u32,
}

impl Open {
    fn push(&mut self, object: u128) -> Result<(), Flaw> {
        if self.depth == MOST_DEEP {
            return Err(Flaw::TooDeep);
        }
        self.objects = self.objects << 1 | object;
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) {
        self.objects >>= 1;
        self.depth -= 1;
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }
}

impl<'a> Scan<'a> {
    pub fn new(text: &'a str, at: usize) -> Scan<'a> {
        Scan { text, bytes: text.as_bytes(), at }
    }

    /// Passes over a value, and what is white before it.
    pub fn value(&mut self) -> Result<(), Flaw> {
        let mut open = Open::default();
        loop {
            self.white();
            match self.take().ok_or(Flaw::Syntax)? {
                b'{' => {
                    open.push(1)?;
                    self.white();
                    if self.peek() != Some(b'}') {
                        self.name()?;
                        continue;
                    }
                }
                b'[' => {
                    open.push(0)?;
                    self.white();
                    if self.peek() != Some(b']') {
                        continue;
                    }
                }
                b'"' => self.string()?,
                b't' => self.word(b"rue")?,
                b'f' => self.word(b"alse")?,
                b'n' => self.word(b"ull")?,
                first => self.number(first)?,
            }
            if !self.after(&mut open)? {
                return Ok(());
            }
        }
    }

    /// Passes over what stands between the end of a value and the next one: `false` where nothing is open any more.
    fn after(&mut self, open: &mut Open) -> Result<bool, Flaw> {
        while open.depth > 0 {
            self.white();
            match (self.take(), open.in_object()) {
                (Some(b','), true) => {
                    self.white();
                    return self.name().map(|()| true);
                }
                (Some(b','), false) => return Ok(true),
                (Some(b'}'), true) | (Some(b']'), false) => open.pop(),
                _ => return Err(Flaw::Syntax),
            }
        }
        Ok(false)
    }

    /// Nothing but white may be left.
    pub fn end(&mut self) -> Result<(), Flaw> {
        self.white();
        if self.peek().is_none() { Ok(()) } else { Err(Flaw::Syntax) }
    }

    /// The next item of an array, or the next name of an object, that is known to be valid.
    pub fn next_item(&mut self) -> Option<&'a str> {
        self.white();
        if self.peek() == Some(b',') {
            self.at += 1;
        }
        self.slice_of_value()
    }

    /// Passes over the mark behind a name.
    pub fn colon(&mut self) -> Option<()> {
        self.white();
        (self.take() == Some(b':')).then_some(())
    }

    /// The next value; `None` at the end of an array or an object.
    pub fn slice_of_value(&mut self) -> Option<&'a str> {
        self.white();
        let start = self.at;
        self.value().ok()?;
        self.text.get(start..self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek();
        self.at += usize::from(byte.is_some());
        byte
    }

    /// RFC 8259, section 2.
    fn white(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn name(&mut self) -> Result<(), Flaw> {
        match self.take() {
            Some(b'"') => self.string()?,
            _ => return Err(Flaw::Syntax),
        }
        self.colon().ok_or(Flaw::Syntax)
    }

    fn word(&mut self, rest: &[u8]) -> Result<(), Flaw> {
        let found = self.bytes.get(self.at..).is_some_and(|bytes| bytes.starts_with(rest));
        self.at += rest.len();
        if found { Ok(()) } else { Err(Flaw::Syntax) }
    }

    /// RFC 8259, section 7, behind the opening quote.
    fn string(&mut self) -> Result<(), Flaw> {
        loop {
            self.plain();
            match self.take() {
                Some(b'"') => return Ok(()),
                Some(b'\\') => self.escape()?,
                Some(0x20..) => {}
                _ => return Err(Flaw::Syntax),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Flaw> {
        match self.take() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(()),
            Some(b'u') => {
                let digits = self.bytes.get(self.at..).and_then(|bytes| bytes.first_chunk::<4>());
                self.at += 4;
                match digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    true => Ok(()),
                    false => Err(Flaw::Syntax),
                }
            }
            _ => Err(Flaw::Syntax),
        }
    }

    /// Passes over bytes of a string that mean nothing else, eight at a time: most of a document is text.
    fn plain(&mut self) {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = 0x8080_8080_8080_8080;
        const QUOTES: u64 = ONES * b'"' as u64;
        const BACKSLASHES: u64 = ONES * b'\\' as u64;
        let is_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
        while let Some(chunk) = self.bytes.get(self.at..).and_then(|bytes| bytes.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*chunk);
            let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
            let special = control | is_zero(word ^ QUOTES) | is_zero(word ^ BACKSLASHES);
            if special != 0 {
                // The lowest of the bits is right, whatever borrows have made of those above it.
                self.at += (special.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += 8;
        }
    }

    /// RFC 8259, section 6.
    fn number(&mut self, first: u8) -> Result<(), Flaw> {
        let first = if first == b'-' { self.take() } else { Some(first) };
        match first {
            // No digit follows a leading zero: it would be the next value, which is not expected there.
            Some(b'0') => {}
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(Flaw::Syntax),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        self.digits();
        if self.at > start { Ok(()) } else { Err(Flaw::Syntax) }
    }
}
