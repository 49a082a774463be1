"""Schemas: names are checked when they are given, documents when they are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from convex_async.local import Functions, define_schema, define_table, v
from convex_async.local.definitions.schema import Schema, Table
from convex_async.local.definitions.validators import ValidationError
from tests.local.calls import mutate, read, running


def is_id(value: object, table: str) -> bool:
    return value == f"id of {table}"


@pytest.mark.parametrize("name", ["", "_notes", "1note", "my notes", "nötes", "x" * 65, None])
def test_a_name_that_no_table_can_have(name: Any) -> None:
    with pytest.raises(ValueError, match="is not a table name"):
        define_schema({name: define_table({})})


@pytest.mark.parametrize(
    ("name", "fields", "told"),
    [
        ("by_id", ["a"], "can't be the name"),
        ("by_creation_time", ["a"], "can't be the name"),
        ("by_b", ["a"], "can't be the name"),  # there is one
        ("_mine", ["a"], "can't be the name"),
        ("", ["a"], "can't be the name"),
        ("none", [], "at least one field"),
        ("twice", ["a", "a"], "each once"),
        ("time", ["a", "_creationTime"], "can't be over '_creationTime'"),
        ("path", ["a..b"], "can't be over"),
        ("path", ["a."], "can't be over"),
        ("path", ["a b"], "can't be over"),
    ],
)
def test_an_index_that_there_cannot_be(name: str, fields: list[str], told: str) -> None:
    table = define_table({}).index("by_b", ["b"])
    with pytest.raises(ValueError, match=told):
        table.index(name, fields)
    assert Schema({"notes": table}).indexes("notes") == {
        "by_id": ("_id",),
        "by_creation_time": ("_creationTime",),
        "by_b": ("b",),
    }


OBJECT = define_table({"text": v.string(), "user": v.optional(v.id("users"))})
UNION = define_table(
    v.union(
        v.object({"kind": v.literal("a"), "n": v.number()}),
        v.object({"kind": v.literal("b")}),
    )
)
SYSTEM = {"_id": "1", "_creationTime": 1.0}


@pytest.mark.parametrize(
    ("table", "document", "told"),
    [
        (OBJECT, {"text": "a"}, None),
        (OBJECT, {"text": "a", "user": "id of users"}, None),
        (OBJECT, {"text": "a", "user": "id of notes"}, "Path: .user"),
        (OBJECT, {"text": 1.0}, "Path: .text"),
        (OBJECT, {}, "missing the required field `text`"),
        (OBJECT, {"text": "a", "more": 1.0}, "extra field `more`"),
        (UNION, {"kind": "a", "n": 1.0}, None),
        (UNION, {"kind": "b"}, None),
        (UNION, {"kind": "b", "n": 1.0}, "does not match validator"),
        (define_table(v.any()), {"what": ["ever"]}, None),
    ],
)
def test_a_document_of_a_table(table: Table, document: Mapping[str, Any], told: str | None) -> None:
    schema = define_schema({"notes": table})
    if told is None:
        schema.check("notes", {**document, **SYSTEM}, is_id)
    else:
        with pytest.raises(ValidationError) as caught:
            schema.check("notes", {**document, **SYSTEM}, is_id)
        assert "in table 'notes' because it does not match the schema: " in str(caught.value)
        assert told in str(caught.value)


def test_a_schema_concerns_the_tables_that_it_names() -> None:
    tables = {"notes": define_table({})}
    for table in ("others", "_storage", "_cron_jobs"):
        define_schema(tables).check(table, {"a": 1.0}, is_id)
        Schema().check(table, {"a": 1.0}, is_id)
    with pytest.raises(ValidationError, match="extra field `a`"):
        define_schema(tables).check("notes", {"a": 1.0}, is_id)
    define_schema(tables, schema_validation=False).check("notes", {"a": 1.0}, is_id)


async def test_a_write_that_does_not_fit_changes_nothing() -> None:
    functions = Functions(define_schema({"notes": OBJECT}))

    @functions.mutation("notes:write")
    async def write(ctx: Any, how: str) -> None:
        note = await ctx.db.query("notes").first()
        match how:
            case "insert":
                await ctx.db.insert("notes", {"text": "a"})
            case "patch":
                await ctx.db.patch(note["_id"], {"text": 1.0})
            case "replace":
                await ctx.db.replace(note["_id"], {})
            case _:
                await ctx.db.insert("_others", {})

    @functions.query("notes:texts")
    async def texts(ctx: Any) -> Any:
        return [note["text"] for note in await ctx.db.query("notes").collect()]

    async with running(functions) as engine:
        await mutate(engine, "notes:write", how="insert")
        for how, told in (
            ("patch", "Path: .text\nValue: 1.0"),
            ("replace", "missing the required field `text`"),
            ("elsewhere", "System tables can only be accessed with db.system"),
        ):
            with pytest.raises(AssertionError, match=told):
                await mutate(engine, "notes:write", how=how)
        assert await read(engine, "notes:texts") == ["a"]


async def test_an_index_reaches_into_objects() -> None:
    table = define_table(v.any()).index("by_deep", ["a.b.c", "n"])
    functions = Functions(define_schema({"notes": table}))

    @functions.mutation("notes:fill")
    async def fill(ctx: Any) -> None:
        deep: list[Any] = [{"c": None}, {"c": 2.0}, 2.0, None, {"c": 1.0}, {}]
        for n, b in enumerate(deep):
            await ctx.db.insert("notes", {"n": n, "a": {"b": b}})

    @functions.query("notes:from")
    async def found(ctx: Any, least: float) -> Any:
        query = ctx.db.query("notes").with_index("by_deep", lambda q: q.gte("a.b.c", least))
        return [note["n"] for note in await query.collect()]

    @functions.query("notes:all")
    async def everything(ctx: Any) -> Any:
        return [note["n"] for note in await ctx.db.query("notes").with_index("by_deep").collect()]

    async with running(functions) as engine:
        await mutate(engine, "notes:fill")
        assert await read(engine, "notes:from", least=1.0) == [4, 1]
        assert await read(engine, "notes:from", least=1.5) == [1]
        # Where there is no such field it is undefined, which comes before null.
        assert await read(engine, "notes:all") == [2, 3, 5, 0, 4, 1]
