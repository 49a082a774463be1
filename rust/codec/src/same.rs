//! Whether two texts are one value, and which fields of an object are not.

use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::decode::whole;
use crate::encode::canonical;
use crate::errors::Fail;

/// Whether two wire texts are the same Convex value, however they are spelled.
#[pyfunction]
pub fn same(py: Python<'_>, one: &[u8], other: &[u8]) -> PyResult<bool> {
    if one == other {
        return Ok(true);
    }
    let equal = || Ok(canonical(&whole(py, one)?)? == canonical(&whole(py, other)?)?);
    equal().map_err(|fail: Fail| fail.into_py(py, "value"))
}

/// The fields of an object that are new or have another value, and the names of those gone.
#[pyfunction]
pub fn changed_fields<'py>(
    py: Python<'py>,
    previous: &[u8],
    current: &[u8],
) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyList>)> {
    let object = |text| -> PyResult<Bound<'py, PyDict>> {
        let value = whole(py, text).map_err(|fail| fail.into_py(py, "value"))?;
        Ok(value.cast_into::<PyDict>()?)
    };
    let (old, new) = (object(previous)?, object(current)?);
    let mut before = HashMap::with_capacity(old.len());
    for (name, value) in &old {
        before.insert(name.extract::<String>()?, value);
    }
    let changed = PyDict::new(py);
    for (name, value) in &new {
        let text = |value| canonical(value).map_err(|fail| fail.into_py(py, "value"));
        match before.remove(&name.extract::<String>()?) {
            Some(was) if text(&was)? == text(&value)? => {}
            _ => changed.set_item(name, value)?,
        }
    }
    let gone = PyList::empty(py);
    for (name, _) in &old {
        if before.contains_key(&name.extract::<String>()?) {
            gone.append(name)?;
        }
    }
    Ok((changed, gone))
}
