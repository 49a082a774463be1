"""What the strategies draw is what it says: values that travel, and that validators accept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convex_async import ConvexClient
from convex_async.codec import decode, encode
from convex_async.local import Functions, LocalDeployment, define_schema, define_table, v
from convex_async.testing.strategies import (
    arguments,
    documents,
    equal,
    field_names,
    matching,
    values,
)
from convex_async.values import ConvexInt64


@given(values())
def test_values_travel_there_and_back(value: Any) -> None:
    assert equal(decode(encode(value)), value)


@given(field_names())
def test_field_names_may_stand_in_objects(name: str) -> None:
    assert decode(encode({name: 1.0})) == {name: 1.0}


def test_equal_tells_apart_what_python_does_not() -> None:
    assert equal(float("nan"), float("nan"))
    assert not equal(0.0, -0.0)
    assert not equal(1.0, ConvexInt64(1))


KINDS = [
    v.any(),
    v.null(),
    v.boolean(),
    v.number(),
    v.int64(),
    v.string(),
    v.bytes(),
    v.literal("a"),
    v.array(v.union(v.string(), v.null())),
    v.record(v.string(), v.int64()),
    v.object({"a": v.string(), "b": v.optional(v.number())}),
    v.union(v.object({"kind": v.literal("x")}), v.object({"kind": v.literal("y"), "n": v.int64()})),
]


@given(st.sampled_from(KINDS).flatmap(lambda one: st.tuples(st.just(one), matching(one))))
def test_a_validator_accepts_what_matches(drawn: Any) -> None:
    validator, value = drawn
    validator.check(decode(encode(value)), lambda _value, _table: False)


def test_ids_are_of_those_that_there_are() -> None:
    ids = {"users": ["one", "other"]}
    assert_draws(matching(v.id("users"), ids=ids), lambda value: value in ids["users"])
    with pytest.raises(ValueError, match="takes an id of table 'users'"):
        matching(v.object({"by": v.id("users")}))
    # Where something else fits, it does without.
    assert_draws(matching(v.union(v.id("users"), v.null())), lambda value: value is None)
    optional = v.object({"by": v.optional(v.id("users"))})
    assert_draws(matching(optional), lambda value: value == {})


def assert_draws(strategy: st.SearchStrategy[Any], accepts: Any) -> None:
    @given(strategy)
    @settings(max_examples=10, database=None)
    def check(value: Any) -> None:
        assert accepts(value)

    check()


SCHEMA = define_schema(
    {
        "tasks": define_table(
            {"text": v.string(), "tags": v.optional(v.array(v.string())), "rank": v.int64()}
        ),
        "anything": define_table(v.any()),
    }
)


def backend() -> Functions:
    functions = Functions(SCHEMA)

    @functions.mutation("tasks:add", args={"table": v.string(), "fields": v.any()})
    async def add(ctx: Any, table: str, fields: Any) -> Any:
        return await ctx.db.get(await ctx.db.insert(table, fields))

    @functions.query("tasks:echo", args={"a": v.union(v.int64(), v.bytes()), "b": v.any()})
    async def echo(ctx: Any, **args: Any) -> Any:
        return args

    @functions.query("tasks:any")
    async def anything(ctx: Any, **args: Any) -> Any:
        return args

    return functions


@given(st.data())
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_documents_of_a_schema_are_stored_as_they_are(data: st.DataObject) -> None:
    functions = backend()
    async with LocalDeployment(functions) as deployment, ConvexClient(deployment.url) as client:
        for table in SCHEMA.tables:
            fields = data.draw(documents(SCHEMA, table))
            stored = await client.mutation("tasks:add", {"table": table, "fields": fields})
            del stored["_id"], stored["_creationTime"]
            assert equal(stored, fields)
        for path in ("tasks:echo", "tasks:any"):
            args = data.draw(arguments(functions, path))
            assert equal(await client.query(path, args), args)


def test_a_mistake_is_told() -> None:
    with pytest.raises(ValueError, match="no table 'nothing': it has tasks, anything"):
        documents(SCHEMA, "nothing")
    with pytest.raises(ValueError, match="no function 'a:b'"):
        arguments(backend(), "a:b")
