"""HTTP actions: functions that answer plain HTTP requests."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from convex_async.local.definitions.pairs import Given, Headers, Parameters

Body: TypeAlias = (
    bytes | bytearray | memoryview | str | AsyncIterable[bytes | str] | Iterable[bytes | str]
)


class Request:
    """What an HTTP action is asked.

    Args:
        path: beginning with a slash, without the query, encoded as it came: `a%2Fb` is not `a/b`.
        query: the parameters of the URL.
        headers: by name in any case.
        body: all of it, or its pieces as they come.
        url: as a whole, as it was asked for.
    """

    def __init__(
        self,
        method: str,
        path: str,
        query: Given,
        headers: Given,
        body: bytes | AsyncIterator[bytes] = b"",
        url: str = "",
    ) -> None:
        self.method = method
        self.path = path
        self.query: Parameters = Parameters(query)
        self.headers: Headers = Headers(headers)
        self.url = url
        self._body: bytes | AsyncIterator[bytes] | None = body

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.path}>"

    async def stream(self) -> AsyncIterator[bytes]:
        """The body piece by piece, as it comes; it is not kept.

        Raises:
            RuntimeError: it was streamed already.
        """
        body, self._body = self._body, None
        match body:
            case None:
                raise RuntimeError("the body was streamed already: it comes but once")
            case bytes():
                yield body
            case _:
                async for piece in body:
                    yield piece

    async def bytes(self) -> bytes:
        """The body."""
        if not isinstance(self._body, bytes):
            self._body = b"".join([piece async for piece in self.stream()])
        return self._body

    async def text(self) -> str:
        """The body as UTF-8 text."""
        return (await self.bytes()).decode()

    async def json(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(await self.bytes())


class Response:
    """What an HTTP action answers.

    Args:
        body: bytes; text, which is `text/plain` unless `headers` say otherwise; or an iterator of
            either, whose pieces are sent as they come, while `ctx` still works.
        json: in place of a body, what is to be sent as JSON.
        status: the HTTP status.
        headers: further headers: a mapping, whose values may be lists, or pairs.

    Attributes:
        headers: by name in any case; `headers.add("Set-Cookie", ...)` adds one more.
    """

    def __init__(
        self,
        body: Body | None = None,
        json: Any = ...,
        status: int = 200,
        headers: Given = (),
    ) -> None:
        self.status = status
        self.headers: Headers = Headers(headers or ())
        self.body: bytes | AsyncIterable[bytes | str] | Iterable[bytes | str]
        if json is not ...:
            if body is not None:
                raise ValueError("a response has a body or json, not both")
            self.body = msgspec.json.encode(json)
            self.headers.setdefault("Content-Type", "application/json")
        elif isinstance(body, str):
            # Source: convex-backend udf-runtime/src/23_response.ts.
            self.headers.setdefault("Content-Type", "text/plain;charset=UTF-8")
            self.body = body.encode()
        elif isinstance(body, (bytearray, memoryview)):
            self.body = bytes(body)
        elif body is None or isinstance(body, bytes):
            self.body = body or b""
        elif isinstance(body, Mapping) or not isinstance(body, AsyncIterable | Iterable):
            raise TypeError(f"a body is bytes, text or an iterator, not {type(body).__name__}")
        else:
            pieces: Any = body  # the type checker takes a bytearray for an iterator of bytes
            self.body = pieces

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body piece by piece."""
        match self.body:
            case bytes():
                yield self.body
            case AsyncIterable():
                async for piece in self.body:
                    yield _encoded(piece)
            case _:
                for piece in self.body:
                    yield _encoded(piece)


def _encoded(piece: bytes | str) -> bytes:
    return piece.encode() if isinstance(piece, str) else piece


def best_route(routes: Iterable[tuple[str, str]], method: str, path: str) -> str | None:
    """Of the paths that take a request the one that does: the exact one, or the longest prefix.

    Args:
        routes: method and path of each; a path that ends in `*` is a prefix.

    Source: convex-js src/server/router.ts, lookup.
    """
    method = "GET" if method == "HEAD" else method
    prefixes = []
    for route_method, route in routes:
        if route_method != method:
            continue
        if route == path:
            return route
        if route.endswith("*") and path.startswith(route[:-1]):
            prefixes.append(route)
    return max(prefixes, key=len, default=None)


class HttpRouter:
    """The HTTP actions of a deployment by method and path."""

    METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

    def __init__(self) -> None:
        self._handlers: dict[tuple[str, str], Callable[..., Any]] = {}

    def add(self, method: str, path: str, handler: Callable[..., Any]) -> None:
        """Route a method and a path; one that ends in `/*` takes all paths below it.

        Raises:
            ValueError: the method or path is malformed, or taken.
            TypeError: the handler does not take `ctx` and `request`.
        """
        if method not in self.METHODS:
            raise ValueError(f"{method!r} is none of {', '.join(self.METHODS)}")
        if not path.startswith("/"):
            raise ValueError(f"the path of an HTTP action begins with a slash: {path!r}")
        if path == "/.files" or path.startswith("/.files/"):
            raise ValueError(f"/.files is Convex's own: {path!r}")
        if path.endswith("*") and not path.endswith("/*"):
            raise ValueError(f"a prefix ends in a slash and a star: {path!r}")
        try:
            inspect.signature(handler).bind(None, None)
        except TypeError as error:
            raise TypeError(
                f"the handler of {path!r} has to take ctx and request: {error}"
            ) from None
        if (method, path) in self._handlers:
            raise ValueError(f"{method} {path} is routed already")
        self._handlers[method, path] = handler

    def routes(self) -> list[tuple[str, str]]:
        """Method and path of each; a path that ends in `*` is a prefix."""
        return list(self._handlers)

    def find(self, method: str, path: str) -> Callable[..., Any] | None:
        """The handler of a request: of its path, else of the longest prefix of it."""
        route = best_route(self._handlers, method, path)
        return (
            None if route is None else self._handlers["GET" if method == "HEAD" else method, route]
        )
