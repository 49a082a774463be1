"""What swaps leave in the store, and what is taken over from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from convex_async.local import Functions, define_schema, define_table, v
from convex_async.local.engine.loading import load, note_swap
from convex_async.local.store.durable import Durable
from convex_async.local.store.store import Store
from convex_async.local.transactions.readset import MODULES
from tests.local.calls import running


async def test_every_swap_is_a_commit_and_leaves_one_document(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    for _ in range(2):
        async with running(Functions(), path) as engine:
            before = engine.latest_ts
            await engine.transact(note_swap)
            assert engine.latest_ts > before
            assert [d.table for d in engine.store.documents()] == [MODULES]


async def test_what_an_earlier_process_wrote_is_taken_over_if_the_schema_has_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "data.sqlite3"
    async with running(Functions(), path) as engine:
        made = await engine.transact(lambda t: t.insert("notes", {"n": 1}))
    durable = Durable(path)
    store = Store(define_schema({}), first_ts=durable.latest_ts() + 1)
    load(store, durable, durable.latest_ts())
    assert [document.document_id for document in store.documents()] == [made]
    assert store.table_of_id(made) == "notes"
    strict = Store(define_schema({"notes": define_table({"n": v.string()})}), first_ts=1)
    with pytest.raises(ValueError, match=f'ID "{made}" in table "notes" does not match'):
        load(strict, durable, 1)
    durable.close()
