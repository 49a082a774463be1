//! The field names of one text: documents of a list share theirs, and most often their order.

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::objects::new_str;

/// The name of the outermost value, and of what is not remembered.
pub const NONE: usize = 0;
const SLOTS: usize = 256;
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

    /// The name, remembered from now on; None if it is too long, or there are too many.
    pub fn find(
        &mut self,
        py: Python<'py>,
        text: &'a str,
        quoted: &'a [u8],
    ) -> PyResult<Option<usize>> {
        if text.len() > LONGEST {
            return Ok(None);
        }
        if self.known.is_empty() {
            self.slots = vec![0; SLOTS];
            self.remember("", b"", PyString::new(py, ""));
        }
        let slot = slot_of(text.as_bytes());
        let found = usize::from(self.slots[slot]);
        if found != NONE && self.known[found].text == text {
            return Ok(Some(found));
        }
        if self.known.len() == MOST {
            return Ok(None);
        }
        let key = new_str(py, text)?;
        self.slots[slot] = self.known.len() as u16; // below MOST
        Ok(Some(self.remember(text, quoted, key)))
    }

    fn remember(
        &mut self,
        text: &'a str,
        quoted: &'a [u8],
        key: Bound<'py, PyString>,
    ) -> usize {
        self.known.push(Name {
            text,
            quoted,
            key,
            next: NONE,
            child: NONE,
            width: 0,
        });
        self.known.len() - 1
    }
}

fn slot_of(text: &[u8]) -> usize {
    let hash = text.iter().fold(text.len(), |hash, &byte| {
        (hash.wrapping_mul(31)).wrapping_add(usize::from(byte))
    });
    (hash ^ (hash >> 8)) % SLOTS
}
