//! Any text: what is a value means the same to the oracle, and reads as it to serde_json; what is
//! written again is canonical; what is none is refused with the package's own error.
//!
//! `tests/codec/fuzzing.py` says what must hold; here is what finds the texts.

#![no_main]

use std::sync::LazyLock;

use _codec::_codec;
use libfuzzer_sys::fuzz_target;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The function that gives the canonical text of a value, or None for what is none.
static CHECK: LazyLock<Py<PyAny>> = LazyLock::new(|| {
    pyo3::append_to_inittab!(_codec);
    Python::attach(|py| {
        let modules = py.import("sys")?.getattr("modules")?;
        modules.set_item("convex_async._codec", py.import("_codec")?)?;
        Ok(py.import("tests.codec.fuzzing")?.getattr("check")?.unbind())
    })
    .unwrap_or_else(|error: PyErr| panic!("{error}"))
});

fuzz_target!(|text: &[u8]| {
    let check = &*CHECK;
    let canonical: Option<Vec<u8>> = Python::attach(|py| {
        let checked = check.call1(py, (PyBytes::new(py, text),));
        match checked.and_then(|made| made.extract(py)) {
            Ok(canonical) => canonical,
            Err(error) => {
                error.print(py);
                panic!("the check failed");
            }
        }
    });
    let theirs = serde_json::from_slice::<serde_json::Value>(text);
    if let Some(canonical) = canonical {
        let again: serde_json::Value = serde_json::from_slice(&canonical).expect("JSON");
        let theirs = theirs.expect("what is a value is JSON");
        assert_eq!(as_floats(again), as_floats(theirs));
    }
});

/// The value with each number as the float it is: 1 and 1.0 are one.
fn as_floats(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        // -0.0 is a `$float` in canonical text.
        Value::Number(number)
            if number.as_f64() == Some(0.0) && number.to_string().starts_with('-') =>
        {
            serde_json::json!({"$float": "AAAAAAAAAIA="})
        }
        Value::Number(number) => Value::from(number.as_f64()),
        Value::Array(items) => items.into_iter().map(as_floats).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, as_floats(value)))
            .collect(),
        other => other,
    }
}
