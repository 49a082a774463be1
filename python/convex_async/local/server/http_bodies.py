"""Bodies of the HTTP API: what a request holds, and what is answered."""

from __future__ import annotations

import asyncio
import re
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from convex_async.codec.values import to_plain_json
from convex_async.local.problems import DeploymentProblem, FunctionProblem
from convex_async.local.server.client_version import ClientVersion
from convex_async.local.server.incoming import unpacked
from convex_async.local.transactions.outcome import ActionRun, Failure, MutationRun, QueryRun

T = TypeVar("T")

# Bytes of a request (convex-backend: MAX_BACKEND_PUBLIC_API_REQUEST_SIZE).
MAX_BODY = 16 * 2**20 + 2000
# Queries of one batch. The real server has no such number, but machines to spare.
MAX_BATCH = 10_000

FinishedRun = QueryRun | MutationRun | ActionRun


# Whether results are plain JSON in a format (convex-backend crates/value: ValueFormat).
FORMATS = {
    "json": True,
    "convex_clean_json": True,
    "convex_encoded_json": False,
    "convex_json": False,
}


# A string without an end, which no value has, is taken whole as well: a search stays linear.
_STRING_OR_NUMBER = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|-?\d[\d.eE+-]*')


CLIENT_VERSION: web.RequestKey[ClientVersion] = web.RequestKey("client_version", ClientVersion)


class CallBody(msgspec.Struct):
    """The body of a function call."""

    path: str
    args: msgspec.Raw
    format: str | None = None


class CallAtBody(CallBody, kw_only=True):
    """The body of a query of a past state."""

    ts: str


class ComponentCallBody(CallBody, rename="camel"):
    """The body of a call by an admin."""

    component_path: str | None = None


class RunCallBody(msgspec.Struct):
    """The body of a call whose path is in the URL."""

    args: msgspec.Raw
    format: str | None = None


class BatchBody(msgspec.Struct):
    """The body of several queries of one state."""

    queries: list[CallBody]


class _Counted(msgspec.Struct, gc=False):
    """As little of a query as tells that it is one."""

    path: str


class _CountedBatch(msgspec.Struct):
    queries: list[_Counted]


def json_response(body: Any, *, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json"
    )


def is_plain(format: str | None, request: web.Request) -> bool:
    """Whether the answer is plain JSON; looked at after the call ran, as the real server does.

    Raises:
        DeploymentProblem: there is no such format.
    """
    if format is None:
        return request[CLIENT_VERSION].wants_plain_json
    if format not in FORMATS:
        raise DeploymentProblem("BadRequest", "BadFormat", f"there is no format {format!r}")
    return FORMATS[format]


def outcome_of(run: FinishedRun | FunctionProblem, is_plain: bool) -> dict[str, Any]:
    """The body of an answer."""
    if isinstance(run, FunctionProblem):
        return {"status": "error", "errorMessage": str(run)}
    logs = {"logLines": run.log_lines} if run.log_lines else {}
    if isinstance(run.result, Failure):
        body: dict[str, Any] = {"status": "error", "errorMessage": run.result.message}
        if run.result.data is not None:
            body["errorData"] = _exported(run.result.data, is_plain)
        return {**body, **logs}
    return {"status": "success", "value": _exported(run.result, is_plain), **logs}


def _exported(value: bytes, is_plain: bool) -> msgspec.Raw:
    """A value in an answer; numbers are written as the real server's serde_json does.

    All are float64, so that they have a fraction or an exponent. PyPI's HTTP client takes no
    others: an integer of JSON is not a Convex value to it.
    """
    text = to_plain_json(value) if is_plain else value
    return msgspec.Raw(_STRING_OR_NUMBER.sub(_with_fraction, text))


def _with_fraction(match: re.Match[bytes]) -> bytes:
    token = match[0]
    return token + b".0" if token.removeprefix(b"-").isdigit() else token


async def read_body(request: web.Request, type: type[T]) -> T:
    """The body of a request.

    Raises:
        DeploymentProblem: it is none of the type, or too large.
    """
    body = _decode(await _read(request), type)
    await asyncio.sleep(0)  # megabytes take a turn of the loop to read, and another to measure
    return body


async def read_batch(request: web.Request) -> BatchBody:
    """The body of a batch, whose queries are counted before they are made.

    Raises:
        DeploymentProblem: it is none, too large, or has too many queries.
    """
    body = await _read(request)
    # Each query is an object; most batches are told to be small enough without reading them.
    if body.count(b"{") > MAX_BATCH:
        count = len(_decode(body, _CountedBatch).queries)
        if count > MAX_BATCH:
            raise DeploymentProblem(
                "BadRequest", "BadJsonBody", f"a batch of {count} queries: at most {MAX_BATCH}"
            )
        await asyncio.sleep(0)
    return _decode(body, BatchBody)


async def _read(request: web.Request) -> bytes:
    kind = request.content_type
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        raise DeploymentProblem(
            "BadRequest",
            "BadJsonBody",
            "Expected request with `Content-Type: application/json`",
        )
    try:
        return await unpacked(request, MAX_BODY)
    except web.HTTPRequestEntityTooLarge:
        raise DeploymentProblem("BadRequest", "BadJsonBody", "length limit exceeded") from None


def _decode(body: bytes, type: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DeploymentProblem("BadRequest", "BadJsonBody", str(error)) from None
