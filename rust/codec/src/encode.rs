//! Python objects to canonical wire bytes, in one pass.

use pyo3::exceptions::PyNotImplementedError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyMemoryView,
    PySequence, PyString, PyTuple, PyType,
};

use crate::classes::Classes;
use crate::coerce::{describe, hint, is_user_string, numpy_scalar, retired_collection, structure};
use crate::collector::Paused;
use crate::errors::{Fail, Step};
use crate::objects::utf8;
use crate::scratch::Scratch;
use crate::tagged;
use crate::text::write_string;
use crate::values::is_special;
use crate::write_keys::NONE;

/// Integers beyond ±2**53 have no exact float64 for each of them.
const MAX_SAFE: i64 = 1 << 53;
/// Hooks within hooks: what a hook gives may take one itself.
const MAX_HOOKED: usize = 16;

/// The canonical wire bytes of a Convex value: sorted fields, no blanks, ECMAScript numbers.
///
/// Equal values have equal bytes, so the bytes serve as their identity.
///
/// Args:
///     value: what `values.py` lists, and what coerces to it.
///     root: how errors name the value.
///     max_depth: containers within containers that it may have.
///     enc_hook: called with what has no Convex form, for what to send in its place; it raises
///         NotImplementedError for what it does not know.
///     omit_none: leave out the fields of objects that are None; items of arrays stay.
///
/// Raises:
///     UnsupportedTypeError: a part of it has no Convex form; `.path` tells which.
///     InvalidValueError: a part is out of range, badly named, too deep, or has a surrogate.
#[pyfunction]
#[pyo3(signature = (value, *, root = "value", max_depth = 64, enc_hook = None, omit_none = false))]
pub fn encode<'py>(
    value: &Bound<'py, PyAny>,
    root: &str,
    max_depth: usize,
    enc_hook: Option<&Bound<'py, PyAny>>,
    omit_none: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = value.py();
    let options = Options {
        max_depth,
        enc_hook,
        omit_none,
    };
    let bytes = |out: &[u8]| PyBytes::new(py, out);
    write(value, options, bytes).map_err(|fail| fail.into_py(py, root))
}

struct Options<'py, 'c> {
    max_depth: usize,
    enc_hook: Option<&'c Bound<'py, PyAny>>,
    omit_none: bool,
}

/// The canonical text of a value that decoding has made: how its identity is told.
pub fn canonical(value: &Bound<'_, PyAny>) -> Result<Vec<u8>, Fail> {
    let options = Options {
        max_depth: usize::MAX,
        enc_hook: None,
        omit_none: false,
    };
    write(value, options, <[u8]>::to_vec)
}

fn write<'py, T>(
    value: &Bound<'py, PyAny>,
    options: Options<'py, '_>,
    done: impl FnOnce(&[u8]) -> T,
) -> Result<T, Fail> {
    let mut encoder = Encoder {
        scratch: Scratch::take(),
        paused: Some(Paused::new(value.py())),
        options,
        hooked: 0,
        int64: Classes::get(value.py())?.int64.bind(value.py()),
    };
    let written = encoder.value(value, 0);
    let text = done(&encoder.scratch.out);
    encoder.scratch.give_back(value.py());
    written.map(|()| text)
}

struct Encoder<'py, 'c> {
    scratch: Scratch,
    /// No finalizer runs, not even when an exception is made, while fields are borrowed.
    paused: Option<Paused<'py>>,
    options: Options<'py, 'c>,
    /// Hooks within hooks at this moment.
    hooked: usize,
    int64: &'c Bound<'py, PyType>,
}

impl<'py> Encoder<'py, '_> {
    /// The exact types first, then the coercions, in the order of the first match.
    #[inline]
    fn value(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> Result<(), Fail> {
        if let Ok(text) = value.cast_exact::<PyString>() {
            self.string(text)
        } else if let Ok(number) = value.cast_exact::<PyFloat>() {
            self.float(number.value());
            Ok(())
        } else if let Ok(dict) = value.cast::<PyDict>() {
            self.dict(dict, depth + 1)
        } else if let Ok(list) = value.cast::<PyList>() {
            self.items(list.iter(), depth + 1)
        } else if let Ok(truth) = value.cast::<PyBool>() {
            let word: &[u8] = if truth.is_true() { b"true" } else { b"false" };
            self.scratch.out.extend_from_slice(word);
            Ok(())
        } else if value.is_none() {
            self.scratch.out.extend_from_slice(b"null");
            Ok(())
        } else {
            self.less_common(value, depth)
        }
    }

    fn less_common(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> Result<(), Fail> {
        if let Ok(number) = value.cast::<PyInt>() {
            let exact = value.get_type_ptr() == self.int64.as_type_ptr();
            if exact || self.is_int64(value)? {
                let number: i64 = number.extract()?;
                tagged::write_integer(&mut self.scratch.out, number);
                return Ok(());
            }
            return self.int(number);
        }
        if let Ok(bytes) = value.cast::<PyBytes>() {
            tagged::write_bytes(&mut self.scratch.out, bytes.as_bytes());
            return Ok(());
        }
        if let Ok(tuple) = value.cast::<PyTuple>() {
            return self.items(tuple.iter(), depth + 1);
        }
        if let Ok(text) = value.cast::<PyString>() {
            return self.string(text);
        }
        if let Ok(number) = value.cast::<PyFloat>() {
            self.float(number.value());
            return Ok(());
        }
        self.coerced(value, depth)
    }

    fn is_int64(&mut self, value: &Bound<'py, PyAny>) -> PyResult<bool> {
        if value.is_exact_instance_of::<PyInt>() {
            return Ok(false);
        }
        self.users_turn(); // `__class__` may be a property
        value.is_instance(self.int64)
    }

    /// Code of the user's, or of another package, may run from here on.
    fn users_turn(&mut self) {
        self.scratch.fields.own_all();
        self.paused = None;
    }

    /// What takes code of the user's, or of another package.
    fn coerced(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> Result<(), Fail> {
        self.users_turn();
        if let Ok(bytes) = value.cast::<PyByteArray>() {
            tagged::write_bytes(&mut self.scratch.out, &bytes.to_vec());
            return Ok(());
        }
        if let Some(scalar) = numpy_scalar(value)? {
            return self.value(&scalar, depth);
        }
        if let Ok(view) = PyMemoryView::from(value) {
            return self.buffer(value, &view);
        }
        if is_user_string(value)? {
            return self.string(&value.str()?);
        }
        if let Some(items) = retired_collection(value)? {
            return self.items(items.iter(), depth + 1);
        }
        if let Ok(mapping) = value.cast::<PyMapping>() {
            let dict = PyDict::new(value.py());
            for item in mapping.items()?.iter() {
                let (key, item): (Bound<'py, PyAny>, Bound<'py, PyAny>) = item.extract()?;
                dict.set_item(key, item)?;
            }
            return self.dict(&dict, depth + 1);
        }
        if let Ok(sequence) = value.cast::<PySequence>() {
            return self.items(sequence.to_list()?.iter(), depth + 1);
        }
        if let Some(fields) = structure(value)? {
            return self.dict(&fields, depth + 1);
        }
        self.by_hook(value, depth)
    }

    /// What the user's hook gives in place of a value without a Convex form.
    fn by_hook(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> Result<(), Fail> {
        let unknown = || {
            Fail::unsupported(format!(
                "{} has no Convex form{}",
                describe(value),
                hint(value)
            ))
        };
        let Some(hook) = self.options.enc_hook else {
            return Err(unknown());
        };
        if self.hooked == MAX_HOOKED {
            return Err(Fail::value(
                "enc_hook gives what it is asked for again and again",
            ));
        }
        let sent = hook.call1((value,)).map_err(|error| {
            let is_unknown = error.is_instance_of::<PyNotImplementedError>(value.py());
            if is_unknown { unknown() } else { error.into() }
        })?;
        self.hooked += 1;
        let written = self.value(&sent, depth);
        self.hooked -= 1;
        written
    }

    fn buffer(
        &mut self,
        value: &Bound<'py, PyAny>,
        view: &Bound<'py, PyMemoryView>,
    ) -> Result<(), Fail> {
        let py = value.py();
        let shape: (usize, usize) = (
            view.getattr(intern!(py, "ndim"))?.extract()?,
            view.getattr(intern!(py, "itemsize"))?.extract()?,
        );
        if shape != (1, 1) {
            return Err(Fail::unsupported(format!(
                "{} is a buffer of larger items; use .tobytes() for its memory or .tolist() for \
                 its items",
                describe(value)
            )));
        }
        let bytes = view.call_method0(intern!(py, "tobytes"))?;
        tagged::write_bytes(
            &mut self.scratch.out,
            bytes.cast::<PyBytes>().map_err(PyErr::from)?.as_bytes(),
        );
        Ok(())
    }

    fn float(&mut self, value: f64) {
        let whole = value as i64;
        if whole as f64 == value && whole.abs() <= MAX_SAFE && (whole != 0 || !is_special(value)) {
            self.scratch
                .out
                .extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
        } else if is_special(value) {
            tagged::write_float(&mut self.scratch.out, value);
        } else if (1e-5..1e15).contains(&value.abs()) {
            // Both write it the same way here, and zmij in half the time.
            self.scratch
                .out
                .extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
        } else {
            self.scratch
                .out
                .extend_from_slice(ryu_js::Buffer::new().format_finite(value).as_bytes());
        }
    }

    fn int(&mut self, value: &Bound<'py, PyInt>) -> Result<(), Fail> {
        match value.extract::<i64>() {
            Ok(number) if (-MAX_SAFE..=MAX_SAFE).contains(&number) => {
                self.scratch
                    .out
                    .extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
                Ok(())
            }
            _ => Err(Fail::value(
                "an int beyond ±2**53 would lose digits as a float64; pass ConvexInt64(n) for an \
                 int64",
            )),
        }
    }

    #[inline]
    fn string(&mut self, text: &Bound<'py, PyString>) -> Result<(), Fail> {
        let text = utf8(text)
            .ok_or_else(|| Fail::value("a string with an unpaired surrogate is not Unicode"))?;
        write_string(&mut self.scratch.out, text);
        Ok(())
    }

    fn enter(&self, depth: usize) -> Result<(), Fail> {
        if depth > self.options.max_depth {
            return Err(Fail::value(format!(
                "nested more than {} deep, or circular",
                self.options.max_depth
            )));
        }
        Ok(())
    }

    fn items(
        &mut self,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
        depth: usize,
    ) -> Result<(), Fail> {
        self.enter(depth)?;
        self.scratch.out.push(b'[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.scratch.out.push(b',');
            }
            self.value(&item, depth)
                .map_err(|fail| fail.at(Step::Item(index)))?;
        }
        self.scratch.out.push(b']');
        Ok(())
    }

    fn dict(&mut self, dict: &Bound<'py, PyDict>, depth: usize) -> Result<(), Fail> {
        self.enter(depth)?;
        let py = dict.py();
        let first = self.scratch.fields.len();
        // SAFETY: the caller keeps the dict, or the fields below do. Whatever runs code of the
        // user's calls `users_turn` before.
        unsafe { self.scratch.fields.push(dict, &mut self.scratch.keys) }?;
        let end = self.scratch.fields.len();
        self.scratch.out.push(b'{');
        for index in first..end {
            // SAFETY: what is pushed while the value is written is taken off by then, and this
            // dict's own fields below.
            let value = unsafe { self.scratch.fields.value(index, py) };
            if self.options.omit_none && value.is_none() {
                continue;
            }
            let Scratch { out, keys, fields } = &mut self.scratch;
            let place = fields.place(index);
            if place == NONE {
                fields.with_name(index, py, |name| write_string(out, name));
                out.push(b':');
            } else {
                keys.write(place, out);
            }
            self.value(&value, depth).map_err(|fail| {
                let name = self.scratch.fields.with_name(index, py, str::to_owned);
                fail.at(Step::Field(name))
            })?;
            self.scratch.out.push(b',');
        }
        if self.scratch.out.last() == Some(&b',') {
            self.scratch.out.pop();
        }
        self.scratch.out.push(b'}');
        self.scratch.fields.truncate(py, first);
        Ok(())
    }
}
