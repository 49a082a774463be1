"""`ctx.db`: the tables of users and of the system, told apart."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from convex_async.codec import encode_arguments
from convex_async.local import Functions, define_schema, define_table, v
from convex_async.local.engine.engine import Engine
from convex_async.local.store.documents import STORAGE
from convex_async.local.store.ids import make_id
from convex_async.local.transactions.outcome import QueryRun
from tests.local.calls import mutate, read, running

FILE = {"name": "5b0a1c4e-0000-4000-8000-000000000000", "sha256": "abc=", "size": 3.0}


def backend() -> Functions:
    notes = define_table({"text": v.string()}).index("by_text", ["text"])
    functions = Functions(define_schema({"notes": notes, "others": define_table({})}))

    @functions.mutation("db:fill")
    async def fill(ctx: Any) -> list[str]:
        return [await ctx.db.insert("notes", {"text": text}) for text in "abcd"]

    @functions.query("db:get")
    async def get(ctx: Any, args: list[Any], system: bool) -> Any:
        return await (ctx.db.system if system else ctx.db).get(*args)

    @functions.query("db:list")
    async def listed(ctx: Any, table: str, system: bool) -> Any:
        return await (ctx.db.system if system else ctx.db).query(table).collect()

    @functions.query("db:normalize")
    async def normalize(ctx: Any, table: str, text: str) -> Any:
        return ctx.db.normalize_id(table, text)

    @functions.mutation("db:change")
    async def change(ctx: Any, how: str, id: str) -> None:
        match how:
            case "patch":
                await ctx.db.patch(id, {"size": 1.0})
            case "replace":
                await ctx.db.replace(id, {})
            case _:
                await ctx.db.delete(id)

    @functions.query("db:until")
    async def up_to(ctx: Any, last: str) -> list[str]:
        found = []
        async for note in ctx.db.query("notes").with_index("by_text"):
            found.append(note["text"])
            if note["text"] == last:
                break
        return found

    return functions


@pytest.fixture(params=[False, True], ids=["memory", "file"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    path = tmp_path / "data.sqlite3" if request.param else None
    async with running(backend(), path) as engine:
        yield engine


async def stored(engine: Engine, **more: Any) -> str:
    about = {**FILE, "contentType": None, **more}
    return await engine.transact(lambda t: t.insert_system(STORAGE, about))


async def test_a_document_is_got_by_id_or_by_table_and_id(engine: Engine) -> None:
    ids = await mutate(engine, "db:fill")
    note = await read(engine, "db:get", args=[ids[0]], system=False)
    assert note["text"] == "a"
    assert await read(engine, "db:get", args=["notes", ids[0]], system=False) == note
    gone = make_id(engine.store.number_of("notes"), random.Random(1))
    assert await read(engine, "db:get", args=["notes", gone], system=False) is None
    # Of a table that there is not.
    assert (
        await read(engine, "db:get", args=[make_id(10_099, random.Random(1))], system=False) is None
    )


async def test_what_a_document_is_not_got_by(engine: Engine) -> None:
    ids = await mutate(engine, "db:fill")
    file = await stored(engine)
    for args, system, told in [
        (
            ["others", ids[0]],
            False,
            'for `db.get`: expected to be an Id<"others">, got Id<"notes">',
        ),
        (["short"], False, "Invalid argument `id` for `db.get`: Unable to decode ID: Invalid ID l"),
        ([file], False, "System tables can only be accessed with db.system."),
        ([ids[0]], True, "User tables cannot be accessed with db.system."),
    ]:
        with pytest.raises(AssertionError) as caught:
            await read(engine, "db:get", args=args, system=system)
        assert told in str(caught.value)


async def test_files_are_seen_by_db_system_without_what_is_the_systems_own(engine: Engine) -> None:
    plain, typed = await stored(engine), await stored(engine, contentType="image/x")
    first, second = await read(engine, "db:list", table=STORAGE, system=True)
    assert first.keys() == {"_id", "_creationTime", "sha256", "size"}
    assert (first["_id"], first["size"]) == (plain, 3.0)
    assert (second["_id"], second["contentType"]) == (typed, "image/x")
    assert await read(engine, "db:get", args=[STORAGE, plain], system=True) == first


@pytest.mark.parametrize("table", ["_storage", "_scheduled_functions", "_cron_jobs", "_modules"])
async def test_there_is_no_other_way_to_the_systems_tables(engine: Engine, table: str) -> None:
    with pytest.raises(AssertionError, match=r"can only be accessed with db\.system"):
        await read(engine, "db:list", table=table, system=False)
    is_public = table in ("_storage", "_scheduled_functions")
    if not is_public:
        with pytest.raises(AssertionError, match="There is no system table"):
            await read(engine, "db:list", table=table, system=True)
    with pytest.raises(AssertionError, match="User tables cannot be accessed"):
        await read(engine, "db:list", table="notes", system=True)


@pytest.mark.parametrize("how", ["patch", "replace", "delete"])
async def test_functions_change_no_document_of_the_system(engine: Engine, how: str) -> None:
    file = await stored(engine)
    with pytest.raises(AssertionError, match=r"can only be accessed with db\.system"):
        await mutate(engine, "db:change", how=how, id=file)
    verb = {"patch": "Update", "replace": "Replace", "delete": "Delete"}[how]
    gone = make_id(engine.store.number_of("notes"), random.Random(1))
    with pytest.raises(AssertionError, match=f"{verb} on nonexistent document ID {gone}"):
        await mutate(engine, "db:change", how=how, id=gone)


async def test_an_id_is_told_from_other_texts(engine: Engine) -> None:
    (first, *_) = await mutate(engine, "db:fill")
    assert await read(engine, "db:normalize", table="notes", text=first) == first
    for table, text in [("others", first), ("notes", "a"), ("never", first)]:
        assert await read(engine, "db:normalize", table=table, text=text) is None


async def test_async_for_reads_only_as_far_as_it_goes(engine: Engine) -> None:
    await mutate(engine, "db:fill")
    assert await read(engine, "db:until", last="none") == ["a", "b", "c", "d"]

    async def run(last: str) -> QueryRun:
        return await engine.query("db:until", encode_arguments({"last": last}), identity=None)

    told: list[str] = []

    def note(last: str, _ts: int) -> None:
        told.append(last)

    for last in ("b", "none"):
        done = await run(last)
        engine.watch(done.read_set, done.ts, partial(note, last))
    await engine.transact(lambda t: t.insert("notes", {"text": "c2"}))
    assert told == ["none"]
    await engine.transact(lambda t: t.insert("notes", {"text": "a2"}))
    assert told == ["none", "b"]
