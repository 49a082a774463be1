"""`ctx.db`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

from convex_async.codec.values import decode
from convex_async.local import texts
from convex_async.local.context.cursors import Pages
from convex_async.local.context.jobs import SCHEDULED
from convex_async.local.context.query import Query
from convex_async.local.problems import FunctionProblem
from convex_async.local.store.documents import STORAGE, Document
from convex_async.local.store.ids import table_number
from convex_async.local.transactions.transaction import Transaction, check_access

# The system's tables that functions may read.
PUBLIC_SYSTEM_TABLES = (STORAGE, SCHEDULED)


class Reader:
    """What `ctx.db` and `ctx.db.system` have in common.

    Args:
        is_system: whether it reads the system's tables, and these alone.
    """

    def __init__(self, transaction: Transaction, pages: Pages, *, is_system: bool) -> None:
        self._transaction = transaction
        self._pages = pages
        self._is_system = is_system

    @overload
    async def get(self, document_id: str, /) -> dict[str, Any] | None: ...
    @overload
    async def get(self, table: str, document_id: str, /) -> dict[str, Any] | None: ...
    async def get(self, first: str, second: str | None = None, /) -> dict[str, Any] | None:
        """The document of this id, or None: `get(id)` or `get(table, id)`."""
        table, document_id = (None, first) if second is None else (first, second)
        found = find_document(
            self._transaction, document_id, method="db.get", table=table, is_system=self._is_system
        )
        return None if found is None else decode(found.public_wire)

    def query(self, table: str) -> Query:
        """The documents of a table, by creation time unless told otherwise."""
        check_access(table, is_system=self._is_system)
        if self._is_system and table not in PUBLIC_SYSTEM_TABLES:
            raise FunctionProblem(f"There is no system table {table!r} to read")
        return Query(self._transaction, self._pages, table)

    def normalize_id(self, table: str, text: str) -> str | None:
        """The id that a text is, if it is one of this table; also of no document."""
        check_access(table, is_system=self._is_system)
        return text if self._transaction.store.is_id(text, table) else None


class DatabaseReader(Reader):
    """`ctx.db` of a query.

    Attributes:
        system: the system's tables `_storage` and `_scheduled_functions`.
    """

    def __init__(self, transaction: Transaction, pages: Pages) -> None:
        super().__init__(transaction, pages, is_system=False)
        self.system: Reader = Reader(transaction, pages, is_system=True)


class DatabaseWriter(DatabaseReader):
    """`ctx.db` of a mutation."""

    async def insert(self, table: str, fields: Mapping[str, Any]) -> str:
        """Add a document; returns its id."""
        return self._transaction.insert(table, fields)

    async def patch(self, document_id: str, changes: Mapping[str, Any]) -> None:
        """Change some fields; one set to `UNDEFINED` is taken away."""
        self._transaction.patch(document_id, changes)

    async def replace(self, document_id: str, fields: Mapping[str, Any]) -> None:
        """Put other fields in place of all."""
        self._transaction.replace(document_id, fields)

    async def delete(self, document_id: str) -> None:
        """Remove the document."""
        self._transaction.delete(document_id)


def find_document(
    transaction: Transaction,
    document_id: object,
    *,
    method: str,
    table: str | None = None,
    is_system: bool = False,
) -> Document | None:
    """The document of an id, read and noted as read; `public_wire` is what functions see.

    Args:
        method: such as `db.get`, for the text of what is wrong.
        table: the one that the id is to be of, if that was said.

    Raises:
        FunctionProblem: it is no id, of another table, or of one that this is no way to.

    Source: convex-backend crates/isolate/src/environment/udf/async_syscall.rs, query_batch.
    """
    number = table_number(document_id)
    actual = None if number is None else transaction.store.table_of(number)
    if actual is not None:
        if table is not None and table != actual:
            raise FunctionProblem(texts.OTHER_ID.format(method=method, table=table, found=actual))
        check_access(actual, is_system=is_system)
        if is_system and actual not in PUBLIC_SYSTEM_TABLES:
            return None
    return transaction.find(document_id, method)
