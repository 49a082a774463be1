//! The cyclic garbage collector, kept away from values that are being made.

#[cfg(not(Py_3_12))]
use pyo3::ffi;
use pyo3::prelude::*;

/// The collector is off while this lives, and then as it was before.
///
/// Up to 3.11 making containers starts collections from within a decode, where everything new is
/// still in use: a walk over the whole process now and then, for nothing. What is due comes after
/// the decode. From 3.12 on it does so by itself, as collections wait for the next bytecode.
pub struct Paused<'py> {
    _py: Python<'py>,
    #[cfg(not(Py_3_12))]
    was_on: bool,
}

impl<'py> Paused<'py> {
    pub fn new(py: Python<'py>) -> Self {
        Self {
            _py: py,
            // SAFETY: the interpreter is attached, as `py` shows.
            #[cfg(not(Py_3_12))]
            was_on: unsafe { ffi::PyGC_Disable() } != 0,
        }
    }
}

#[cfg(not(Py_3_12))]
impl Drop for Paused<'_> {
    fn drop(&mut self) {
        if self.was_on {
            // SAFETY: as above; `_py` can't outlive the attachment.
            unsafe { ffi::PyGC_Enable() };
        }
    }
}
