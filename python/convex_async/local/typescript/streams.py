"""The queries of a run: read ahead in batches, of which only what was consumed counts as read.

Source: convex-backend crates/common/src/json/query.rs for the JSON of a query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from convex_async.local.context.index_range import IndexRange
from convex_async.local.context.query import Query
from convex_async.local.definitions.schema import BY_CREATION_TIME
from convex_async.local.problems import FunctionProblem
from convex_async.local.transactions.transaction import Transaction
from convex_async.local.typescript.declared import in_component
from convex_async.local.typescript.expressions import (
    Evaluate,
    as_boolean,
    compile_expression,
    value_of,
)

# Documents of the first batch of a query, and of a later one at most; bytes that end a batch.
FIRST_BATCH = 32
LARGEST_BATCH = 512
BATCH_BYTES = 2**18
# Operators of a query. Source: convex-backend crates/common/src/query.rs.
MAX_OPERATORS = 256


@dataclass(frozen=True, slots=True)
class Plan:
    """Which documents a query reads, and what it does with them.

    Attributes:
        operators: filters, and limits as numbers, in the order in which they apply.
    """

    table: str
    index: str
    low: bytes
    high: bytes | None
    order: Literal["asc", "desc"]
    operators: tuple[Evaluate | int, ...]

    @classmethod
    def of(cls, json: Mapping[str, Any], transaction: Transaction, prefix: str = "") -> Plan:
        """The plan of a query as JSON; `prefix` is of the names of the tables.

        Raises:
            FunctionProblem: an index or a range is none that the table has.
        """
        source = json["source"]
        low, high = b"", None
        match source["type"]:
            case "FullTableScan":
                table, index = in_component(prefix, source["tableName"]), BY_CREATION_TIME
            case "IndexRange":
                table, _, index = source["indexName"].partition(".")
                table = in_component(prefix, table)
                low, high = _range(transaction, table, index, source["range"])
            case kind:
                raise FunctionProblem(f"There are no queries of type {kind!r} here")
        operators = json["operators"]
        if len(operators) > MAX_OPERATORS:
            raise FunctionProblem(
                f"Query has too many operators: {len(operators)} > {MAX_OPERATORS}"
            )
        return cls(
            table, index, low, high, source.get("order") or "asc", tuple(map(_operator, operators))
        )

    def page(self, transaction: Transaction, pages: Any) -> Query:
        """The same as a query that can be paginated."""
        filters: list[Callable[[dict[str, Any]], bool]] = []
        for operator in self.operators:
            if isinstance(operator, int):
                raise FunctionProblem("A query with a limit can't be paginated")
            filters.append(_predicate(operator))
        return Query(
            transaction,
            pages,
            self.table,
            index=self.index,
            keys=(self.low, self.high),
            order=self.order,
            filters=tuple(filters),
        )


def _predicate(evaluate: Evaluate) -> Callable[[dict[str, Any]], bool]:
    return lambda fields: as_boolean(evaluate(fields))


def _operator(json: Mapping[str, Any]) -> Evaluate | int:
    if "limit" in json:
        return int(json["limit"])
    return compile_expression(json["filter"])


def _range(
    transaction: Transaction, table: str, index: str, json: list[Mapping[str, Any]]
) -> tuple[bytes, bytes | None]:
    check_staged(transaction, table, index)
    indexes = transaction.store.schema.indexes(table)
    if index not in indexes:
        raise FunctionProblem(f"Index {table}.{index} not found.")
    found = IndexRange(indexes[index], f"{table}.{index}")
    for part in json:
        add = getattr(found, part["type"].lower())
        add(part["fieldPath"], value_of(part["value"]))
    return found.keys()


def check_staged(transaction: Transaction, table: str, index: str) -> None:
    """Raise `FunctionProblem` if an index is there, and can't be queried yet."""
    declared = transaction.store.schema.tables.get(table)
    if declared is not None and index in declared.staged:
        raise FunctionProblem(
            f"Index {table}.{index} is currently staged and not available to query until it is "
            "enabled"
        )


class Stream:
    """One query of a run, which is read in batches.

    Each batch reads the transaction as it is then: what was written after the batch before is in
    it. The worker tells when it writes, and how much of the batch it had consumed.
    """

    def __init__(self, transaction: Transaction, wire: bytes, prefix: str = "") -> None:
        self._transaction = transaction
        self._prefix = prefix
        self._json = wire
        self._plan: Plan | None = None
        self._counts: list[int] = []
        self._last: bytes | None = None
        # Of the batch that is out: where the scan was after each document, and the counts then.
        self._places: list[tuple[bytes, list[int]]] = []
        self._before: tuple[bytes | None, list[int]] = None, []
        self._size = FIRST_BATCH
        self._is_done = False
        self._is_noted = False

    def next_batch(self) -> bytes:
        """The documents that follow, a line each; an empty line is the end."""
        if self._plan is None:
            self._plan = Plan.of(msgspec.json.decode(self._json), self._transaction, self._prefix)
            self._counts = [0] * len(self._plan.operators)
        plan = self._plan
        self._before = self._last, list(self._counts)
        self._places = []
        lines: list[bytes] = []
        size = 0
        ended = self._is_done
        if not ended:
            for key, fields, wire in self._scan(plan):
                verdict = self._passes(plan, fields)
                if verdict is None:
                    ended = True
                    break
                self._last = key
                if verdict:
                    lines.append(wire)
                    size += len(wire)
                    self._places.append((key, list(self._counts)))
                    if self._is_full(plan):
                        ended = True
                        break
                    if len(lines) >= self._size or size >= BATCH_BYTES:
                        break
            else:
                ended = True
                self._last = None
        if ended:
            self._is_done = True
            lines.append(b"")
        self._size = min(self._size * 4, LARGEST_BATCH)
        return b"\n".join(lines)

    def _scan(self, plan: Plan) -> Iterator[tuple[bytes, dict[str, Any], bytes]]:
        low, high = plan.low, plan.high
        if self._is_full(plan):
            return
        if self._last is not None:
            if plan.order == "asc":
                low = self._last + b"\x00"
            else:
                high = self._last
        for key, document in self._transaction.scan(
            plan.table, plan.index, low, high, descending=plan.order == "desc"
        ):
            yield key, document.fields, document.public_wire

    def _passes(self, plan: Plan, fields: dict[str, Any]) -> bool | None:
        """Whether a document is in the result; None if the result ends before it."""
        for place, operator in enumerate(plan.operators):
            if isinstance(operator, int):
                if self._counts[place] >= operator:
                    return None
                self._counts[place] += 1
            elif not as_boolean(operator(fields)):
                return False
        return True

    def _is_full(self, plan: Plan) -> bool:
        return any(
            isinstance(operator, int) and count >= operator
            for operator, count in zip(plan.operators, self._counts, strict=True)
        )

    def rewind(self, consumed: int) -> None:
        """Forget what was read ahead: of the batch that is out, so many were consumed."""
        last, counts = self._places[consumed - 1] if consumed else self._before
        self._last, self._counts = last, list(counts)
        self._is_done = False
        self._places = self._places[:consumed]

    def close(self, consumed: int | None = None) -> None:
        """Note what was read: all, or so many of the batch that is out. Idempotent."""
        plan = self._plan
        if plan is None or self._is_noted:
            return
        self._is_noted = True
        if consumed is not None and consumed <= len(self._places):
            self.rewind(consumed)
            if self._last is None:
                return
        low, high = plan.low, plan.high
        if self._last is not None:
            if plan.order == "asc":
                high = self._last + b"\x00"
            else:
                low = self._last
        elif self._is_full(plan):
            return  # a limit of none
        self._transaction.read_set.add(plan.table, plan.index, low, high)
