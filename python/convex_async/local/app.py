"""The deployment's HTTP server: the sync routes, the function API, and what goes around them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from convex_async.errors import ConvexClientError
from convex_async.local.engine import Engine
from convex_async.local.faults import Faults
from convex_async.local.http_api import MAX_BODY, HttpApi, json_response, problem_response
from convex_async.local.problems import DeploymentProblem
from convex_async.local.site import MAX_REQUEST, Site, add_storage_routes
from convex_async.local.sync import MAX_MESSAGE_SIZE, SyncSocket
from convex_async.local.tokens import Tokens
from convex_async.version import __version__

# The first version of npm's client that puts together transitions in parts
# (convex-backend crates/common: client version features).
CHUNKS_SINCE = (1, 28, 0)

_SEMVER = re.compile(r"(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(engine: Engine, tokens: Tokens, faults: Faults) -> web.Application:
    """The routes of the cloud origin."""
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_cors, _problems])
    api = HttpApi(engine, tokens)
    api.add_routes(app.router)
    add_storage_routes(app.router, engine, engine.files)
    app.router.add_route("*", "/http/{path:.*}", Site(engine, tokens, prefix="/http").answer)

    async def sync(request: web.Request) -> web.StreamResponse:
        if faults.refuse_upgrades is not None:
            return json_response({"code": "Refused"}, status=faults.refuse_upgrades)
        chunks = takes_chunks(
            request.headers.get("Convex-Client"), request.match_info.get("version")
        )
        socket = web.WebSocketResponse(
            autoping=False, autoclose=False, max_msg_size=MAX_MESSAGE_SIZE, timeout=1.0
        )
        await socket.prepare(request)
        await SyncSocket(engine, tokens, faults, socket, request, chunks=chunks).run()
        return socket

    async def version(_request: web.Request) -> web.Response:
        return web.Response(text=__version__)

    async def alive(_request: web.Request) -> web.Response:
        return web.Response(text="This Convex deployment is running, locally.")

    async def openid(_request: web.Request) -> web.Response:
        jwks_uri = f"{tokens.issuer}/.well-known/jwks.json"
        return json_response({"issuer": tokens.issuer, "jwks_uri": jwks_uri})

    async def jwks(_request: web.Request) -> web.Response:
        return json_response(tokens.jwks())

    app.router.add_get("/api/sync", sync)
    app.router.add_get("/api/{version}/sync", sync)
    app.router.add_get("/version", version)
    app.router.add_get("/", alive)
    app.router.add_get("/.well-known/openid-configuration", openid)
    app.router.add_get("/.well-known/jwks.json", jwks)
    return app


def make_site(engine: Engine, tokens: Tokens) -> web.Application:
    """The routes of the site origin: HTTP actions alone."""
    app = web.Application(client_max_size=MAX_REQUEST, middlewares=[_problems])
    app.router.add_route("*", "/{path:.*}", Site(engine, tokens).answer)
    return app


def takes_chunks(header: str | None, path_version: str | None) -> bool:
    """Whether the client names itself as an npm client that takes TransitionChunk.

    Raises:
        DeploymentProblem: the header is malformed, or the version too old to be supported.
    """
    if header is None:
        return path_version is not None and _semver(path_version) >= CHUNKS_SINCE
    name, _, rest = header.partition("-")
    if not rest:
        raise DeploymentProblem("BadRequest", "InvalidClientVersion", "Convex-Client: name-version")
    if name.lower() != "npm" or rest.startswith("cli-"):
        return False
    return _semver(rest) >= CHUNKS_SINCE


def _semver(text: str) -> tuple[int, int, int]:
    match = _SEMVER.fullmatch(text)
    if match is None:
        raise DeploymentProblem("BadRequest", "ClientVersionUnsupported", f"{text} is no version")
    return int(match[1]), int(match[2]), int(match[3])


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except DeploymentProblem as problem:
        return problem_response(problem)
    except ConvexClientError as error:
        return problem_response(DeploymentProblem("BadRequest", "BadRequest", str(error)))


@web.middleware
async def _cors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every origin may call, with credentials, as the real server allows."""
    origin = request.headers.get("Origin")
    if origin is not None and request.method == "OPTIONS":
        response: web.StreamResponse = web.Response()
        wanted = request.headers.get("Access-Control-Request-Headers", "")
        response.headers["Access-Control-Allow-Headers"] = wanted
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS, PATCH, DELETE, PUT"
        response.headers["Access-Control-Max-Age"] = "86400"
    else:
        response = await handler(request)
    if origin is not None and not response.prepared:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
    return response
