//! The extension module `convex_async._codec`.

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _codec {}
