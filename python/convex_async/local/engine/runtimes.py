"""Which runtime runs what: functions by path, routes, crons and the schema of them all."""

from __future__ import annotations

from typing import Any

from convex_async.function_path import FunctionPath, canonical_path
from convex_async.local.definitions.crons import Cron
from convex_async.local.definitions.functions import Declaration
from convex_async.local.definitions.http_actions import best_route
from convex_async.local.definitions.schema import Schema
from convex_async.local.engine.runtime import Runtime


class Runtimes:
    """The runtimes of a deployment as one.

    Attributes:
        schema: of whichever has one.
        crons: of all, by name.

    Raises:
        ValueError: two declare the same, or a cron's function is not there.
    """

    def __init__(self, *runtimes: Runtime) -> None:
        self.all = runtimes
        self._functions: dict[FunctionPath, tuple[Runtime, Declaration]] = {}
        self.crons: dict[str, Cron] = {}
        schemas = [runtime.schema for runtime in runtimes if runtime.schema is not None]
        if len(schemas) > 1:
            raise ValueError("a deployment has one schema: two of its parts declare one")
        self.schema: Schema = schemas[0] if schemas else Schema()
        routes: set[tuple[str, str]] = set()
        for runtime in runtimes:
            for declaration in runtime.declarations():
                if declaration.path in self._functions:
                    raise ValueError(f"two functions have the path {declaration.path!r}")
                self._functions[declaration.path] = runtime, declaration
            for name, cron in runtime.crons.items():
                if name in self.crons:
                    raise ValueError(f"two crons have the name {name!r}")
                self.crons[name] = cron
            for route in runtime.routes():
                if route in routes:
                    raise ValueError(f"{route[0]} {route[1]} is routed twice")
                routes.add(route)
        for cron in self.crons.values():
            self._check_cron(cron)

    def _check_cron(self, cron: Cron) -> None:
        found = self._functions.get(cron.path)
        if found is None:
            raise ValueError(
                f"cron {cron.name!r} schedules a function that does not exist: {cron.path}"
            )
        if found[1].kind == "query":
            raise ValueError(
                f"cron {cron.name!r} schedules {cron.path}, which is a query: "
                "only mutations and actions can be scheduled"
            )

    def swapped(self, old: Runtime, new: Runtime) -> Runtimes:
        """The same with a new runtime in place of an old one.

        Raises:
            ValueError: `old` is none of these, or two declare the same now.
        """
        if not any(runtime is old for runtime in self.all):
            raise ValueError("what is to be swapped out is not there")
        return Runtimes(*(new if runtime is old else runtime for runtime in self.all))

    def find(self, path: str) -> tuple[Runtime, Declaration] | None:
        """Who runs the function of a path in any spelling, and its declaration, or None.

        Raises:
            ValueError: it is no function path.
        """
        return self._functions.get(canonical_path(path))

    def get(self, path: str) -> Declaration | None:
        """The declaration alone."""
        found = self.find(path)
        return None if found is None else found[1]

    def find_route(self, method: str, path: str) -> tuple[Runtime, object] | None:
        """Who answers a request, and by what, or None."""
        owners = {route: runtime for runtime in self.all for route in runtime.routes()}
        best = best_route(owners, method, path)
        if best is None:
            return None
        runtime = owners["GET" if method == "HEAD" else method, best]
        route = runtime.find_route(method, path)
        return None if route is None else (runtime, route)

    def specification(self) -> list[dict[str, Any]]:
        """All functions and HTTP actions as Convex's `_system/cli/modules:apiSpec` lists them."""
        functions = [self._functions[path][1].to_json() for path in sorted(self._functions)]
        routes = [
            {"functionType": "HttpAction", "method": method, "path": path}
            for runtime in self.all
            for method, path in runtime.routes()
        ]
        return functions + routes
