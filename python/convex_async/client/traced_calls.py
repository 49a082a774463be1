"""Calls over the running client, of which a tracer is told if there is one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Coroutine
from typing import Any

from convex_async.client.calling import ask, request
from convex_async.client.details import Notes
from convex_async.client_base.signatures import Calls
from convex_async.connection.running import Running
from convex_async.function_path import FunctionPath
from convex_async.protocol.client.overlay import OptimisticUpdate
from convex_async.protocol.client.requests import RequestKind
from convex_async.telemetry.tracer import SafeTracer


class TracedCalls(Calls):
    """How the client does what its calls were given: paths checked, arguments as wire bytes."""

    _tracer: SafeTracer | None

    @abstractmethod
    def _running(self) -> Running:
        """The driver, started in the running loop at first use."""

    async def _ask(self, path: FunctionPath, args: bytes, type: Any, timeout: float | None) -> Any:
        running = self._running()
        if self._tracer is None:
            return await ask(running, path, args, type, timeout)
        notes = Notes()
        call = ask(running, path, args, type, timeout, notes)
        return await self._tracer.around("query", path, notes, call)

    def _act(
        self, path: FunctionPath, args: bytes, type: Any, timeout: float | None
    ) -> Coroutine[Any, Any, Any]:
        return self._request("action", path, args, type, timeout)

    async def _noted(
        self,
        kind: str,
        path: FunctionPath,
        args: bytes,
        type: Any,
        timeout: float | None,
        notes: Notes | None,
    ) -> Any:
        running = self._running()
        notes = notes or Notes()
        if kind == "query":
            call = ask(running, path, args, type, timeout, notes)
        else:
            asked: RequestKind = "mutation" if kind == "mutation" else "action"
            call = request(lambda: running, asked, path, args, type, timeout, None, notes)
        return await (
            call if self._tracer is None else self._tracer.around(kind, path, notes, call)
        )

    def _request(
        self,
        kind: RequestKind,
        path: FunctionPath,
        args: bytes,
        type: Any,
        timeout: float | None,
        update: OptimisticUpdate | None = None,
    ) -> Coroutine[Any, Any, Any]:
        if self._tracer is None:
            return request(self._running, kind, path, args, type, timeout, update)
        return self._told(self._tracer, kind, path, args, type, timeout, update)

    async def _told(
        self,
        tracer: SafeTracer,
        kind: RequestKind,
        path: FunctionPath,
        args: bytes,
        type: Any,
        timeout: float | None,
        update: OptimisticUpdate | None,
    ) -> Any:
        running = self._running()
        notes = Notes()
        call = request(lambda: running, kind, path, args, type, timeout, update, notes)
        return await tracer.around(kind, path, notes, call)
