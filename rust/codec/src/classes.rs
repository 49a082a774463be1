//! The classes and functions of the package that values are made with: handed in, once, by
//! `convex_async.codec.values`, so that nothing in here knows what the package's modules are called.

use pyo3::exceptions::PySystemError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyInt, PyType};

use crate::layout;

pub struct Classes {
    pub unsupported: Py<PyType>,
    pub invalid: Py<PyType>,
    pub int64: Py<PyType>,
    pub set: Py<PyType>,
    pub map: Py<PyType>,
    /// `decode_as(data, type, root)`: the value of a text as the type that the user asked for.
    pub decode_as: Py<PyAny>,
    /// `int.__new__`.
    pub new_int: Py<PyAny>,
}

static CLASSES: PyOnceLock<Classes> = PyOnceLock::new();

impl Classes {
    /// What was handed in.
    #[inline]
    pub fn get(py: Python<'_>) -> PyResult<&'static Self> {
        CLASSES
            .get(py)
            .ok_or_else(|| PySystemError::new_err("the codec was not given its classes"))
    }
}

/// Hand in what values are made with. The first call counts: a module that is imported anew finds
/// the classes of before.
///
/// Args:
///     unsupported_type, invalid_value: errors, made with a text and `path=`, `offset=`.
///     int64: a subclass of int without slots of its own.
///     set, map: the retired collections that are written as arrays.
///     decode_as: called with a text, a type and the value's name in errors.
#[pyfunction]
#[pyo3(signature = (*, unsupported_type, invalid_value, int64, set, map, decode_as))]
pub fn register(
    py: Python<'_>,
    unsupported_type: Py<PyType>,
    invalid_value: Py<PyType>,
    int64: Py<PyType>,
    set: Py<PyType>,
    map: Py<PyType>,
    decode_as: Py<PyAny>,
) -> PyResult<()> {
    let new_int = py.get_type::<PyInt>().getattr("__new__")?.unbind();
    if CLASSES.get(py).is_none() {
        layout::prove(int64.bind(py))?;
    }
    CLASSES.get_or_init(py, || Classes {
        unsupported: unsupported_type,
        invalid: invalid_value,
        int64,
        set,
        map,
        decode_as,
        new_int,
    });
    Ok(())
}
