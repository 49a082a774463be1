"""Functions: mistakes are told when they are registered, and calls are checked before they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from convex_async import ConvexInt64
from convex_async.codec import encode_arguments
from convex_async.local import Functions, v
from convex_async.local.transactions.outcome import Failure
from tests.local.calls import ADMIN, act, mutate, read, running


def handler(ctx: Any) -> None:
    """Takes nothing."""


@pytest.mark.parametrize("path", ["notes:list", "notes.js:list"])
def test_a_path_is_taken_once_in_any_spelling_and_kind(path: str) -> None:
    functions = Functions()
    functions.query("notes:list")(handler)
    for register in (functions.query, functions.mutation, functions.internal_action):
        with pytest.raises(ValueError, match="registered already"):
            register(path)(handler)
    assert len(functions) == 1


@pytest.mark.parametrize("path", ["", "notes:", ":list", "no-tes:list", "notes:li-st", "notes.ts"])
def test_a_path_that_is_none(path: str) -> None:
    with pytest.raises(ValueError, match="is not a function path"):
        Functions().query(path)


def takes_nothing() -> None: ...
def takes_one(ctx: Any, one: Any) -> None: ...
def takes_one_of_another_name(ctx: Any, other: Any) -> None: ...
def takes_two(ctx: Any, one: Any, two: Any) -> None: ...
def takes_one_or_two(ctx: Any, one: Any, two: Any = 0) -> None: ...
def takes_any(ctx: Any, **args: Any) -> None: ...


ONE = {"one": v.number()}
TWO = {"one": v.number(), "two": v.optional(v.number())}


@pytest.mark.parametrize(
    ("function", "args", "fits"),
    [
        (takes_nothing, None, False),
        (takes_nothing, {}, False),
        (handler, {}, True),
        (handler, ONE, False),
        (takes_one, None, True),
        (takes_one, {}, False),
        (takes_one, ONE, True),
        (takes_one, TWO, False),
        (takes_one_of_another_name, ONE, False),
        (takes_two, TWO, False),  # the second may be left out
        (takes_one_or_two, TWO, True),
        (takes_one_or_two, ONE, True),
        (takes_any, TWO, True),
    ],
)
def test_a_handler_takes_its_arguments(
    function: Callable[..., Any], args: dict[str, Any] | None, fits: bool
) -> None:
    functions = Functions()
    if fits:
        assert functions.query("a:b", args=args)(function) is function
    else:
        with pytest.raises(TypeError, match="the handler of 'a:b' has to take ctx"):
            functions.query("a:b", args=args)(function)
    assert len(functions) == fits


def test_a_handler_can_be_called() -> None:
    with pytest.raises(TypeError, match="the handler of 'a:b' is not callable: 'text'"):
        Functions().query("a:b")("text")  # type: ignore[type-var]


def make_functions() -> Functions:
    functions = Functions()
    fields = {"n": v.number(), "by": v.optional(v.object({"big": v.int64()}))}

    async def told(ctx: Any, **args: Any) -> Any:
        return args

    def result(ctx: Any, value: Any) -> Any:
        return value

    for name, register in (
        ("query", functions.query),
        ("mutation", functions.mutation),
        ("action", functions.action),
    ):
        register(f"open:{name}", args=fields)(told)
        register(f"open:{name}_result", args={"value": v.any()}, returns=v.array(v.string()))(
            result
        )
    functions.internal_query("hidden:query")(told)
    functions.internal_mutation("hidden:mutation")(told)
    functions.internal_action("hidden:action")(told)

    @functions.action("open:by_action")
    async def by_action(ctx: Any, kind: str) -> Any:
        return await getattr(ctx, f"run_{kind}")(f"hidden:{kind}", {"from": "within"})

    return functions


CALLS = {"query": read, "mutation": mutate, "action": act}


@pytest.mark.parametrize("kind", CALLS)
async def test_arguments_are_checked_before_the_handler_runs(kind: str) -> None:
    async with running(make_functions()) as engine:
        call = CALLS[kind]
        by = {"big": ConvexInt64(2)}
        assert await call(engine, f"open:{kind}", n=1) == {"n": 1}
        assert await call(engine, f"open:{kind}", n=1, by=by) == {"n": 1, "by": by}
        for args, told in (
            ({}, "missing the required field `n`"),
            ({"n": "1"}, r"Path: \.n\nValue: \"1\"\nValidator: v\.float64\(\)"),
            ({"n": 1, "by": {"big": 2}}, r"Path: \.by\.big\nValue: 2\.0\nValidator: v\.int64"),
            ({"n": 1, "more": 1}, "extra field `more`"),
        ):
            with pytest.raises(AssertionError, match=f"ArgumentValidationError: (.|\n)*{told}"):
                await call(engine, f"open:{kind}", **args)


@pytest.mark.parametrize("kind", CALLS)
async def test_results_are_checked(kind: str) -> None:
    async with running(make_functions()) as engine:
        path = f"open:{kind}_result"
        assert await CALLS[kind](engine, path, value=["a"]) == ["a"]
        told = r"ReturnsValidationError: (.|\n)*Path: \[1\]\nValue: null"
        with pytest.raises(AssertionError, match=told):
            await CALLS[kind](engine, path, value=["a", None])


@pytest.mark.parametrize("kind", CALLS)
async def test_internal_functions_are_hidden_but_from_functions_and_admins(kind: str) -> None:
    async with running(make_functions()) as engine:
        hidden = f"Could not find public function for 'hidden:{kind}'"
        with pytest.raises(AssertionError, match=hidden):
            await CALLS[kind](engine, f"hidden:{kind}")
        # What is hidden is told as what is not there, but for the name.
        with pytest.raises(AssertionError, match=hidden.replace(":", ":no_")):
            await CALLS[kind](engine, f"hidden:no_{kind}")
        assert await act(engine, "open:by_action", kind=kind) == {"from": "within"}
        call = getattr(engine, kind)
        run = await call(f"hidden:{kind}", encode_arguments({}), identity=ADMIN)
        assert run.result == b"{}"
        run = await call("hidden:nowhere", encode_arguments({}), identity=ADMIN)
        assert isinstance(run.result, Failure)
        assert "Could not find function for 'hidden:nowhere'" in run.result.message


async def test_a_function_is_called_as_what_it_is() -> None:
    async with running(make_functions()) as engine:
        for kind, call in CALLS.items():
            for other in CALLS.keys() - {kind}:
                told = f"open:{other} as {kind.title()}, but it is defined as {other.title()}"
                with pytest.raises(AssertionError, match=told):
                    await call(engine, f"open:{other}", n=1)


async def test_arguments_and_results_may_be_given_as_objects() -> None:
    functions = Functions()

    @functions.query("a:b", args=v.object({"x": v.string()}), returns={"x": v.number()})
    async def b(ctx: Any, x: str) -> Any:
        return {"x": 1.0 if x else x}

    @functions.query("a:c", args=v.any())
    async def c(ctx: Any, **anything: Any) -> Any:
        return anything

    for wrong in ({"x": str}, "x", v.string(), {"": v.null()}):
        with pytest.raises(TypeError, match="the arguments of 'a:d'"):
            functions.query("a:d", args=wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the result of 'a:d'"):
        functions.query("a:d", returns=str)  # type: ignore[arg-type]
    async with running(functions) as engine:
        assert await read(engine, "a:b", x="y") == {"x": 1.0}
        with pytest.raises(AssertionError, match="ReturnsValidationError: Value does not match"):
            await read(engine, "a:b", x="")
        with pytest.raises(AssertionError, match="ArgumentValidationError: Object is missing"):
            await read(engine, "a:b")
        assert await read(engine, "a:c", x=1.0) == {"x": 1.0}
