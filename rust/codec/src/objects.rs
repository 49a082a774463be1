//! Python objects made straight from memory, where a benchmark paid for it.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyInt, PyString, PyType};

/// A `str`. `PyString::new` counts and copies in one careful loop, which is half as fast.
pub fn new_str<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyString>> {
    if text.is_ascii() {
        new_ascii(py, text.as_bytes())
    } else {
        new_wide(py, text)
    }
}

fn new_ascii<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyString>> {
    // SAFETY: a new str of `text.len()` characters up to 127 has a byte for each of them, and
    // nobody else sees it yet. For no character it is the shared empty str, of which no byte is
    // written. PyUnicode_New returns an owned reference to an exact str, or null with an error.
    unsafe {
        let object = ffi::PyUnicode_New(text.len().cast_signed(), 127);
        let made = Bound::from_owned_ptr_or_err(py, object)?;
        let target = ffi::PyUnicode_DATA(object).cast::<u8>();
        target.copy_from_nonoverlapping(text.as_ptr(), text.len());
        Ok(made.cast_into_unchecked())
    }
}

fn new_wide<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyString>> {
    let length = text.chars().count();
    let highest = text.as_bytes().iter().fold(0, |most, &byte| byte.max(most));
    // The first byte of a character tells its range: from 0xc4 on it is beyond U+00FF, from 0xf0
    // on beyond U+FFFF. The str has to have the narrowest kind that holds all.
    let limit = match highest {
        0..0xc4 => 0xff,
        0xc4..0xf0 => 0xffff,
        _ => 0x10_ffff,
    };
    // SAFETY: as above; the new str has `length` units of the size that `limit` asks for, each
    // character has one unit, and `chars` gives `length` characters that fit by the choice of
    // `limit`.
    unsafe {
        let object = ffi::PyUnicode_New(length.cast_signed(), limit);
        let made = Bound::from_owned_ptr_or_err(py, object)?;
        let target = ffi::PyUnicode_DATA(object);
        match limit {
            0xff => fill(target.cast(), text, |code| code as u8),
            0xffff => fill(target.cast(), text, |code| code as u16),
            _ => fill(target.cast(), text, |code| code),
        }
        Ok(made.cast_into_unchecked())
    }
}

/// # Safety
/// `target` has room for a unit for each character.
#[inline]
unsafe fn fill<U>(target: *mut U, text: &str, unit: impl Fn(u32) -> U) {
    for (index, character) in text.chars().enumerate() {
        // SAFETY: `index` is below the number of characters.
        unsafe { target.add(index).write(unit(u32::from(character))) };
    }
}

/// A `dict` with room for so many fields, so that it does not grow step by step.
pub fn new_dict(py: Python<'_>, fields: usize) -> PyResult<Bound<'_, PyDict>> {
    #[cfg(not(Py_3_13))]
    if fields > 5 {
        unsafe extern "C" {
            fn _PyDict_NewPresized(fields: ffi::Py_ssize_t) -> *mut ffi::PyObject;
        }
        // SAFETY: CPython exports it up to 3.12 and its own json and pickle use it; it returns an
        // owned reference to an exact dict, or null with an error.
        return unsafe {
            let object = _PyDict_NewPresized(fields.cast_signed());
            Ok(Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked())
        };
    }
    let _ = fields;
    Ok(PyDict::new(py))
}

/// The class `ConvexInt64`.
pub fn int64_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "convex_async.values", "ConvexInt64")
}

/// A `ConvexInt64`, made without its range check, as it is in range.
pub fn new_int64<'py>(py: Python<'py>, value: i64) -> PyResult<Bound<'py, PyAny>> {
    static NEW: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static KNOWN_LAYOUT: PyOnceLock<bool> = PyOnceLock::new();
    let class = int64_class(py)?;
    let known = KNOWN_LAYOUT.get_or_try_init(py, || has_known_layout(class))?;
    if *known {
        return fill_int64(class, value);
    }
    let new = NEW.get_or_try_init(py, || {
        py.get_type::<PyInt>().getattr("__new__").map(Bound::unbind)
    })?;
    new.bind(py).call1((class, value))
}

/// Whether this interpreter keeps ints as `fill_int64` writes them: in digits of 30 bits.
fn has_known_layout(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let info = class.py().import("sys")?.getattr("int_info")?;
    let digits: (u32, u32) = (
        info.getattr("bits_per_digit")?.extract()?,
        info.getattr("sizeof_digit")?.extract()?,
    );
    Ok(digits == (30, 4) && cfg!(not(any(PyPy, GraalPy))))
}

/// Write the digits of an int as `int.__new__` does for a subclass, which takes four times as
/// long by way of an int of its own and a tuple of arguments.
fn fill_int64<'py>(class: &Bound<'py, PyType>, value: i64) -> PyResult<Bound<'py, PyAny>> {
    const BITS: u32 = 30;
    const MASK: u64 = (1 << BITS) - 1;
    let size = value.unsigned_abs();
    let count = match size {
        0 => 0,
        _ => ((size.ilog2() / BITS) + 1) as isize,
    };
    // SAFETY: `tp_alloc` of a subclass of int without slots gives an owned, zeroed object with
    // room for the digits asked for (one at least); the header and the digits stand where
    // CPython's longintrepr.h has them, in the size that `has_known_layout` has checked, and
    // nobody else sees the object yet.
    unsafe {
        let kind = class.as_type_ptr();
        let Some(alloc) = (*kind).tp_alloc else {
            return Err(pyo3::exceptions::PySystemError::new_err("no tp_alloc"));
        };
        let object = alloc(kind, count.max(1));
        let made = Bound::from_owned_ptr_or_err(class.py(), object)?;
        #[cfg(not(Py_3_12))]
        let digits = {
            (*object.cast::<ffi::PyVarObject>()).ob_size = if value < 0 { -count } else { count };
            object.cast::<ffi::PyVarObject>().add(1).cast::<u32>()
        };
        #[cfg(Py_3_12)]
        let digits = {
            let sign = match value.signum() {
                1 => 0,
                0 => 1,
                _ => 2,
            };
            let tag = object.add(1).cast::<usize>();
            tag.write((count.cast_unsigned() << 3) | sign);
            tag.add(1).cast::<u32>()
        };
        let mut rest = size;
        for index in 0..count.max(1).cast_unsigned() {
            digits.add(index).write((rest & MASK) as u32);
            rest >>= BITS;
        }
        Ok(made)
    }
}

/// The UTF-8 of a `str`; None if it has a surrogate.
pub fn utf8<'a>(text: &'a Bound<'_, PyString>) -> Option<&'a str> {
    // SAFETY: the pointer is to an exact or derived str that `text` keeps alive. The bytes of a
    // compact ASCII str lie in it and never change, and ASCII is UTF-8.
    unsafe {
        let object = text.as_ptr();
        if ffi::PyUnicode_IS_COMPACT_ASCII(object) != 0 {
            let data = ffi::PyUnicode_DATA(object).cast::<u8>();
            let length = ffi::PyUnicode_GET_LENGTH(object).cast_unsigned();
            let bytes = std::slice::from_raw_parts(data, length);
            return Some(std::str::from_utf8_unchecked(bytes));
        }
    }
    text.to_str().ok()
}
