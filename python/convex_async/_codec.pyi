"""The Rust extension; `convex_async.codec` is its only importer, and documents it."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self, TypeVar, final, overload

_T = TypeVar("_T")
_Version = tuple[int, int, int]

class _DecodeAs(Protocol):
    def __call__(self, data: bytes, type: Any, root: str, /) -> Any: ...

build_profile: str

@overload
def decode(data: bytes, *, type: type[_T], root: str = "value", ints: bool = False) -> _T: ...
@overload
def decode(data: bytes, *, type: Any = None, root: str = "value", ints: bool = False) -> Any: ...
def encode(
    value: object,
    *,
    root: str = "value",
    max_depth: int = 64,
    enc_hook: Callable[[Any], Any] | None = None,
    omit_none: bool = False,
) -> bytes: ...
def changed_fields(previous: bytes, current: bytes) -> tuple[dict[str, Any], list[str]]: ...
def same(one: bytes, other: bytes) -> bool: ...
def measure(
    data: bytes, /, *, max_items: int, max_fields: int
) -> tuple[int, tuple[str, int] | None]: ...
def to_plain_json(data: bytes, root: str = "value") -> bytes: ...
def read_transition(
    frame: bytes, make: Callable[[bytes, tuple[str, ...]], _T], /
) -> tuple[_Version, _Version, tuple[tuple[int, _T, str | None], ...]] | None: ...
def fast_ways(wanted: Sequence[str] | None = None, /) -> list[str]: ...
def register(
    *,
    unsupported_type: type[Exception],
    invalid_value: type[Exception],
    int64: type[int],
    set: type,
    map: type,
    decode_as: _DecodeAs,
) -> None: ...

_Documents = list[dict[str, Any]]

@final
class Differ:
    def __new__(cls, key: str, at: list[str]) -> Self: ...
    def start(self, text: bytes) -> None: ...
    def next(
        self, text: bytes
    ) -> tuple[_Documents, _Documents, dict[Any, dict[str, Any]], list[Any]]: ...
