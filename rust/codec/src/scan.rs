//! Reading JSON text strictly (RFC 8259), token by token.

use std::borrow::Cow;

use crate::errors::Fail;

/// A place in the text, which is valid UTF-8.
pub struct Scanner<'a> {
    text: &'a str,
    pub at: usize,
}

impl<'a> Scanner<'a> {
    /// Starts at the beginning of the text, after checking that it is UTF-8.
    pub fn new(data: &'a [u8]) -> Result<Self, Fail> {
        let text = simdutf8::compat::from_utf8(data)
            .map_err(|error| Fail::wire("not UTF-8", error.valid_up_to()))?;
        Ok(Self { text, at: 0 })
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The text from a place to the present one.
    pub fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes()[start..self.at]
    }

    /// The next byte that is no white space, not consumed.
    pub fn peek(&mut self) -> Result<u8, Fail> {
        while let Some(&byte) = self.bytes().get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(byte);
            }
            self.at += 1;
        }
        Err(Fail::wire("the text ends too early", self.at))
    }

    /// Consume the next byte that is no white space, which has to be this one.
    pub fn expect(&mut self, wanted: u8) -> Result<(), Fail> {
        if self.peek()? == wanted {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected())
    }

    /// Consume the byte if it is next.
    pub fn accept(&mut self, wanted: u8) -> Result<bool, Fail> {
        let found = self.peek()? == wanted;
        self.at += usize::from(found);
        Ok(found)
    }

    /// After an item: whether another follows, or the closing byte was consumed.
    pub fn more(&mut self, close: u8) -> Result<bool, Fail> {
        let byte = self.peek()?;
        if byte != b',' && byte != close {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(byte == b',')
    }

    /// Nothing but white space may follow.
    pub fn end(&mut self) -> Result<(), Fail> {
        match self.peek() {
            Err(_) => Ok(()),
            Ok(_) => Err(Fail::wire("text after the value", self.at)),
        }
    }

    /// The failure that the present byte is.
    pub fn unexpected(&self) -> Fail {
        match self.text[self.at..].chars().next() {
            Some(found) => Fail::wire(format!("unexpected {found:?}"), self.at),
            None => Fail::wire("the text ends too early", self.at),
        }
    }

    /// Consume a literal such as `true`.
    pub fn literal(&mut self, word: &str) -> Result<(), Fail> {
        if self.bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.unexpected())
    }

    /// Consume a number, rounded correctly to a float.
    pub fn number(&mut self) -> Result<f64, Fail> {
        let start = self.at;
        let bytes = self.bytes();
        let negative = bytes.get(self.at) == Some(&b'-');
        self.at += usize::from(negative);
        let digits_at = self.at;
        let mut small: u64 = 0;
        while let Some(byte @ b'0'..=b'9') = bytes.get(self.at) {
            small = small.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
            self.at += 1;
        }
        let digits = self.at - digits_at;
        if digits == 0 || (digits > 1 && bytes[digits_at] == b'0') {
            self.at = digits_at;
            return Err(Fail::wire("a malformed number", start));
        }
        let plain = !matches!(bytes.get(self.at), Some(b'.' | b'e' | b'E'));
        if plain && digits <= 15 {
            let value = small as f64; // exact: below 2**53
            return Ok(if negative { -value } else { value });
        }
        if bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits(start)?;
        }
        if matches!(bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(bytes.get(self.at), Some(b'+' | b'-')));
            self.digits(start)?;
        }
        let value: f64 = self.text[start..self.at]
            .parse()
            .map_err(|_| Fail::wire("a malformed number", start))?;
        if value.is_infinite() {
            return Err(Fail::wire("a number out of the range of float64", start));
        }
        Ok(value)
    }

    fn digits(&mut self, start: usize) -> Result<(), Fail> {
        let first = self.at;
        while matches!(self.bytes().get(self.at), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == first {
            Err(Fail::wire("a malformed number", start))
        } else {
            Ok(())
        }
    }

    /// Consume a string, whose opening quote is next, and give its content.
    pub fn string(&mut self) -> Result<Cow<'a, str>, Fail> {
        self.expect(b'"')?;
        let start = self.at;
        self.plain_run()?;
        if self.bytes()[self.at] == b'"' {
            self.at += 1;
            return Ok(Cow::Borrowed(&self.text[start..self.at - 1]));
        }
        let mut content = self.text[start..self.at].to_owned();
        loop {
            if self.bytes()[self.at] == b'"' {
                self.at += 1;
                return Ok(Cow::Owned(content));
            }
            content.push(self.escape()?);
            let run = self.at;
            self.plain_run()?;
            content.push_str(&self.text[run..self.at]);
        }
    }

    /// Move to the next quote or backslash.
    fn plain_run(&mut self) -> Result<(), Fail> {
        let bytes = self.bytes();
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                b'"' | b'\\' => return Ok(()),
                0..0x20 => return Err(Fail::wire("a bare control character in a string", self.at)),
                _ => self.at += 1,
            }
        }
        Err(Fail::wire("the text ends within a string", self.at))
    }

    fn escape(&mut self) -> Result<char, Fail> {
        let start = self.at;
        let byte = *self
            .bytes()
            .get(start + 1)
            .ok_or_else(|| Fail::wire("a cut escape", start))?;
        self.at += 2;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(start),
            _ => return Err(Fail::wire("an unknown escape", start)),
        })
    }

    fn unicode_escape(&mut self, start: usize) -> Result<char, Fail> {
        let lone = || Fail::wire("an unpaired surrogate", start);
        let mut code = self.four_hex(start)?;
        if (0xd800..0xdc00).contains(&code) {
            if !self.bytes()[self.at..].starts_with(b"\\u") {
                return Err(lone());
            }
            self.at += 2;
            let low = self.four_hex(start)?;
            if !(0xdc00..0xe000).contains(&low) {
                return Err(lone());
            }
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        char::from_u32(code).ok_or_else(lone)
    }

    fn four_hex(&mut self, start: usize) -> Result<u32, Fail> {
        let malformed = || Fail::wire("a malformed \\u escape", start);
        let digits = self
            .bytes()
            .get(self.at..self.at + 4)
            .ok_or_else(malformed)?;
        let mut code = 0;
        for &digit in digits {
            let value = char::from(digit).to_digit(16).ok_or_else(malformed)?;
            code = code * 16 + value;
        }
        self.at += 4;
        Ok(code)
    }

    /// Consume a value that is known to be well-formed, or will be checked when it is decoded.
    pub fn skip(&mut self) -> Result<(), Fail> {
        match self.peek()? {
            b'"' => self.skip_string(),
            b'{' | b'[' => self.skip_container(),
            _ => {
                let rest = &self.bytes()[self.at..];
                let length = rest
                    .iter()
                    .position(|b| matches!(b, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r'))
                    .unwrap_or(rest.len());
                self.at += length;
                if length == 0 {
                    Err(self.unexpected())
                } else {
                    Ok(())
                }
            }
        }
    }

    fn skip_string(&mut self) -> Result<(), Fail> {
        self.at += 1;
        loop {
            let rest = &self.bytes()[self.at..];
            let found = memchr::memchr2(b'"', b'\\', rest)
                .ok_or_else(|| Fail::wire("the text ends within a string", self.at))?;
            if rest[found] == b'"' {
                self.at += found + 1;
                return Ok(());
            }
            self.at = (self.at + found + 2).min(self.text.len());
        }
    }

    fn skip_container(&mut self) -> Result<(), Fail> {
        let start = self.at;
        let mut depth = 0usize;
        while let Some(&byte) = self.bytes().get(self.at) {
            match byte {
                b'"' => {
                    self.skip_string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
        Err(Fail::wire("a container that does not end", start))
    }
}
