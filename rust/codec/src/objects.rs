//! Python objects made straight from memory, where a benchmark paid for it.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::classes::Classes;
use crate::layout::{self, Digits, Way};

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
    #[cfg(presized)]
    if fields > 5 && Way::Dicts.is_taken() {
        unsafe extern "C" {
            fn _PyDict_NewPresized(fields: ffi::Py_ssize_t) -> *mut ffi::PyObject;
        }
        // SAFETY: CPython exports it, and its own json and pickle use it; it returns an
        // owned reference to an exact dict, or null with an error.
        return unsafe {
            let object = _PyDict_NewPresized(fields.cast_signed());
            Ok(Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked())
        };
    }
    let _ = fields;
    Ok(PyDict::new(py))
}

/// A `ConvexInt64`, made without its range check, as it is in range.
#[inline]
pub fn new_int64(py: Python<'_>, value: i64) -> PyResult<Bound<'_, PyAny>> {
    let classes = Classes::get(py)?;
    let class = classes.int64.bind(py);
    if !Way::Ints.is_taken() {
        return classes.new_int.bind(py).call1((class, value));
    }
    // As `int.__new__` does for a subclass, which takes four times as long by way of an int of
    // its own and a tuple of arguments.
    let digits = Digits::of(value);
    // SAFETY: `tp_alloc` of a subclass of int without slots gives an owned, zeroed object with
    // room for the digits asked for, which nobody else sees yet; `layout::prove` has found that
    // ints are of this layout.
    unsafe {
        let kind = class.as_type_ptr();
        let Some(alloc) = (*kind).tp_alloc else {
            return Err(pyo3::exceptions::PySystemError::new_err("no tp_alloc"));
        };
        let object = alloc(kind, digits.room().cast_signed());
        let made = Bound::from_owned_ptr_or_err(py, object)?;
        digits.write(object);
        Ok(made)
    }
}

/// The UTF-8 of a `str`; None if it has a surrogate.
#[inline]
pub fn utf8<'a>(text: &'a Bound<'_, PyString>) -> Option<&'a str> {
    if Way::Strings.is_taken() {
        // SAFETY: `layout::prove` has found that it is so.
        let ascii = unsafe { layout::ascii(text) };
        if ascii.is_some() {
            return ascii;
        }
    }
    text.to_str().ok()
}
