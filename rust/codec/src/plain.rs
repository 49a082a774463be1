//! Wire bytes to ordinary JSON, without building Python objects.
//!
//! What needs another spelling is an object whose first name begins with `$`. In JSON a quote
//! before a `$` is an escaped one, or opens a string; so it is enough to look at each `"$`, and
//! what lies between is copied unread.

use memchr::memmem;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::decode::whole;
use crate::encode::canonical;
use crate::errors::Fail;
use crate::scan::Scanner;
use crate::tagged::{self, Tagged};
use crate::text::write_string;
use crate::values::field_name_problem;

/// Wire bytes as plain JSON: int64 as a decimal string, bytes as a base64 string, NaN and the
/// infinities as the strings of those names; all else stays as it is.
#[pyfunction]
#[pyo3(signature = (data, root = "value"))]
pub fn to_plain_json<'py>(data: &Bound<'py, PyBytes>, root: &str) -> PyResult<Bound<'py, PyBytes>> {
    let py = data.py();
    let text = data.as_bytes();
    let plain = if memmem::find(text, br"\u0024").is_none() {
        respelled(text).or_else(|_| canonically(py, text))
    } else {
        canonically(py, text)
    };
    match plain {
        Ok(None) => Ok(data.clone()),
        Ok(Some(text)) => Ok(PyBytes::new(py, &text)),
        Err(fail) => Err(fail.into_py(py, root)),
    }
}

/// By way of a canonical spelling: for an escaped `$`, which may hide a tag's name, and for tags
/// with more than one payload. A text that is no value is refused here, with the path to where.
fn canonically(py: Python<'_>, text: &[u8]) -> Result<Option<Vec<u8>>, Fail> {
    let spelled = canonical(&whole(py, text)?)?;
    Ok(Some(respelled(&spelled)?.unwrap_or(spelled)))
}

/// None if the text is plain as it is.
fn respelled(text: &[u8]) -> Result<Option<Vec<u8>>, Fail> {
    let Some(first) = memmem::find(text, b"\"$") else {
        return Ok(None);
    };
    let mut out = Vec::with_capacity(text.len());
    let mut scanner = Scanner::new(text)?;
    let mut copied = 0;
    let mut next = Some(first);
    while let Some(quote) = next {
        scanner.at = quote + 1;
        if text[..quote].last() != Some(&b'\\') {
            let before = text[..quote].trim_ascii_end();
            if before.last() == Some(&b'{') {
                out.extend_from_slice(&text[copied..before.len() - 1]);
                scanner.at = quote;
                tag(&mut scanner, &mut out)?;
                copied = scanner.at;
            } else {
                scanner.at = quote;
                let name = scanner.string()?;
                if matches!(scanner.peek(), Ok(b':')) {
                    let problem = field_name_problem(&name).unwrap_or_default();
                    return Err(Fail::wire(problem, quote));
                }
            }
        }
        next = memmem::find(&text[scanner.at..], b"\"$").map(|found| scanner.at + found);
    }
    out.extend_from_slice(&text[copied..]);
    Ok(Some(out))
}

/// The value of a tag, which is next.
fn tag(scanner: &mut Scanner<'_>, out: &mut Vec<u8>) -> Result<(), Fail> {
    let start = scanner.at;
    let name = scanner.string()?;
    if !tagged::is_tag(&name) {
        let problem = field_name_problem(&name).unwrap_or_default();
        return Err(Fail::wire(problem, start));
    }
    scanner.expect(b':')?;
    let payload = scanner.string()?;
    if scanner.more(b'}')? {
        return Err(Fail::wire(format!("{name} is not alone"), start));
    }
    match tagged::read(&name, &payload).map_err(|text| Fail::wire(text, start))? {
        Tagged::Integer(number) => write_string(out, itoa::Buffer::new().format(number)),
        Tagged::Float(0.0) => out.extend_from_slice(b"-0.0"),
        Tagged::Float(number) if number.is_nan() => write_string(out, "NaN"),
        Tagged::Float(number) if number < 0.0 => write_string(out, "-Infinity"),
        Tagged::Float(_) => write_string(out, "Infinity"),
        Tagged::Bytes(encoded) if encoded.is_base64() => write_string(out, &payload),
        Tagged::Bytes(_) => return Err(Fail::wire("the payload of $bytes is not base64", start)),
    }
    Ok(())
}
