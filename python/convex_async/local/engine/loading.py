"""What the store is given at the start, and noted there at each swap of a runtime."""

from __future__ import annotations

from convex_async.local.store.durable import Durable
from convex_async.local.store.store import Store
from convex_async.local.transactions.readset import MODULES
from convex_async.local.transactions.transaction import Transaction


def load(store: Store, durable: Durable, ts: int) -> None:
    """Take over all that an earlier process wrote, as of `ts`.

    Raises:
        ValueError: the schema refuses a document of it.
    """
    store.table_numbers.update(durable.table_numbers())
    for document in durable.documents():
        store.load(document, ts)
    store.use_schema(store.schema)


def note_swap(transaction: Transaction) -> None:
    """Write what every run has read, so that all run again."""
    before = transaction.store.first(MODULES, lambda _: True)
    if before is None:
        transaction.insert_system(MODULES, {"pushedTime": transaction.now})
    else:
        transaction.patch_system(before.document_id, {"pushedTime": transaction.now})
