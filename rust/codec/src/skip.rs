//! Passing over a JSON value that has to be well formed, without making anything of it.

use crate::scan::next_special;
use crate::values::MAX_DEPTH;

/// Where the value that begins at `at` ends; None if it is malformed, or nested more than 64 deep.
pub fn value_end(text: &[u8], mut at: usize) -> Option<usize> {
    // A bit for each open container, the innermost lowest: whether it is an object.
    let mut objects: u64 = 0;
    let mut depth = 0;
    loop {
        // A value is next.
        match *text.get(at)? {
            b'"' => at = string_end(text, at)?,
            opening @ (b'{' | b'[') => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return None;
                }
                objects = objects << 1 | u64::from(opening == b'{');
                at = past_blanks(text, at + 1);
                if !matches!(text.get(at)?, b'}' | b']') {
                    if opening == b'{' {
                        at = name_end(text, at)?;
                    }
                    continue;
                }
            }
            b't' => at = past(text, at, b"true")?,
            b'f' => at = past(text, at, b"false")?,
            b'n' => at = past(text, at, b"null")?,
            _ => at = number_end(text, at)?,
        }
        // A value is past, or the end of an empty container is next.
        loop {
            if depth == 0 {
                return Some(at);
            }
            at = past_blanks(text, at);
            let is_object = objects & 1 != 0;
            match *text.get(at)? {
                b',' => {
                    at = past_blanks(text, at + 1);
                    if is_object {
                        at = name_end(text, at)?;
                    }
                    break;
                }
                b'}' if is_object => {}
                b']' if !is_object => {}
                _ => return None,
            }
            at += 1;
            depth -= 1;
            objects >>= 1;
        }
    }
}

#[inline]
fn past_blanks(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = text.get(at) {
        at += 1;
    }
    at
}

#[inline]
fn past<const N: usize>(text: &[u8], at: usize, word: &[u8; N]) -> Option<usize> {
    (text[at..].first_chunk() == Some(word)).then_some(at + N)
}

/// Past a field's name, its colon and the blanks after it.
#[inline(always)]
fn name_end(text: &[u8], at: usize) -> Option<usize> {
    if *text.get(at)? != b'"' {
        return None;
    }
    let at = past_blanks(text, string_end(text, at)?);
    (*text.get(at)? == b':').then(|| past_blanks(text, at + 1))
}

/// Past a string, whose opening quote is at `at`.
#[inline(always)]
fn string_end(text: &[u8], at: usize) -> Option<usize> {
    let mut at = next_special(text, at + 1);
    loop {
        match *text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at = next_special(text, escape_end(text, at)?),
            _ => return None,
        }
    }
}

/// Past an escape, or the two that make up a surrogate pair.
fn escape_end(text: &[u8], at: usize) -> Option<usize> {
    match *text.get(at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 2),
        b'u' => match unit(text, at)? {
            0xd800..0xdc00 => matches!(unit(text, at + 6)?, 0xdc00..0xe000).then_some(at + 12),
            0xdc00..0xe000 => None,
            _ => Some(at + 6),
        },
        _ => None,
    }
}

/// The UTF-16 unit of a `\u` escape.
fn unit(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, &digit| {
        Some(unit << 4 | char::from(digit).to_digit(16)?)
    })
}

#[inline]
fn number_end(text: &[u8], at: usize) -> Option<usize> {
    let whole = at + usize::from(text.get(at) == Some(&b'-'));
    let mut at = digits_end(text, whole)?;
    if at > whole + 1 && text[whole] == b'0' {
        return None;
    }
    if text.get(at) == Some(&b'.') {
        at = digits_end(text, at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        at = digits_end(text, at + 1 + sign)?;
    }
    Some(at)
}

/// Past the digits, of which there has to be one.
#[inline]
fn digits_end(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(b'0'..=b'9') = text.get(at) {
        at += 1;
    }
    (at > from).then_some(at)
}
