//! Appending JSON text.

use crate::scan::next_special;

/// Append a JSON string: short escapes where there are some, `\u00xx` for other controls.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut written = 0;
    loop {
        let at = next_special(bytes, written);
        append(out, &bytes[written..at]);
        let Some(&byte) = bytes.get(at) else {
            break;
        };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[high], HEX[low]]);
            }
        }
        written = at + 1;
    }
    out.push(b'"');
}

/// Append bytes. For short texts a call of `memcpy` takes longer than copies of a fixed size,
/// the last of which overlaps the one before.
#[inline]
fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<16>(), bytes.last_chunk::<16>())
        && bytes.len() <= 64
    {
        let start = out.len();
        let mut at = 16;
        out.extend_from_slice(first);
        while let Some(next) = bytes[at..].first_chunk::<16>() {
            out.extend_from_slice(next);
            at += 16;
        }
        out.truncate(start + bytes.len() - 16);
        out.extend_from_slice(last);
        return;
    }
    out.extend_from_slice(bytes);
}
