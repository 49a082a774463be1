//! Wire bytes to Python objects, in one pass.

use std::borrow::Cow;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString};

use crate::errors::{Fail, Step};
use crate::scan::Scanner;
use crate::tagged::{self, Tagged};
use crate::values::{MAX_DEPTH, field_name_problem, is_special, new_int64};

/// 2**53: up to here every integer is a float64.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Decode the wire bytes of one Convex value.
///
/// With `ints`, an int64 and a float64 without a fraction become plain `int`, from which a
/// conversion to the user's types can make either.
#[pyfunction]
#[pyo3(signature = (data, root = "value", ints = false))]
pub fn decode<'py>(
    py: Python<'py>,
    data: &[u8],
    root: &str,
    ints: bool,
) -> PyResult<Bound<'py, PyAny>> {
    read(py, data, ints).map_err(|fail| fail.into_py(py, root))
}

/// The value that is all of the text.
pub fn whole<'py>(py: Python<'py>, data: &[u8]) -> Result<Bound<'py, PyAny>, Fail> {
    read(py, data, false)
}

fn read<'py>(py: Python<'py>, data: &[u8], ints: bool) -> Result<Bound<'py, PyAny>, Fail> {
    let mut decoder = Decoder {
        py,
        scanner: Scanner::new(data)?,
        keys: KeyCache::default(),
        ints,
    };
    let value = decoder.value(0)?;
    decoder.scanner.end()?;
    Ok(value)
}

/// The names of fields seen lately: documents of a list share theirs.
#[derive(Default)]
struct KeyCache<'a, 'py> {
    slots: Vec<Option<(&'a str, Bound<'py, PyString>)>>,
}

const SLOTS: usize = 128;
const LONGEST_CACHED: usize = 64;

impl<'a, 'py> KeyCache<'a, 'py> {
    fn get(&mut self, py: Python<'py>, name: &'a str) -> Bound<'py, PyString> {
        if name.is_empty() || name.len() > LONGEST_CACHED {
            return PyString::new(py, name);
        }
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || None);
        }
        let bytes = name.as_bytes();
        let mix = usize::from(bytes[0]) * 31
            + usize::from(bytes[bytes.len() / 2]) * 7
            + usize::from(bytes[bytes.len() - 1])
            + bytes.len() * 13;
        let slot = &mut self.slots[mix % SLOTS];
        if let Some((known, key)) = slot
            && *known == name
        {
            return key.clone();
        }
        let key = PyString::new(py, name);
        *slot = Some((name, key.clone()));
        key
    }
}

struct Decoder<'a, 'py> {
    py: Python<'py>,
    scanner: Scanner<'a>,
    keys: KeyCache<'a, 'py>,
    ints: bool,
}

impl<'a, 'py> Decoder<'a, 'py> {
    /// The next value; `depth` containers are around it.
    fn value(&mut self, depth: usize) -> Result<Bound<'py, PyAny>, Fail> {
        let py = self.py;
        match self.scanner.peek()? {
            b'"' => Ok(PyString::new(py, &self.scanner.string()?).into_any()),
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b't' => self.literal("true", PyBool::new(py, true).to_owned().into_any()),
            b'f' => self.literal("false", PyBool::new(py, false).to_owned().into_any()),
            b'n' => self.literal("null", py.None().into_bound(py)),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(self.scanner.unexpected()),
        }
    }

    fn literal(&mut self, word: &str, value: Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>, Fail> {
        self.scanner.literal(word)?;
        Ok(value)
    }

    fn number(&mut self) -> Result<Bound<'py, PyAny>, Fail> {
        let value = self.scanner.number()?;
        if self.ints && value.fract() == 0.0 && value.abs() <= EXACT && !is_special(value) {
            return Ok(PyInt::new(self.py, value as i64).into_any());
        }
        Ok(PyFloat::new(self.py, value).into_any())
    }

    fn enter(&mut self, depth: usize) -> Result<(), Fail> {
        if depth > MAX_DEPTH {
            return Err(Fail::wire("nested more than 64 deep", self.scanner.at));
        }
        self.scanner.at += 1;
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<Bound<'py, PyAny>, Fail> {
        self.enter(depth)?;
        let mut items = Vec::new();
        if !self.scanner.accept(b']')? {
            loop {
                let item = self
                    .value(depth)
                    .map_err(|fail| fail.at(Step::Item(items.len())))?;
                items.push(item);
                if !self.scanner.more(b']')? {
                    break;
                }
            }
        }
        Ok(PyList::new(self.py, items)?.into_any())
    }

    fn object(&mut self, depth: usize) -> Result<Bound<'py, PyAny>, Fail> {
        self.enter(depth)?;
        let dict = PyDict::new(self.py);
        if self.scanner.accept(b'}')? {
            return Ok(dict.into_any());
        }
        loop {
            self.scanner.peek()?;
            let name_at = self.scanner.at;
            let name = self.scanner.string()?;
            if name.starts_with('$') && dict.is_empty() {
                return self.tagged(name, depth);
            }
            if let Some(problem) = field_name_problem(&name) {
                return Err(Fail::wire(problem, name_at));
            }
            self.scanner.expect(b':')?;
            let value = self
                .value(depth)
                .map_err(|f| f.at(Step::Field(name.to_string())))?;
            let key = match name {
                Cow::Borrowed(name) => self.keys.get(self.py, name),
                Cow::Owned(name) => PyString::new(self.py, &name),
            };
            dict.set_item(key, value)?;
            if !self.scanner.more(b'}')? {
                return Ok(dict.into_any());
            }
        }
    }

    /// An object whose first name begins with `$`: a tagged value if it stays the only name.
    fn tagged(&mut self, tag: Cow<'a, str>, depth: usize) -> Result<Bound<'py, PyAny>, Fail> {
        let start = self.scanner.at;
        if !tagged::is_tag(&tag) {
            let problem = field_name_problem(&tag).unwrap_or_default();
            return Err(Fail::wire(problem, start));
        }
        // Of repeated names the last one counts, as everywhere.
        let payload = loop {
            self.scanner.expect(b':')?;
            let payload = if self.scanner.peek()? == b'"' {
                Some(self.scanner.string()?)
            } else {
                self.value(depth)?;
                None
            };
            if !self.scanner.more(b'}')? {
                break payload;
            }
            self.scanner.peek()?;
            if self.scanner.string()? != tag {
                return Err(Fail::wire(
                    format!("{tag} stands beside other fields"),
                    start,
                ));
            }
        };
        let payload = payload
            .ok_or_else(|| Fail::wire(format!("the payload of {tag} is no string"), start))?;
        let value = tagged::read(&tag, &payload).map_err(|message| Fail::wire(message, start))?;
        Ok(match value {
            Tagged::Integer(value) if self.ints => PyInt::new(self.py, value).into_any(),
            Tagged::Integer(value) => new_int64(self.py, value)?,
            Tagged::Float(value) => PyFloat::new(self.py, value).into_any(),
            Tagged::Bytes(value) => PyBytes::new(self.py, &value).into_any(),
        })
    }
}
