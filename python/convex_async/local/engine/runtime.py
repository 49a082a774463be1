"""The contract between the engine and who runs functions: a language, a process, a folder.

The engine knows transactions, permits, validators and callers; a runtime knows how to run one
function. `python_functions.PythonFunctions` is the first implementation. Another one is made like
this:

- It is given to `Engine(first, second, …)`, which asks each for what it declares
  (`runtimes.Runtimes`): functions by path, one schema among all, crons, HTTP routes. A path, a
  cron's name or a table that two of them declare is refused.
- What it declares is what it holds when the engine is made, and does not change afterwards: a
  runtime whose source changed is a new one, built beside the old, that `Engine.swap(old, new)` puts
  in its place in one step. Swapping checks everything first (the schema against the documents too)
  and raises without any change if something does not fit; it re-runs every live query, and lets
  mutations that had begun with the old code begin anew with the new one. Then the old one is
  closed.
- The engine decodes and validates arguments before `run`, validates and measures the result after
  it, and times the run by `time_limit`. A runtime does none of these.
- Other functions are called, of whatever runtime, by `invocation.engine.call(kind, path, args,
  invocation)`. Within a query or mutation they share the transaction, and a failed one's writes
  are undone; from an action each is a transaction of its own.
- Documents are read and written by `invocation.transaction`; only what was consumed is to be noted
  in its `read_set`. Actions reach them by other functions, and `invocation.engine.transact(work)`
  runs a synchronous `work(transaction)` as a transaction of its own (jobs, files).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from convex_async.local.context.runs import Invocation
from convex_async.local.definitions.crons import Cron
from convex_async.local.definitions.functions import Declaration, FunctionKind
from convex_async.local.definitions.http_actions import Request, Response
from convex_async.local.definitions.schema import Schema

__all__ = ["Invocation", "Runtime"]


class Runtime(Protocol):
    """Runs functions.

    Attributes:
        schema: the tables; None leaves them to another runtime.
        crons: by name. Their functions may be of any runtime.
    """

    @property
    def schema(self) -> Schema | None: ...
    @property
    def crons(self) -> Mapping[str, Cron]: ...

    def declarations(self) -> Iterable[Declaration]:
        """All functions, HTTP actions excepted; each path once, in its canonical spelling."""
        ...

    def routes(self) -> Iterable[tuple[str, str]]:
        """Method and path of each HTTP action; a path that ends in `*` is a prefix."""
        ...

    def find_route(self, method: str, path: str) -> object | None:
        """What answers a request: anything that `run_http_action` knows, or None."""
        ...

    def time_limit(self, kind: FunctionKind) -> float | None:
        """Seconds after which the engine cancels `run`; None if the runtime keeps time itself."""
        ...

    async def run(self, invocation: Invocation) -> bytes:
        """Run one function; the wire bytes of its result.

        It may be cancelled at any time: then the function is to be ended, and nothing it still
        does may reach the transaction. `Conflict` and `DeploymentProblem`, which calls into the
        engine raise, are passed on: no function may catch them.

        Raises:
            FunctionFailed: the function ended in an error, whose whole text is in it.
            FunctionProblem: it did what it may not; its text is shown as it is.
        """
        ...

    async def run_http_action(
        self, route: Any, request: Request, invocation: Invocation
    ) -> Response:
        """Answer a request by the HTTP action that `find_route` found. Otherwise as `run`.

        Args:
            invocation: its declaration is one of an action, and it has no arguments.
        """
        ...

    async def close(self) -> None:
        """Finish what is running, and let go of everything. Nothing is run after it."""
        ...
