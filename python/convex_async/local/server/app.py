"""The deployment's HTTP server: the sync routes, the function API, and what goes around them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from convex_async.errors import ConvexClientError
from convex_async.local.auth.tokens import Tokens
from convex_async.local.engine.engine import Engine
from convex_async.local.problems import DeploymentProblem
from convex_async.local.server.client_version import accepts_deflate, client_version
from convex_async.local.server.draining import OpenRequests
from convex_async.local.server.faults import Faults
from convex_async.local.server.http_api import HttpApi
from convex_async.local.server.http_bodies import CLIENT_VERSION, MAX_BODY, json_response
from convex_async.local.server.incoming import whole
from convex_async.local.server.origins import FOREIGN, Origins
from convex_async.local.server.site import MAX_REQUEST, Site
from convex_async.local.server.storage_routes import add_storage_routes
from convex_async.local.server.sync_socket import MAX_MESSAGE_SIZE, SyncSocket
from convex_async.version import __version__

# Bytes that `/echo` takes (convex-backend crates/common/src/knobs.rs: MAX_ECHO_BYTES).
MAX_ECHO = 128 * 2**20
# Seconds for which a browser may remember a preflight (convex-backend crates/local_backend).
PREFLIGHT_MAX_AGE = 86400

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(
    engine: Engine, tokens: Tokens, faults: Faults, requests: OpenRequests, origins: Origins
) -> web.Application:
    """The routes of the cloud origin."""
    app = web.Application(
        client_max_size=MAX_BODY,
        middlewares=[_problems, _guarded(origins), _cors, _counted(requests), _versions],
    )
    app.on_response_prepare.append(_add_headers)
    HttpApi(engine, tokens).add_to(app)
    add_storage_routes(app.router, engine, engine.files)
    app.router.add_route("*", "/http/{path:.*}", Site(engine, tokens, prefix="/http").answer)

    async def sync(request: web.Request) -> web.StreamResponse:
        if faults.refuse_upgrades is not None:
            return json_response({"code": "Refused"}, status=faults.refuse_upgrades)
        socket = web.WebSocketResponse(
            autoping=False,
            autoclose=False,
            max_msg_size=MAX_MESSAGE_SIZE,
            compress=accepts_deflate(request.headers.getall("Sec-WebSocket-Extensions", [])),
        )
        await socket.prepare(request)
        chunks = request[CLIENT_VERSION].takes_chunks
        foreign = origins.is_foreign(request.headers.get("Origin"))
        await SyncSocket(
            engine, tokens, faults, socket, request, chunks=chunks, takes_admin=not foreign
        ).run()
        return socket

    async def openid(_request: web.Request) -> web.Response:
        jwks_uri = f"{tokens.issuer}/.well-known/jwks.json"
        return json_response({"issuer": tokens.issuer, "jwks_uri": jwks_uri})

    async def jwks(_request: web.Request) -> web.Response:
        return json_response(tokens.jwks())

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await whole(request, MAX_ECHO))

    app.router.add_get("/api/sync", sync)
    app.router.add_get("/api/{client_version}/sync", sync)
    app.router.add_get("/", _text("This Convex deployment is running, locally."))
    app.router.add_get("/version", _text(__version__))
    app.router.add_get("/instance_version", _text(__version__))
    app.router.add_get("/instance_name", _text(tokens.name))
    app.router.add_post("/echo", echo)
    app.router.add_get("/.well-known/openid-configuration", openid)
    app.router.add_get("/.well-known/jwks.json", jwks)
    return app


def make_site(
    engine: Engine, tokens: Tokens, requests: OpenRequests, origins: Origins
) -> web.Application:
    """The routes of the site origin: HTTP actions alone."""
    app = web.Application(
        client_max_size=MAX_REQUEST,
        middlewares=[_problems, _guarded(origins), _counted(requests)],
    )
    app.router.add_route("*", "/{path:.*}", Site(engine, tokens).answer)
    return app


def _text(text: str) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=text)

    return answer


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except DeploymentProblem as problem:
        return _problem_response(problem)
    except ConvexClientError as error:
        return _problem_response(DeploymentProblem("BadRequest", "BadRequest", str(error)))


def _guarded(origins: Origins) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not origins.answers_to(request.headers.get("Host")):
            raise DeploymentProblem(
                "Forbidden",
                "HostNotAllowed",
                "This deployment does not go by that name: use localhost, or allow the name "
                "(serve --allow-host NAME, LocalDeployment(allow_hosts=[NAME])).",
            )
        if origins.is_foreign(request.headers.get("Origin")) and _has_admin_key(request):
            raise DeploymentProblem("Forbidden", "ForeignOrigin", FOREIGN)
        return await handler(request)

    return guard


def _has_admin_key(request: web.Request) -> bool:
    scheme = request.headers.get("Authorization", "").partition(" ")[0]
    return scheme.lower() == "convex" or "adminKey" in request.query


def _counted(requests: OpenRequests) -> Middleware:
    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/api/") and request.path.endswith("/sync"):
            return await handler(request)  # a socket is drained by itself
        return await requests.answer(request, handler)

    return count


def _problem_response(problem: DeploymentProblem) -> web.Response:
    return json_response({"code": problem.code, "message": str(problem)}, status=problem.status)


@web.middleware
async def _versions(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Who calls is known to all handlers, and may be too old for any of them."""
    version = client_version(
        request.headers.get("Convex-Client"), request.match_info.get("client_version")
    )
    request[CLIENT_VERSION] = version
    deprecation = version.deprecation
    if deprecation is not None and deprecation.state == "Unsupported":
        raise DeploymentProblem("BadRequest", "ClientVersionUnsupported", deprecation.message)
    return await handler(request)


@web.middleware
async def _cors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Preflights are answered here; those of HTTP actions are the actions' own business."""
    if request.method == "OPTIONS" and _is_cross_origin_call(request):
        wanted = request.headers.get("Access-Control-Request-Headers", "")
        headers = {
            "Access-Control-Allow-Headers": wanted,
            "Access-Control-Allow-Methods": "GET,POST,OPTIONS,PATCH,DELETE,PUT",
            "Access-Control-Max-Age": str(PREFLIGHT_MAX_AGE),
        }
        return web.Response(headers=headers)
    return await handler(request)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """What every kind of answer has, upgrades and files too."""
    deprecation = request[CLIENT_VERSION].deprecation if CLIENT_VERSION in request else None
    if deprecation is not None:
        response.headers["x-convex-deprecation-state"] = deprecation.state
        response.headers["x-convex-deprecation-message"] = deprecation.message
    if request.path.startswith("/api/"):
        response.headers.add("Vary", "Origin")
    if _is_cross_origin_call(request):
        # Every origin may call, with credentials, as the real server allows.
        response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        response.headers["Access-Control-Allow-Credentials"] = "true"


def _is_cross_origin_call(request: web.Request) -> bool:
    return "Origin" in request.headers and request.path.startswith("/api/")
