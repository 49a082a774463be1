"""The range of an index that a query reads."""

from __future__ import annotations

from typing import Any, Self

from convex_async.codec.values import decode, encode
from convex_async.local import texts
from convex_async.local.definitions.display import shown as display
from convex_async.local.problems import FunctionProblem
from convex_async.local.store.index_key import UNDEFINED, Undefined, index_key, successor


class IndexRange:
    """Builds a range of an index: equalities on its first fields, then bounds on the next.

    The calls may come in any order, and are looked at together by `keys`. Creation time and id are
    the last fields of every index. Values are those that arguments and documents can have, or
    `UNDEFINED`.

    Args:
        fields: of the index, as the schema has them.
        name: `table.index`, for the text of what is wrong.

    Source: convex-backend crates/common/src/query.rs, IndexRange::compile.
    """

    def __init__(self, fields: tuple[str, ...], name: str = "") -> None:
        self._name = name
        self._declared = fields
        self._fields = tuple(dict.fromkeys((*fields, "_creationTime", "_id")))
        if fields == ("_id",):
            self._fields = fields
        self._equal: dict[str, Any] = {}
        self._bounded: str | None = None
        self._lower: tuple[Any, bool] | None = None
        self._upper: tuple[Any, bool] | None = None

    def eq(self, field: str, value: Any) -> Self:
        """The field equals the value."""
        if field in self._equal:
            raise _defined("equality", field, "==", self._equal[field])
        self._equal[field] = _coerced(field, value)
        return self

    def gt(self, field: str, value: Any) -> Self:
        """The field is greater than the value."""
        return self._bound_below(field, value, ">", inclusive=False)

    def gte(self, field: str, value: Any) -> Self:
        """The field is greater than the value, or equal."""
        return self._bound_below(field, value, ">=", inclusive=True)

    def lt(self, field: str, value: Any) -> Self:
        """The field is less than the value."""
        return self._bound_above(field, value, "<", inclusive=False)

    def lte(self, field: str, value: Any) -> Self:
        """The field is less than the value, or equal."""
        return self._bound_above(field, value, "<=", inclusive=True)

    def _bound_below(self, field: str, value: Any, sign: str, *, inclusive: bool) -> Self:
        self._bound(field)
        if self._lower is not None:
            raise _defined("lower", field, sign, self._lower[0])
        self._lower = (_coerced(field, value), inclusive)
        return self

    def _bound_above(self, field: str, value: Any, sign: str, *, inclusive: bool) -> Self:
        self._bound(field)
        if self._upper is not None:
            raise _defined("upper", field, sign, self._upper[0])
        self._upper = (_coerced(field, value), inclusive)
        return self

    def _bound(self, field: str) -> None:
        if self._bounded not in (None, field):
            raise FunctionProblem(
                texts.BOUNDS_ON_TWO.format(index=self._name, first=self._bounded, second=field)
            )
        self._bounded = field

    def keys(self) -> tuple[bytes, bytes | None]:
        """The first key, and the one to stop before; None for no end.

        Raises:
            FunctionProblem: the fields are not the first ones of the index, each once.
        """
        used = self._used_fields()
        equal = [self._equal[field] for field in used if field in self._equal]
        low = index_key(equal)
        high = successor(low)
        if self._lower is not None:
            value, inclusive = self._lower
            bound = index_key([*equal, value])
            low = bound if inclusive else successor(bound) or bound
        if self._upper is not None:
            value, inclusive = self._upper
            bound = index_key([*equal, value])
            high = successor(bound) if inclusive else bound
        return low, high

    def _used_fields(self) -> list[str]:
        bounded = [] if self._bounded is None else [self._bounded]
        fields = ", ".join(self._fields)
        for field in (*self._equal, *bounded):
            if field not in self._fields:
                raise FunctionProblem(
                    texts.NOT_IN_INDEX.format(field=field, index=self._name, fields=f"[{fields}]")
                )
        used = sorted(self._equal, key=self._fields.index) + bounded
        for field, due in zip(used, (*self._fields, None), strict=False):
            if field != due:
                raise FunctionProblem(
                    texts.NOT_IN_ORDER.format(
                        index=self._name,
                        fields=f"[{fields}]",
                        used=f"[{', '.join(used)}]",
                        field=field,
                    )
                )
        return used


def _coerced(field: str, value: Any) -> Any:
    """The value as a document would have it."""
    return value if isinstance(value, Undefined) else decode(encode(value, root=field))


def _defined(kind: str, field: str, sign: str, value: Any) -> FunctionProblem:
    shown = "undefined" if value is UNDEFINED else display(value)
    return FunctionProblem(
        texts.DEFINED_TWICE.format(kind=kind, field=field, sign=sign, value=shown)
    )
