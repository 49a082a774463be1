//! The fields of all dicts that are being written.
//!
//! They are borrowed from their dicts as long as nothing but this crate's code runs: counting
//! their references up and down was a fifth of the time of an encode. Before code of the user's
//! can run, and could change a dict, they are all made owned, and from then on each at once.

use std::cmp::Ordering;
use std::mem::ManuallyDrop;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{PyDict, PyString};

use crate::errors::Fail;
use crate::objects::utf8;
use crate::write_keys::{Keys, NONE};

/// A field whose name was checked. The two references count only once the field is owned.
struct Field {
    key: ManuallyDrop<Py<PyAny>>,
    value: ManuallyDrop<Py<PyAny>>,
    /// Where `Keys` has its name.
    place: usize,
}

/// A stack: the fields of a dict above those of the dict that it stands in.
#[derive(Default)]
pub struct Fields {
    all: Vec<Field>,
    /// So many from the bottom are owned.
    owned: usize,
    own_all: bool,
}

impl Fields {
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Push the fields of a dict, as they are at one moment, in the order of their names.
    ///
    /// # Safety
    /// Until they are taken off or `own_all` is called, the dict stays alive, and no code runs that
    /// could change it.
    pub unsafe fn push(&mut self, dict: &Bound<'_, PyDict>, keys: &mut Keys) -> Result<(), Fail> {
        let (py, first) = (dict.py(), self.len());
        let in_order = with_critical_section(dict, || {
            // SAFETY: as the caller promises.
            let in_order = unsafe { self.copy(dict, keys) };
            // Without the GIL, another thread can change the dict at any time.
            if cfg!(Py_GIL_DISABLED) || self.own_all {
                self.own();
            }
            in_order
        })?;
        if !in_order {
            let fields = &mut self.all[first..];
            fields.sort_unstable_by(|one, other| one.compare(other, keys, py));
            let mut pairs = fields.windows(2);
            if let Some(twice) = pairs.find(|pair| pair[0].compare(&pair[1], keys, py).is_eq()) {
                let message = |name: &str| format!("the field name {name:?} stands there twice");
                return Err(Fail::value(twice[0].with_name(py, message)));
            }
        }
        Ok(())
    }

    /// Push the fields in the order of the dict; whether that is the order of their names.
    ///
    /// # Safety
    /// As of `push`.
    unsafe fn copy(&mut self, dict: &Bound<'_, PyDict>, keys: &mut Keys) -> Result<bool, Fail> {
        let py = dict.py();
        let first = self.len();
        self.all.reserve(dict.len());
        let mut at = 0;
        let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
        let mut last = NONE;
        let mut in_order = true;
        // SAFETY: `dict` is one, and the rest are places to write to. The two objects belong to
        // the dict, which nothing changes until they are owned, or off the stack.
        while unsafe { ffi::PyDict_Next(dict.as_ptr(), &mut at, &mut key, &mut value) } != 0 {
            // SAFETY: both are alive, and are dropped only where they were made owned before.
            let [key, value] = [key, value].map(|object| unsafe {
                ManuallyDrop::new(Bound::from_owned_ptr(py, object).unbind())
            });
            let place = keys.find(key.bind_borrowed(py), last)?;
            let field = Field { key, value, place };
            if in_order && self.len() > first {
                in_order = self.all[self.len() - 1].compare(&field, keys, py).is_lt();
            }
            self.all.push(field);
            last = place;
        }
        Ok(in_order)
    }

    /// Where `Keys` has the name of a field.
    #[inline]
    pub fn place(&self, index: usize) -> usize {
        self.all[index].place
    }

    /// What is made of the name of a field.
    pub fn with_name<T>(&self, index: usize, py: Python<'_>, make: impl FnOnce(&str) -> T) -> T {
        self.all[index].with_name(py, make)
    }

    /// The value of a field.
    ///
    /// # Safety
    /// It is used only while the field is on the stack.
    #[inline]
    pub unsafe fn value<'a, 'py>(&self, index: usize, py: Python<'py>) -> Borrowed<'a, 'py, PyAny> {
        // SAFETY: fields are alive while they are on the stack, borrowed or owned.
        unsafe { Borrowed::from_ptr(py, self.all[index].value.as_ptr()) }
    }

    /// Own all fields, also those to come: the user's code may run after this.
    pub fn own_all(&mut self) {
        self.own_all = true;
        self.own();
    }

    fn own(&mut self) {
        for field in &self.all[self.owned..] {
            // SAFETY: borrowed fields are alive, see `copy`.
            unsafe {
                ffi::Py_INCREF(field.key.as_ptr());
                ffi::Py_INCREF(field.value.as_ptr());
            }
        }
        self.owned = self.all.len();
    }

    /// Take off all, for the next value.
    pub fn clear(&mut self, py: Python<'_>) {
        self.truncate(py, 0);
        self.own_all = false;
    }

    /// Take off the fields above an index.
    #[inline]
    pub fn truncate(&mut self, _py: Python<'_>, length: usize) {
        if self.owned <= length {
            self.all.truncate(length);
            return;
        }
        // One by one: a finalizer may encode something, if not in this `Fields`.
        while self.all.len() > length {
            if let Some(field) = self.all.pop()
                && self.all.len() < self.owned
            {
                self.owned = self.all.len();
                // This one was owned, and is gone from the stack.
                drop(ManuallyDrop::into_inner(field.key));
                drop(ManuallyDrop::into_inner(field.value));
            }
        }
    }
}

impl Field {
    fn with_name<T>(&self, py: Python<'_>, make: impl FnOnce(&str) -> T) -> T {
        let name = self.key.bind(py).cast::<PyString>().ok();
        make(name.and_then(utf8).unwrap_or_default())
    }

    #[inline]
    fn compare(&self, other: &Self, keys: &Keys, py: Python<'_>) -> Ordering {
        let names = || self.with_name(py, |one| other.with_name(py, |two| one.cmp(two)));
        if self.place == NONE || other.place == NONE {
            return names();
        }
        keys.compare(self.place, other.place).then_with(names)
    }
}
