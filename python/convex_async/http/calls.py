"""How one call of a function goes over HTTP: authorized, retried if it is a query, told apart."""

from __future__ import annotations

import asyncio
import os
import random
import warnings
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from convex_async.auth.credentials import authorization
from convex_async.client_base.answers import value_or_raise
from convex_async.errors import AuthError, ConvexClientError, TransportError
from convex_async.function_path import FunctionPath
from convex_async.http.answers import deprecation, function_answer, retry_after, timestamp
from convex_async.http.connection import HttpConnection
from convex_async.http.identity import HttpIdentity
from convex_async.protocol.client.identity import ANONYMOUS
from convex_async.protocol.messages import WireTimestamp
from convex_async.protocol.results import Failed
from convex_async.shown import without_secrets
from convex_async.telemetry.function_logs import log_function_lines
from convex_async.version import CLIENT_HEADER

if TYPE_CHECKING:
    from convex_async.transport.http import Attempt, HttpAnswer

Kind: TypeAlias = Literal["query", "mutation", "action"]

# Times that a query is asked again, and the seconds before the first; mutations and actions never.
QUERY_RETRIES = 2
RETRY_INITIAL = 0.2
# Seconds; a deployment that asks for more patience is told to the caller instead.
RETRY_AFTER_LIMIT = 60.0
# Statuses of a deployment, or of what stands before it, that may be better the next time.
RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
# 560: the function failed; the body is the same (convex-js src/browser/http_client.ts).
FUNCTION_STATUSES = frozenset({200, 560})


def _new_request_id() -> str:
    return os.urandom(8).hex()


class Call(Struct, frozen=True):
    """One call of a function, as it was when it was made.

    Attributes:
        args: wire bytes of the arguments object.
        type: what the value is to be, or None.
        timeout: seconds, waiting and retries included, or None.
        debug: log what the function logs.
        request_id: 16 hex digits, by which the deployment's logs know the run.
    """

    kind: Kind
    path: FunctionPath
    args: bytes
    type: Any
    timeout: float | None
    identity: HttpIdentity
    debug: bool = False
    request_id: str = field(default_factory=_new_request_id)


class HttpCalls:
    """Runs calls against one deployment.

    Args:
        url: the deployment's origin.
    """

    def __init__(self, url: str, connection: HttpConnection) -> None:
        self._url = url
        self._connection = connection
        self._warned = False

    async def once(self, call: Call, *, queue: asyncio.Lock | None) -> Any:
        """Send a mutation or an action, when its turn in the queue has come."""
        from convex_async.transport.http import Attempt

        attempt = Attempt()
        async with self._connection.limit(call.path, call.timeout, attempt):
            if queue is None:
                answer = await self._send(call, attempt)
            else:
                async with queue:
                    answer = await self._send(call, attempt)
        return _value(call, answer)

    async def query(self, call: Call, *, ts: WireTimestamp | None = None) -> Any:
        """Ask a query, of the present or of a moment; again if the fault is on the way."""
        from convex_async.transport.http import Attempt

        attempt = Attempt()
        async with self._connection.limit(call.path, call.timeout, attempt) as limit:
            answer = await self._patiently(call, attempt, limit, ts)
        return _value(call, answer)

    async def latest_timestamp(self, timeout: float | None) -> WireTimestamp:
        """The deployment's present moment."""
        from convex_async.http.answers import refusal
        from convex_async.transport.http import Attempt, post

        attempt = Attempt()
        async with self._connection.limit("query_ts", timeout, attempt):
            answer = await post(
                self._connection.session(),
                f"{self._url}/api/query_ts",
                b"{}",
                {"Convex-Client": CLIENT_HEADER},
                attempt,
            )
        if answer.status != 200:
            raise refusal(answer, "query_ts")
        return timestamp(answer.body)

    async def _patiently(
        self, call: Call, attempt: Attempt, limit: asyncio.Timeout, ts: WireTimestamp | None
    ) -> HttpAnswer:
        from convex_async.http.answers import refusal

        delay, retries = RETRY_INITIAL, 0
        while True:
            wait = delay * (0.5 + random.random())
            error: ConvexClientError
            try:
                answer = await self._send(call, attempt, ts)
                if answer.status not in RETRIED_STATUSES:
                    return answer
                wait = max(wait, retry_after(answer.headers))
                error = refusal(answer, call.path)
            except TransportError as lost:
                error = lost
            if retries == QUERY_RETRIES or wait >= _seconds_left(limit):
                raise error
            await asyncio.sleep(wait)
            delay, retries = delay * 2, retries + 1

    async def _send(
        self, call: Call, attempt: Attempt, ts: WireTimestamp | None = None
    ) -> HttpAnswer:
        """Make the request, with a renewed token if the first was refused.

        A refused token is told before anything runs, so that this is no retry of the function.
        """
        from convex_async.http.answers import refusal
        from convex_async.transport.http import post

        body = b'{"path":"%b","format":"convex_encoded_json","args":%b%b}' % (
            call.path.encode(),
            call.args,
            b"" if ts is None else b',"ts":"%b"' % ts.encode(),
        )
        while True:
            credential = await call.identity.credential()
            answer = await post(
                self._connection.session(),
                f"{self._url}/api/{call.kind if ts is None else 'query_at_ts'}",
                body,
                {
                    "Convex-Client": CLIENT_HEADER,
                    "Convex-Request-Id": call.request_id,
                    **authorization(credential),
                },
                attempt,
            )
            self._warn_once(answer)
            if answer.status != 401 or credential == ANONYMOUS:
                return answer
            attempt.sent = False
            error = refusal(answer, call.path)
            assert isinstance(error, AuthError)
            await call.identity.renew_refused(credential, error)

    def _warn_once(self, answer: HttpAnswer) -> None:
        if not self._warned and (text := deprecation(answer.headers)) is not None:
            self._warned = True
            warnings.warn(f"{self._url}: {text}", stacklevel=2)


def _value(call: Call, answer: HttpAnswer) -> Any:
    from convex_async.http.answers import refusal

    if answer.status not in FUNCTION_STATUSES:
        raise refusal(answer, f"{call.path} (request {call.request_id})")
    ended = function_answer(answer.body, call.path, call.request_id)
    if isinstance(ended, Failed):
        ended = replace(ended, message=without_secrets(ended.message, answer.secrets))
    if call.debug:
        log_function_lines(call.path, ended.log_lines)
    call.identity.accepted()
    return value_or_raise(call.path, ended, call.type)


def _seconds_left(limit: asyncio.Timeout) -> float:
    when = limit.when()
    if when is None:
        return RETRY_AFTER_LIMIT
    return min(RETRY_AFTER_LIMIT, when - asyncio.get_running_loop().time())
