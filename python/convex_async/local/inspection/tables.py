"""`deployment.tables`: the documents as they are now, for a test to look at and to set."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, overload

from convex_async.codec.values import decode
from convex_async.local.definitions.schema import BY_CREATION_TIME
from convex_async.local.engine.engine import Engine
from convex_async.local.problems import FunctionProblem
from convex_async.local.store.documents import Document
from convex_async.local.transactions.transaction import Transaction

T = TypeVar("T")


class Table(Sequence[dict[str, Any]]):
    """The documents of a table in the order of their making, each read when it is asked for.

    It compares like a list. What it gives are copies: to change documents, assign all of them,
    or call a function.
    """

    def __init__(self, engine: Engine, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = engine
        self._name = name
        self._loop = loop

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        found = self._documents()[index]
        if isinstance(found, list):
            return [decode(document.wire) for document in found]
        document: dict[str, Any] = decode(found.wire)
        return document

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (decode(document.wire) for document in self._documents())

    def __len__(self) -> int:
        return len(self._documents())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Table):
            return self is other or list(self) == list(other)
        return list(self) == other

    __hash__ = None  # type: ignore[assignment]  # it compares like a list

    def __repr__(self) -> str:
        return f"<table {self._name!r}: {list(self)!r}>"

    def insert(self, fields: Mapping[str, Any]) -> str:
        """Add a document, which the schema has to allow; its id.

        Raises:
            ValueError: the document may not stand there.
            RuntimeError: the deployment keeps a file and its loop is running in this thread.
        """
        return transact_now(self._engine, self._loop, lambda t: t.insert(self._name, fields))

    def _documents(self) -> list[Document]:
        def scan() -> list[Document]:
            store = self._engine.store
            found = store.scan(
                self._name, BY_CREATION_TIME, b"", None, store.latest_ts, descending=False
            )
            return [document for _, document in found]

        return in_loop(self._loop, scan)


class Tables:
    """All tables by name; one without documents is empty, whether it is in the schema or not."""

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = engine
        self._loop = loop

    def __getitem__(self, name: str) -> Table:
        return Table(self._engine, name, self._loop)

    def __setitem__(self, name: str, documents: Iterable[Mapping[str, Any]]) -> None:
        """Put other documents in place of all in a table, as one transaction.

        Documents whose `_id` is one of the table's stay these documents.

        Raises:
            ValueError, RuntimeError: as `Table.insert`; nothing is changed.
        """
        new = [dict(document) for document in documents]
        there = {document["_id"] for document in self[name]}

        def assign(transaction: Transaction) -> None:
            kept = {document["_id"] for document in new if document.get("_id") in there}
            for document_id in there - kept:
                transaction.delete(document_id)
            for document in new:
                if document.get("_id") in kept:
                    transaction.replace(document["_id"], document)
                else:
                    own = {n: value for n, value in document.items() if n not in SYSTEM_FIELDS}
                    transaction.insert(name, own)

        transact_now(self._engine, self._loop, assign)

    def __iter__(self) -> Iterator[str]:
        """The names of the tables that have documents, the system's own left out."""
        names = in_loop(self._loop, lambda: {d.table for d in self._engine.store.documents()})
        return iter(sorted(name for name in names if not name.startswith("_")))

    def __repr__(self) -> str:
        return f"<tables {', '.join(self)}>"


SYSTEM_FIELDS = ("_id", "_creationTime")


def in_loop(loop: asyncio.AbstractEventLoop, work: Callable[[], T]) -> T:
    """The result of `work`, run in the deployment's loop, whatever thread this is."""
    if _is_here(loop):
        return work()

    async def run() -> T:
        return work()

    return asyncio.run_coroutine_threadsafe(run(), loop).result()


def transact_now(
    engine: Engine, loop: asyncio.AbstractEventLoop, work: Callable[[Transaction], T]
) -> T:
    """The result of `work` in a transaction, committed when this returns.

    Raises:
        ValueError: what it does is not allowed.
        RuntimeError: the commit would have to wait for a file, in the loop that writes it.
    """
    try:
        if not _is_here(loop):
            return asyncio.run_coroutine_threadsafe(engine.transact(work), loop).result()
        if engine.is_durable:
            raise RuntimeError(
                "in its own loop the tables of a deployment with a file are written by functions: "
                "use await deployment.run()"
            )
        committing = engine.transact(work)
        committing.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    except FunctionProblem as problem:
        raise ValueError(str(problem)) from None
    raise AssertionError("a commit in memory waits for nothing")


def _is_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
