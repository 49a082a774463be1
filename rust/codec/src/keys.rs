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
const SLOTS: usize = 256;
const MOST: usize = 1024;

/// A key that is known to be a field's name, by its address, as it is kept alive here.
struct Key<'py> {
    object: Bound<'py, PyAny>,
    /// Where `"name":` is in `text`.
    start: usize,
    end: usize,
    /// The key that came after it in a dict the last time, and is above it in order.
    next: usize,
}

#[derive(Default)]
pub struct Keys<'py> {
    known: Vec<Key<'py>>,
    first: usize,
    slots: Vec<u16>,
    text: Vec<u8>,
}

impl<'py> Keys<'py> {
    /// Whether the fields stand in the order of their names; a name that is none is refused.
    pub fn are_in_order(
        &mut self,
        fields: &[(Bound<'py, PyAny>, Bound<'py, PyAny>)],
    ) -> Result<bool, Fail> {
        let mut last = NONE;
        let mut before: &[u8] = b"";
        let mut in_order = true;
        for (index, (object, _)) in fields.iter().enumerate() {
            let expected = self.after(last);
            if index > 0 && last == NONE {
                // Not remembered: compared below.
            } else if self.is(expected, object) {
                last = expected;
                continue;
            }
            let name = check(object)?;
            if last != NONE {
                before = fields[index - 1]
                    .0
                    .cast::<PyString>()
                    .ok()
                    .and_then(utf8)
                    .map_or(b"", str::as_bytes);
            }
            in_order &= index == 0 || before < name.as_bytes();
            before = name.as_bytes();
            let found = self.find(object, name);
            if in_order && found != NONE && (index == 0 || last != NONE) {
                self.set_after(last, found);
            }
            last = found;
        }
        Ok(in_order)
    }

    /// Append `"name":`, and give the key's place for the next call.
    pub fn write(
        &mut self,
        last: usize,
        object: &Bound<'py, PyAny>,
        out: &mut Vec<u8>,
    ) -> Result<usize, Fail> {
        let mut key = self.after(last);
        if !self.is(key, object) {
            key = self.find(object, check(object)?);
        }
        match self.known.get(key) {
            Some(known) if key != NONE => out.extend_from_slice(&self.text[known.start..known.end]),
            _ => {
                write_string(out, check(object)?);
                out.push(b':');
            }
        }
        Ok(key)
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
    fn is(&self, key: usize, object: &Bound<'py, PyAny>) -> bool {
        key != NONE && self.known[key].object.is(object)
    }

    /// The key of an object, remembered from now on; NONE if there are too many.
    fn find(&mut self, object: &Bound<'py, PyAny>, name: &str) -> usize {
        if self.slots.is_empty() {
            self.slots = vec![0; SLOTS];
            self.remember(object.py().None().into_bound(object.py()), "");
        }
        let slot = (object.as_ptr() as usize >> 4) % SLOTS;
        let found = usize::from(self.slots[slot]);
        if self.is(found, object) {
            return found;
        }
        if self.known.len() == MOST {
            return NONE;
        }
        self.slots[slot] = self.known.len() as u16; // below MOST
        self.remember(object.clone(), name)
    }

    fn remember(&mut self, object: Bound<'py, PyAny>, name: &str) -> usize {
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
pub fn copy_fields<'py>(
    dict: &Bound<'py, PyDict>,
    fields: &mut Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>,
) {
    with_critical_section(dict, || fields.extend(dict.iter()));
}
