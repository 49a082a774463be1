"""Runs functions written in Python, in this process."""

from __future__ import annotations

import asyncio
import inspect
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from convex_async.codec.values import encode
from convex_async.errors import CodecError, ConvexClientError, ConvexError
from convex_async.local import texts
from convex_async.local.context.context import ActionContext, MutationContext, QueryContext
from convex_async.local.context.runs import Invocation
from convex_async.local.definitions.crons import Cron
from convex_async.local.definitions.display import as_json
from convex_async.local.definitions.functions import Declaration, FunctionKind, Functions
from convex_async.local.definitions.http_actions import Request, Response
from convex_async.local.definitions.schema import Schema
from convex_async.local.problems import DeploymentProblem, FunctionFailed, FunctionProblem
from convex_async.local.transactions.transaction import Conflict

T = TypeVar("T")

# Where our own code is, whose frames are nobody's concern.
_OURS = Path(__file__).parents[2]
# Seconds that a function runs. Source: convex-backend crates/common/src/knobs.rs,
# DATABASE_UDF_USER_TIMEOUT and V8_ACTION_USER_TIMEOUT.
TIME_LIMITS: dict[FunctionKind, float] = {"query": 1.0, "mutation": 1.0, "action": 1800.0}


class PythonFunctions:
    """The runtime of functions in Python: a handler is called with `ctx` and its arguments."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    @property
    def schema(self) -> Schema | None:
        return self._functions.schema

    @property
    def crons(self) -> Mapping[str, Cron]:
        return self._functions.crons.all

    def declarations(self) -> Iterable[Declaration]:
        """All functions."""
        return self._functions.all.values()

    def routes(self) -> Iterable[tuple[str, str]]:
        """Method and path of each HTTP action."""
        return self._functions.http.routes()

    def find_route(self, method: str, path: str) -> Callable[..., Any] | None:
        """The handler of a request."""
        return self._functions.http.find(method, path)

    def time_limit(self, kind: FunctionKind) -> float:
        """Seconds that a function may wait: one that computes can't be interrupted."""
        return TIME_LIMITS[kind]

    async def run(self, invocation: Invocation) -> bytes:
        """Run one function."""
        function = self._functions.all[invocation.declaration.path]
        context = _context(invocation)
        try:
            inspect.signature(function.handler).bind(context, **invocation.arguments)
        except TypeError as error:
            raise FunctionProblem(f"ArgumentValidationError: {error}") from None
        work = _call(function.handler, context, invocation.arguments)
        if invocation.transaction is None or invocation.depth:
            return await _guarded(work)
        return await _guarded(Timed(work, TIME_LIMITS[function.kind]))

    async def run_http_action(
        self, route: Callable[..., Any], request: Request, invocation: Invocation
    ) -> Response:
        """Answer a request."""
        return await _guarded(_answer(route, ActionContext(invocation), request))

    async def close(self) -> None:
        """Nothing to let go of."""


class Timed(Generic[T]):
    """Work that may compute for so long; what it waits for is not counted.

    Python can't be interrupted: it fails when it next waits, or ends.

    Args:
        limit: seconds of the processor's time.
    """

    def __init__(self, work: Coroutine[Any, Any, T], limit: float) -> None:
        self._work = work
        self._limit = limit

    def __await__(self) -> Generator[Any, Any, T]:
        used = 0.0
        sent: Any = None
        step = self._work.send
        while True:
            began = time.thread_time()
            try:
                waited_for = step(sent)
            except StopIteration as end:
                if used + time.thread_time() - began > self._limit:
                    raise self._timed_out() from None
                result: T = end.value
                return result
            used += time.thread_time() - began
            if used > self._limit:
                self._work.close()
                raise self._timed_out()
            try:
                sent = yield waited_for
                step = self._work.send
            except GeneratorExit:
                self._work.close()
                raise
            except BaseException as error:
                sent, step = error, self._work.throw

    def _timed_out(self) -> FunctionProblem:
        return FunctionProblem(texts.TIMED_OUT.format(seconds=self._limit))


def _context(invocation: Invocation) -> QueryContext | MutationContext | ActionContext:
    match invocation.declaration.kind:
        case "query":
            return QueryContext(invocation)
        case "mutation":
            return MutationContext(invocation)
        case "action":
            return ActionContext(invocation)


async def _call(handler: Callable[..., Any], context: Any, arguments: dict[str, Any]) -> bytes:
    result = handler(context, **arguments)
    if inspect.isawaitable(result):
        result = await result
    return encode(result, root="result")


async def _answer(handler: Callable[..., Any], context: Any, request: Request) -> Response:
    answer = handler(context, request)
    if inspect.isawaitable(answer):
        answer = await answer
    if not isinstance(answer, Response):
        raise FunctionProblem(f"an HTTP action answers a Response, not {answer!r}")
    return answer


async def _guarded(work: Awaitable[T]) -> T:
    """The result of the user's code; what it raises is its failure, whatever that is."""
    try:
        return await work
    except (Conflict, DeploymentProblem, FunctionProblem):
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling() > 0:
            raise  # for the caller, and not the function's own
        raise FunctionFailed(describe(error)) from error
    except BaseException as error:
        raise failure_of(error) from error


def failure_of(error: BaseException) -> FunctionFailed:
    """What an exception of the user's code is to others."""
    if not isinstance(error, ConvexError):
        return FunctionFailed(describe(error))
    try:
        return FunctionFailed(describe(error), encode(error.data, root="data"))
    except CodecError as bad:
        return FunctionFailed(describe(bad))


def describe(error: BaseException) -> str:
    """The text of an exception, with the frames of the user's own code, as Convex shows them."""
    name = type(error).__name__
    where = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not Path(frame.filename).is_relative_to(_OURS):
            where += f"\n    at {frame.name} ({frame.filename.rpartition('/')[2]}:{frame.lineno})"
    message = error.args[0] if isinstance(error, ConvexClientError) and error.args else error
    if isinstance(error, ConvexError) and error.message == repr(error.data):
        message = as_json(error.data)  # nobody gave it a message of its own
    return f"Uncaught {name}: {message}{where}"
