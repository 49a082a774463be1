//! The values that JSON has no spelling for: `$integer`, `$float` and `$bytes`.

use base64_turbo::STANDARD;

use crate::values::is_special;

/// A value in a one-key object.
pub enum Tagged<'p> {
    Integer(i64),
    Float(f64),
    Bytes(Encoded<'p>),
}

/// Canonical base64, but for characters that are none of its alphabet, which `decode_into` finds.
pub struct Encoded<'p> {
    text: &'p [u8],
    /// What the last four characters stand for, the only ones that may be padded.
    tail: ([u8; 3], usize),
}

impl<'p> Encoded<'p> {
    /// None if the length or the padding is wrong, or the last character has spare bits.
    fn new(text: &'p str) -> Option<Self> {
        let text = text.as_bytes();
        let tail = match text.last_chunk() {
            Some(last) => last_bytes(last)?,
            None => ([0; 3], 0),
        };
        text.len().is_multiple_of(4).then_some(Self { text, tail })
    }

    /// How many bytes it stands for.
    pub fn length(&self) -> usize {
        self.head().len() / 4 * 3 + self.tail.1
    }

    fn head(&self) -> &'p [u8] {
        &self.text[..self.text.len().saturating_sub(4)]
    }

    /// Decode into a buffer of `length` bytes; false if a character is none of base64.
    pub fn decode_into(&self, target: &mut [u8]) -> bool {
        let (bytes, length) = &self.tail;
        let (head, tail) = target.split_at_mut(target.len() - length);
        tail.copy_from_slice(&bytes[..*length]);
        // Padding within the head would make it shorter.
        STANDARD.decode_slice(self.head(), head) == Ok(head.len())
    }

    /// Whether all characters are of the alphabet.
    pub fn is_base64(&self) -> bool {
        self.decode_into(&mut vec![0; self.length()])
    }

    fn eight(&self) -> Option<[u8; 8]> {
        eight_bytes(self.text.try_into().ok()?)
    }
}

/// Read the payload of a tag, strictly: canonical base64, and only what needs the tag.
pub fn read<'p>(tag: &str, payload: &'p str) -> Result<Tagged<'p>, String> {
    let encoded = Encoded::new(payload)
        .ok_or_else(|| format!("the payload of {tag} is not canonical base64"))?;
    if tag == "$bytes" {
        return Ok(Tagged::Bytes(encoded));
    }
    let eight = encoded
        .eight()
        .ok_or_else(|| format!("the payload of {tag} is not the base64 of 8 bytes"))?;
    if tag == "$integer" {
        return Ok(Tagged::Integer(i64::from_le_bytes(eight)));
    }
    let float = f64::from_bits(u64::from_le_bytes(eight));
    if is_special(float) {
        Ok(Tagged::Float(float))
    } else {
        Err(format!(
            "$float holds {float}, which has to be a plain number"
        ))
    }
}

/// The text of an int64 up to its payload, as every server writes it.
const INTEGER: &[u8; 13] = b"{\"$integer\":\"";
/// The characters of the base64 of 8 bytes: 11 of 6 bits each, and one of padding.
pub const EIGHT: usize = 12;

/// An int64 in its usual spelling, and the length of its text; None leaves it to `read`.
#[inline]
pub fn plain_integer(text: &[u8]) -> Option<(i64, usize)> {
    let (opening, rest) = text.split_first_chunk()?;
    if opening != INTEGER {
        return None;
    }
    let (payload, rest) = rest.split_first_chunk()?;
    let value = eight_bytes(payload)?;
    rest.starts_with(b"\"}")
        .then_some((i64::from_le_bytes(value), INTEGER.len() + EIGHT + 2))
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const NO_DIGIT: u8 = 0xff;
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < 64 {
        digits[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};

/// Eight bytes from canonical base64, for which a call into the SIMD decoder is too long a way.
pub fn eight_bytes(text: &[u8; EIGHT]) -> Option<[u8; 8]> {
    let (padding, digits) = text.split_last()?;
    let mut bits: u128 = 0;
    let mut seen = 0;
    for &digit in digits {
        let value = DIGITS[usize::from(digit)];
        seen |= value;
        bits = (bits << 6) | u128::from(value);
    }
    // 66 bits, of which the last two are spare.
    let good = seen < 64 && *padding == b'=' && bits & 3 == 0;
    good.then_some(((bits >> 2) as u64).to_be_bytes())
}

/// The one to three bytes that the last four characters stand for, and how many they are.
fn last_bytes(text: &[u8; 4]) -> Option<([u8; 3], usize)> {
    let padding = text.iter().rev().take_while(|&&byte| byte == b'=').count();
    let (digits, length) = (text.get(..4 - padding)?, 3_usize.checked_sub(padding)?);
    let mut bits: u32 = 0;
    let mut seen = 0;
    for &digit in digits {
        let value = DIGITS[usize::from(digit)];
        seen |= value;
        bits = (bits << 6) | u32::from(value);
    }
    let [_, bytes @ ..] = (bits << (6 * padding)).to_be_bytes();
    let good = length > 0 && seen < 64 && bytes[length..].iter().all(|&spare| spare == 0);
    good.then_some((bytes, length))
}

/// Append the base64 of 8 bytes.
fn write_eight(out: &mut Vec<u8>, bytes: [u8; 8]) {
    let bits = u128::from(u64::from_be_bytes(bytes)) << 2;
    let mut text = [b'='; EIGHT];
    for (index, digit) in text[..EIGHT - 1].iter_mut().enumerate() {
        *digit = ALPHABET[((bits >> (60 - 6 * index)) & 63) as usize];
    }
    out.extend_from_slice(&text);
}

/// Whether a name is one of the three tags.
pub fn is_tag(name: &str) -> bool {
    matches!(name, "$integer" | "$float" | "$bytes")
}

/// Append an int64.
pub fn write_integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(INTEGER);
    write_eight(out, value.to_le_bytes());
    out.extend_from_slice(b"\"}");
}

/// Append a float of which JSON has no number.
pub fn write_float(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(b"{\"$float\":\"");
    write_eight(out, value.to_bits().to_le_bytes());
    out.extend_from_slice(b"\"}");
}

/// Append bytes.
pub fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(b"{\"$bytes\":\"");
    let start = out.len();
    out.resize(start + STANDARD.encoded_len(bytes.len()), 0);
    let _ = STANDARD.encode_slice(bytes, &mut out[start..]);
    out.extend_from_slice(b"\"}");
}
