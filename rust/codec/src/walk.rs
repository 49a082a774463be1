//! Finding the parts of a text by their brackets, without reading what is in them.

use crate::errors::Fail;
use crate::scan::next_special;

/// A place in a text. What is skipped is not checked: whoever uses it decodes it.
pub struct Walk<'a> {
    text: &'a [u8],
    pub at: usize,
}

impl<'a> Walk<'a> {
    pub fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at }
    }

    /// The next byte that is no white space, not consumed.
    pub fn peek(&mut self) -> Result<u8, Fail> {
        while let Some(&byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(byte);
            }
            self.at += 1;
        }
        Err(Fail::wire("the text ends too early", self.at))
    }

    /// Consume the byte if it is next.
    pub fn accept(&mut self, wanted: u8) -> Result<bool, Fail> {
        let found = self.peek()? == wanted;
        self.at += usize::from(found);
        Ok(found)
    }

    /// After an item: whether another follows, or the closing byte was consumed.
    pub fn more(&mut self, close: u8) -> Result<bool, Fail> {
        if self.accept(b',')? {
            return Ok(true);
        }
        if self.accept(close)? {
            return Ok(false);
        }
        Err(self.unexpected())
    }

    /// Nothing but white space may follow.
    pub fn end(&mut self) -> Result<(), Fail> {
        match self.peek() {
            Err(_) => Ok(()),
            Ok(_) => Err(Fail::wire("text after the value", self.at)),
        }
    }

    /// The name of a field as it is written, with its quotes; its colon is consumed too.
    pub fn name(&mut self) -> Result<&'a [u8], Fail> {
        if self.peek()? != b'"' {
            return Err(self.unexpected());
        }
        let start = self.at;
        self.skip_string()?;
        let name = &self.text[start..self.at];
        if !self.accept(b':')? {
            return Err(self.unexpected());
        }
        self.peek()?;
        Ok(name)
    }

    /// Consume a value, and give its text.
    pub fn skip(&mut self) -> Result<&'a [u8], Fail> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => self.skip_string()?,
            b'{' | b'[' => self.skip_container()?,
            _ => {
                let rest = &self.text[self.at..];
                self.at += rest
                    .iter()
                    .position(|b| matches!(b, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r'))
                    .unwrap_or(rest.len());
            }
        }
        if self.at == start {
            return Err(self.unexpected());
        }
        Ok(&self.text[start..self.at])
    }

    fn skip_string(&mut self) -> Result<(), Fail> {
        self.at += 1;
        loop {
            self.at = next_special(self.text, self.at);
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') if self.at + 1 < self.text.len() => self.at += 2,
                Some(0..0x20) => self.at += 1,
                _ => return Err(Fail::wire("the text ends within a string", self.text.len())),
            }
        }
    }

    fn skip_container(&mut self) -> Result<(), Fail> {
        let start = self.at;
        let mut depth = 0usize;
        while let Some(&byte) = self.text.get(self.at) {
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

    fn unexpected(&self) -> Fail {
        Fail::wire("an unexpected character", self.at)
    }
}
