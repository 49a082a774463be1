"""What is known of a call beside its value."""

from __future__ import annotations

import time
from collections.abc import Coroutine, Mapping, Sequence
from hashlib import sha256
from types import EllipsisType
from typing import Any, Generic, Protocol, TypeVar, overload

from msgspec import Struct

from convex_async.calls import Verb
from convex_async.function_path import FunctionReference

T = TypeVar("T")


class Details(Struct, Generic[T], frozen=True):
    """A call's value, and what else is known of it.

    Attributes:
        value: what the call alone would have given.
        log_lines: what the function logged; empty where the deployment redacts it.
        request_id: 16 hex digits by which the deployment's logs know the run; None of a query,
            which has none of its own.
        ts: the deployment's time, ns since the epoch: of a mutation when it was committed, of a
            query which state it shows; None of an action.
        seconds: from the call to its value, waiting for a connection included.
    """

    value: T
    log_lines: Sequence[str]
    request_id: str | None
    ts: int | None
    seconds: float


class Notes:
    """What is known of a call beside its value.

    Attributes:
        log_lines: what the function logged.
        deployments_id: by which the deployment's logs know the run; None of a query.
        ts: of a mutation's commit, or of the state that a query shows, ns since the epoch.
    """

    __slots__ = ("deployments_id", "log_lines", "ts")

    def __init__(self) -> None:
        self.log_lines: Sequence[str] = ()
        self.deployments_id: str | None = None
        self.ts: int | None = None


class _Noted(Protocol):
    def __call__(
        self,
        kind: Verb,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None,
        type: Any,
        timeout: float | EllipsisType | None,
        notes: Notes,
    ) -> Coroutine[Any, Any, Any]: ...


class WithDetails:
    """`ConvexClient.with_details`: the same calls, whose results are `Details`."""

    def __init__(self, noted: _Noted) -> None:
        self._noted = noted

    @overload
    def query(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: type[T],
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Details[T]]: ...
    @overload
    def query(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Details[Any]]: ...
    def query(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Details[Any]]:
        """As `ConvexClient.query`."""
        return self._call("query", path, args, type, timeout)

    @overload
    def mutation(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: type[T],
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Details[T]]: ...
    @overload
    def mutation(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Details[Any]]: ...
    def mutation(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Details[Any]]:
        """As `ConvexClient.mutation`."""
        return self._call("mutation", path, args, type, timeout)

    @overload
    def action(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: type[T],
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Details[T]]: ...
    @overload
    def action(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Details[Any]]: ...
    def action(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Details[Any]]:
        """As `ConvexClient.action`."""
        return self._call("action", path, args, type, timeout)

    def _call(
        self,
        kind: Verb,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None,
        type: Any,
        timeout: float | EllipsisType | None,
    ) -> Coroutine[Any, Any, Details[Any]]:
        notes = Notes()
        began = time.monotonic()
        return _detailed(self._noted(kind, path, args, type, timeout, notes), notes, began)


async def _detailed(call: Coroutine[Any, Any, Any], notes: Notes, began: float) -> Details[Any]:
    value = await call
    seconds = time.monotonic() - began
    return Details(value, tuple(notes.log_lines), notes.deployments_id, notes.ts, seconds)


def request_id_of(session_id: str, request_id: int) -> str:
    """By what the deployment's logs know a mutation or action of this session.

    Source: convex-backend crates/common/src/execution_context.rs, RequestId::new_for_ws_session.
    """
    return sha256(f"{session_id}|{request_id}".encode()).hexdigest()[:16]
