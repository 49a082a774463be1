"""Functions over HTTP: `/api/query`, `/api/mutation` and their like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar

import msgspec
from aiohttp import web

from convex_async.codec import to_plain_json
from convex_async.local.context import Identity
from convex_async.local.engine import ActionRun, Engine, MutationRun, QueryRun, read_args
from convex_async.local.outcome import Failure
from convex_async.local.problems import DeploymentProblem, FunctionProblem
from convex_async.local.tokens import TokenRefused, Tokens
from convex_async.protocol.messages import format_timestamp, parse_timestamp

T = TypeVar("T")
Format = Literal["json", "convex_clean_json", "convex_encoded_json", "convex_json"]

# convex-backend crates/errors: the status of each category.
STATUSES = {
    "BadRequest": 400,
    "Unauthenticated": 401,
    "AuthUpdateFailed": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "ClientDisconnect": 408,
    "RateLimited": 429,
    "Internal": 500,
}
# Bytes of a request (convex-backend crates/local_backend: MAX_BODY).
MAX_BODY = 16 * 2**20 + 2000


class Call(msgspec.Struct):
    """The body of a function call."""

    path: str
    args: msgspec.Raw
    format: Format = "json"
    ts: str | None = None


class RunCall(msgspec.Struct):
    """The body of a call whose path is in the URL."""

    args: msgspec.Raw
    format: Format = "json"


def problem_response(problem: DeploymentProblem) -> web.Response:
    """The answer to a request that could not be carried out."""
    body = {"code": problem.code, "message": str(problem)}
    return json_response(body, status=STATUSES.get(problem.category, 503))


def json_response(body: Any, *, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json"
    )


class HttpApi:
    """The routes under `/api` that call functions."""

    def __init__(self, engine: Engine, tokens: Tokens) -> None:
        self._engine = engine
        self._tokens = tokens

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add all routes."""
        for kind in ("query", "mutation", "action"):
            router.add_post(f"/api/{kind}", self._handler(kind))
        router.add_post("/api/function", self._any)
        router.add_post("/api/run/{path:.+}", self._run_path)
        router.add_post("/api/query_ts", self._query_ts)
        router.add_post("/api/query_at_ts", self._handler("query"))

    def identity(self, request: web.Request) -> Identity | None:
        """Who calls.

        Raises:
            DeploymentProblem: the `Authorization` header names nobody who is known.
        """
        try:
            return self._tokens.from_header(request.headers.get("Authorization"))
        except TokenRefused as refusal:
            code, _, message = str(refusal).partition(": ")
            raise DeploymentProblem("Unauthenticated", code, message) from None

    def _handler(self, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            call = await _body(request, Call)
            return await self._answer(
                kind, call.path, call.args, call.format, self.identity(request), call.ts
            )

        return handle

    async def _any(self, request: web.Request) -> web.Response:
        identity = self.identity(request)
        if identity is None or not identity.is_admin:
            raise DeploymentProblem("Forbidden", "BadDeployKey", "an admin key is needed for this")
        call = await _body(request, Call)
        return await self._answer(None, call.path, call.args, call.format, identity, None)

    async def _run_path(self, request: web.Request) -> web.Response:
        module, _, name = request.match_info["path"].rpartition("/")
        call = await _body(request, RunCall)
        return await self._answer(
            None, f"{module}:{name}", call.args, call.format, self.identity(request), None
        )

    async def _query_ts(self, _request: web.Request) -> web.Response:
        return json_response({"ts": format_timestamp(self._engine.latest_ts)})

    async def _answer(
        self,
        kind: str | None,
        path: str,
        raw_args: msgspec.Raw,
        format: Format,
        identity: Identity | None,
        ts: str | None,
    ) -> web.Response:
        if path == "_system/cli/modules:apiSpec" and identity is not None and identity.is_admin:
            return json_response(
                {"status": "success", "value": self._engine.functions.specification()}
            )
        try:
            args = bytes(raw_args) if bytes(raw_args)[:1] == b"{" else read_args(raw_args)
            run = await self._run(kind, path, args, identity, ts)
        except FunctionProblem as problem:
            return json_response({"status": "error", "errorMessage": str(problem)})
        clean = format in ("json", "convex_clean_json")
        logs = {"logLines": run.log_lines} if run.log_lines else {}
        if isinstance(run.result, Failure):
            body: dict[str, Any] = {"status": "error", "errorMessage": run.result.message}
            if run.result.data is not None:
                data = to_plain_json(run.result.data) if clean else run.result.data
                body["errorData"] = msgspec.Raw(data)
            return json_response({**body, **logs})
        value = to_plain_json(run.result) if clean else run.result
        return json_response({"status": "success", "value": msgspec.Raw(value), **logs})

    async def _run(
        self, kind: str | None, path: str, args: bytes, identity: Identity | None, ts: str | None
    ) -> QueryRun | MutationRun | ActionRun:
        if kind is None:
            try:
                function = self._engine.functions.get(path)
            except ValueError as error:
                raise DeploymentProblem(
                    "BadRequest", "BadConvexFunctionIdentifier", str(error)
                ) from None
            kind = "query" if function is None else function.kind
        match kind:
            case "query":
                if ts is not None and parse_timestamp(ts) != self._engine.latest_ts:
                    raise DeploymentProblem(
                        "OutOfRetention", "SnapshotOutOfRetention", "that state is gone by now"
                    )
                return await self._engine.query(path, args, identity=identity)
            case "mutation":
                return await self._engine.mutation(path, args, identity=identity)
            case _:
                return await self._engine.action(path, args, identity=identity)


async def _body(request: web.Request, type: type[T]) -> T:
    if not request.content_type.endswith("json"):
        raise DeploymentProblem("BadRequest", "BadJsonBody", "the content type is not JSON")
    try:
        return msgspec.json.decode(await request.read(), type=type)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DeploymentProblem("BadRequest", "BadJsonBody", str(error)) from None
