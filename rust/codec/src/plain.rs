//! Wire bytes to ordinary JSON, without building Python objects.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::encode::write_string;
use crate::errors::Fail;
use crate::scan::Scanner;
use crate::tagged::{self, Tagged};
use crate::values::{MAX_DEPTH, field_name_problem};

/// Wire bytes as plain JSON: int64 as a decimal string, bytes as a base64 string, NaN and the
/// infinities as the strings of those names; all else stays as it is.
#[pyfunction]
#[pyo3(signature = (data, root = "value"))]
pub fn to_plain_json<'py>(
    py: Python<'py>,
    data: &[u8],
    root: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut out = Vec::with_capacity(data.len());
    let written = Scanner::new(data).and_then(|mut scanner| {
        value(&mut scanner, &mut out, 0)?;
        scanner.end()
    });
    written.map_err(|fail| fail.into_py(py, root))?;
    Ok(PyBytes::new(py, &out))
}

fn value(scanner: &mut Scanner<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), Fail> {
    if depth > MAX_DEPTH {
        return Err(Fail::wire("nested more than 64 deep", scanner.at));
    }
    let first = scanner.peek()?;
    let start = scanner.at;
    match first {
        b'{' => return object(scanner, out, depth),
        b'[' => {
            scanner.at += 1;
            out.push(b'[');
            if !scanner.accept(b']')? {
                loop {
                    value(scanner, out, depth + 1)?;
                    if !scanner.more(b']')? {
                        break;
                    }
                    out.push(b',');
                }
            }
            out.push(b']');
            return Ok(());
        }
        b'"' => drop(scanner.string()?),
        b't' => scanner.literal("true")?,
        b'f' => scanner.literal("false")?,
        b'n' => scanner.literal("null")?,
        _ => drop(scanner.number()?),
    }
    out.extend_from_slice(scanner.since(start));
    Ok(())
}

fn object(scanner: &mut Scanner<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), Fail> {
    scanner.at += 1;
    let mark = out.len();
    out.push(b'{');
    if scanner.accept(b'}')? {
        out.push(b'}');
        return Ok(());
    }
    loop {
        scanner.peek()?;
        let start = scanner.at;
        let name = scanner.string()?;
        if tagged::is_tag(&name) && out.len() == mark + 1 {
            out.truncate(mark);
            return tag(scanner, out, &name, depth);
        }
        if let Some(problem) = field_name_problem(&name) {
            return Err(Fail::wire(problem, start));
        }
        out.extend_from_slice(scanner.since(start));
        scanner.expect(b':')?;
        out.push(b':');
        value(scanner, out, depth + 1)?;
        if !scanner.more(b'}')? {
            out.push(b'}');
            return Ok(());
        }
        out.push(b',');
    }
}

/// The value of a tag that is the only name of its object; of repeated payloads the last counts.
fn tag(scanner: &mut Scanner<'_>, out: &mut Vec<u8>, name: &str, depth: usize) -> Result<(), Fail> {
    let start = scanner.at;
    let mark = out.len();
    let payload = loop {
        scanner.expect(b':')?;
        let payload = if scanner.peek()? == b'"' {
            Some(scanner.string()?)
        } else {
            value(scanner, out, depth + 1)?;
            out.truncate(mark);
            None
        };
        if !scanner.more(b'}')? {
            break payload;
        }
        scanner.peek()?;
        if scanner.string()? != name {
            return Err(Fail::wire(
                format!("{name} stands beside other fields"),
                start,
            ));
        }
    };
    let payload =
        payload.ok_or_else(|| Fail::wire(format!("the payload of {name} is no string"), start))?;
    match tagged::read(name, &payload).map_err(|text| Fail::wire(text, start))? {
        Tagged::Integer(number) => write_string(out, &number.to_string()),
        Tagged::Float(0.0) => out.extend_from_slice(b"-0.0"),
        Tagged::Float(number) if number.is_nan() => write_string(out, "NaN"),
        Tagged::Float(number) if number < 0.0 => write_string(out, "-Infinity"),
        Tagged::Float(_) => write_string(out, "Infinity"),
        Tagged::Bytes(_) => write_string(out, &payload),
    }
    Ok(())
}
