//! The memory that encoding works in, kept from one call to the next.

use std::sync::Mutex;

use pyo3::prelude::*;

use crate::fields::Fields;
use crate::write_keys::Keys;

/// Text beyond this is given back to the system.
const KEPT: usize = 1 << 20;

/// Of several threads at work, and of a call within a call, one has it; the others get a new one.
static IDLE: Mutex<Option<Scratch>> = Mutex::new(None);

#[derive(Default)]
pub struct Scratch {
    /// What is written.
    pub out: Vec<u8>,
    pub keys: Keys,
    /// The fields of all objects that are open.
    pub fields: Fields,
}

impl Scratch {
    /// The scratch kept from before, with its keys, or a new one.
    pub fn take() -> Self {
        let idle = IDLE.try_lock().ok().and_then(|mut idle| idle.take());
        idle.unwrap_or_default()
    }

    /// Keep it for the next call, emptied of all that is the caller's but short keys.
    pub fn give_back(mut self, py: Python<'_>) {
        self.out.clear();
        self.out.shrink_to(KEPT);
        self.fields.clear(py);
        if self.keys.is_full() {
            self.keys = Keys::default();
        }
        let before = match IDLE.try_lock() {
            Ok(mut idle) => idle.replace(self),
            Err(_) => Some(self),
        };
        drop(before); // after the lock: it may run a finalizer
    }
}
