//! The extension module `convex_async._codec`: Convex values to wire bytes and back.

mod decode;
mod diff;
mod encode;
mod errors;
mod plain;
mod scan;
mod tagged;
mod values;

use pyo3::prelude::*;

/// Registers the functions; `codec.py` gives them their public face.
#[pymodule(gil_used = false)]
mod _codec {
    #[pymodule_export]
    use super::decode::decode;
    #[pymodule_export]
    use super::diff::diff;
    #[pymodule_export]
    use super::diff::same;
    #[pymodule_export]
    use super::encode::encode;
    #[pymodule_export]
    use super::plain::to_plain_json;

    /// "release", or "debug", which benchmarks refuse.
    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const build_profile: &str = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
}
