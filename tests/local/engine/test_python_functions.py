"""Texts of what Python functions raise: the frames of the user's code, whatever it is called."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from convex_async import ConvexError, ConvexInt64
from convex_async.codec import encode_arguments
from convex_async.local import Functions
from convex_async.local.engine.python_functions import failure_of
from convex_async.local.problems import FunctionFailed
from convex_async.local.transactions.outcome import Failure
from tests.local.calls import act, running

SOURCE = """
async def inner():
    raise ValueError("no")

async def outer(ctx):
    await inner()
"""


@pytest.mark.parametrize("folder", ["/srv/app", "/srv/convex_async", "C:/work/convex_async/app"])
async def test_the_frames_of_the_users_code_are_told(folder: str) -> None:
    names: dict[str, Any] = {}
    exec(compile(SOURCE, f"{folder}/backend.py", "exec"), names)
    functions = Functions()
    functions.action("errors:raise")(names["outer"])
    async with running(functions) as engine:
        run = await engine.action("errors:raise", encode_arguments({}), identity=None)
    assert isinstance(run.result, Failure)
    assert run.result.text == (
        "Uncaught ValueError: no\n    at inner (backend.py:3)\n    at outer (backend.py:6)"
    )


def test_a_failure_has_the_data_of_a_convex_error_alone() -> None:
    assert failure_of(ConvexError({"a": 1.0})).data == b'{"a":1}'
    assert failure_of(ValueError("no")).data is None
    failed = failure_of(ConvexError(object()))
    assert isinstance(failed, FunctionFailed)
    assert failed.data is None
    assert "object" in failed.text


async def test_a_function_that_cancels_itself_fails_and_its_caller_is_not_cancelled() -> None:
    functions = Functions()

    @functions.action("errors:quit")
    async def leave(ctx: Any) -> None:
        raise asyncio.CancelledError("enough")

    async with running(functions) as engine:
        run = await engine.action("errors:quit", encode_arguments({}), identity=None)
    assert isinstance(run.result, Failure)
    assert "Uncaught CancelledError: enough" in run.result.text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConvexError("full"), "full"),
        (ConvexError({"code": "FULL", "n": 1.0}), '{"code":"FULL","n":1}'),
        (ConvexError([None, 1.5, float("nan"), ConvexInt64(5), b"x"]), '[null,1.5,null,"5n",{}]'),
        (ConvexError("told", {"code": "FULL"}), "told"),
    ],
)
def test_a_convex_error_is_told_by_the_json_of_its_data(error: ConvexError, text: str) -> None:
    assert failure_of(error).text == f"Uncaught ConvexError: {text}"


async def test_a_failure_within_is_caught_by_its_text_with_its_frames_and_its_data() -> None:
    functions = Functions()

    @functions.mutation("errors:inner")
    async def inner(ctx: Any) -> None:
        raise ConvexError({"code": "FULL"})

    @functions.action("errors:outer")
    async def outer(ctx: Any) -> Any:
        try:
            await ctx.run_mutation("errors:inner")
        except ConvexError as error:
            return [error.data, error.message]

    async with running(functions) as engine:
        data, message = await act(engine, "errors:outer")
    assert data == {"code": "FULL"}
    assert message.startswith('Uncaught ConvexError: {"code":"FULL"}\n    at inner (')
