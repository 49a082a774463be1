"""Schemas: names are checked when they are given, documents when they are written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from convex_async.local import Functions, define_schema, define_table, v
from convex_async.local.definitions.schema import Schema, Table
from convex_async.local.definitions.validators import ValidationError, Validator
from tests.local.calls import mutate, read, running


def table_of(text: str) -> str | None:
    return text.removeprefix("id of ") if text.startswith("id of ") else None


@pytest.mark.parametrize("name", ["", "_notes", "1note", "my notes", "nötes", "x" * 65, None])
def test_a_name_that_no_table_can_have(name: Any) -> None:
    with pytest.raises(ValueError, match="Invalid table name: "):
        define_schema({name: define_table({})})


@pytest.mark.parametrize(
    ("name", "fields", "told"),
    [
        ("by_id", ["a"], "because the name is reserved"),
        ("by_creation_time", ["a"], "because the name is reserved"),
        ("by_b", ["a"], "two or more definitions of index"),
        ("_mine", ["a"], "because the name is reserved"),
        ("", ["a"], "Invalid index name: "),
        ("x" * 65, ["a"], "Invalid index name: "),
        ("none", [], "must have at least one field"),
        ("twice", ["a", "a"], "Duplicate field a"),
        ("id", ["a", "_id"], "`_id` is not a valid index field"),
        ("time", ["a", "_creationTime"], "is automatically added to the end"),
        ("own", ["_a"], "Reserved fields"),
        ("path", ["a..b"], "Invalid index field: "),
        ("path", ["a."], "Invalid index field: "),
        ("path", ["a b"], "Invalid index field: "),
        ("many", [f"f{n}" for n in range(17)], "up to 16 fields"),
        ("text", "email", "takes a list of names of fields, not 'email'"),
        ("numbers", [1], "takes a list of names of fields"),
    ],
)
def test_an_index_that_there_cannot_be(name: str, fields: Any, told: str) -> None:
    table = define_table(v.any()).index("by_b", ["b"])
    with pytest.raises((ValueError, TypeError), match=told):
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
        (OBJECT, {"text": "a", "user": "id of notes"}, "from table `notes`"),
        (OBJECT, {"text": "a", "user": "nobody"}, "Path: .user"),
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
        schema.check("notes", {**document, **SYSTEM}, table_of)
    else:
        with pytest.raises(ValidationError) as caught:
            schema.check("notes", {**document, **SYSTEM}, table_of)
        assert told in str(caught.value)


def test_a_schema_concerns_the_tables_that_it_names() -> None:
    tables = {"notes": define_table({})}
    for table in ("others", "_storage", "_cron_jobs"):
        define_schema(tables).check(table, {"a": 1.0}, table_of)
        Schema().check(table, {"a": 1.0}, table_of)
    with pytest.raises(ValidationError, match="extra field `a`"):
        define_schema(tables).check("notes", {"a": 1.0}, table_of)
    define_schema(tables, schema_validation=False).check("notes", {"a": 1.0}, table_of)


DEEP = {
    "a": v.object({"b": v.optional(v.string())}),
    "u": v.union(v.null(), v.object({"c": v.any()})),
    "r": v.record(v.string(), v.string()),
}


@pytest.mark.parametrize("path", ["a", "a.b", "u.c", "u.c.d.e", "r"])
def test_a_field_that_a_document_can_have(path: str) -> None:
    define_schema({"notes": define_table(DEEP).index("by_it", [path])})


@pytest.mark.parametrize("path", ["b", "a.c", "a.b.c", "u.d", "r.x"])
def test_a_field_that_no_document_can_have(path: str) -> None:
    table = define_table(DEEP).index("by_it", [path])
    told = f'In table "notes" the index "by_it" is invalid because it references the field {path} '
    with pytest.raises(ValueError, match=re.escape(told)):
        define_schema({"notes": table})
    define_schema({"notes": table}, schema_validation=False)


def test_indexes_that_there_are_too_many_of() -> None:
    table = define_table(v.any())
    for number in range(64):
        table.index(f"by_{number}", [f"f{number}"])
    define_schema({"notes": table})
    with pytest.raises(ValueError, match="cannot have more than 64 indexes"):
        define_schema({"notes": table.index("by_one_more", ["more"])})
    same = define_table({"a": v.null()}).index("by_a", ["a"]).index("by_it", ["a"])
    with pytest.raises(ValueError, match='index "by_it" and index "by_a" have the same fields'):
        define_schema({"notes": same})


@pytest.mark.parametrize(
    "definition",
    [v.string(), v.array(v.any()), v.union(v.null(), v.object({})), v.record(v.string(), v.any())],
)
def test_a_table_of_what_is_no_document(definition: Validator) -> None:
    with pytest.raises(ValueError, match=r"must be an object, a union of objects, or `v\.any"):
        define_table(definition)


@pytest.mark.parametrize("table", [{"a": v.null()}, v.object({}), None])
def test_a_table_that_define_table_did_not_make(table: Any) -> None:
    with pytest.raises(TypeError, match="is made by define_table"):
        define_schema({"notes": table})


async def test_documents_in_the_file_are_checked_against_a_new_schema(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    functions = Functions(define_schema({"users": define_table({"email": v.string()})}))

    @functions.mutation("users:add")
    async def add(ctx: Any) -> str:
        return str(await ctx.db.insert("users", {"email": "a@b"}))

    async with running(functions, path) as engine:
        made = await mutate(engine, "users:add")
    stricter = Functions(define_schema({"users": define_table({"email": v.number()})}))
    told = (
        f'Document with ID "{made}" in table "users" does not match the schema: Value does not '
        'match validator.\nPath: .email\nValue: "a@b"\nValidator: v.float64()'
    )
    with pytest.raises(ValueError, match=re.escape(told)):
        async with running(stricter, path):
            pass
    async with running(functions, path) as engine:  # nothing holds the file
        pass


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
