"""How large values and transactions may be, and Convex's own words for what is too large.

Source for all: docs.convex.dev/production/state/limits; convex-backend crates/value and
crates/database for sizes and texts.
"""

from __future__ import annotations

from collections.abc import Mapping

from convex_async.codec.values import measure
from convex_async.local import texts
from convex_async.local.problems import FunctionProblem

MAX_ARRAY_LENGTH = 8192
MAX_OBJECT_FIELDS = 1024
MAX_DOCUMENT_NESTING = 16
# Bytes of Convex size, as `size_of` counts them, here and below.
MAX_DOCUMENT_SIZE = 2**20
MAX_ARGUMENTS_SIZE = 2**24
MAX_RESULT_SIZE = 2**24

MAX_DOCUMENTS_READ = 32_000
MAX_BYTES_READ = 2**24
MAX_RANGES_READ = 4096
MAX_DOCUMENTS_WRITTEN = 16_000
MAX_BYTES_WRITTEN = 2**24
MAX_SCHEDULED = 1000
MAX_SCHEDULED_SIZE = 2**24

# Bytes of the shortest text that an array or an object of too many parts can have.
_LEAST_BROKEN = 4 * MAX_OBJECT_FIELDS

_ADVICE = (
    "Consider using smaller limits in your queries, paginating your queries, or using indexed "
    "queries with a selective index range expressions."
)


def size_of(wire: bytes) -> int:
    """The Convex size of a value, in bytes, told from its wire bytes.

    Raises:
        FunctionProblem: an array or an object in it has too many parts.
    """
    size, excess = measure(wire, max_items=MAX_ARRAY_LENGTH, max_fields=MAX_OBJECT_FIELDS)
    match excess:
        case ("array", count):
            raise FunctionProblem(
                f"Array length is too long ({count} > maximum length {MAX_ARRAY_LENGTH})"
            )
        case (_, count):
            raise FunctionProblem(
                f"Object has too many fields ({count} > maximum number {MAX_OBJECT_FIELDS})"
            )
    return size


def check_arguments(path: str, wire: bytes) -> None:
    """Raise `FunctionProblem` if a call's arguments are too large, or a part of them is."""
    if len(wire) >= _LEAST_BROKEN and (size := size_of(wire)) > MAX_ARGUMENTS_SIZE:
        raise FunctionProblem(
            f"Arguments for {path} are too large (actual: {_mebibytes(size)}, limit: "
            f"{_mebibytes(MAX_ARGUMENTS_SIZE)})"
        )


def check_result(path: str, wire: bytes) -> None:
    """Raise `FunctionProblem` if a function's result is too large, or a part of it is."""
    if len(wire) < _LEAST_BROKEN:
        return
    try:
        size = size_of(wire)
    except FunctionProblem as problem:
        raise FunctionProblem(f"Function {path} return value invalid: {problem}") from None
    if size > MAX_RESULT_SIZE:
        raise FunctionProblem(
            f"Function {path} return value is too large (actual: {_mebibytes(size)}, limit: "
            f"{_mebibytes(MAX_RESULT_SIZE)})"
        )


def check_document(size: int) -> None:
    """Raise `FunctionProblem` if a document of this size can't be stored."""
    if size > MAX_DOCUMENT_SIZE:
        raise FunctionProblem(
            f"Value is too large ({_mebibytes(size)} > maximum size "
            f"{_mebibytes(MAX_DOCUMENT_SIZE)})"
        )


# Part of a limit from which on a function is warned.
WARNING_RATIO = 0.8
# What is said of each, its unit, and what to do; in the order of the warnings.
_WARNINGS = [
    ("documentsRead", "Many documents read in a single function execution", "", f" {_ADVICE}"),
    ("databaseQueries", "Many reads in a single function execution", "", f" {_ADVICE}"),
    ("bytesRead", "Many bytes read in a single function execution", " bytes", f" {_ADVICE}"),
    ("documentsWritten", "Many writes in a single function execution", "", ""),
    ("bytesWritten", "Many bytes written in a single function execution", " bytes", ""),
    ("functionsScheduled", "Many functions scheduled by this mutation", "", ""),
    (
        "scheduledFunctionArgsBytes",
        "Large total size of the arguments of scheduled functions from this mutation",
        " bytes",
        "",
    ),
]


class Usage:
    """What one transaction has read, written and scheduled so far."""

    def __init__(self) -> None:
        self._read = self._bytes_read = self._bytes_written = 0
        self._scheduled = self._bytes_scheduled = 0

    def metrics(self, written: int, ranges: int) -> dict[str, tuple[int, int]]:
        """What was used of each limit, and the limit, by Convex's names.

        Args:
            written: documents that are written.
            ranges: index ranges that were read.
        """
        return {
            "bytesRead": (self._bytes_read, MAX_BYTES_READ),
            "bytesWritten": (self._bytes_written, MAX_BYTES_WRITTEN),
            "databaseQueries": (ranges, MAX_RANGES_READ),
            "documentsRead": (self._read, MAX_DOCUMENTS_READ),
            "documentsWritten": (written, MAX_DOCUMENTS_WRITTEN),
            "functionsScheduled": (self._scheduled, MAX_SCHEDULED),
            "scheduledFunctionArgsBytes": (self._bytes_scheduled, MAX_SCHEDULED_SIZE),
        }

    def read(self, size: int) -> None:
        """Count a document that was read."""
        self._read += 1
        self._bytes_read += size
        _check("documents read", self._read, MAX_DOCUMENTS_READ, advice=_ADVICE)
        limit = f"{MAX_BYTES_READ} bytes"
        _check("bytes read", self._bytes_read, MAX_BYTES_READ, limit, advice=_ADVICE)

    def written(self, documents: int, size: int) -> None:
        """Count a document of a size; `documents` were written with it."""
        self._bytes_written += size
        _check("documents written", documents, MAX_DOCUMENTS_WRITTEN)
        limit = _mebibytes(MAX_BYTES_WRITTEN)
        _check("bytes written", self._bytes_written, MAX_BYTES_WRITTEN, limit)

    def scheduled(self, size: int) -> None:
        """Count a function that was scheduled with arguments of a size."""
        self._scheduled += 1
        self._bytes_scheduled += size
        if self._scheduled > MAX_SCHEDULED:
            raise FunctionProblem(
                f"Too many functions scheduled by this mutation (limit: {MAX_SCHEDULED})"
            )
        if self._bytes_scheduled > MAX_SCHEDULED_SIZE:
            raise FunctionProblem(
                "Too large total size of the arguments of scheduled functions from this mutation "
                f"(limit: {MAX_SCHEDULED_SIZE} bytes)"
            )


def check_ranges(count: int) -> None:
    """Raise `FunctionProblem` if a transaction has read too many index ranges."""
    _check("reads", count, MAX_RANGES_READ, advice=_ADVICE)


def warnings(metrics: Mapping[str, tuple[int, int]]) -> list[str]:
    """Log lines about the limits that a transaction came near to.

    Args:
        metrics: what was used of each limit, as `Usage.metrics` tells it.
    """
    return [
        texts.NEAR_LIMIT.format(what=what, used=used, limit=limit, unit=unit, advice=advice)
        for name, what, unit, advice in _WARNINGS
        for used, limit in [metrics[name]]
        if int(WARNING_RATIO * limit) < used <= limit
    ]


def _check(what: str, count: int, limit: int, shown: str = "", *, advice: str = "") -> None:
    if count > limit:
        text = f"Too many {what} in a single function execution (limit: {shown or limit})"
        raise FunctionProblem(f"{text}. {advice}" if advice else text)


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.2f}".rstrip("0").rstrip(".") + " MiB"
