//! The keys of dicts that were written lately: dicts of a list share them, and their order.

use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{PyDict, PyString};

use crate::encode::write_string;
use crate::errors::Fail;
use crate::objects::utf8;
use crate::values::field_name_problem;

/// No key; the place before the first key of a dict.
pub const NONE: usize = 0;
const SLOTS: usize = 1024;
const MOST: usize = 1024;
const LONGEST: usize = 64;

/// A field of a dict, owned.
pub type Field = (Py<PyAny>, Py<PyAny>);

/// A key that is known to be a field's name, by its address, as it is kept alive here.
struct Key {
    object: Py<PyAny>,
    /// Where `"name":` is in `text`.
    start: usize,
    end: usize,
    /// The key that came after it in a dict the last time, and is above it in order.
    next: usize,
}

#[derive(Default)]
pub struct Keys {
    known: Vec<Key>,
    first: usize,
    slots: Vec<u16>,
    text: Vec<u8>,
}

impl Keys {
    /// Whether there is room for more.
    pub fn is_full(&self) -> bool {
        self.known.len() == MOST
    }

    /// Whether the fields stand in the order of their names; a name that is none is refused.
    pub fn are_in_order(&mut self, py: Python<'_>, fields: &[Field]) -> Result<bool, Fail> {
        let mut last = NONE;
        let mut in_order = true;
        for (index, field) in fields.iter().enumerate() {
            let linked = index == 0 || last != NONE;
            let expected = self.after(last);
            if linked && self.is(expected, &field.0) {
                last = expected;
                continue;
            }
            let key = self.find(py, &field.0)?;
            in_order &= index == 0 || name_of(py, &fields[index - 1]) < name_of(py, field);
            if in_order && linked && key != NONE {
                self.set_after(last, key);
            }
            last = key;
        }
        Ok(in_order)
    }

    /// Append `"name":` for a key of a checked dict, and give its place for the next call.
    #[inline]
    pub fn write(
        &mut self,
        py: Python<'_>,
        last: usize,
        field: &Field,
        out: &mut Vec<u8>,
    ) -> usize {
        let mut key = self.after(last);
        if !self.is(key, &field.0) {
            key = usize::from(self.slots[slot_of(&field.0)]);
        }
        if self.is(key, &field.0) {
            let known = &self.known[key];
            out.extend_from_slice(&self.text[known.start..known.end]);
            return key;
        }
        write_string(out, name_of(py, field).unwrap_or_default());
        out.push(b':');
        NONE
    }

    #[inline]
    fn after(&self, last: usize) -> usize {
        match self.known.get(last) {
            Some(key) if last != NONE => key.next,
            _ => self.first,
        }
    }

    fn set_after(&mut self, last: usize, next: usize) {
        match self.known.get_mut(last) {
            Some(key) if last != NONE => key.next = next,
            _ => self.first = next,
        }
    }

    #[inline]
    fn is(&self, key: usize, object: &Py<PyAny>) -> bool {
        key != NONE && self.known[key].object.is(object)
    }

    /// The place of a key, which is checked if it is a new one; NONE if it can't be remembered.
    fn find(&mut self, py: Python<'_>, object: &Py<PyAny>) -> Result<usize, Fail> {
        if self.slots.is_empty() {
            self.slots = vec![0; SLOTS];
            self.remember(py.None(), "");
        }
        let slot = slot_of(object);
        let found = usize::from(self.slots[slot]);
        if self.is(found, object) {
            return Ok(found);
        }
        let name = check(object.bind(py))?;
        if self.is_full() || name.len() > LONGEST {
            return Ok(NONE);
        }
        self.slots[slot] = self.known.len() as u16; // below MOST
        Ok(self.remember(object.clone_ref(py), name))
    }

    fn remember(&mut self, object: Py<PyAny>, name: &str) -> usize {
        let start = self.text.len();
        write_string(&mut self.text, name);
        self.text.push(b':');
        self.known.push(Key {
            object,
            start,
            end: self.text.len(),
            next: NONE,
        });
        self.known.len() - 1
    }
}

fn slot_of(object: &Py<PyAny>) -> usize {
    let address = (object.as_ptr() as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (address >> 48) as usize % SLOTS
}

/// The name of a field; None if it has a surrogate or is no str, which `check` refuses.
pub fn name_of<'a>(py: Python<'a>, field: &'a Field) -> Option<&'a str> {
    field.0.bind(py).cast::<PyString>().ok().and_then(utf8)
}

/// The name that a key is.
fn check<'a>(key: &'a Bound<'_, PyAny>) -> Result<&'a str, Fail> {
    let Ok(text) = key.cast::<PyString>() else {
        return Err(Fail::value("a field name that is not a str"));
    };
    let name = utf8(text).ok_or_else(|| Fail::value("a field name with an unpaired surrogate"))?;
    match field_name_problem(name) {
        Some(problem) => Err(Fail::value(problem)),
        None => Ok(name),
    }
}

/// Append the fields of a dict, at one moment: nothing runs that could change it.
pub fn copy_fields(dict: &Bound<'_, PyDict>, fields: &mut Vec<Field>) {
    let owned = |(key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| (key.unbind(), value.unbind());
    with_critical_section(dict, || fields.extend(dict.iter().map(owned)));
}
