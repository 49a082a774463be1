"""The seam for telemetry: what a client does, told fact by fact."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

from msgspec import Struct

logger: logging.Logger = logging.getLogger("convex_async")


class TracedCall(Struct, frozen=True):
    """One call of a function.

    Attributes:
        kind: "query", "mutation" or "action".
        path: the function path, such as `"tasks:list"`.
        url: the deployment's origin.
    """

    kind: str
    path: str
    url: str


class CallEnd(Struct, frozen=True):
    """How a call ended.

    Attributes:
        error: what it raised, or None.
        request_id: by which the deployment's logs know the run, where that is known.
        log_lines: what the function logged, where the deployment tells.
    """

    error: BaseException | None
    request_id: str | None
    log_lines: Sequence[str]


class Tracer:
    """Is told what clients do: give one as `ConvexClient(tracer=...)`. Override what you want.

    Each method is one fact, called in the event loop as it becomes true; it should return soon.
    What it raises is logged, and goes no further. `url` is the deployment's origin.
    """

    def call_started(self, call: TracedCall) -> Any:
        """A query, mutation or action was called. What this returns is given to `call_ended`."""

    def call_ended(self, started: Any, call: TracedCall, end: CallEnd) -> None:
        """It has a value, failed, or was cancelled; in the same context as `call_started`."""

    def connected(self, url: str, count: int) -> None:
        """A socket is open; `count` is 1 for the client's first, more for a reconnect."""

    def disconnected(self, url: str, reason: str) -> None:
        """The socket is gone."""

    def connect_failed(self, url: str, reason: str) -> None:
        """A socket could not be opened."""

    def token_refused(self, url: str, message: str, *, is_final: bool) -> None:
        """The deployment refused the user's token; unless it is final, another is fetched."""

    def subscribed(self, url: str, path: str) -> None:
        """A subscription began."""

    def unsubscribed(self, url: str, path: str) -> None:
        """A subscription ended."""

    def updated(self, url: str, path: str, size: int) -> None:
        """A subscription got a new state of so many bytes; 0 if the query failed."""

    def skipped(self, url: str, path: str) -> None:
        """The consumer never saw the state before: it is slower than the data."""


class SafeTracer:
    """Calls a tracer, whose mistakes are logged and harm nobody."""

    def __init__(self, tracer: Tracer, url: str) -> None:
        self._tracer = tracer
        self.url = url

    async def around(self, kind: str, path: str, notes: Any, call: Coroutine[Any, Any, Any]) -> Any:
        """Run a call and tell of it; `notes` is filled with what is known by its end."""
        traced = TracedCall(kind, path, self.url)
        started: Any = None
        with _harmless():
            started = self._tracer.call_started(traced)
        error: BaseException | None = None
        try:
            return await call
        except BaseException as raised:
            error = raised
            raise
        finally:
            request_id = getattr(error, "request_id", None) or notes.deployments_id
            lines = getattr(error, "log_lines", None) or notes.log_lines
            with _harmless():
                self._tracer.call_ended(started, traced, CallEnd(error, request_id, tuple(lines)))
            del error  # or its traceback, which has this frame, would keep itself

    def connected(self, count: int) -> None:
        with _harmless():
            self._tracer.connected(self.url, count)

    def disconnected(self, reason: str) -> None:
        with _harmless():
            self._tracer.disconnected(self.url, reason)

    def connect_failed(self, reason: str) -> None:
        with _harmless():
            self._tracer.connect_failed(self.url, reason)

    def token_refused(self, message: str, *, is_final: bool) -> None:
        with _harmless():
            self._tracer.token_refused(self.url, message, is_final=is_final)

    def subscribed(self, path: str) -> None:
        with _harmless():
            self._tracer.subscribed(self.url, path)

    def unsubscribed(self, path: str) -> None:
        with _harmless():
            self._tracer.unsubscribed(self.url, path)

    def updated(self, path: str, size: int) -> None:
        with _harmless():
            self._tracer.updated(self.url, path, size)

    def skipped(self, path: str) -> None:
        with _harmless():
            self._tracer.skipped(self.url, path)


@contextlib.contextmanager
def _harmless() -> Iterator[None]:
    try:
        yield
    except Exception:
        logger.exception("a tracer failed")


_default: list[Tracer] = []


def set_default_tracer(tracer: Tracer | None) -> None:
    """The tracer of clients that are made from now on and are given none."""
    _default[:] = [] if tracer is None else [tracer]


def tracer_for(url: str, given: Tracer | None) -> SafeTracer | None:
    """The tracer of a client that is being made, or None: then nothing is told, or costs."""
    tracer = given or (_default[0] if _default else None)
    return None if tracer is None else SafeTracer(tracer, url)
