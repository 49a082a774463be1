"""HTTP actions: functions that answer plain HTTP requests."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Request:
    """What an HTTP action is asked.

    Attributes:
        path: beginning with a slash, without the query.
        query: the parameters of the URL.
        headers: by lower-case name.
        url: as a whole, as it was asked for.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    _body: bytes
    url: str = ""

    async def bytes(self) -> bytes:
        """The body."""
        return self._body

    async def text(self) -> str:
        """The body as UTF-8 text."""
        return self._body.decode()

    async def json(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(self._body)


class Response:
    """What an HTTP action answers.

    Args:
        body: bytes or text.
        json: in place of a body, what is to be sent as JSON.
        status: the HTTP status.
        headers: further headers.
    """

    def __init__(
        self,
        body: bytes | str | None = None,
        json: Any = ...,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.headers = dict(headers or {})
        if json is not ...:
            if body is not None:
                raise ValueError("a response has a body or json, not both")
            self.body = msgspec.json.encode(json)
            self.headers.setdefault("Content-Type", "application/json")
        else:
            self.body = body.encode() if isinstance(body, str) else body or b""


class HttpRouter:
    """The HTTP actions of a deployment by method and path."""

    METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

    def __init__(self) -> None:
        self._exact: dict[tuple[str, str], Callable[..., Any]] = {}
        self._prefixes: dict[tuple[str, str], Callable[..., Any]] = {}

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
        try:
            inspect.signature(handler).bind(None, None)
        except TypeError as error:
            raise TypeError(
                f"the handler of {path!r} has to take ctx and request: {error}"
            ) from None
        routes = self._prefixes if path.endswith("/*") else self._exact
        key = (method, path.removesuffix("*"))
        if key in routes:
            raise ValueError(f"{method} {path} is routed already")
        routes[key] = handler

    def routes(self) -> list[tuple[str, str]]:
        """Method and path of each; a path that ends in `*` is a prefix."""
        return [*self._exact, *((method, f"{path}*") for method, path in self._prefixes)]

    def find(self, method: str, path: str) -> Callable[..., Any] | None:
        """The handler of a request: of its path, else of the longest prefix of it."""
        method = "GET" if method == "HEAD" else method
        exact = self._exact.get((method, path))
        if exact is not None:
            return exact
        fitting = [key for key in self._prefixes if key[0] == method and path.startswith(key[1])]
        return self._prefixes[max(fitting, key=lambda key: len(key[1]))] if fitting else None
