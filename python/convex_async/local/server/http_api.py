"""Functions over HTTP: `/api/query`, `/api/mutation` and their like.

Source: convex-backend crates/local_backend/src/public_api.rs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from convex_async.function_path import SHOWN
from convex_async.local.auth.identity import Caller
from convex_async.local.auth.tokens import Tokens
from convex_async.local.engine.engine import Engine
from convex_async.local.engine.runner import read_args
from convex_async.local.problems import DeploymentProblem, FunctionProblem, internal_problem
from convex_async.local.server.http_bodies import (
    CallAtBody,
    CallBody,
    ComponentCallBody,
    FinishedRun,
    RunCallBody,
    is_plain,
    json_response,
    outcome_of,
    read_batch,
    read_body,
)
from convex_async.local.server.pacing import Pace
from convex_async.protocol.messages import format_timestamp, parse_timestamp

T = TypeVar("T")

# Seconds for which a timestamp of `query_ts` can be queried (convex-backend promises 30 s
# and keeps them for minutes).
SNAPSHOT_LEASE = 300.0
API_SPEC = "_system/cli/modules:apiSpec"


class HttpApi:
    """The routes under `/api` that call functions."""

    def __init__(self, engine: Engine, tokens: Tokens) -> None:
        self._engine = engine
        self._tokens = tokens
        self._leases: dict[int, asyncio.TimerHandle] = {}

    def add_to(self, app: web.Application) -> None:
        """Add all routes."""
        app.on_cleanup.append(self._close)
        router = app.router
        router.add_get("/api/query", self._get_query)
        for kind in ("query", "mutation", "action"):
            router.add_post(f"/api/{kind}", self._handler(kind))
        router.add_post("/api/function", self._any)
        router.add_post("/api/run/{path:.+}", self._run_path)
        router.add_post("/api/query_ts", self._query_ts)
        router.add_post("/api/query_at_ts", self._query_at_ts)
        router.add_post("/api/query_batch", self._query_batch)

    async def _identity(self, request: web.Request) -> Caller | None:
        return await self._tokens.from_header(
            request.headers.get("Authorization"), request.query.get("adminKey")
        )

    def _handler(self, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            call = await read_body(request, CallBody)
            identity = await self._identity(request)
            if (listing := self._api_spec(call.path, identity)) is not None:
                return json_response(listing)
            run = await self._run(kind, call.path, call.args, identity)
            return json_response(outcome_of(run, is_plain(call.format, request)))

        return handle

    async def _get_query(self, request: web.Request) -> web.Response:
        """A query with its arguments, a JSON text, in the URL."""
        asked = request.query
        if "path" not in asked or "args" not in asked:
            raise DeploymentProblem("BadRequest", "BadQueryArgs", "path and args are needed")
        args = msgspec.Raw(asked["args"].encode())
        run = await self._run("query", asked["path"], args, await self._identity(request))
        return json_response(outcome_of(run, is_plain(asked.get("format"), request)))

    async def _any(self, request: web.Request) -> web.Response:
        call = await read_body(request, ComponentCallBody)
        identity = await self._identity(request)
        if identity is None or not identity.is_admin:
            raise DeploymentProblem("Forbidden", "BadDeployKey", "an admin key is needed for this")
        if call.component_path:
            raise DeploymentProblem(
                "BadRequest",
                "InvalidComponentPath",
                f"Component {call.component_path!r} does not exist on this deployment",
            )
        if (listing := self._api_spec(call.path, identity)) is not None:
            return json_response(listing)
        run = await self._run(None, call.path, call.args, identity)
        return json_response(outcome_of(run, is_plain(call.format, request)))

    async def _run_path(self, request: web.Request) -> web.Response:
        module, _, name = request.match_info["path"].rpartition("/")
        call = await read_body(request, RunCallBody)
        identity = await self._identity(request)
        if not module:
            raise DeploymentProblem(
                "BadRequest",
                "MissingIdentifier",
                "Path or function name not provided in path, e.g. /api/run/messages/list",
            )
        run = await self._run(None, f"{module}:{name}", call.args, identity)
        return json_response(outcome_of(run, is_plain(call.format or "json", request)))

    async def _query_ts(self, _request: web.Request) -> web.Response:
        """The latest timestamp, whose state is kept for a while for the queries that follow."""
        ts = self._engine.latest_ts
        if (lease := self._leases.pop(ts, None)) is None:
            self._engine.store.open_snapshot()
        else:
            lease.cancel()
        loop = asyncio.get_running_loop()
        self._leases[ts] = loop.call_later(SNAPSHOT_LEASE, self._release, ts)
        return json_response({"ts": format_timestamp(ts)})

    def _release(self, ts: int) -> None:
        del self._leases[ts]
        self._engine.store.close_snapshot(ts)

    async def _close(self, _app: web.Application) -> None:
        for lease in self._leases.values():
            lease.cancel()

    async def _query_at_ts(self, request: web.Request) -> web.Response:
        call = await read_body(request, CallAtBody)
        identity = await self._identity(request)
        try:
            ts = parse_timestamp(call.ts)
        except ValueError as error:
            raise internal_problem(str(error)) from None
        if ts > self._engine.latest_ts:
            raise internal_problem("that state is still to come")
        if ts < self._engine.latest_ts and ts not in self._leases:
            raise DeploymentProblem(
                "OutOfRetention", "SnapshotOutOfRetention", "that state is gone by now"
            )
        run = await self._run("query", call.path, call.args, identity, ts)
        return json_response(outcome_of(run, is_plain(call.format, request)))

    async def _query_batch(self, request: web.Request) -> web.Response:
        batch = await read_batch(request)
        identity = await self._identity(request)
        results: list[dict[str, Any]] = []
        ts = self._engine.store.open_snapshot()
        pace = Pace()
        try:
            for call in batch.queries:
                plain = is_plain(call.format, request)
                run = await self._run("query", call.path, call.args, identity, ts)
                results.append(outcome_of(run, plain))
                await pace.rest()
        finally:
            self._engine.store.close_snapshot(ts)
        return json_response({"results": results})

    def _api_spec(self, path: str, identity: Caller | None) -> dict[str, Any] | None:
        if path != API_SPEC or identity is None or not identity.is_admin:
            return None
        return {"status": "success", "value": self._engine.runtimes.specification()}

    async def _run(
        self,
        kind: str | None,
        path: str,
        raw_args: msgspec.Raw,
        identity: Caller | None,
        ts: int | None = None,
    ) -> FinishedRun | FunctionProblem:
        """Run a function; a query may be given the timestamp of an open snapshot."""
        try:
            function = self._engine.runtimes.get(path)
        except ValueError as error:
            raise DeploymentProblem(
                "BadRequest",
                "BadConvexFunctionIdentifier",
                f"{path[:SHOWN]} is not a valid path to a Convex function. {error}",
            ) from None
        kind = kind or ("query" if function is None else function.kind)
        try:
            args = bytes(raw_args)
            if not args.startswith(b"{"):
                args = read_args(args)
        except (FunctionProblem, msgspec.DecodeError) as problem:
            return FunctionProblem(str(problem))
        match kind:
            case "query":
                return await self._engine.query(path, args, identity=identity, ts=ts)
            case "mutation":
                return await self._engine.mutation(path, args, identity=identity)
            case _:
                return await self._engine.action(path, args, identity=identity)
