//! The rules of Convex values that hold in both directions.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyInt, PyType};

/// Containers within containers that any value may have; scalars have none.
pub const MAX_DEPTH: usize = 64;
/// Characters that a field name may have.
const MAX_FIELD_NAME: usize = 1024;

/// Why a name can't be a field's, if it can't.
pub fn field_name_problem(name: &str) -> Option<String> {
    if name.starts_with('$') {
        return Some(format!(
            "the field name {name:?} starts with '$', which is reserved"
        ));
    }
    if name.len() > MAX_FIELD_NAME {
        return Some(format!(
            "a field name of {} bytes; at most 1024 are allowed",
            name.len()
        ));
    }
    if !name.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Some(format!(
            "the field name {name:?} is not all printable ASCII"
        ));
    }
    None
}

/// Whether a float travels as `$float`: NaN, the infinities and -0.0.
pub fn is_special(value: f64) -> bool {
    !value.is_finite() || (value == 0.0 && value.is_sign_negative())
}

/// The class `ConvexInt64`.
pub fn int64_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "convex_async.values", "ConvexInt64")
}

/// A `ConvexInt64`, made without its range check, as it is in range.
pub fn new_int64<'py>(py: Python<'py>, value: i64) -> PyResult<Bound<'py, PyAny>> {
    static NEW: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let new = NEW.get_or_try_init(py, || {
        py.get_type::<PyInt>().getattr("__new__").map(Bound::unbind)
    })?;
    new.bind(py).call1((int64_class(py)?, value))
}
