//! What changed in a list of documents, decoding only that.

use std::collections::HashMap;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::decode::whole;
use crate::encode::encode;
use crate::errors::Fail;
use crate::scan::Scanner;

type Changes<'py> = (
    Bound<'py, PyList>,
    Bound<'py, PyList>,
    Bound<'py, PyDict>,
    Bound<'py, PyList>,
);

/// Whether two wire texts are the same Convex value, however they are spelled.
#[pyfunction]
pub fn same(py: Python<'_>, one: &[u8], other: &[u8]) -> PyResult<bool> {
    if one == other {
        return Ok(true);
    }
    let canonical = |data: &[u8]| {
        let value = whole(py, data).map_err(|fail| fail.into_py(py, "value"))?;
        encode(&value, "value", usize::MAX)
    };
    Ok(canonical(one)?.as_bytes() == canonical(other)?.as_bytes())
}

/// The inserted, updated, deleted (by key) and moved documents (their keys) of a list.
#[pyfunction]
pub fn diff<'py>(
    py: Python<'py>,
    previous: Option<&[u8]>,
    current: &[u8],
    key: &str,
    at: Vec<String>,
) -> PyResult<Changes<'py>> {
    let spans = |data| documents(data, &at).map_err(|fail| not_documents(py, fail, key));
    let old = previous.map_or_else(|| Ok(Vec::new()), spans)?;
    let new = spans(current)?;
    let differ = Differ { py, key };
    differ.changes(&old, &new)
}

/// The bytes of each item of the list that the fields of `at` lead to.
fn documents<'a>(data: &'a [u8], at: &[String]) -> Result<Vec<&'a [u8]>, Fail> {
    let mut scanner = Scanner::new(data)?;
    for field in at {
        if !enter_field(&mut scanner, field)? {
            return Err(Fail::value(format!("there is no field {field:?}")));
        }
    }
    if !scanner.accept(b'[')? {
        return Err(Fail::value("it is not a list"));
    }
    let mut spans = Vec::new();
    if scanner.accept(b']')? {
        return Ok(spans);
    }
    loop {
        if scanner.peek()? != b'{' {
            return Err(Fail::value(format!(
                "item {} is not an object",
                spans.len()
            )));
        }
        let start = scanner.at;
        scanner.skip()?;
        spans.push(scanner.since(start));
        if !scanner.more(b']')? {
            return Ok(spans);
        }
    }
}

/// Move to the value of a field of the object that is next.
fn enter_field(scanner: &mut Scanner<'_>, field: &str) -> Result<bool, Fail> {
    if !scanner.accept(b'{')? || scanner.accept(b'}')? {
        return Ok(false);
    }
    loop {
        scanner.peek()?;
        let name = scanner.string()?;
        scanner.expect(b':')?;
        if name == field {
            scanner.peek()?;
            return Ok(true);
        }
        scanner.skip()?;
        if !scanner.more(b'}')? {
            return Ok(false);
        }
    }
}

fn not_documents(py: Python<'_>, fail: Fail, key: &str) -> PyErr {
    match fail {
        Fail::Codec {
            message,
            offset: None,
            ..
        } => PyTypeError::new_err(format!(
            "the result is not a list of documents keyed by {key:?}: {message}"
        )),
        fail => fail.into_py(py, "value"),
    }
}

struct Differ<'py, 'k> {
    py: Python<'py>,
    key: &'k str,
}

impl<'py> Differ<'py, '_> {
    fn changes(&self, old: &[&[u8]], new: &[&[u8]]) -> PyResult<Changes<'py>> {
        // What is equal at both ends needs no look at its keys.
        let front = old
            .iter()
            .zip(new)
            .take_while(|(one, other)| one == other)
            .count();
        let (old, new) = (&old[front..], &new[front..]);
        let back = old
            .iter()
            .rev()
            .zip(new.iter().rev())
            .take_while(|(one, other)| one == other)
            .count();
        let (old, new) = (&old[..old.len() - back], &new[..new.len() - back]);

        let mut places = HashMap::with_capacity(old.len());
        for (place, document) in old.iter().enumerate() {
            self.insert(&mut places, document, place)?;
        }
        let mut seen = HashMap::with_capacity(new.len());
        let (inserted, updated) = (PyList::empty(self.py), PyList::empty(self.py));
        let mut common = Vec::new();
        for (place, document) in new.iter().enumerate() {
            let key = self.insert(&mut seen, document, place)?;
            match places.remove(&key) {
                None => inserted.append(self.decode(document)?)?,
                Some(before) => {
                    common.push((before, key));
                    if !same(self.py, old[before], document)? {
                        updated.append(self.decode(document)?)?;
                    }
                }
            }
        }
        let mut gone: Vec<usize> = places.into_values().collect();
        gone.sort_unstable();
        let deleted = PyDict::new(self.py);
        for place in gone {
            let document = self.decode(old[place])?;
            deleted.set_item(document.get_item(self.key)?, document)?;
        }
        Ok((inserted, updated, deleted, self.moved(&common)?))
    }

    /// The keys of the documents outside the longest run that kept its order.
    fn moved(&self, common: &[(usize, Vec<u8>)]) -> PyResult<Bound<'py, PyList>> {
        let moved = PyList::empty(self.py);
        if common.is_sorted_by_key(|(before, _)| *before) {
            return Ok(moved);
        }
        let mut ends: Vec<usize> = Vec::new();
        let mut links = Vec::with_capacity(common.len());
        for (index, (before, _)) in common.iter().enumerate() {
            let length = ends.partition_point(|&end| common[end].0 < *before);
            links.push(length.checked_sub(1).map(|last| ends[last]));
            if length == ends.len() {
                ends.push(index);
            } else {
                ends[length] = index;
            }
        }
        let mut kept = vec![false; common.len()];
        let mut next = ends.last().copied();
        while let Some(index) = next {
            kept[index] = true;
            next = links[index];
        }
        for (_, (_, key)) in common.iter().enumerate().filter(|(index, _)| !kept[*index]) {
            moved.append(self.decode(key)?)?;
        }
        Ok(moved)
    }

    /// Note where a document stands, by the canonical text of its key, which is returned.
    fn insert(
        &self,
        places: &mut HashMap<Vec<u8>, usize>,
        document: &[u8],
        place: usize,
    ) -> PyResult<Vec<u8>> {
        let key = self.key_of(document)?;
        if places.insert(key.clone(), place).is_some() {
            return Err(PyTypeError::new_err(format!(
                "the result is not a list of documents keyed by {:?}: {} stands there twice",
                self.key,
                String::from_utf8_lossy(&key)
            )));
        }
        Ok(key)
    }

    fn key_of(&self, document: &[u8]) -> PyResult<Vec<u8>> {
        let fail = |fail: Fail| not_documents(self.py, fail, self.key);
        let mut scanner = Scanner::new(document).map_err(fail)?;
        if !enter_field(&mut scanner, self.key).map_err(fail)? {
            return Err(fail(Fail::value(format!(
                "a document has no field {:?}",
                self.key
            ))));
        }
        let start = scanner.at;
        scanner.skip().map_err(fail)?;
        let text = scanner.since(start);
        if text.starts_with(b"\"") && !text.contains(&b'\\') {
            return Ok(text.to_vec());
        }
        let value = self.decode(text)?;
        if value.hash().is_err() {
            return Err(fail(Fail::value("a key that is a list or an object")));
        }
        Ok(encode(&value, "key", usize::MAX)?.as_bytes().to_vec())
    }

    fn decode(&self, document: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        whole(self.py, document).map_err(|fail| fail.into_py(self.py, "value"))
    }
}
