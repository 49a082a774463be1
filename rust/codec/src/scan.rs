//! Reading JSON text strictly (RFC 8259), token by token.

use std::borrow::Cow;

use crate::errors::Fail;
use crate::number::{decimal, eight_digits};

/// A place in the text, which is valid UTF-8.
pub struct Scanner<'a> {
    text: &'a str,
    pub at: usize,
    /// The content of the last string that has escapes.
    unescaped: String,
}

impl<'a> Scanner<'a> {
    /// Starts at the beginning of the text, after checking that it is UTF-8.
    pub fn new(data: &'a [u8]) -> Result<Self, Fail> {
        let text = simdutf8::compat::from_utf8(data)
            .map_err(|error| Fail::wire("not UTF-8", error.valid_up_to()))?;
        Ok(Self {
            text,
            at: 0,
            unescaped: String::new(),
        })
    }

    /// The whole text.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The text from the present place on.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes()[self.at..]
    }

    /// The next byte that is no white space, not consumed.
    #[inline]
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
    #[inline]
    pub fn expect(&mut self, wanted: u8) -> Result<(), Fail> {
        if self.peek()? == wanted {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected())
    }

    /// Consume the byte if it is next.
    #[inline]
    pub fn accept(&mut self, wanted: u8) -> Result<bool, Fail> {
        let found = self.peek()? == wanted;
        self.at += usize::from(found);
        Ok(found)
    }

    /// After an item: whether another follows, or the closing byte was consumed.
    #[inline]
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
    #[inline]
    pub fn literal<const N: usize>(&mut self, word: &[u8; N]) -> Result<(), Fail> {
        if self.rest().first_chunk() == Some(word) {
            self.at += N;
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
        let mut digits: u64 = 0;
        self.take_digits(&mut digits);
        let mut count = self.at - digits_at;
        if count == 0 || (count > 1 && bytes[digits_at] == b'0') {
            return Err(Fail::wire("a malformed number", start));
        }
        let mut scale = 0;
        if bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            let point = self.at;
            let whole = digits;
            self.take_digits(&mut digits);
            scale = self.at - point;
            if scale == 0 {
                return Err(Fail::wire("a malformed number", start));
            }
            count += scale;
            if scale == 1 && bytes[point] == b'0' {
                // As the server writes every whole number.
                (digits, scale, count) = (whole, 0, count - 1);
            }
        }
        if matches!(bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(bytes.get(self.at), Some(b'+' | b'-')));
            self.digits(start)?;
        } else if count <= 19
            && let Some(value) = decimal(digits, scale)
        {
            return Ok(if negative { -value } else { value });
        }
        let value: f64 = self.text[start..self.at]
            .parse()
            .map_err(|_| Fail::wire("a malformed number", start))?;
        if value.is_infinite() {
            return Err(Fail::wire("a number out of the range of float64", start));
        }
        Ok(value)
    }

    /// Consume digits; `value` is right for up to 19 of them in all.
    #[inline]
    fn take_digits(&mut self, value: &mut u64) {
        let bytes = self.bytes();
        while let Some(eight) = bytes[self.at..].first_chunk::<8>()
            && let Some(number) = eight_digits(*eight)
        {
            *value = value.wrapping_mul(100_000_000).wrapping_add(number);
            self.at += 8;
        }
        while let Some(byte @ b'0'..=b'9') = bytes.get(self.at) {
            *value = value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
            self.at += 1;
        }
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
    #[inline]
    pub fn string(&mut self) -> Result<Cow<'a, str>, Fail> {
        Ok(match self.whole_string()? {
            Some(content) => Cow::Borrowed(content),
            None => Cow::Owned(self.unescaped.clone()),
        })
    }

    /// As `string`, but until the next one only.
    #[inline]
    pub fn content(&mut self) -> Result<&str, Fail> {
        Ok(match self.whole_string()? {
            Some(content) => content,
            None => &self.unescaped,
        })
    }

    /// Consume a string; None if it has escapes: then its content is in `unescaped`.
    #[inline]
    fn whole_string(&mut self) -> Result<Option<&'a str>, Fail> {
        self.expect(b'"')?;
        let start = self.at;
        self.plain_run()?;
        if self.bytes()[self.at] == b'"' {
            self.at += 1;
            return Ok(Some(&self.text[start..self.at - 1]));
        }
        self.unescape(start)?;
        Ok(None)
    }

    fn unescape(&mut self, start: usize) -> Result<(), Fail> {
        self.unescaped.clear();
        self.unescaped.push_str(&self.text[start..self.at]);
        while self.bytes()[self.at] != b'"' {
            let character = self.escape()?;
            self.unescaped.push(character);
            let run = self.at;
            self.plain_run()?;
            self.unescaped.push_str(&self.text[run..self.at]);
        }
        self.at += 1;
        Ok(())
    }

    /// Move to the next quote or backslash.
    #[inline]
    fn plain_run(&mut self) -> Result<(), Fail> {
        self.at = next_special(self.bytes(), self.at);
        match self.bytes().get(self.at) {
            Some(b'"' | b'\\') => Ok(()),
            Some(_) => Err(Fail::wire("a bare control character in a string", self.at)),
            None => Err(Fail::wire("the text ends within a string", self.at)),
        }
    }

    /// Consume the name that is next if it begins with `$`.
    #[inline]
    pub fn reserved_name(&mut self) -> Result<Option<Cow<'a, str>>, Fail> {
        if !matches!(self.rest(), [b'"', b'$' | b'\\', ..]) {
            return Ok(None);
        }
        let start = self.at;
        let name = self.string()?;
        if name.starts_with('$') {
            return Ok(Some(name));
        }
        self.at = start;
        Ok(None)
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
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The place of the next quote, backslash or control character.
#[inline]
pub fn next_special(bytes: &[u8], mut at: usize) -> usize {
    #[cfg(target_arch = "x86_64")]
    while let Some(sixteen) = bytes[at..].first_chunk::<16>() {
        let hits = specials(sixteen);
        if hits != 0 {
            return at + hits.trailing_zeros() as usize;
        }
        at += 16;
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(last) = bytes.last_chunk::<16>() {
        // Overlapping what was looked at before.
        let hits = specials(last) >> (at + 16 - bytes.len());
        return at
            .saturating_add(hits.trailing_zeros() as usize)
            .min(bytes.len());
    }
    while let Some(eight) = bytes[at..].first_chunk::<8>() {
        let hits = specials_of_eight(u64::from_le_bytes(*eight));
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(0x20..=0x21 | 0x23..=0x5b | 0x5d..) = bytes.get(at) {
        at += 1;
    }
    at
}

/// The lowest bit that is set is the highest one of the first byte that is a quote, a backslash
/// or a control character; those above it may be wrong, as a borrow runs upwards.
#[inline]
fn specials_of_eight(word: u64) -> u64 {
    let quote = word ^ (ONES * u64::from(b'"'));
    let slash = word ^ (ONES * u64::from(b'\\'));
    let hits = (quote.wrapping_sub(ONES) & !quote)
        | (slash.wrapping_sub(ONES) & !slash)
        | (word.wrapping_sub(ONES * 0x20) & !word);
    hits & HIGH
}

/// A bit for each byte that is a quote, a backslash or a control character. Sixteen bytes at a
/// time, strings are found a third faster than eight at a time.
#[cfg(target_arch = "x86_64")]
#[inline]
fn specials(sixteen: &[u8; 16]) -> u32 {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128,
        _mm_set1_epi8,
    };
    // SAFETY: the load takes any address of 16 readable bytes; the rest works on registers, and
    // every x86-64 has SSE2.
    unsafe {
        let text = _mm_loadu_si128(sixteen.as_ptr().cast::<__m128i>());
        let quote = _mm_cmpeq_epi8(text, _mm_set1_epi8(0x22));
        let slash = _mm_cmpeq_epi8(text, _mm_set1_epi8(0x5c));
        let control = _mm_cmpeq_epi8(_mm_min_epu8(text, _mm_set1_epi8(0x1f)), text);
        let hits = _mm_or_si128(_mm_or_si128(quote, slash), control);
        _mm_movemask_epi8(hits).cast_unsigned()
    }
}
