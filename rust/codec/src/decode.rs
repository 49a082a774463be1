//! Wire bytes to Python objects, in one pass.

use std::borrow::Cow;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyList, PyString};

use crate::classes::Classes;
use crate::collector::Paused;
use crate::errors::{Fail, Step};
use crate::objects::{new_dict, new_int64, new_str};
use crate::read_names::{NONE, Names};
use crate::scan::Scanner;
use crate::tagged::{self, Tagged};
use crate::values::{MAX_DEPTH, field_name_problem, is_special};

/// 2**53: up to here every integer is a float64.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The value of wire bytes, as fresh Python objects.
///
/// Args:
///     data: one JSON text, in UTF-8.
///     type: a msgspec Struct, dataclass, TypedDict, NamedTuple, pydantic model, or a list or
///         union of them. A float64 without a fraction, and an int64, do for `int`;
///         parts that the type leaves open (`Any`) get an `int` for both.
///     root: how errors name the value.
///     ints: an int64 and a float64 without a fraction become plain `int`, from which msgspec can
///         make either; of use without `type` alone.
///
/// Raises:
///     TypeError: no value could become a `type`.
///     InvalidValueError: it is no Convex value, or not what `type` says; `.path` tells where.
#[pyfunction]
#[pyo3(signature = (data, *, r#type = None, root = "value", ints = false))]
pub fn decode<'py>(
    py: Python<'py>,
    data: &[u8],
    r#type: Option<Bound<'py, PyAny>>,
    root: &str,
    ints: bool,
) -> PyResult<Bound<'py, PyAny>> {
    match r#type {
        None => read(py, data, ints).map_err(|fail| fail.into_py(py, root)),
        Some(kind) => {
            let data = PyBytes::new(py, data);
            Classes::get(py)?
                .decode_as
                .bind(py)
                .call1((data, kind, root))
        }
    }
}

/// The value that is all of the text.
pub fn whole<'py>(py: Python<'py>, data: &[u8]) -> Result<Bound<'py, PyAny>, Fail> {
    read(py, data, false)
}

/// With `ints`, an int64 and a float64 without a fraction become plain `int`, from which a
/// conversion to the user's types can make either.
fn read<'py>(py: Python<'py>, data: &[u8], ints: bool) -> Result<Bound<'py, PyAny>, Fail> {
    let _paused = Paused::new(py);
    let scanner = Scanner::new(data)?;
    Names::lend(py, |names| {
        let mut decoder = Decoder {
            py,
            scanner,
            names,
            items: Vec::new(),
            ints,
        };
        let value = decoder.value(0, NONE)?;
        decoder.scanner.end()?;
        Ok(value)
    })
}

type Key<'py> = Bound<'py, PyString>;

struct Decoder<'a, 'n, 'py> {
    py: Python<'py>,
    scanner: Scanner<'a>,
    names: &'n mut Names,
    /// The items so far of all arrays that are open.
    items: Vec<Bound<'py, PyAny>>,
    ints: bool,
}

impl<'a, 'py> Decoder<'a, '_, 'py> {
    /// The next value; `depth` containers are around it, and `under` is the name it stands under.
    #[inline]
    fn value(&mut self, depth: usize, under: usize) -> Result<Bound<'py, PyAny>, Fail> {
        let py = self.py;
        match self.scanner.peek()? {
            b'"' => {
                let text = self.scanner.content()?;
                Ok(new_str(py, text)?.into_any())
            }
            b'{' => self.object(depth + 1, under),
            b'[' => self.array(depth + 1, under),
            b't' => self.literal(b"true", PyBool::new(py, true).to_owned().into_any()),
            b'f' => self.literal(b"false", PyBool::new(py, false).to_owned().into_any()),
            b'n' => self.literal(b"null", py.None().into_bound(py)),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(self.scanner.unexpected()),
        }
    }

    #[inline]
    fn literal<const N: usize>(
        &mut self,
        word: &[u8; N],
        value: Bound<'py, PyAny>,
    ) -> Result<Bound<'py, PyAny>, Fail> {
        self.scanner.literal(word)?;
        Ok(value)
    }

    #[inline]
    fn number(&mut self) -> Result<Bound<'py, PyAny>, Fail> {
        let value = self.scanner.number()?;
        if self.ints && value.fract() == 0.0 && value.abs() <= EXACT && !is_special(value) {
            return Ok(PyInt::new(self.py, value as i64).into_any());
        }
        Ok(PyFloat::new(self.py, value).into_any())
    }

    fn integer(&self, value: i64) -> Result<Bound<'py, PyAny>, Fail> {
        if self.ints {
            return Ok(PyInt::new(self.py, value).into_any());
        }
        Ok(new_int64(self.py, value)?)
    }

    fn array(&mut self, depth: usize, under: usize) -> Result<Bound<'py, PyAny>, Fail> {
        check_depth(depth, self.scanner.at)?;
        self.scanner.at += 1;
        let first = self.items.len();
        if !self.scanner.accept(b']')? {
            loop {
                match self.value(depth, under) {
                    Ok(item) => self.items.push(item),
                    Err(fail) => {
                        let index = self.items.len() - first;
                        self.items.truncate(first);
                        return Err(fail.at(Step::Item(index)));
                    }
                }
                if !self.scanner.more(b']')? {
                    break;
                }
            }
        }
        Ok(PyList::new(self.py, self.items.drain(first..))?.into_any())
    }

    fn object(&mut self, depth: usize, under: usize) -> Result<Bound<'py, PyAny>, Fail> {
        let start = self.scanner.at;
        if let Some((value, length)) = tagged::plain_integer(self.scanner.rest()) {
            self.scanner.at += length;
            return self.integer(value);
        }
        self.scanner.at += 1;
        if self.scanner.accept(b'}')? {
            check_depth(depth, start)?;
            return Ok(new_dict(self.py, 0)?.into_any());
        }
        if let Some(tag) = self.scanner.reserved_name()? {
            return self.tagged(tag, depth);
        }
        check_depth(depth, start)?;
        let py = self.py;
        let dict = new_dict(py, self.names.width(under))?;
        let mut last = NONE;
        loop {
            let (name, owned) = self.name(under, last)?;
            last = name;
            let value = self.value(depth, name);
            let key = owned.as_ref().unwrap_or_else(|| self.names.key(py, name));
            match value {
                Ok(value) => dict.set_item(key, value)?,
                Err(fail) => return Err(fail.at(Step::Field(key.to_string()))),
            }
            if !self.scanner.more(b'}')? {
                self.names.set_width(under, dict.len());
                return Ok(dict.into_any());
            }
        }
    }

    /// The next name of an object, most often the one that followed the last time, and its colon;
    /// the key itself if it is not among the names.
    #[inline]
    fn name(&mut self, under: usize, last: usize) -> Result<(usize, Option<Key<'py>>), Fail> {
        self.scanner.peek()?;
        if let Some((name, length)) = self.names.expected(under, last, self.scanner.rest()) {
            self.scanner.at += length;
            return Ok((name, None));
        }
        let start = self.scanner.at;
        let text = self.scanner.string()?;
        let check = || match field_name_problem(&text) {
            Some(problem) => Err(Fail::wire(problem, start)),
            None => Ok(()),
        };
        let (name, key) = self.names.find(self.py, &text, check)?;
        if name != NONE {
            self.names.follows(under, last, name);
        }
        self.scanner.expect(b':')?;
        Ok((name, key))
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
                self.value(depth, NONE)?;
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
            Tagged::Integer(value) => self.integer(value)?,
            Tagged::Float(value) => PyFloat::new(self.py, value).into_any(),
            Tagged::Bytes(encoded) => {
                let mut good = false;
                let bytes = PyBytes::new_with(self.py, encoded.length(), |target| {
                    good = encoded.decode_into(target);
                    Ok(())
                })?;
                if !good {
                    return Err(Fail::wire("the payload of $bytes is not base64", start));
                }
                bytes.into_any()
            }
        })
    }
}

pub fn check_depth(depth: usize, at: usize) -> Result<(), Fail> {
    if depth > MAX_DEPTH {
        return Err(Fail::wire("nested more than 64 deep", at));
    }
    Ok(())
}
