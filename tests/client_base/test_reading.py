"""What a client reads of a call: hooks, None fields, models, and types that can't work."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pydantic
import pytest

from convex_async import ConvexClient, ConvexHttpClient, hooks, omit_none
from convex_async.client_base.reading import Reading
from convex_async.errors import InvalidValueError, UnsupportedTypeError
from convex_async.local import Functions, LocalDeployment

NOW = datetime(2026, 11, 26, 7, 0, 0, 5000, UTC)


@dataclasses.dataclass
class Asked:
    text: str
    due: datetime | None = None


class Small(msgspec.Struct, omit_defaults=True):
    text: str
    tags: list[str] = []
    n: int = 0


class Model(pydantic.BaseModel):
    text: str


class Unhooked:
    pass


class Backend:
    def __init__(self) -> None:
        self.runs = 0
        self.functions = Functions()
        self.functions.mutation("m:echo")(self.echo)
        self.functions.query("q:echo")(self.look)

    async def echo(self, ctx: Any, **args: Any) -> Any:
        self.runs += 1
        return args

    async def look(self, ctx: Any, **args: Any) -> Any:
        return args


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
async def deployment(backend: Backend) -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment(backend.functions) as deployment:
        yield deployment


CLIENTS = pytest.mark.parametrize("make", [ConvexClient, ConvexHttpClient])


@CLIENTS
async def test_values_of_the_user_go_and_come(make: Any, deployment: LocalDeployment) -> None:
    async with make(deployment.url, **hooks.all) as client:
        args = {"at": NOW, "id": UUID(int=1)}
        made = await client.mutation("m:echo", args, type=dict[str, datetime | UUID])
        assert made == args


@CLIENTS
async def test_fields_that_are_none_are_left_out_where_asked(
    make: Any, deployment: LocalDeployment
) -> None:
    args = {"a": None, "b": {"c": None, "d": [None]}}
    async with make(deployment.url, omit_none=True) as client:
        assert await client.query("q:echo", args) == {"b": {"d": [None]}}
    async with make(deployment.url) as client:
        assert await client.query("q:echo", args) == args
        assert await client.query("q:echo", omit_none(args)) == {"b": {"d": [None]}}


@CLIENTS
async def test_a_model_may_be_the_arguments(make: Any, deployment: LocalDeployment) -> None:
    async with make(deployment.url, omit_none=True) as client:
        assert await client.mutation("m:echo", Asked("a")) == {"text": "a"}
        assert await client.mutation("m:echo", Small("a")) == {"text": "a"}
        assert await client.mutation("m:echo", Small("a", ["b"], 1)) == {
            "text": "a",
            "tags": ["b"],
            "n": 1.0,
        }
        assert await client.mutation("m:echo", Model(text="a")) == {"text": "a"}


@CLIENTS
@pytest.mark.parametrize("type", [5, "Task", list[Unhooked], Small | Asked])
async def test_a_type_that_can_not_work_is_told_before_anything_runs(
    make: Any, type: Any, deployment: LocalDeployment, backend: Backend
) -> None:
    async with make(deployment.url) as client:
        with pytest.raises(TypeError):
            client.mutation("m:echo", {"x": 1}, type=type)
        with pytest.raises(TypeError):
            client.query("q:echo", type=type)
        with pytest.raises(TypeError):
            client.paginate("q:echo", type=type)
        assert await client.mutation("m:echo") == {}
    assert backend.runs == 1


async def test_a_subscription_of_such_a_type_is_refused(deployment: LocalDeployment) -> None:
    async with ConvexClient(deployment.url) as client:
        with pytest.raises(TypeError, match="is not a type"):
            client.subscribe("q:echo", type=5)


async def test_an_optimistic_update_reads_as_the_client_does(deployment: LocalDeployment) -> None:
    def update(store: Any, args: dict[str, Any]) -> None:
        store.set_query("q:echo", {"at": NOW}, {"at": NOW})

    async with ConvexClient(deployment.url, **hooks.all) as client:
        subscription = client.subscribe("q:echo", {"at": NOW}, type=dict[str, datetime])
        assert await subscription.get() == {"at": NOW}
        await client.mutation("m:echo", optimistic=update)
        assert await subscription.get() == {"at": NOW}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (NOW, r"datetime\.datetime has no Convex form: send milliseconds.*hooks\.datetime_ms"),
        (UUID(int=1), r"UUID has no Convex form: send str\(value\).*hooks\.uuid"),
        ({1, 2}, "set has no Convex form: send a list"),
        (Unhooked(), "Unhooked has no Convex form"),
    ],
)
def test_without_a_hook_the_error_says_what_to_do(value: Any, says: str) -> None:
    with pytest.raises(UnsupportedTypeError, match=says) as raised:
        Reading().arguments({"x": [value]})
    assert raised.value.path == "args.x[0]"


def test_a_hook_that_does_not_know_a_value_is_as_none() -> None:
    with pytest.raises(UnsupportedTypeError, match="Unhooked has no Convex form"):
        Reading(enc_hook=hooks.all["enc_hook"]).arguments({"x": Unhooked()})


def test_a_hook_that_gives_what_it_was_asked_for_ends() -> None:
    with pytest.raises(InvalidValueError, match="again and again"):
        Reading(enc_hook=lambda value: value).arguments({"x": Unhooked()})


def test_an_error_of_the_hook_is_the_callers() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Reading(**hooks.all).arguments({"at": datetime(2026, 1, 1)})


def test_what_a_hook_gives_may_take_a_hook() -> None:
    def hook(value: Any) -> Any:
        return {"at": NOW} if isinstance(value, Unhooked) else hooks.all["enc_hook"](value)

    assert Reading(enc_hook=hook).value([Unhooked()]) == b'[{"at":1795676400005}]'


def test_a_copy_reads_alike() -> None:
    client = copy.copy(ConvexClient("https://happy-animal-123.convex.cloud", **hooks.all))
    assert client._reading == Reading(**hooks.all)
