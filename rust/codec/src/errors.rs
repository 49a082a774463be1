//! What can go wrong, with the path to where, and the Python class that it becomes.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::classes::Classes;

/// One step into a value.
#[derive(Debug)]
pub enum Step {
    Field(String),
    Item(usize),
}

/// Whose class the error has: a bad type, or a bad value.
#[derive(Debug)]
pub enum Kind {
    Type,
    Value,
}

/// A failure on its way out; each level of the value adds its step, innermost first.
///
/// Boxed, so that the results of the reading functions fit in registers.
#[derive(Debug)]
pub struct Fail(Box<Cause>);

#[derive(Debug)]
enum Cause {
    Codec {
        kind: Kind,
        message: String,
        offset: Option<usize>,
        steps: Vec<Step>,
    },
    /// An exception of the user's own code, such as a `__getitem__` that raised.
    Python(PyErr),
}

impl From<PyErr> for Fail {
    #[cold]
    fn from(error: PyErr) -> Self {
        Fail(Box::new(Cause::Python(error)))
    }
}

impl Fail {
    /// Wire text that is not a Convex value.
    #[cold]
    pub fn wire(message: impl Into<String>, offset: usize) -> Self {
        Self::codec(Kind::Value, message.into(), Some(offset))
    }

    /// A Python value that is out of the range of Convex values.
    #[cold]
    pub fn value(message: impl Into<String>) -> Self {
        Self::codec(Kind::Value, message.into(), None)
    }

    /// A Python value of a type that has no Convex form.
    #[cold]
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::codec(Kind::Type, message.into(), None)
    }

    fn codec(kind: Kind, message: String, offset: Option<usize>) -> Self {
        Fail(Box::new(Cause::Codec {
            kind,
            message,
            offset,
            steps: Vec::new(),
        }))
    }

    /// The failure happened in this item or field.
    #[cold]
    pub fn at(mut self, step: Step) -> Self {
        if let Cause::Codec { steps, .. } = &mut *self.0 {
            steps.push(step);
        }
        self
    }

    /// The failure happened in a part of the text that starts here.
    #[cold]
    pub fn shifted(mut self, start: usize) -> Self {
        if let Cause::Codec { offset, .. } = &mut *self.0 {
            *offset = offset.map(|offset| start + offset);
        }
        self
    }

    /// The message of a failure that is about no place in a text.
    pub fn about_python(self) -> Result<String, Self> {
        match *self.0 {
            Cause::Codec {
                message,
                offset: None,
                ..
            } => Ok(message),
            cause => Err(Fail(Box::new(cause))),
        }
    }

    /// The Python exception, its path beginning at `root`.
    pub fn into_py(self, py: Python<'_>, root: &str) -> PyErr {
        match *self.0 {
            Cause::Python(error) => error,
            Cause::Codec {
                kind,
                message,
                offset,
                steps,
            } => match raise(py, &kind, &message, offset, &spell(root, &steps)) {
                Ok(error) | Err(error) => error,
            },
        }
    }
}

fn spell(root: &str, steps: &[Step]) -> String {
    let mut path = root.to_owned();
    for step in steps.iter().rev() {
        match step {
            Step::Item(index) => path.push_str(&format!("[{index}]")),
            Step::Field(name) if is_identifier(name) => {
                path.push('.');
                path.push_str(name);
            }
            Step::Field(name) => path.push_str(&format!("[{name:?}]")),
        }
    }
    path
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn raise(
    py: Python<'_>,
    kind: &Kind,
    message: &str,
    offset: Option<usize>,
    path: &str,
) -> PyResult<PyErr> {
    let classes = Classes::get(py)?;
    let class = match kind {
        Kind::Type => &classes.unsupported,
        Kind::Value => &classes.invalid,
    };
    let text = match offset {
        Some(offset) => format!("{path}: {message} (at byte {offset})"),
        None => format!("{path}: {message}"),
    };
    let named = PyDict::new(py);
    named.set_item("path", path)?;
    named.set_item("offset", offset)?;
    Ok(PyErr::from_value(
        class.bind(py).call((text,), Some(&named))?,
    ))
}
