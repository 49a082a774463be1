"""Runs one function by its runtime: finds and checks it, its arguments and its result."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from convex_async.codec.values import decode
from convex_async.errors import ConvexClientError
from convex_async.function_path import FunctionPath
from convex_async.local import texts
from convex_async.local.context.cursors import Pages
from convex_async.local.context.runs import MAX_DEPTH, Invocation, Run, Runs
from convex_async.local.definitions.functions import Declaration
from convex_async.local.definitions.http_actions import Request, Response
from convex_async.local.definitions.validators import TableOf, ValidationError, check_fields
from convex_async.local.engine.permits import Permits
from convex_async.local.engine.runtime import Runtime
from convex_async.local.engine.runtimes import Runtimes
from convex_async.local.problems import FunctionFailed, FunctionProblem
from convex_async.local.store.limits import check_arguments, check_result, warnings
from convex_async.local.transactions.outcome import Failure
from convex_async.local.transactions.transaction import Transaction

T = TypeVar("T")

# What is known of an HTTP action, which has no path.
HTTP_ACTION = Declaration(FunctionPath("http:default"), "action", None, None, is_internal=True)


class Runner:
    """Runs functions for the engine.

    Args:
        runtimes: those of the deployment at this moment.
        redact: hide errors and log lines from clients, as production deployments do.
    """

    def __init__(
        self,
        engine: Runs,
        runtimes: Callable[[], Runtimes],
        table_of: TableOf,
        rng: random.Random,
        *,
        redact: bool,
    ) -> None:
        self._engine = engine
        self._runtimes = runtimes
        self._table_of = table_of
        self._rng = rng
        self._redact = redact
        self.permits: Permits = Permits()

    async def attempt(
        self,
        kind: str,
        path: str,
        args: bytes,
        run: Run,
        transaction: Transaction | None,
        pages: Pages,
    ) -> bytes | Failure:
        """Run a public call; whatever the function does wrong is its failure."""
        try:
            runtime, function = self.find(kind, path, run, is_inner=False)
            limit = runtime.time_limit(function.kind)
            async with self.permits.running(function.kind, limit):
                try:
                    return await self.invoke(runtime, function, args, run, transaction, pages)
                finally:
                    for line in warnings(transaction.metrics) if transaction is not None else ():
                        run.log_line(line)
        except (FunctionFailed, FunctionProblem, ConvexClientError) as error:
            return self.failure(error)

    def find(
        self, kind: str, path: str, run: Run, *, is_inner: bool
    ) -> tuple[Runtime, Declaration]:
        """Who runs a function, and what is known of it.

        Raises:
            FunctionProblem: there is none that this caller may see, or it is of another kind.
        """
        try:
            found = self._runtimes().find(path)
        except ValueError as error:
            raise FunctionProblem(str(error)) from None
        may_see = is_inner or (run.identity is not None and run.identity.is_admin)
        if found is None or (found[1].is_internal and not may_see):
            which = "function" if may_see else "public function"
            raise FunctionProblem(texts.NO_FUNCTION.format(which=which, path=path))
        if found[1].kind != kind:
            defined = found[1].kind.title()
            raise FunctionProblem(
                texts.OTHER_KIND.format(path=path, kind=kind.title(), found=defined)
            )
        return found

    async def invoke(
        self,
        runtime: Runtime,
        function: Declaration,
        args: bytes,
        run: Run,
        transaction: Transaction | None,
        pages: Pages,
        depth: int = 0,
    ) -> bytes:
        """Check the arguments, run the function, check the result."""
        # Measured first, which is soon done: what is too large need not be made.
        check_arguments(function.path, args)
        arguments = decode(args, root="args")
        if function.args is not None:
            try:
                check_fields(function.args, arguments, self._table_of)
            except ValidationError as error:
                raise FunctionProblem(texts.ARGUMENTS.format(error=error)) from None
        wire = await runtime.run(
            Invocation(function, args, arguments, run, transaction, pages, self._engine, depth)
        )
        check_result(function.path, wire)
        if function.returns is not None:
            try:
                function.returns.check(decode(wire), self._table_of)
            except ValidationError as error:
                raise FunctionProblem(texts.RETURNS.format(error=error)) from None
        return wire

    async def nested(
        self,
        runtime: Runtime,
        function: Declaration,
        args: bytes,
        caller: Invocation,
        transaction: Transaction,
    ) -> bytes:
        """Run a function within the transaction of another; if it fails, its writes are undone."""
        if caller.depth >= MAX_DEPTH:
            raise FunctionProblem(texts.TOO_DEEP)
        savepoint = transaction.savepoint()
        try:
            return await self.invoke(
                runtime, function, args, caller.run, transaction, Pages(None), caller.depth + 1
            )
        except BaseException:
            transaction.rollback_to(savepoint)
            raise

    async def http_action(
        self,
        runtime: Runtime,
        route: object,
        request: Request,
        run: Run,
        send: Callable[[Response], Awaitable[T]],
    ) -> T | Failure:
        """Answer a request by an HTTP action, which goes on until its answer is sent."""
        invocation = Invocation(HTTP_ACTION, b"{}", {}, run, None, Pages(None), self._engine)
        try:
            async with self.permits.running("action", runtime.time_limit("action")):
                return await send(await runtime.run_http_action(route, request, invocation))
        except (FunctionFailed, FunctionProblem) as error:
            return self.failure(error)

    def shown(self, run: Run) -> list[str]:
        """The log lines that clients are told."""
        return [] if self._redact else run.log_lines

    def failure(self, error: FunctionFailed | FunctionProblem | ConvexClientError) -> Failure:
        """The failure that clients are told of, as production or as development shows it."""
        message = f"[Request ID: {self._rng.getrandbits(64):016x}] Server Error"
        data = None
        if isinstance(error, FunctionFailed):
            text, data = error.text, error.data
        else:
            text = str(error)
        return Failure(message if self._redact else f"{message}\n{text}", data, text)


def read_args(raw: Any) -> bytes:
    """The arguments object out of the array that a message carries.

    Raises:
        FunctionProblem: it is no array of one object.
    """
    items = msgspec.json.decode(raw or b"[{}]", type=list[msgspec.Raw])
    if len(items) > 1:
        raise FunctionProblem("A function takes one object of arguments")
    return bytes(items[0]) if items else b"{}"
