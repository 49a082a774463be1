//! Tells the interpreter's version to `cfg(Py_3_12)` and its like, and to `cfg(presized)` whether
//! it is one whose headers have `_PyDict_NewPresized`.

use pyo3_build_config::{PythonImplementation, PythonVersion};

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
    println!("cargo::rustc-check-cfg=cfg(presized)");
    let interpreter = pyo3_build_config::get();
    let newest = PythonVersion {
        major: 3,
        minor: 15,
    };
    if interpreter.implementation() == PythonImplementation::CPython
        && interpreter.version() <= newest
    {
        println!("cargo::rustc-cfg=presized");
    }
}
