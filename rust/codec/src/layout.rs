//! What is known of the insides of interpreters, and whether this one's are so.
//!
//! Three ways lead through them, each because `benches/bench_layout.py` paid for it. They are taken
//! on interpreters that the tests were run on, after a look at objects that the interpreter itself
//! made: whether these lie in memory as is written here. Everywhere else the public way is taken.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString, PyType};

/// The first and the last version that the tests were run on.
const TESTED: [(u8, u8); 2] = [(3, 11), (3, 15)];

/// A way through the interpreter's insides; a bit of the two sets below.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Way {
    /// Write the digits of an int64.
    Ints = 1,
    /// Read the text of an ASCII str where it lies.
    Strings = 2,
    /// Ask for a dict of a size (CPython Include/cpython/dictobject.h).
    Dicts = 4,
}

const NAMED: [(&str, Way); 3] = [
    ("ints", Way::Ints),
    ("strings", Way::Strings),
    ("dicts", Way::Dicts),
];

static PROVED: AtomicU8 = AtomicU8::new(0);
static TAKEN: AtomicU8 = AtomicU8::new(0);

impl Way {
    #[inline]
    pub fn is_taken(self) -> bool {
        TAKEN.load(Relaxed) & self as u8 != 0
    }
}

/// The fast ways that are taken, of those that were proved. With names, only these are taken from
/// then on: tests and benchmarks compare them with the public ways.
#[pyfunction]
#[pyo3(signature = (wanted = None, /))]
pub fn fast_ways(wanted: Option<Vec<String>>) -> PyResult<Vec<&'static str>> {
    if let Some(names) = wanted {
        let mut bits = 0;
        for name in names {
            let known = NAMED.iter().find(|(known, _)| *known == name);
            let (_, way) = known.ok_or_else(|| PyValueError::new_err(name))?;
            bits |= *way as u8;
        }
        TAKEN.store(bits & PROVED.load(Relaxed), Relaxed);
    }
    let taken = NAMED.iter().filter(|(_, way)| way.is_taken());
    Ok(taken.map(|(name, _)| *name).collect())
}

/// Look at this interpreter, and take the ways that hold in it.
pub fn prove(int64: &Bound<'_, PyType>) -> PyResult<()> {
    let mut proved = 0;
    if is_tested(int64.py()) {
        proved |= Way::Dicts as u8;
        proved |= if ints_hold(int64)? {
            Way::Ints as u8
        } else {
            0
        };
        proved |= if strings_hold(int64.py())? {
            Way::Strings as u8
        } else {
            0
        };
    }
    PROVED.store(proved, Relaxed);
    TAKEN.store(proved, Relaxed);
    Ok(())
}

fn is_tested(py: Python<'_>) -> bool {
    let [first, last] = TESTED;
    let version = py.version_info();
    // A build without the GIL has another header before each object, and no tests were run on one.
    cfg!(not(any(PyPy, GraalPy, Py_GIL_DISABLED)))
        && (first..=last).contains(&(version.major, version.minor))
}

/// What follows the header of an int: a word with the count of its digits and its sign, and the
/// digits, the lowest first (CPython Include/cpython/longintrepr.h).
pub struct Digits {
    word: usize,
    digits: [u32; 3],
    count: usize,
}

/// Of a digit; CPython may be built with 15 as well.
const BITS: u32 = 30;

impl Digits {
    #[inline]
    pub fn of(value: i64) -> Self {
        const MASK: u64 = (1 << BITS) - 1;
        let size = value.unsigned_abs();
        let count = size.checked_ilog2().map_or(0, |log| log / BITS + 1) as usize;
        #[cfg(not(Py_3_12))]
        let word = if value < 0 {
            count.wrapping_neg()
        } else {
            count
        };
        #[cfg(Py_3_12)]
        let word = (count << 3) | (1 - value.signum()).unsigned_abs() as usize;
        Self {
            word,
            digits: [0, BITS, 2 * BITS].map(|shift| (size >> shift & MASK) as u32),
            count,
        }
    }

    /// Zero has room for a digit too.
    #[inline]
    pub fn room(&self) -> usize {
        self.count.max(1)
    }

    /// # Safety
    /// The object is a new int of this layout, with room for `room()` digits, that nobody else
    /// has seen.
    #[inline]
    pub unsafe fn write(&self, object: *mut ffi::PyObject) {
        // SAFETY: the word and the digits stand behind the header.
        unsafe {
            let word = object.add(1).cast::<usize>();
            word.write(self.word);
            let digits = word.add(1).cast::<u32>();
            for (index, digit) in self.digits.iter().take(self.room()).enumerate() {
                digits.add(index).write(*digit);
            }
        }
    }

    /// Whether an int lies in memory as these would.
    fn are_in(&self, number: &Bound<'_, PyAny>) -> PyResult<bool> {
        let length = size_of::<ffi::PyObject>() + size_of::<usize>() + 4 * self.room();
        if number.call_method0("__sizeof__")?.extract::<usize>()? < length {
            return Ok(false);
        }
        // SAFETY: the object has `length` bytes, as it says itself; both pointers are aligned as
        // objects are.
        Ok(unsafe {
            let word = number.as_ptr().add(1).cast::<usize>();
            let digits = word.add(1).cast::<[u32; 3]>().cast::<u32>();
            word.read() == self.word
                && (0..self.room()).all(|index| digits.add(index).read() == self.digits[index])
        })
    }
}

fn ints_hold(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let py = class.py();
    let new = py.get_type::<PyInt>().getattr("__new__")?;
    let edges = [0, 1, 7, 1 << 29, 1 << 30, 1 << 59, 1 << 60, i64::MAX];
    for edge in edges {
        for value in [edge, edge - 1, -edge, i64::MIN + edge] {
            let number = new.call1((class, value))?;
            if !Digits::of(value).are_in(&number)? {
                return Ok(false);
            }
        }
    }
    // SAFETY: `class` is a type, which stays as it is.
    Ok(unsafe { (*class.as_type_ptr()).tp_alloc }.is_some())
}

/// The text of a str whose bytes are ASCII and lie in it; None for any other.
///
/// # Safety
/// `strings_hold` has found that strs are of this layout (CPython Include/cpython/unicodeobject.h).
#[inline]
pub unsafe fn ascii<'a>(text: &'a Bound<'_, PyString>) -> Option<&'a str> {
    // SAFETY: a str has a header, a length and a hash, then its state, and behind that its bytes
    // if it is compact and ASCII. They never change, `text` keeps them alive, and ASCII is UTF-8.
    unsafe {
        let object = text.as_ptr().cast_const();
        if state(object) & COMPACT_ASCII != COMPACT_ASCII {
            return None;
        }
        let length = object.add(1).cast::<usize>().read();
        let bytes = object.cast::<u8>().add(size_of::<ffi::PyASCIIObject>());
        let bytes = std::slice::from_raw_parts(bytes, length);
        Some(std::str::from_utf8_unchecked(bytes))
    }
}

/// Two bits of the state, behind two of `interned` and three of `kind`.
const COMPACT_ASCII: u32 = 0b110_0000;

/// # Safety
/// The object is a str.
#[inline]
unsafe fn state(object: *const ffi::PyObject) -> u32 {
    // SAFETY: every str has at least the fields of this struct.
    unsafe { (&raw const (*object.cast::<ffi::PyASCIIObject>()).state).read() }
}

fn strings_hold(py: Python<'_>) -> PyResult<bool> {
    let subclass = py.get_type::<PyType>().call1((
        "Text",
        (py.get_type::<PyString>(),),
        pyo3::types::PyDict::new(py),
    ))?;
    let texts = [
        "", "a", "_id", "convex", "é", "naïve", "語", "an 😀", "\u{7f}", "\u{80}",
    ];
    let long = ["x".repeat(300), "é".repeat(300)];
    for text in texts.into_iter().chain(long.iter().map(String::as_str)) {
        let made = PyString::new(py, text);
        if !is_as_told(&made, text.is_ascii().then_some(text))? {
            return Ok(false);
        }
        // The bytes of a subclass's instance lie elsewhere.
        let derived = subclass.call1((made,))?.cast_into::<PyString>()?;
        if !is_as_told(&derived, None)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether `ascii` would read this of a str, told without reading beyond the object.
fn is_as_told(made: &Bound<'_, PyString>, expected: Option<&str>) -> PyResult<bool> {
    // SAFETY: it is a str.
    let says_so = unsafe { state(made.as_ptr()) } & COMPACT_ASCII == COMPACT_ASCII;
    let Some(text) = expected else {
        return Ok(!says_so);
    };
    let length = size_of::<ffi::PyASCIIObject>() + text.len() + 1;
    let size = made.call_method0("__sizeof__")?.extract::<usize>()?;
    // SAFETY: the object has the bytes that are compared, and a zero behind them.
    Ok(says_so && size >= length && unsafe { ascii(made) } == Some(text))
}
