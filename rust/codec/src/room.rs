//! The memory that encoding works in, kept from one call to the next.

use std::sync::Mutex;

use pyo3::prelude::*;

use crate::keys::{Field, Keys, name_of};

/// Text beyond this is given back to the system.
const KEPT: usize = 1 << 20;

/// Of several threads at work, and of a call within a call, one has it; the others get a new one.
static IDLE: Mutex<Option<Room>> = Mutex::new(None);

#[derive(Default)]
pub struct Room {
    /// What is written.
    pub out: Vec<u8>,
    pub keys: Keys,
    /// The fields of all objects that are open, owned: writing a value may run the user's code.
    pub fields: Vec<Field>,
}

impl Room {
    /// The room kept from before, with its keys, or a new one.
    pub fn take() -> Self {
        let idle = IDLE.try_lock().ok().and_then(|mut idle| idle.take());
        idle.unwrap_or_default()
    }

    /// Keep it for the next call, emptied of all that is the caller's but short keys.
    pub fn give_back(mut self) {
        self.out.clear();
        self.out.shrink_to(KEPT);
        self.fields.clear();
        if self.keys.is_full() {
            self.keys = Keys::default();
        }
        let before = match IDLE.try_lock() {
            Ok(mut idle) => idle.replace(self),
            Err(_) => Some(self),
        };
        drop(before); // after the lock: it may run a finalizer
    }

    /// Put the fields from `first` on in the order of their names.
    pub fn sort(&mut self, py: Python<'_>, first: usize) {
        // Most names differ in their first eight bytes, which compare as one number.
        let ranked = |field: Field| {
            let mut start = [0; 8];
            let name = name_of(py, &field).unwrap_or_default().as_bytes();
            let length = name.len().min(8);
            start[..length].copy_from_slice(&name[..length]);
            (u64::from_be_bytes(start), field)
        };
        let mut fields: Vec<_> = self.fields.drain(first..).map(ranked).collect();
        fields.sort_unstable_by(|one, other| {
            let whole = || name_of(py, &one.1).cmp(&name_of(py, &other.1));
            one.0.cmp(&other.0).then_with(whole)
        });
        self.fields
            .extend(fields.into_iter().map(|(_, field)| field));
    }
}
