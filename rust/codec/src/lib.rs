//! The extension module `convex_async._codec`: Convex values to wire bytes and back.

mod classes;
mod coerce;
mod collector;
mod decode;
mod diff;
mod encode;
mod errors;
mod fields;
mod layout;
mod measure;
mod moved;
mod number;
mod objects;
mod plain;
mod read_names;
mod same;
mod scan;
mod scratch;
mod skip;
mod tagged;
mod text;
mod transition;
mod values;
mod walk;
mod write_keys;

use pyo3::prelude::*;

/// Registers the functions; `codec.py` gives them their public face.
///
/// Nobody has run it without the GIL yet, so a free-threaded interpreter keeps it.
#[pymodule(gil_used = true)]
pub mod _codec {
    #[pymodule_export]
    use super::classes::register;
    #[pymodule_export]
    use super::decode::decode;
    #[pymodule_export]
    use super::diff::Differ;
    #[pymodule_export]
    use super::encode::encode;
    #[pymodule_export]
    use super::layout::fast_ways;
    #[pymodule_export]
    use super::measure::measure;
    #[pymodule_export]
    use super::plain::to_plain_json;
    #[pymodule_export]
    use super::same::{changed_fields, same};
    #[pymodule_export]
    use super::transition::read_transition;

    /// "release", or "debug", which benchmarks refuse.
    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const build_profile: &str = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
}
