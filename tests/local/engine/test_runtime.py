"""Two runtimes in one deployment: they call each other, and one is swapped while it runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from convex_async.codec import decode, encode_arguments
from convex_async.errors import ConvexError
from convex_async.function_path import canonical_path
from convex_async.local import Functions, define_schema, define_table, v
from convex_async.local.context.runs import Invocation
from convex_async.local.definitions.crons import Cron
from convex_async.local.definitions.functions import Declaration, FunctionKind
from convex_async.local.definitions.http_actions import Request, Response
from convex_async.local.definitions.schema import Schema
from convex_async.local.engine.engine import Engine
from convex_async.local.engine.python_functions import PythonFunctions
from convex_async.local.problems import FunctionFailed
from convex_async.local.transactions.outcome import Failure
from tests.local.calls import ADMIN, act, mutate, read, until


class Scripts:
    """A runtime of small scripts: each is one step, and its text is the program."""

    def __init__(
        self,
        scripts: Mapping[str, tuple[FunctionKind, str]],
        *,
        schema: Schema | None = None,
        routes: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.schema = schema
        self.crons: Mapping[str, Cron] = {}
        self.scripts = {canonical_path(path): script for path, script in scripts.items()}
        self.is_closed = False
        self._routes = list(routes)

    def declarations(self) -> Iterable[Declaration]:
        for path, (kind, _) in self.scripts.items():
            yield Declaration(path, kind, None, None, is_internal=False)

    def routes(self) -> Iterable[tuple[str, str]]:
        return self._routes

    def find_route(self, method: str, path: str) -> object | None:
        return path if (method, path) in self._routes else None

    def time_limit(self, kind: FunctionKind) -> float | None:
        return None

    async def run(self, invocation: Invocation) -> bytes:
        verb, _, rest = self.scripts[invocation.declaration.path][1].partition(" ")
        match verb:
            case "say":
                return json.dumps(rest).encode()
            case "call":
                kind, path = rest.split()
                return await invocation.engine.call(kind, path, invocation.args, invocation)
            case "insert":
                assert invocation.transaction is not None
                made = invocation.transaction.insert(rest, invocation.arguments)
                return json.dumps(made).encode()
            case "log":
                invocation.run.log_line(f"[WARN] {rest}")
                return b"null"
            case _:
                raise FunctionFailed(f"Uncaught Error: {rest}\n    at {verb} (a.ts:1:2)", b'"why"')

    async def run_http_action(
        self, route: Any, request: Request, invocation: Invocation
    ) -> Response:
        return Response(f"{request.method} {route}")

    async def close(self) -> None:
        self.is_closed = True


def python() -> Functions:
    functions = Functions()

    @functions.mutation("py:insert")
    async def insert(ctx: Any, text: str) -> str:
        return str(await ctx.db.insert("notes", {"text": text}))

    @functions.query("py:texts")
    async def texts(ctx: Any) -> list[str]:
        return [note["text"] for note in await ctx.db.query("notes").collect()]

    @functions.mutation("py:careful")
    async def careful(ctx: Any, text: str) -> str:
        await ctx.db.insert("notes", {"text": text})
        try:
            await ctx.run_mutation("ts:fails")
        except ConvexError as error:
            return f"{error.data}: {error.args[0]}"
        return "did not fail"

    @functions.query("py:asks")
    async def asks(ctx: Any) -> Any:
        return await ctx.run_query("ts:say")

    @functions.action("py:does")
    async def does(ctx: Any, text: str) -> Any:
        return [
            await ctx.run_query("ts:say"),
            await ctx.run_mutation("ts:insert", {"text": text}),
            await ctx.run_action("ts:does"),
        ]

    return functions


def scripts(said: str = "one", **options: Any) -> Scripts:
    return Scripts(
        {
            "ts:say": ("query", f"say {said}"),
            "ts:insert": ("mutation", "insert notes"),
            "ts:inserts": ("mutation", "call mutation py:insert"),
            "ts:fails": ("mutation", "fail Boom"),
            "ts:does": ("action", "log hello"),
            "ts:relay": ("query", "call query py:texts"),
        },
        **options,
    )


def both(other: Scripts, path: Path | None = None) -> Engine:
    return Engine(PythonFunctions(python()), other, path=path)


async def test_functions_of_two_runtimes_call_each_other() -> None:
    engine = both(scripts())
    await mutate(engine, "ts:inserts", text="from a script")
    said, _, done = await act(engine, "py:does", text="from Python")
    assert (said, done) == ("one", None)
    assert await read(engine, "ts:relay") == ["from a script", "from Python"]
    assert await read(engine, "py:asks") == "one"
    await engine.close()


async def test_what_another_runtime_logs_is_the_callers_log_too() -> None:
    engine = both(scripts())
    run = await engine.action("py:does", encode_arguments({"text": "a"}), identity=None)
    assert run.log_lines == ["[WARN] hello"]
    await engine.close()


async def test_a_failure_of_another_runtime_is_caught_with_its_data_and_its_text() -> None:
    engine = both(scripts())
    told = await mutate(engine, "py:careful", text="kept")
    assert told == "why: Uncaught Error: Boom\n    at fail (a.ts:1:2)"
    assert await read(engine, "py:texts") == ["kept"]
    failure = (await engine.mutation("ts:fails", b"{}", identity=None)).result
    assert isinstance(failure, Failure)
    assert failure.message.endswith("Server Error\nUncaught Error: Boom\n    at fail (a.ts:1:2)")
    assert failure.data == b'"why"'
    await engine.close()


async def test_an_http_action_is_answered_by_the_runtime_that_routes_it() -> None:
    engine = both(scripts(routes=[("GET", "/hello")]))
    request = Request("GET", "/hello", {}, {}, b"")
    found = engine.runtimes.find_route("GET", "/hello")
    assert found is not None

    async def send(answer: Response) -> Response:
        return answer

    answer = await engine.http_action(*found, request, None, send)
    assert isinstance(answer, Response)
    assert answer.body == b"GET /hello"
    assert engine.runtimes.find_route("POST", "/hello") is None
    await engine.close()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Scripts({"py:insert": ("query", "say")}), "two functions have the path 'py:insert'"),
        (Scripts({}, schema=define_schema({})), "one schema"),
        (Scripts({}, routes=[("GET", "/a")]), "GET /a is routed twice"),
    ],
)
def test_what_two_runtimes_declare_is_refused(other: Scripts, message: str) -> None:
    first = Functions(define_schema({}))
    first.query("py:insert")(lambda ctx: None)
    first.http_action("GET", "/a")(lambda ctx, request: None)
    with pytest.raises(ValueError, match=message):
        Engine(PythonFunctions(first), other, path=None)


def watch(engine: Engine, path: str) -> tuple[list[Any], Callable[[], None]]:
    """The values of a live query, and what ends it."""
    seen: list[Any] = []
    tasks: set[asyncio.Task[None]] = set()

    async def run() -> None:
        done = await engine.query(path, b"{}", identity=None)
        assert isinstance(done.result, bytes)
        seen.append(decode(done.result))
        engine.watch(done.read_set, done.ts, lambda _: go())

    def go() -> None:
        task = asyncio.create_task(run())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    go()

    def end() -> None:
        for task in tasks:
            task.cancel()

    return seen, end


@pytest.mark.parametrize("has_file", [False, True])
async def test_a_swap_runs_live_queries_again(tmp_path: Path, has_file: bool) -> None:
    old, new = scripts("one"), scripts("two")
    engine = both(old, tmp_path / "data.sqlite3" if has_file else None)
    direct, end_direct = watch(engine, "ts:say")
    through, end_through = watch(engine, "py:asks")
    await until(lambda: direct == through == ["one"])
    await engine.swap(old, new)
    await until(lambda: direct == through == ["one", "two"])
    assert old.is_closed
    assert not new.is_closed
    end_direct()
    end_through()
    await engine.close()
    assert new.is_closed


async def test_a_mutation_that_began_with_the_old_code_begins_anew_with_the_new() -> None:
    functions = python()
    begun = asyncio.Event()
    may_go_on = asyncio.Event()

    @functions.mutation("py:slow")
    async def slow(ctx: Any) -> Any:
        said = await ctx.run_query("ts:say")
        begun.set()
        await may_go_on.wait()
        await ctx.db.insert("notes", {"text": said})
        return said

    old, new = scripts("one"), scripts("two")
    engine = Engine(PythonFunctions(functions), old, path=None)
    slowly = asyncio.create_task(mutate(engine, "py:slow"))
    await begun.wait()
    await engine.swap(old, new)
    may_go_on.set()
    assert await slowly == "two"
    assert await read(engine, "py:texts") == ["two"]
    await engine.close()


NOTES = define_schema({"notes": define_table({"text": v.string()}).index("by_text", ["text"])})
NUMBERS = define_schema({"notes": define_table({"text": v.number()})})


async def test_a_swap_brings_a_schema_and_its_indexes(tmp_path: Path) -> None:
    functions = python()

    @functions.query("py:sorted")
    async def by_text(ctx: Any) -> list[str]:
        return [
            note["text"] for note in await ctx.db.query("notes").with_index("by_text").collect()
        ]

    old, new = scripts(), scripts(schema=NOTES)
    engine = Engine(PythonFunctions(functions), old, path=tmp_path / "data.sqlite3")
    for text in "cab":
        await mutate(engine, "py:insert", text=text)
    await engine.swap(old, new)
    assert await read(engine, "py:sorted") == ["a", "b", "c"]
    await mutate(engine, "py:insert", text="aa")
    assert await read(engine, "py:sorted") == ["a", "aa", "b", "c"]
    refused = await engine.mutation("ts:insert", b'{"text": true}', identity=ADMIN)
    assert isinstance(refused.result, Failure)
    await engine.close()


async def test_a_swap_whose_schema_does_not_fit_changes_nothing() -> None:
    old = scripts("one")
    engine = both(old)
    await mutate(engine, "py:insert", text="words")
    with pytest.raises(ValueError, match="does not match validator"):
        await engine.swap(old, scripts("two", schema=NUMBERS))
    with pytest.raises(ValueError, match="two functions have the path"):
        await engine.swap(old, Scripts({"py:texts": ("query", "say two")}))
    with pytest.raises(ValueError, match="not there"):
        await engine.swap(scripts(), scripts())
    assert await read(engine, "py:asks") == "one"
    await mutate(engine, "py:insert", text="more words")
    assert not old.is_closed
    await engine.close()
