//! A Transition in the spelling that deployments write, straight to what the client's core takes.
//!
//! Only that spelling is read: no blanks, and the fields in their order (convex-backend
//! crates/convex/sync_types/src/json.rs). Whatever else a frame may be, valid or not, is for the
//! message definitions in `protocol/messages.py`.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

use crate::objects::new_str;
use crate::scan::Scanner;
use crate::skip::value_end;
use crate::tagged::{EIGHT, eight_bytes};

const START: &[u8; 48] = br#"{"type":"Transition","startVersion":{"querySet":"#;

/// What a Transition changes: the versions that it starts from and goes to, and the new results,
/// each with its query's id and journal. The values are cut out unread.
///
/// `make` makes a result of the value's bytes and the run's log lines.
///
/// None if the frame is not spelled as expected. So it is when Python fails, for want of memory:
/// whoever reads the frame otherwise will meet with the same.
#[pyfunction]
#[pyo3(signature = (frame, make, /))]
pub fn read_transition<'py>(frame: &[u8], make: &Bound<'py, PyAny>) -> Option<Bound<'py, PyTuple>> {
    if frame.first_chunk() != Some(START) {
        return None;
    }
    let mut scanner = Scanner::new(frame).ok()?;
    scanner.at = START.len();
    Frame { scanner, make }.transition(make.py())
}

/// Query set version, identity version, and the timestamp in ns.
type Version = (u32, u32, u64);

struct Frame<'a, 'm, 'py> {
    scanner: Scanner<'a>,
    make: &'m Bound<'py, PyAny>,
}

impl<'a, 'py> Frame<'a, '_, 'py> {
    fn transition(&mut self, py: Python<'py>) -> Option<Bound<'py, PyTuple>> {
        let start = self.version()?;
        self.take(br#","endVersion":{"querySet":"#)?;
        let end = self.version()?;
        self.take(br#","modifications":["#)?;
        let results = self.updates(py)?;
        self.take(br#","clientClockSkew":"#)?;
        self.null_or_integer()?;
        self.take(br#","serverTs":"#)?;
        self.null_or_integer()?;
        self.take(b"}")?;
        if !self.scanner.rest().is_empty() {
            return None;
        }
        (start, end, results).into_pyobject(py).ok()
    }

    /// The rest of the list of modifications.
    fn updates(&mut self, py: Python<'py>) -> Option<Bound<'py, PyTuple>> {
        if self.skips(b"]") {
            return Some(PyTuple::empty(py));
        }
        let first = self.updated(py)?;
        if self.skips(b"]") {
            return PyTuple::new(py, [first]).ok();
        }
        let mut updates = vec![first];
        while !self.skips(b"]") {
            self.take(b",")?;
            updates.push(self.updated(py)?);
        }
        PyTuple::new(py, updates).ok()
    }

    /// A query's new value: its id, the value and its journal.
    fn updated(&mut self, py: Python<'py>) -> Option<Bound<'py, PyTuple>> {
        self.take(br#"{"type":"QueryUpdated","queryId":"#)?;
        let query_id = self.u32()?;
        self.take(br#","value":"#)?;
        let value = PyBytes::new(py, self.value()?);
        self.take(br#","logLines":["#)?;
        let mut log_lines = Vec::new();
        while !self.skips(b"]") {
            if !log_lines.is_empty() {
                self.take(b",")?;
            }
            log_lines.push(self.string(py)?);
        }
        let log_lines = PyTuple::new(py, log_lines).ok()?;
        self.take(br#","journal":"#)?;
        let journal = if self.skips(b"null") {
            None
        } else {
            Some(self.string(py)?)
        };
        self.take(b"}")?;
        let value = self.make.call1((value, log_lines)).ok()?;
        (query_id, value, journal).into_pyobject(py).ok()
    }

    /// Consume the text if it is next.
    #[inline]
    fn skips<const N: usize>(&mut self, text: &[u8; N]) -> bool {
        let found = self.scanner.rest().first_chunk() == Some(text);
        self.scanner.at += if found { N } else { 0 };
        found
    }

    #[inline]
    fn take<const N: usize>(&mut self, text: &[u8; N]) -> Option<()> {
        self.skips(text).then_some(())
    }

    /// An integer without a sign, of at most ten digits.
    #[inline]
    fn u32(&mut self) -> Option<u32> {
        let mut value = 0;
        let mut count = 0;
        while let Some(digit @ b'0'..=b'9') = self.scanner.rest().get(count)
            && count < 10
        {
            value = value * 10 + u64::from(digit - b'0');
            count += 1;
        }
        let padded = count > 1 && self.scanner.rest()[0] == b'0';
        self.scanner.at += count;
        if count == 0 || padded {
            return None;
        }
        u32::try_from(value).ok()
    }

    fn null_or_integer(&mut self) -> Option<()> {
        if self.skips(b"null") {
            return Some(());
        }
        let text = self.scanner.rest();
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        let count = digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let padded = count > 1 && digits[0] == b'0';
        self.scanner.at += text.len() - digits.len() + count;
        // Larger ones are for the message definitions to judge.
        (!padded && (1..19).contains(&count)).then_some(())
    }

    /// A version, from the value of `querySet` to its closing brace.
    fn version(&mut self) -> Option<Version> {
        let query_set = self.u32()?;
        self.take(br#","identity":"#)?;
        let identity = self.u32()?;
        self.take(br#","ts":""#)?;
        let ts = eight_bytes(self.scanner.rest().first_chunk()?)?;
        self.scanner.at += EIGHT;
        self.take(br#""}"#)?;
        Some((query_set, identity, u64::from_le_bytes(ts)))
    }

    /// The text of a value, which nobody has read yet.
    fn value(&mut self) -> Option<&'a [u8]> {
        let (text, start) = (self.scanner.bytes(), self.scanner.at);
        self.scanner.at = value_end(text, start)?;
        Some(&text[start..self.scanner.at])
    }

    fn string(&mut self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        new_str(py, self.scanner.content().ok()?).ok()
    }
}
