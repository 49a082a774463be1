//! The values that JSON has no spelling for: `$integer`, `$float` and `$bytes`.

use base64_simd::STANDARD;

use crate::values::is_special;

/// A value in a one-key object.
pub enum Tagged {
    Integer(i64),
    Float(f64),
    Bytes(Vec<u8>),
}

/// Read the payload of a tag, strictly: canonical base64, and only what needs the tag.
pub fn read(tag: &str, payload: &str) -> Result<Tagged, String> {
    let bytes = STANDARD
        .decode_to_vec(payload)
        .ok()
        .filter(|bytes| STANDARD.encode_to_string(bytes) == payload)
        .ok_or_else(|| format!("the payload of {tag} is not canonical base64"))?;
    if tag == "$bytes" {
        return Ok(Tagged::Bytes(bytes));
    }
    let eight: [u8; 8] = bytes.try_into().map_err(|bytes: Vec<u8>| {
        format!("the payload of {tag} has {} bytes, not 8", bytes.len())
    })?;
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
    out.extend_from_slice(STANDARD.encode_to_string(bytes).as_bytes());
    out.extend_from_slice(b"\"}");
}
