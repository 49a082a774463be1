"""`ctx.db`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convex_async.local.context.cursors import Pages
from convex_async.local.context.query import Query
from convex_async.local.transactions.transaction import Transaction


class DatabaseReader:
    """`ctx.db` of a query."""

    def __init__(self, transaction: Transaction, pages: Pages) -> None:
        self._transaction = transaction
        self._pages = pages

    async def get(self, document_id: str) -> dict[str, Any] | None:
        """The document of this id, or None."""
        return self._transaction.get(document_id)

    def query(self, table: str) -> Query:
        """The documents of a table, by creation time unless told otherwise."""
        return Query(self._transaction, self._pages, table)


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
