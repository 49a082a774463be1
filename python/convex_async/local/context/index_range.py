"""The range of an index that a query reads."""

from __future__ import annotations

from typing import Any, Self

from convex_async.local.problems import FunctionProblem
from convex_async.local.store.index_key import index_key, successor


class IndexRange:
    """Builds a range of an index: equalities on its first fields, then bounds on the next."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        self._fields = (*fields, "_creationTime")
        self._equal: list[Any] = []
        self._lower: tuple[Any, bool] | None = None
        self._upper: tuple[Any, bool] | None = None

    def eq(self, field: str, value: Any) -> Self:
        """The field, the next of the index, equals the value."""
        if self._lower or self._upper:
            raise FunctionProblem(f"eq({field!r}) can't follow a bound in an index range")
        self._check_field(field)
        self._equal.append(value)
        return self

    def gt(self, field: str, value: Any) -> Self:
        """The field is greater than the value."""
        return self._bound_below(field, value, inclusive=False)

    def gte(self, field: str, value: Any) -> Self:
        """The field is greater than the value, or equal."""
        return self._bound_below(field, value, inclusive=True)

    def lt(self, field: str, value: Any) -> Self:
        """The field is less than the value."""
        return self._bound_above(field, value, inclusive=False)

    def lte(self, field: str, value: Any) -> Self:
        """The field is less than the value, or equal."""
        return self._bound_above(field, value, inclusive=True)

    def _bound_below(self, field: str, value: Any, *, inclusive: bool) -> Self:
        self._check_field(field)
        if self._lower is not None:
            raise FunctionProblem(f"the lower bound of {field!r} is set already")
        self._lower = (value, inclusive)
        return self

    def _bound_above(self, field: str, value: Any, *, inclusive: bool) -> Self:
        self._check_field(field)
        if self._upper is not None:
            raise FunctionProblem(f"the upper bound of {field!r} is set already")
        self._upper = (value, inclusive)
        return self

    def _check_field(self, field: str) -> None:
        place = len(self._equal)
        if place >= len(self._fields) or field != self._fields[place]:
            due = self._fields[place] if place < len(self._fields) else "none"
            raise FunctionProblem(
                f"an index range takes the fields of the index in order: {due!r} is due, "
                f"not {field!r}"
            )

    def keys(self) -> tuple[bytes, bytes | None]:
        """The first key, and the one to stop before; None for no end."""
        low = index_key(self._equal)
        high = successor(low)
        if self._lower is not None:
            value, inclusive = self._lower
            bound = index_key([*self._equal, value])
            low = bound if inclusive else successor(bound) or bound
        if self._upper is not None:
            value, inclusive = self._upper
            bound = index_key([*self._equal, value])
            high = successor(bound) if inclusive else bound
        return low, high
