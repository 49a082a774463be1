//! The field names that were read lately: documents of a list share theirs, and most often their
//! order; and so do the texts that come one after the other.

use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::objects::new_str;

/// The name of the outermost value, and of what is not remembered.
pub const NONE: usize = 0;
/// Twice as many as names, so that a search ends soon.
const SLOTS: usize = 2048;
const MOST: usize = 1024;
/// The most fields that an object is expected to have.
const WIDEST: usize = u16::MAX as usize;
/// How much text of a name is kept.
const ROOM: usize = 48;

/// What is known about objects that stand under a name, and about what follows a name: a line of
/// the processor's cache.
#[repr(align(64))]
struct Name {
    /// `"name":`, as it stands in a text without blanks, and how long that is.
    text: [u8; ROOM],
    length: u16,
    /// The name that came after it in its object the last time.
    next: u16,
    /// The first name of the last object that stood under it, and how many there were.
    child: u16,
    width: u16,
    key: Py<PyString>,
}

#[derive(Default)]
pub struct Names {
    known: Vec<Name>,
    slots: Vec<u16>,
}

/// Of several threads that decode, one has them; the others begin with none.
static KEPT: Mutex<Option<Names>> = Mutex::new(None);

impl Names {
    fn new(py: Python<'_>) -> Self {
        let mut names = Self {
            known: Vec::with_capacity(32),
            slots: vec![0; SLOTS],
        };
        let _ = names.push("", PyString::new(py, "").unbind());
        names
    }

    /// Work with the names kept from before, and keep what is added for the next text.
    #[inline]
    pub fn lend<T>(py: Python<'_>, work: impl FnOnce(&mut Self) -> T) -> T {
        let Ok(mut kept) = KEPT.try_lock() else {
            return work(&mut Self::new(py));
        };
        let names = kept.get_or_insert_with(|| Self::new(py));
        let done = work(names);
        if names.known.len() == MOST {
            *kept = None;
        }
        done
    }

    /// How many fields the last object under this name had.
    pub fn width(&self, under: usize) -> usize {
        usize::from(self.known[under].width)
    }

    pub fn set_width(&mut self, under: usize, width: usize) {
        self.known[under].width = width.min(WIDEST) as u16;
    }

    /// The name to be expected after `last`, if the text goes on with it and a colon, and the
    /// length of both.
    #[inline]
    pub fn expected(&self, under: usize, last: usize, text: &[u8]) -> Option<(usize, usize)> {
        let place = usize::from(if last == NONE {
            self.known[under].child
        } else {
            self.known[last].next
        });
        let name = &self.known[place];
        (place != NONE && name.begins(text)).then_some((place, name.length()))
    }

    /// Remember that this name came after `last`, or first.
    pub fn follows(&mut self, under: usize, last: usize, name: usize) {
        if last != NONE {
            self.known[last].next = name as u16; // below MOST
        } else {
            self.known[under].child = name as u16;
        }
    }

    /// The key of a name that is not NONE.
    #[inline]
    pub fn key<'py>(&self, py: Python<'py>, name: usize) -> &Bound<'py, PyString> {
        self.known[name].key.bind(py)
    }

    /// The place of a name that is a field's, and `check` says which one is; NONE and the key if
    /// it is too long to be remembered, or there are too many.
    pub fn find<'py, E: From<PyErr>>(
        &mut self,
        py: Python<'py>,
        text: &str,
        check: impl FnOnce() -> Result<(), E>,
    ) -> Result<(usize, Option<Bound<'py, PyString>>), E> {
        let mut slot = slot_of(text.as_bytes());
        loop {
            let place = usize::from(self.slots[slot]);
            if place == NONE {
                break;
            }
            if self.known[place].is(text.as_bytes()) {
                return Ok((place, None));
            }
            slot = (slot + 1) % SLOTS;
        }
        check()?;
        let key = new_str(py, text)?;
        let place = self.known.len();
        if place < MOST && self.push(text, key.clone().unbind()) {
            self.slots[slot] = place as u16; // below MOST
            return Ok((place, None));
        }
        Ok((NONE, Some(key)))
    }

    /// False if the name is too long.
    fn push(&mut self, name: &str, key: Py<PyString>) -> bool {
        let length = name.len() + 3;
        let mut text = [0; ROOM];
        let Some(quoted) = text.get_mut(..length) else {
            return false;
        };
        quoted[0] = b'"';
        quoted[1..length - 2].copy_from_slice(name.as_bytes());
        quoted[length - 2..].copy_from_slice(b"\":");
        self.known.push(Name {
            text,
            length: length as u16, // up to ROOM
            next: NONE as u16,
            child: NONE as u16,
            width: 0,
            key,
        });
        true
    }
}

impl Name {
    #[inline]
    fn length(&self) -> usize {
        usize::from(self.length)
    }

    /// Whether the text begins with it, in steps of eight bytes: a call of `memcmp` takes longer.
    #[inline]
    fn begins(&self, text: &[u8]) -> bool {
        let mut at = 0;
        while let (Some(ours), Some(theirs)) = (
            self.text[at..].first_chunk::<8>(),
            text[at..].first_chunk::<8>(),
        ) {
            let differ = u64::from_le_bytes(*ours) ^ u64::from_le_bytes(*theirs);
            let left = self.length() - at;
            if left <= 8 {
                return differ << (64 - 8 * left) == 0;
            }
            if differ != 0 {
                return false;
            }
            at += 8;
        }
        text.starts_with(&self.text[..self.length()])
    }

    /// Whether it is this name, without a call of `memcmp` here too.
    #[inline]
    fn is(&self, name: &[u8]) -> bool {
        let ours = &self.text[1..self.length() - 2];
        ours.len() == name.len()
            && match (ours.last_chunk::<8>(), name.last_chunk::<8>()) {
                (Some(our_end), Some(their_end)) => {
                    our_end == their_end && ours.as_chunks::<8>().0 == name.as_chunks::<8>().0
                }
                _ => word(ours) == word(name),
            }
    }
}

fn slot_of(name: &[u8]) -> usize {
    let mixed = match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => {
            u64::from_le_bytes(*first).rotate_left(23) ^ u64::from_le_bytes(*last)
        }
        _ => word(name),
    };
    let mixed = (mixed ^ name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize % SLOTS
}

/// Less than eight bytes as a number, another one for each text of the same length. Two reads that
/// overlap, as the processor can't foresee how often a loop over the bytes goes around.
#[inline]
fn word(text: &[u8]) -> u64 {
    match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) => {
            (u64::from(u32::from_le_bytes(*first)) << 32) | u64::from(u32::from_le_bytes(*last))
        }
        _ => text
            .iter()
            .fold(0, |word, &byte| (word << 8) | u64::from(byte)),
    }
}
