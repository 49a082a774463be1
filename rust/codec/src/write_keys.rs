//! The keys of dicts that were written lately: dicts of a list share them.

use std::cmp::Ordering;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors::Fail;
use crate::objects::utf8;
use crate::text::write_string;
use crate::values::field_name_problem;

/// No key; the place before the first key of a dict.
pub const NONE: usize = 0;
/// Twice as many as keys, so that a search ends soon.
const SLOTS: usize = 2048;
const MOST: usize = 1024;
/// How much text of a key is kept.
const ROOM: usize = 64;

/// The first bytes of a name as a number, zeros behind: two that differ are ordered as the names
/// are, since no name has a zero byte.
type Rank = u128;

/// A key that is known to be a field's name, by its address, as it is kept alive here.
struct Key {
    object: Py<PyAny>,
    rank: Rank,
    /// `"name":`, and how long that is.
    text: [u8; ROOM],
    length: usize,
    /// The key that came after it in a dict the last time.
    next: usize,
}

#[derive(Default)]
pub struct Keys {
    known: Vec<Key>,
    slots: Vec<u16>,
}

impl Keys {
    /// Whether there is room for more.
    pub fn is_full(&self) -> bool {
        self.known.len() == MOST
    }

    /// The place of a key that came after `last`; NONE for a key that can't be remembered. A key
    /// that is no field's name is refused.
    #[inline]
    pub fn find(&mut self, key: Borrowed<'_, '_, PyAny>, last: usize) -> Result<usize, Fail> {
        let address = key.as_ptr();
        if let Some(before) = self.known.get(last)
            && before.next != NONE
            && let Some(next) = self.known.get(before.next)
            && next.object.as_ptr() == address
        {
            return Ok(before.next);
        }
        let found = self.search(key)?;
        if found != NONE {
            self.known[last].next = found;
        }
        Ok(found)
    }

    /// How two keys that are not NONE are ordered; they may be equal as far as ranks tell.
    #[inline]
    pub fn compare(&self, one: usize, other: usize) -> Ordering {
        self.known[one].rank.cmp(&self.known[other].rank)
    }

    /// Append `"name":` for a place that `find` gave, not NONE.
    #[inline]
    pub fn write(&self, place: usize, out: &mut Vec<u8>) {
        let key = &self.known[place];
        // Copies of a fixed size take no call.
        let (half, _) = key.text.split_at(ROOM / 2);
        let end = out.len() + key.length;
        if key.length <= half.len() {
            out.extend_from_slice(half);
        } else {
            out.extend_from_slice(&key.text);
        }
        out.truncate(end);
    }

    fn search(&mut self, key: Borrowed<'_, '_, PyAny>) -> Result<usize, Fail> {
        if self.slots.is_empty() {
            self.slots = vec![0; SLOTS];
            self.remember(key.py().None(), "");
        }
        let mut slot = slot_of(key.as_ptr());
        loop {
            let place = usize::from(self.slots[slot]);
            if place == NONE {
                break;
            }
            if self.known[place].object.as_ptr() == key.as_ptr() {
                return Ok(place);
            }
            slot = (slot + 1) % SLOTS;
        }
        let name = check(&key)?;
        if self.is_full() || !self.remember(key.to_owned().unbind(), name) {
            return Ok(NONE);
        }
        let place = self.known.len() - 1;
        self.slots[slot] = place as u16; // below MOST
        Ok(place)
    }

    fn remember(&mut self, object: Py<PyAny>, name: &str) -> bool {
        let mut quoted = Vec::with_capacity(ROOM);
        write_string(&mut quoted, name);
        quoted.push(b':');
        let mut text = [0; ROOM];
        let Some(start) = text.get_mut(..quoted.len()) else {
            return false;
        };
        start.copy_from_slice(&quoted);
        self.known.push(Key {
            object,
            rank: rank_of(name),
            text,
            length: quoted.len(),
            next: NONE,
        });
        true
    }
}

fn slot_of(object: *mut ffi::PyObject) -> usize {
    let address = (object as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (address >> 48) as usize % SLOTS
}

fn rank_of(name: &str) -> Rank {
    let mut start = [0; size_of::<Rank>()];
    let length = name.len().min(start.len());
    start[..length].copy_from_slice(&name.as_bytes()[..length]);
    Rank::from_be_bytes(start)
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
