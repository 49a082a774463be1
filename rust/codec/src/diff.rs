//! What changed in a list of documents, decoding only that.
//!
//! The old text's spans are known. What the new text has in common with it at its beginning and
//! at its end is found by comparing memory, and the spans in there are the old ones; between the
//! two, each document that stands in the new text as in the old is found the same way. Only
//! documents that are left over on either side are decoded, and told apart by their keys.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::collector::Paused;
use crate::decode::whole;
use crate::encode::{canonical, encode};
use crate::errors::{Fail, Step};
use crate::moved::outside_longest_run;
use crate::objects::utf8;
use crate::walk::Walk;

/// How many old documents in a row may be missing before the next that is found at once.
const LOOK_AHEAD: usize = 16;

type Changes<'py> = (
    Bound<'py, PyList>,
    Bound<'py, PyList>,
    Bound<'py, PyDict>,
    Bound<'py, PyList>,
);

/// Tells what changes from one text of a list of documents to the next.
#[pyclass(module = "convex_async._codec")]
pub struct Differ {
    key: String,
    /// The names that lead to the list, as canonical text.
    at: Vec<Vec<u8>>,
    known: Option<Known>,
}

/// The text before, where its documents are, and their keys once they were needed.
struct Known {
    text: Py<PyBytes>,
    spans: Vec<Range<usize>>,
    keys: Option<HashSet<Vec<u8>>>,
}

#[pymethods]
impl Differ {
    #[new]
    fn new(py: Python<'_>, key: String, at: Vec<String>) -> PyResult<Self> {
        let quoted = |name: String| -> PyResult<Vec<u8>> {
            let name = PyString::new(py, &name).into_any();
            Ok(encode(&name, "at", 0, None, false)?.as_bytes().to_vec())
        };
        Ok(Self {
            key,
            at: at.into_iter().map(quoted).collect::<PyResult<_>>()?,
            known: None,
        })
    }

    /// Take a text as the one before, without decoding it.
    fn start(&mut self, py: Python<'_>, text: Bound<'_, PyBytes>) -> PyResult<()> {
        let new = self
            .align(&[], b"", text.as_bytes())
            .map_err(|fail| self.refused(py, fail))?;
        self.known = Some(Known {
            text: text.unbind(),
            spans: new.spans,
            keys: None,
        });
        Ok(())
    }

    /// The inserted, updated, deleted (by key) and moved documents (their keys) of the next text.
    fn next<'py>(&mut self, py: Python<'py>, text: Bound<'py, PyBytes>) -> PyResult<Changes<'py>> {
        let _paused = Paused::new(py);
        let (changes, known) = self.read(py, text).map_err(|fail| self.refused(py, fail))?;
        self.known = Some(known);
        Ok(changes)
    }
}

/// How a new list stands to the old one; places are indices of documents.
struct Alignment {
    spans: Vec<Range<usize>>,
    /// Old and new places of documents between the two ends that have kept their text and order.
    kept: Vec<(usize, usize)>,
    gone: Vec<usize>,
    fresh: Vec<usize>,
}

impl Differ {
    /// What changed, and the new text to know. A text that is refused is spelled canonically and
    /// tried once more: a name that leads to the list may be escaped in it, or repeated.
    fn read<'py>(
        &self,
        py: Python<'py>,
        text: Bound<'py, PyBytes>,
    ) -> Result<(Changes<'py>, Known), Fail> {
        match self.changes(py, &text) {
            Err(_) if !self.at.is_empty() => {
                let spelled = canonical(&whole(py, text.as_bytes())?)?;
                self.changes(py, &PyBytes::new(py, &spelled))
            }
            found => found,
        }
    }

    /// Move to the list's first item; None if the list is empty, which is then consumed.
    fn enter(&self, walk: &mut Walk<'_>) -> Result<Option<()>, Fail> {
        for field in &self.at {
            if !enter_field(walk, field)? {
                let name = String::from_utf8_lossy(field);
                return Err(Fail::value(format!("there is no field {name}")));
            }
        }
        if !walk.accept(b'[')? {
            return Err(Fail::value("it is not a list"));
        }
        Ok((!walk.accept(b']')?).then_some(()))
    }

    /// From the list's end to the end of the text.
    fn leave(&self, walk: &mut Walk<'_>) -> Result<(), Fail> {
        for field in self.at.iter().rev() {
            while walk.more(b'}')? {
                if walk.name()? == field {
                    return Err(Fail::value("its field stands there twice"));
                }
                walk.skip()?;
            }
        }
        walk.end()
    }

    fn align(&self, spans: &[Range<usize>], old: &[u8], new: &[u8]) -> Result<Alignment, Fail> {
        let begin = common(old.chunks(BLOCK), new.chunks(BLOCK), |one, other| {
            one.iter().zip(other).take_while(|(a, b)| a == b).count()
        });
        let end = common(old.rchunks(BLOCK), new.rchunks(BLOCK), |one, other| {
            let backwards = one.iter().rev().zip(other.iter().rev());
            backwards.take_while(|(a, b)| a == b).count()
        });
        let front = spans.partition_point(|span| span.end < begin);
        let mut found = Alignment {
            spans: spans[..front].to_vec(),
            kept: Vec::new(),
            gone: Vec::new(),
            fresh: Vec::new(),
        };
        let mut walk = Walk::new(new, found.spans.last().map_or(0, |span| span.end));
        let mut open = if front == 0 {
            self.enter(&mut walk)?.is_some()
        } else {
            walk.more(b']')?
        };
        let mut next = front; // the old document that is expected
        while open {
            if walk.peek()? != b'{' {
                let place = found.spans.len();
                return Err(Fail::value(format!("item {place} is not an object")));
            }
            let rest = new.len() - walk.at;
            if rest <= end
                && let Ok(place) = spans.binary_search_by_key(&(old.len() - rest), |s| s.start)
                && place >= next
            {
                let behind = spans[place..].iter();
                let moved = |at: usize| new.len() - (old.len() - at);
                found.gone.extend(next..place);
                found
                    .spans
                    .extend(behind.map(|s| moved(s.start)..moved(s.end)));
                return Ok(found);
            }
            let start = walk.at;
            let ahead = spans[next..].iter().take(LOOK_AHEAD);
            let here = &new[start..];
            if let Some(skipped) = { ahead }.position(|s| here.starts_with(&old[s.clone()])) {
                found.gone.extend(next..next + skipped);
                next += skipped;
                found.kept.push((next, found.spans.len()));
                walk.at += spans[next].len();
                next += 1;
            } else {
                walk.skip()?;
                found.fresh.push(found.spans.len());
            }
            found.spans.push(start..walk.at);
            open = walk.more(b']')?;
        }
        self.leave(&mut walk)?;
        found.gone.extend(next..spans.len());
        Ok(found)
    }

    fn changes<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyBytes>,
    ) -> Result<(Changes<'py>, Known), Fail> {
        let new = text.as_bytes();
        let (old, spans): (&[u8], &[Range<usize>]) = match &self.known {
            Some(known) => (known.text.bind(py).as_bytes(), &known.spans),
            None => (b"", &[]),
        };
        let found = self.align(spans, old, new)?;

        let mut gone = HashMap::with_capacity(found.gone.len());
        for &place in &found.gone {
            let document = &old[spans[place].clone()];
            let value = whole(py, document)?;
            gone.insert(self.key_of(&value)?, (place, document, value));
        }
        let (inserted, updated) = (PyList::empty(py), PyList::empty(py));
        let mut paired = Vec::new();
        let mut fresh = HashSet::with_capacity(found.fresh.len());
        let mut added = Vec::new();
        for &place in &found.fresh {
            let span = found.spans[place].clone();
            let document = &new[span.clone()];
            let value = whole(py, document)
                .map_err(|fail| fail.at(Step::Item(place)).shifted(span.start))?;
            let key = self.key_of(&value)?;
            if !fresh.insert(key.clone()) {
                return Err(twice(&key));
            }
            if let Some((before, was, old_value)) = gone.remove(&key) {
                paired.push((before, place));
                if document != was && canonical(&value)? != canonical(&old_value)? {
                    updated.append(value)?;
                }
            } else {
                inserted.append(value)?;
                added.push(key);
            }
        }
        let mut keys = match self.known.as_ref().map(|known| &known.keys) {
            Some(Some(keys)) => Some(keys.clone()),
            Some(None) if added.is_empty() => None,
            Some(None) => Some(self.all_keys(py, spans.iter().map(|s| &old[s.clone()]))?),
            None => Some(HashSet::with_capacity(added.len())),
        };
        let mut left: Vec<_> = gone.into_iter().collect();
        left.sort_unstable_by_key(|(_, (place, ..))| *place);
        let deleted = PyDict::new(py);
        for (key, (_, _, value)) in left {
            if let Some(keys) = &mut keys {
                keys.remove(&key);
            }
            deleted.set_item(value.get_item(&self.key)?, value)?;
        }
        if let Some(keys) = &mut keys {
            for key in added {
                if keys.contains(&key) {
                    return Err(twice(&key));
                }
                keys.insert(key);
            }
        }

        let moved = PyList::empty(py);
        for place in outside_longest_run(paired, found.kept) {
            let value = whole(py, &new[found.spans[place].clone()])?;
            moved.append(value.get_item(&self.key)?)?;
        }
        let known = Known {
            text: text.clone().unbind(),
            spans: found.spans,
            keys,
        };
        Ok(((inserted, updated, deleted, moved), known))
    }

    fn all_keys<'a>(
        &self,
        py: Python<'_>,
        documents: impl Iterator<Item = &'a [u8]>,
    ) -> Result<HashSet<Vec<u8>>, Fail> {
        documents
            .map(|document| self.key_of(&whole(py, document)?))
            .collect()
    }

    /// The canonical text of a document's key.
    fn key_of(&self, document: &Bound<'_, PyAny>) -> Result<Vec<u8>, Fail> {
        let fields = document.cast::<PyDict>().map_err(PyErr::from)?;
        let Some(key) = fields.get_item(&self.key)? else {
            return Err(Fail::value("a document lacks it"));
        };
        if key.cast::<PyDict>().is_ok() || key.cast::<PyList>().is_ok() {
            return Err(Fail::value("a key that is a list or an object"));
        }
        if let Ok(text) = key.cast::<PyString>()
            && let Some(text) = utf8(text)
        {
            // Begins as no other canonical text does.
            return Ok([b"\"", text.as_bytes()].concat());
        }
        canonical(&key)
    }

    fn refused(&self, py: Python<'_>, fail: Fail) -> PyErr {
        match fail.about_python() {
            Ok(message) => PyTypeError::new_err(format!(
                "the result is not a list of documents keyed by {:?}: {message}",
                self.key
            )),
            Err(fail) => fail.into_py(py, "value"),
        }
    }
}

fn twice(key: &[u8]) -> Fail {
    let end = if key.starts_with(b"\"") { "\"" } else { "" };
    let key = String::from_utf8_lossy(key);
    Fail::value(format!("{key}{end} stands there twice"))
}

const BLOCK: usize = 1024;

/// How many bytes two texts have in common, block by block and then within one.
fn common<'a>(
    one: impl Iterator<Item = &'a [u8]>,
    other: impl Iterator<Item = &'a [u8]>,
    within: impl Fn(&[u8], &[u8]) -> usize,
) -> usize {
    let mut length = 0;
    for (one, other) in one.zip(other) {
        if one != other {
            return length + within(one, other);
        }
        length += one.len();
    }
    length
}

/// Move to the value of a field of the object that is next.
fn enter_field(walk: &mut Walk<'_>, field: &[u8]) -> Result<bool, Fail> {
    if !walk.accept(b'{')? || walk.accept(b'}')? {
        return Ok(false);
    }
    loop {
        if walk.name()? == field {
            return Ok(true);
        }
        walk.skip()?;
        if !walk.more(b'}')? {
            return Ok(false);
        }
    }
}
