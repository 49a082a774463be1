//! Python objects to canonical wire bytes, in one pass.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyMemoryView, PyNone,
    PySequence, PyString, PyTuple, PyType,
};

use crate::errors::{Fail, Step};
use crate::tagged;
use crate::values::{field_name_problem, int64_class, is_special};

/// Integers beyond ±2**53 have no exact float64 for each of them.
const MAX_SAFE: i64 = 1 << 53;

/// Encode one Convex value as canonical wire bytes.
#[pyfunction]
#[pyo3(signature = (value, root = "value", max_depth = 64))]
pub fn encode<'py>(
    value: &Bound<'py, PyAny>,
    root: &str,
    max_depth: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = value.py();
    let mut encoder = Encoder {
        out: Vec::with_capacity(256),
        max_depth,
        int64: int64_class(py)?,
    };
    match encoder.value(value, 0) {
        Ok(()) => Ok(PyBytes::new(py, &encoder.out)),
        Err(fail) => Err(fail.into_py(py, root)),
    }
}

struct Encoder<'py, 'c> {
    out: Vec<u8>,
    max_depth: usize,
    int64: &'c Bound<'py, PyType>,
}

impl<'py> Encoder<'py, '_> {
    /// The exact types first, then the coercions, in the order of the first match.
    fn value(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> Result<(), Fail> {
        if let Ok(text) = value.cast_exact::<PyString>() {
            return self.string(text);
        }
        if let Ok(number) = value.cast_exact::<PyFloat>() {
            self.float(number.value());
            return Ok(());
        }
        if let Ok(dict) = value.cast::<PyDict>() {
            return self.dict(dict, depth + 1);
        }
        if let Ok(list) = value.cast::<PyList>() {
            return self.items(list.iter(), depth + 1);
        }
        if let Ok(truth) = value.cast::<PyBool>() {
            self.out
                .extend_from_slice(if truth.is_true() { b"true" } else { b"false" });
            return Ok(());
        }
        if value.cast::<PyNone>().is_ok() {
            self.out.extend_from_slice(b"null");
            return Ok(());
        }
        if value.is_instance(self.int64)? {
            let number: i64 = value.extract()?;
            tagged::write(&mut self.out, "$integer", &number.to_le_bytes());
            return Ok(());
        }
        if let Ok(number) = value.cast::<PyInt>() {
            return self.int(number);
        }
        if let Ok(bytes) = value.cast::<PyBytes>() {
            tagged::write(&mut self.out, "$bytes", bytes.as_bytes());
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

    fn coerced(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> Result<(), Fail> {
        if let Ok(bytes) = value.cast::<PyByteArray>() {
            tagged::write(&mut self.out, "$bytes", &bytes.to_vec());
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
        Err(Fail::unsupported(format!(
            "{} has no Convex form",
            describe(value)
        )))
    }

    fn buffer(
        &mut self,
        value: &Bound<'py, PyAny>,
        view: &Bound<'py, PyMemoryView>,
    ) -> Result<(), Fail> {
        let shape: (usize, usize) = (
            view.getattr("ndim")?.extract()?,
            view.getattr("itemsize")?.extract()?,
        );
        if shape != (1, 1) {
            return Err(Fail::unsupported(format!(
                "{} is a buffer of larger items; use .tobytes() for its memory or .tolist() for \
                 its items",
                describe(value)
            )));
        }
        let bytes = view.call_method0("tobytes")?;
        tagged::write(
            &mut self.out,
            "$bytes",
            bytes.cast::<PyBytes>().map_err(PyErr::from)?.as_bytes(),
        );
        Ok(())
    }

    fn float(&mut self, value: f64) {
        if is_special(value) {
            tagged::write(&mut self.out, "$float", &value.to_bits().to_le_bytes());
        } else {
            self.out
                .extend_from_slice(ryu_js::Buffer::new().format_finite(value).as_bytes());
        }
    }

    fn int(&mut self, value: &Bound<'py, PyInt>) -> Result<(), Fail> {
        match value.extract::<i64>() {
            Ok(number) if (-MAX_SAFE..=MAX_SAFE).contains(&number) => {
                self.out.extend_from_slice(number.to_string().as_bytes());
                Ok(())
            }
            _ => Err(Fail::value(
                "an int beyond ±2**53 would lose digits as a float64; pass ConvexInt64(n) for an \
                 int64",
            )),
        }
    }

    fn string(&mut self, text: &Bound<'py, PyString>) -> Result<(), Fail> {
        let text = text
            .to_str()
            .map_err(|_| Fail::value("a string with an unpaired surrogate is not Unicode"))?;
        write_string(&mut self.out, text);
        Ok(())
    }

    fn enter(&self, depth: usize) -> Result<(), Fail> {
        if depth > self.max_depth {
            return Err(Fail::value(format!(
                "nested more than {} deep, or circular",
                self.max_depth
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
        self.out.push(b'[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.value(&item, depth)
                .map_err(|fail| fail.at(Step::Item(index)))?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn dict(&mut self, dict: &Bound<'py, PyDict>, depth: usize) -> Result<(), Fail> {
        self.enter(depth)?;
        let mut fields = Vec::with_capacity(dict.len());
        for (key, value) in dict.iter() {
            let Ok(key) = key.cast_into::<PyString>() else {
                return Err(Fail::value("a field name that is not a str"));
            };
            fields.push((key, value));
        }
        let mut named = Vec::with_capacity(fields.len());
        for (key, value) in &fields {
            let name = key
                .to_str()
                .map_err(|_| Fail::value("a field name with an unpaired surrogate"))?;
            if let Some(problem) = field_name_problem(name) {
                return Err(Fail::value(problem));
            }
            named.push((name, value));
        }
        if !named.is_sorted_by(|one, other| one.0 <= other.0) {
            named.sort_unstable_by(|one, other| one.0.cmp(other.0));
        }
        self.out.push(b'{');
        for (index, (name, value)) in named.into_iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            write_string(&mut self.out, name);
            self.out.push(b':');
            self.value(value, depth)
                .map_err(|fail| fail.at(Step::Field(name.to_owned())))?;
        }
        self.out.push(b'}');
        Ok(())
    }
}

/// Append a JSON string: short escapes where there are some, `\u00xx` for other controls.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut written = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0x08 => b"\\b",
            0x0c => b"\\f",
            0..0x20 => b"",
            _ => continue,
        };
        out.extend_from_slice(&bytes[written..at]);
        if escape.is_empty() {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.extend_from_slice(escape);
        }
        written = at + 1;
    }
    out.extend_from_slice(&bytes[written..]);
    out.push(b'"');
}

/// The Python value of a numpy scalar, which would otherwise pass for its memory.
fn numpy_scalar<'py>(value: &Bound<'py, PyAny>) -> Result<Option<Bound<'py, PyAny>>, Fail> {
    let Some(ndim) = value.getattr_opt("ndim")? else {
        return Ok(None);
    };
    if value.getattr_opt("dtype")?.is_none() || ndim.extract::<usize>().ok() != Some(0) {
        return Ok(None);
    }
    let item = value.call_method0("item")?;
    if item.hasattr("dtype")? {
        return Err(Fail::unsupported(format!(
            "{} has no Convex form",
            describe(value)
        )));
    }
    Ok(Some(item))
}

/// The items of a `ConvexSet`, or the pairs of a `ConvexMap`.
fn retired_collection<'py>(value: &Bound<'py, PyAny>) -> Result<Option<Bound<'py, PyList>>, Fail> {
    static SET: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static MAP: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = value.py();
    if value.is_instance(SET.import(py, "convex_async.values", "ConvexSet")?)? {
        return Ok(Some(
            value
                .try_iter()?
                .collect::<PyResult<Vec<_>>>()
                .and_then(|items| PyList::new(py, items))?,
        ));
    }
    if value.is_instance(MAP.import(py, "convex_async.values", "ConvexMap")?)? {
        return Ok(Some(
            value.cast::<PyMapping>().map_err(PyErr::from)?.items()?,
        ));
    }
    Ok(None)
}

fn is_user_string(value: &Bound<'_, PyAny>) -> Result<bool, Fail> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    Ok(value.is_instance(CLASS.import(value.py(), "collections", "UserString")?)?)
}

fn describe(value: &Bound<'_, PyAny>) -> String {
    match value.get_type().fully_qualified_name() {
        Ok(name) => format!("a value of type {name}"),
        Err(_) => "a value of this type".to_owned(),
    }
}
