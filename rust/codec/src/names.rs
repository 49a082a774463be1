//! The field names of one text: documents of a list share theirs, and most often their order.

use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::objects::{new_str, utf8};

/// The name of the outermost value, and of what is not remembered.
pub const NONE: usize = 0;
const SLOTS: usize = 512;
const MOST: usize = 1024;
const LONGEST: usize = 64;

/// What is known about objects that stand under a name, and about what follows a name.
struct Name<'a, 'py> {
    text: &'a str,
    /// The name in the text, with its quotes.
    quoted: &'a [u8],
    key: Bound<'py, PyString>,
    /// The name that came after it in its object the last time.
    next: usize,
    /// The first name of the last object that stood under it, and how many there were.
    child: usize,
    width: usize,
}

pub struct Names<'a, 'py> {
    known: Vec<Name<'a, 'py>>,
    slots: Vec<u16>,
}

impl<'a, 'py> Names<'a, 'py> {
    pub fn new() -> Self {
        Self {
            known: Vec::new(),
            slots: Vec::new(),
        }
    }

    /// How many fields the last object under this name had.
    pub fn width(&self, under: usize) -> usize {
        self.known.get(under).map_or(0, |name| name.width)
    }

    pub fn set_width(&mut self, under: usize, width: usize) {
        if let Some(name) = self.known.get_mut(under) {
            name.width = width;
        }
    }

    /// The name to be expected after `last`, if the text goes on with it, and its length there.
    #[inline]
    pub fn expected(&self, under: usize, last: usize, text: &[u8]) -> Option<(usize, usize)> {
        let name = if last == NONE {
            self.known.get(under)?.child
        } else {
            self.known.get(last)?.next
        };
        let quoted = self.known.get(name)?.quoted;
        (name != NONE && text.starts_with(quoted)).then_some((name, quoted.len()))
    }

    /// Remember that this name came after `last`, or first.
    pub fn follows(&mut self, under: usize, last: usize, name: usize) {
        if last != NONE {
            self.known[last].next = name;
        } else if let Some(above) = self.known.get_mut(under) {
            above.child = name;
        }
    }

    /// The key of a name that `expected` or `find` gave.
    #[inline]
    pub fn key(&self, name: usize) -> &Bound<'py, PyString> {
        &self.known[name].key
    }

    /// A name that is remembered.
    pub fn find(&self, text: &str) -> Option<usize> {
        let found = usize::from(*self.slots.get(slot_of(text.as_bytes(), SLOTS))?);
        (found != NONE && self.known[found].text == text).then_some(found)
    }

    /// Remember a name; None if it is too long, or there are too many.
    pub fn remember(
        &mut self,
        text: &'a str,
        quoted: &'a [u8],
        key: &Bound<'py, PyString>,
    ) -> Option<usize> {
        if self.known.is_empty() {
            self.slots = vec![0; SLOTS];
            self.known.reserve(24);
            self.push("", b"", key);
        }
        if text.len() > LONGEST || self.known.len() == MOST {
            return None;
        }
        let name = self.push(text, quoted, key);
        self.slots[slot_of(text.as_bytes(), SLOTS)] = name as u16; // below MOST
        Some(name)
    }

    fn push(&mut self, text: &'a str, quoted: &'a [u8], key: &Bound<'py, PyString>) -> usize {
        self.known.push(Name {
            text,
            quoted,
            key: key.clone(),
            next: NONE,
            child: NONE,
            width: 0,
        });
        self.known.len() - 1
    }
}

fn slot_of(text: &[u8], slots: usize) -> usize {
    let word = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |eight| u64::from_le_bytes(*eight));
    let mixed = match text.len() {
        8.. => word(text.first_chunk()).rotate_left(23) ^ word(text.last_chunk()),
        _ => text
            .iter()
            .fold(0, |word, &byte| (word << 8) | u64::from(byte)),
    };
    let mixed = (mixed ^ text.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize % slots
}

const SHARED: usize = 1024;

/// The keys of texts decoded before, made once: a `str` remembers its hash.
static KEYS: Mutex<Vec<Option<Py<PyString>>>> = Mutex::new(Vec::new());

/// A `str` for a name that is a field's; short ones are shared between decodes.
pub fn new_key<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyString>> {
    // Another thread in here, or a finalizer that decodes: go without.
    if text.len() <= LONGEST
        && let Ok(mut keys) = KEYS.try_lock()
    {
        if keys.is_empty() {
            keys.resize_with(SHARED, || None);
        }
        let slot = &mut keys[slot_of(text.as_bytes(), SHARED)];
        if let Some(key) = slot
            && utf8(key.bind(py)) == Some(text)
        {
            return Ok(key.clone_ref(py).into_bound(py));
        }
        let key = new_str(py, text)?;
        let before = slot.replace(key.clone().unbind());
        drop(keys);
        drop(before);
        return Ok(key);
    }
    new_str(py, text)
}
