//! The Convex size of a value, counted in its text, without making a Python object.
//!
//! `null` and booleans 1, numbers 9, strings and bytes 2 and their bytes, arrays and objects 2 and
//! their parts, a field 1 more than its name (docs.convex.dev/production/state/limits;
//! convex-backend crates/value, `size()`).

use std::borrow::Cow;

use pyo3::prelude::*;

use crate::decode::{check_depth, whole};
use crate::encode::canonical;
use crate::errors::Fail;
use crate::scan::Scanner;
use crate::tagged::{self, Tagged};
use crate::values::field_name_problem;

/// Which container has too many parts, and how many.
type Excess = Option<(&'static str, usize)>;

/// The Convex size of the value of wire bytes, and the first array of more than `max_items` or
/// object of more than `max_fields`: what it is, and how many parts it has.
///
/// Raises:
///     InvalidValueError: it is no Convex value.
#[pyfunction]
#[pyo3(signature = (data, /, *, max_items, max_fields))]
pub fn measure(
    py: Python<'_>,
    data: &[u8],
    max_items: usize,
    max_fields: usize,
) -> PyResult<(usize, Excess)> {
    let count = |text: &[u8]| -> Result<Option<(usize, Excess)>, Fail> {
        let mut measurer = Measurer {
            scanner: Scanner::new(text)?,
            max_items,
            max_fields,
            excess: None,
            has_twins: false,
        };
        let size = measurer.value(0)?;
        measurer.scanner.end()?;
        let excess = measurer.excess.map(|(_, what, count)| (what, count));
        Ok((!measurer.has_twins).then_some((size, excess)))
    };
    let found = match count(data) {
        Ok(Some(found)) => Ok(found),
        // Of a name that stands there twice the last value counts: so it does in this spelling. A
        // text that is no value is refused by the decoder, with the path to where.
        _ => whole(py, data)
            .and_then(|value| canonical(&value))
            .and_then(|text| Ok(count(&text)?.unwrap_or_default())),
    };
    found.map_err(|fail| fail.into_py(py, "value"))
}

struct Measurer<'a> {
    scanner: Scanner<'a>,
    max_items: usize,
    max_fields: usize,
    /// The container with too many parts that begins first, and where it begins.
    excess: Option<(usize, &'static str, usize)>,
    /// Whether an object has a name twice.
    has_twins: bool,
}

impl<'a> Measurer<'a> {
    fn value(&mut self, depth: usize) -> Result<usize, Fail> {
        match self.scanner.peek()? {
            b'"' => Ok(2 + self.scanner.content()?.len()),
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b't' => self.scanner.literal(b"true").map(|()| 1),
            b'f' => self.scanner.literal(b"false").map(|()| 1),
            b'n' => self.scanner.literal(b"null").map(|()| 1),
            b'-' | b'0'..=b'9' => self.scanner.number().map(|_| 9),
            _ => Err(self.scanner.unexpected()),
        }
    }

    fn array(&mut self, depth: usize) -> Result<usize, Fail> {
        let start = self.scanner.at;
        check_depth(depth, start)?;
        self.scanner.at += 1;
        let (mut size, mut count) = (2, 0);
        if !self.scanner.accept(b']')? {
            loop {
                size += self.value(depth)?;
                count += 1;
                if !self.scanner.more(b']')? {
                    break;
                }
            }
        }
        self.look(start, "array", count, self.max_items);
        Ok(size)
    }

    fn object(&mut self, depth: usize) -> Result<usize, Fail> {
        let start = self.scanner.at;
        self.scanner.at += 1;
        if self.scanner.accept(b'}')? {
            check_depth(depth, start)?;
            return Ok(2);
        }
        if let Some(tag) = self.scanner.reserved_name()? {
            return self.tagged(&tag);
        }
        check_depth(depth, start)?;
        let mut names: Vec<Cow<'a, str>> = Vec::new();
        let mut size = 2;
        loop {
            let at = self.scanner.at;
            let name = self.scanner.string()?;
            if let Some(problem) = field_name_problem(&name) {
                return Err(Fail::wire(problem, at));
            }
            self.scanner.expect(b':')?;
            size += name.len() + 1 + self.value(depth)?;
            names.push(name);
            if !self.scanner.more(b'}')? {
                break;
            }
        }
        if !names.is_sorted_by(|one, next| one < next) {
            names.sort_unstable();
            self.has_twins |= names.windows(2).any(|pair| pair[0] == pair[1]);
        }
        self.look(start, "object", names.len(), self.max_fields);
        Ok(size)
    }

    fn look(&mut self, start: usize, what: &'static str, count: usize, most: usize) {
        if count > most && self.excess.is_none_or(|(first, ..)| start < first) {
            self.excess = Some((start, what, count));
        }
    }

    /// An object whose first name, which was read, begins with `$`.
    fn tagged(&mut self, tag: &str) -> Result<usize, Fail> {
        let at = self.scanner.at;
        if !tagged::is_tag(tag) {
            return Err(Fail::wire(field_name_problem(tag).unwrap_or_default(), at));
        }
        self.scanner.expect(b':')?;
        let payload = self.scanner.string()?;
        if self.scanner.more(b'}')? {
            return Err(Fail::wire("not alone", at));
        }
        let value = tagged::read(tag, &payload).map_err(|message| Fail::wire(message, at))?;
        Ok(match value {
            Tagged::Integer(_) | Tagged::Float(_) => 9,
            Tagged::Bytes(encoded) if encoded.is_base64() => 2 + encoded.length(),
            Tagged::Bytes(_) => return Err(Fail::wire("not base64", at)),
        })
    }
}
