"""Typed calls: a function and its arguments, inert until a client is given them.

`convex-async codegen` writes the functions that make them: `api.tasks.create(text="Milk")` is a
`MutationCall`, which `await client.mutation(call)` runs. All verbs of all clients take calls as
they take paths.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, ClassVar, Final, Generic, Literal, TypeAlias, TypeVar, cast, final

from convex_async.function_path import FunctionPath, canonical_path
from convex_async.values import ConvexInt64

T = TypeVar("T")

Verb: TypeAlias = Literal["query", "mutation", "action", "page"]

Int64s: TypeAlias = "bool | Mapping[str | None, Int64s] | Sequence[Int64s]"
"""Where a value holds int64: True for one; by field, None standing for each field; `[items]`."""


class Omitted(Enum):
    """The type of `OMITTED`."""

    OMITTED = "OMITTED"


OMITTED: Final = Omitted.OMITTED
"""The default of an optional argument, which is then left out."""


class Call(Generic[T]):
    """A function, its arguments and the type of what it gives; made by one of the classes below.

    Attributes:
        path: of the function.
        args: what it is called with, by the names that travel; to be left as it is.
        type: what the value is to be, as a client's `type=`; None for a value as it comes.
    """

    __slots__ = ("args", "path", "type")
    verb: ClassVar[Verb]

    def __init__(
        self,
        path: str,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        int64: Int64s | None = None,
    ) -> None:
        """Make a call.

        Args:
            args: those that are `OMITTED` are left out.
            int64: where in them a plain `int` is to travel as an int64.
        """
        given = {name: v for name, v in (args or {}).items() if v is not OMITTED}
        self.path: FunctionPath = canonical_path(path)
        self.args: dict[str, Any] = _with_int64(given, int64) if int64 else given
        self.type: Any = type

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.path!r}, {self.args!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Call):
            return NotImplemented
        return self.__class__ is other.__class__ and (self.path, self.args) == (
            other.path,
            other.args,
        )

    __hash__ = None  # type: ignore[assignment]  # its arguments may be changed


@final
class QueryCall(Call[T]):
    """For `client.query` and `client.subscribe`."""

    __slots__ = ()
    verb: ClassVar[Verb] = "query"


@final
class MutationCall(Call[T]):
    """For `client.mutation`."""

    __slots__ = ()
    verb: ClassVar[Verb] = "mutation"


@final
class ActionCall(Call[T]):
    """For `client.action`."""

    __slots__ = ()
    verb: ClassVar[Verb] = "action"


@final
class PageCall(Call[T]):
    """For `client.paginate`: a query that takes `paginationOpts`. `T` is of one document."""

    __slots__ = ()
    verb: ClassVar[Verb] = "page"


_TAKERS: Mapping[Verb, str] = {
    "query": "client.query or client.subscribe",
    "mutation": "client.mutation",
    "action": "client.action",
    "page": "client.paginate",
}


def check_call(call: Call[Any], verb: Verb, args: object) -> None:
    """Raise `TypeError` unless a call is for the verb, and comes without further arguments."""
    if call.verb != verb:
        raise TypeError(
            f"{call.path} is a {'query in pages' if call.verb == 'page' else call.verb}: "
            f"give its call to {_TAKERS[call.verb]}"
        )
    if args is not None:
        raise TypeError(f"the call of {call.path} has its arguments: give none beside it")


def _with_int64(value: Any, where: Int64s) -> Any:
    """A copy of the value in which the ints that are meant travel as int64."""
    if where is True:
        return _int64(value)
    if isinstance(where, Mapping):
        fields = _fields_of(value)
        if fields is None:
            return value
        each = where.get(None)
        wanted = {name: where.get(name, each) for name in fields}
        return {name: _with_int64(v, wanted[name] or False) for name, v in fields.items()}
    if isinstance(where, Sequence) and isinstance(value, (list, tuple)):
        return [_with_int64(item, where[0]) for item in cast("list[Any]", value)]
    return value


def _int64(value: Any) -> Any:
    is_int = isinstance(value, int) and not isinstance(value, bool)
    return ConvexInt64(operator.index(value)) if is_int else value


def _fields_of(value: Any) -> dict[str, Any] | None:
    """The fields of a mapping, Struct or model by the names that travel; None for others."""
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    written = getattr(type(value), "__struct_encode_fields__", None)
    if written is not None:
        from msgspec import UNSET

        pairs = zip(written, type(value).__struct_fields__, strict=True)
        fields = {name: getattr(value, attribute) for name, attribute in pairs}
        return {name: field for name, field in fields.items() if field is not UNSET}
    if hasattr(type(value), "__pydantic_validator__"):
        dumped: dict[str, Any] = value.model_dump(by_alias=True)
        return dumped
    return None
