"""What the deployment's HTTP API answers: bodies, and what its headers ask for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Raw

from convex_async.errors import (
    AuthError,
    ConvexClientError,
    RemoteProtocolError,
    TransportError,
)
from convex_async.protocol.messages import ABSENT, WireTimestamp, parse_timestamp
from convex_async.protocol.results import Failed, Succeeded, present, split_request_id
from convex_async.transport.http import HttpAnswer, refusal_text


class _FunctionAnswer(msgspec.Struct, rename="camel"):
    """Source: convex-backend crates/local_backend/src/public_api.rs, UdfResponse."""

    status: Literal["success", "error"]
    value: Raw = ABSENT
    error_message: str = ""
    error_data: Raw = ABSENT
    log_lines: list[str] = []


class _Timestamp(msgspec.Struct):
    ts: WireTimestamp


_function_answer = msgspec.json.Decoder(_FunctionAnswer)


def function_answer(body: bytes, path: str, request_id: str) -> Succeeded | Failed:
    """How a function ended, by the body of an answer with status 200 or 560.

    Args:
        request_id: the one that was sent, for failures whose message has none.

    Raises:
        RemoteProtocolError: it is no such body; something else may listen at the URL.
    """
    try:
        answer = _function_answer.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteProtocolError(
            f"{path}: the answer is not that of a Convex deployment ({error}): is the URL right?"
        ) from error
    if answer.status == "success":
        # A missing value is null (convex-js src/browser/http_client.ts).
        return Succeeded(present(answer.value) or b"null", answer.log_lines)
    message, said = split_request_id(answer.error_message)
    return Failed(message, present(answer.error_data), answer.log_lines, said or request_id)


def timestamp(body: bytes) -> WireTimestamp:
    """The timestamp that `/api/query_ts` answered, as it goes back on the wire.

    Raises:
        RemoteProtocolError: it is none.
    """
    try:
        ts = msgspec.json.decode(body, type=_Timestamp).ts
        parse_timestamp(ts)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"the deployment's answer is no timestamp: {error}") from error
    return ts


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the deployment asks to wait before the next try; 0 if it does not say."""
    text = headers.get("Retry-After", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    from email.utils import parsedate_to_datetime  # takes 10 ms, and is rarely needed

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0


def deprecation(headers: Mapping[str, str]) -> str | None:
    """What the deployment says of this version of the client, or None.

    Source: convex-backend crates/common/src/version.rs.
    """
    state = headers.get("x-convex-deprecation-state")
    message = headers.get("x-convex-deprecation-message")
    return f"{state}: {message}" if state and message else None


# Refusals of a credential that come with status 400 (convex-backend crates/local_backend).
CREDENTIAL_CODES = frozenset({"InvalidHeaderFailure", "InvalidAdminKey", "HeaderParseFailure"})


def refusal(answer: HttpAnswer, what: str) -> ConvexClientError:
    """The error that an answer other than a function's stands for.

    Args:
        what: what was asked for, such as the function path.

    Source: convex-backend crates/errors, the HTTP status of each category.
    """
    code, message = refusal_text(answer)
    status = answer.status
    text = f"{what}: the deployment answered with HTTP status {status}{_colon(code, message)}"
    if status in (401, 403) or code in CREDENTIAL_CODES:
        return AuthError(text)
    # Overloaded, rate limited and the like come before a function runs, or take its commit back.
    if status in (421, 425, 429) or (status == 503 and code is not None):
        return TransportError(text, outcome="not_sent")
    if status == 408 or status >= 500:
        return TransportError(text, outcome="unknown")
    if 300 <= status < 400:
        return RemoteProtocolError(f"{text}; a redirect is not followed: is the URL right?")
    return RemoteProtocolError(text)


def _colon(code: str | None, message: str) -> str:
    return "".join(f": {part}" for part in (code, message) if part)
