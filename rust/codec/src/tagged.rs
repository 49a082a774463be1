//! The values that JSON has no spelling for: `$integer`, `$float` and `$bytes`.

use base64_simd::{Out, STANDARD};

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
    /// How many bytes it stands for.
    pub length: usize,
}

impl<'p> Encoded<'p> {
    /// None if the length or the padding is wrong, or the last character has spare bits.
    fn new(text: &'p str) -> Option<Self> {
        let text = text.as_bytes();
        let Some((_, &last)) = text.split_last_chunk::<4>() else {
            return text.is_empty().then_some(Self { text, length: 0 });
        };
        let length = STANDARD.decoded_length(text).ok()?;
        let mut room = [0; 3];
        let tail = STANDARD.decode(&last, Out::from_slice(&mut room)).ok()?;
        let mut again = [0; 4];
        let again = STANDARD.encode(tail, Out::from_slice(&mut again));
        (*again == last).then_some(Self { text, length })
    }

    /// Decode into a buffer of `length` bytes; false if a character is none of base64.
    pub fn decode_into(&self, target: &mut [u8]) -> bool {
        STANDARD
            .decode(self.text, Out::from_slice(target))
            .is_ok_and(|bytes| bytes.len() == self.length)
    }

    /// Whether all characters are of the alphabet.
    pub fn is_base64(&self) -> bool {
        STANDARD.check(self.text).is_ok()
    }

    fn eight(&self) -> Option<[u8; 8]> {
        let mut bytes = [0; 8];
        (self.length == 8 && self.decode_into(&mut bytes)).then_some(bytes)
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

/// Whether a name is one of the three tags.
pub fn is_tag(name: &str) -> bool {
    matches!(name, "$integer" | "$float" | "$bytes")
}

/// Append `{"tag":"base64"}`.
pub fn write(out: &mut Vec<u8>, tag: &str, bytes: &[u8]) {
    out.extend_from_slice(b"{\"");
    out.extend_from_slice(tag.as_bytes());
    out.extend_from_slice(b"\":\"");
    STANDARD.encode_append(bytes, out);
    out.extend_from_slice(b"\"}");
}
