//! What passes for a Convex value without being of one of the types that are.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyMapping, PyString, PyType};

use crate::classes::Classes;
use crate::errors::Fail;

/// The Python value of a numpy scalar, which would otherwise pass for its memory.
pub fn numpy_scalar<'py>(value: &Bound<'py, PyAny>) -> Result<Option<Bound<'py, PyAny>>, Fail> {
    let py = value.py();
    let Some(ndim) = value.getattr_opt(intern!(py, "ndim"))? else {
        return Ok(None);
    };
    if value.getattr_opt(intern!(py, "dtype"))?.is_none() || ndim.extract::<usize>().ok() != Some(0)
    {
        return Ok(None);
    }
    let item = value.call_method0(intern!(py, "item"))?;
    if item.hasattr(intern!(py, "dtype"))? {
        return Err(Fail::unsupported(format!(
            "{} has no Convex form",
            describe(value)
        )));
    }
    Ok(Some(item))
}

/// The items of a `ConvexSet`, or the pairs of a `ConvexMap`.
pub fn retired_collection<'py>(
    value: &Bound<'py, PyAny>,
) -> Result<Option<Bound<'py, PyList>>, Fail> {
    let py = value.py();
    let classes = Classes::get(py)?;
    if value.is_instance(classes.set.bind(py))? {
        return Ok(Some(
            value
                .try_iter()?
                .collect::<PyResult<Vec<_>>>()
                .and_then(|items| PyList::new(py, items))?,
        ));
    }
    if value.is_instance(classes.map.bind(py))? {
        return Ok(Some(
            value.cast::<PyMapping>().map_err(PyErr::from)?.items()?,
        ));
    }
    Ok(None)
}

/// Whether it is a `collections.UserString`, a sequence of itself.
pub fn is_user_string(value: &Bound<'_, PyAny>) -> Result<bool, Fail> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    Ok(value.is_instance(CLASS.import(value.py(), "collections", "UserString")?)?)
}

/// How errors name a value.
pub fn describe(value: &Bound<'_, PyAny>) -> String {
    match value.get_type().fully_qualified_name() {
        Ok(name) => format!("a value of type {name}"),
        Err(_) => "a value of this type".to_owned(),
    }
}

/// What to do about a value of a well-known type that Convex does not have, or nothing.
pub fn hint(value: &Bound<'_, PyAny>) -> &'static str {
    for class in value.get_type().mro() {
        let name = class
            .cast::<PyType>()
            .ok()
            .and_then(|class| class.fully_qualified_name().ok());
        match name.as_ref().and_then(|name| name.to_str().ok()) {
            Some("datetime.datetime") => {
                return ": send milliseconds, or make the client with **hooks.datetime_ms \
                        (convex_async.hooks)";
            }
            Some("datetime.date" | "datetime.time") => {
                return ": send its isoformat(), or give enc_hook=";
            }
            Some("datetime.timedelta") => return ": send its total_seconds(), or give enc_hook=",
            Some("uuid.UUID") => {
                return ": send str(value), or make the client with **hooks.uuid (convex_async.hooks)";
            }
            Some("decimal.Decimal") => {
                return ": send str(value), or make the client with **hooks.decimal \
                        (convex_async.hooks)";
            }
            Some("enum.Enum") => {
                return ": send its .value, or make the client with **hooks.enum (convex_async.hooks)";
            }
            Some("set" | "frozenset") => return ": send a list",
            Some("coroutine" | "_asyncio.Task") => return ": await it first",
            Some(path) if path.starts_with("pathlib") => {
                return ": send str(value), or make the client with **hooks.path (convex_async.hooks)";
            }
            _ => {}
        }
    }
    ""
}

/// The fields of a dataclass, a msgspec Struct or a pydantic model.
pub fn structure<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    let (py, class) = (value.py(), value.get_type());
    if value.cast::<PyType>().is_ok() {
        return Ok(None);
    }
    if let Some(declared) = class.getattr_opt(intern!(py, "__dataclass_fields__"))? {
        let fields = PyDict::new(py);
        for (name, field) in declared.cast::<PyDict>()? {
            // Not ClassVar and InitVar, which are listed with another `_field_type`.
            if field
                .getattr(intern!(py, "_field_type"))?
                .getattr(intern!(py, "name"))?
                .eq("_FIELD")?
            {
                fields.set_item(&name, value.getattr(name.cast::<PyString>()?)?)?;
            }
        }
        return Ok(Some(fields));
    }
    if let Some(written) = class.getattr_opt(intern!(py, "__struct_encode_fields__"))? {
        return struct_fields(value, &written).map(Some);
    }
    if class.hasattr(intern!(py, "__pydantic_validator__"))? {
        let named = PyDict::new(py);
        named.set_item("by_alias", true)?;
        let fields = value.call_method(intern!(py, "model_dump"), (), Some(&named))?;
        return Ok(fields.cast_into::<PyDict>().ok());
    }
    Ok(None)
}

fn struct_fields<'py>(
    value: &Bound<'py, PyAny>,
    written: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyDict>> {
    let py = value.py();
    let fields = PyDict::new(py);
    let config = value.getattr(intern!(py, "__struct_config__"))?;
    let tag = config.getattr(intern!(py, "tag"))?;
    if !tag.is_none() {
        fields.set_item(config.getattr(intern!(py, "tag_field"))?, tag)?;
    }
    let unset = py.import("msgspec")?.getattr(intern!(py, "UNSET"))?;
    let defaults = if config.getattr(intern!(py, "omit_defaults"))?.is_truthy()? {
        defaults(value)?
    } else {
        PyDict::new(py)
    };
    let names = value
        .getattr(intern!(py, "__struct_fields__"))?
        .try_iter()?;
    for (name, written) in names.zip(written.try_iter()?) {
        let name = name?;
        let field = value.getattr(name.cast::<PyString>()?)?;
        let default = defaults.get_item(&name)?;
        if !field.is(&unset) && !default.is_some_and(|default| is_default(&field, &default)) {
            fields.set_item(written?, field)?;
        }
    }
    Ok(fields)
}

/// The defaults of a Struct's last fields, by their names.
fn defaults<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let py = value.py();
    let names: Vec<Bound<'py, PyAny>> =
        value.getattr(intern!(py, "__struct_fields__"))?.extract()?;
    let last: Vec<Bound<'py, PyAny>> = value
        .getattr(intern!(py, "__struct_defaults__"))?
        .extract()?;
    let first = names.len().saturating_sub(last.len());
    let defaults = PyDict::new(py);
    for (name, default) in names[first..].iter().zip(last) {
        defaults.set_item(name, default)?;
    }
    Ok(defaults)
}

/// As msgspec tells it: the very object of the default, or an empty container where its factory
/// makes one (msgspec docs, `omit_defaults`).
fn is_default(field: &Bound<'_, PyAny>, default: &Bound<'_, PyAny>) -> bool {
    let py = field.py();
    let Ok(Some(factory)) = default.getattr_opt(intern!(py, "factory")) else {
        return field.is(default);
    };
    factory.is(field.get_type()) && field.len().is_ok_and(|length| length == 0)
}
