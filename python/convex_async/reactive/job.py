"""One job that a worker has claimed, to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from convex_async.errors import CodecError, ConvexError, FunctionError
from convex_async.function_path import FunctionReference
from convex_async.reactive.job_calls import JobCalls

logger: logging.Logger = logging.getLogger("convex_async.worker")

JobOutcome = Literal["completed", "failed", "lost"]


class Job:
    """Runs the handler, keeps the claim meanwhile, and tells what came of it.

    Attributes:
        id: of its document.
        outcome: how it ended; None while it runs.
    """

    def __init__(
        self,
        id: str,
        worker: str,
        call: JobCalls,
        *,
        complete: str | FunctionReference,
        fail: str | FunctionReference,
        heartbeat: str | FunctionReference | None,
        interval: float,
    ) -> None:
        self.id = id
        self.outcome: JobOutcome | None = None
        self._claim = {"id": id, "worker": worker}
        self._call = call
        self._complete = complete
        self._fail = fail
        self._heartbeat = heartbeat
        self._interval = interval
        self._handler: asyncio.Task[Any] | None = None
        self._is_lost = self._is_given_back = False

    def lose(self) -> None:
        """Somebody else has the claim: the handler is cancelled, and nothing is told."""
        self._is_lost = True
        self._cancel()

    def give_back(self) -> None:
        """Cancel the handler, and let the job fail for that."""
        self._is_given_back = True
        self._cancel()

    def _cancel(self) -> None:
        if self._handler is not None:
            self._handler.cancel()

    async def run(self, handler: Callable[[Any], Awaitable[Any]], document: Any) -> None:
        """See the job through.

        Raises:
            ConvexClientError: what came of it can't be told: the client is closed, or its user
                refused.
        """
        try:
            error, result = await self._handled(handler, document)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # the worker itself is
            error, result = "the job was cancelled, as the worker was stopped", None
            if not self._is_given_back:
                error = "CancelledError: the handler was cancelled by itself"
        if self._is_lost:
            logger.warning("the claim of job %s is lost", self.id)
            self.outcome = "lost"
        elif error is None:
            await self._tell_result(result)
        else:
            await self._tell_error(error)

    async def _handled(
        self, handler: Callable[[Any], Awaitable[Any]], document: Any
    ) -> tuple[str | None, Any]:
        """What the handler failed with, or its result."""

        async def handle() -> Any:
            return await handler(document)

        self._handler = asyncio.create_task(handle())
        if self._is_lost or self._is_given_back:
            self._cancel()  # before it could begin
        beating = None if self._heartbeat is None else asyncio.create_task(self._beat())
        try:
            return None, await self._handler
        except Exception as error:
            logger.warning("job %s failed: %r", self.id, error, exc_info=error)
            return f"{type(error).__name__}: {error}", None
        finally:
            self._cancel()
            if beating is not None:
                beating.cancel()

    async def _beat(self) -> None:
        """Keep the claim, as long as it is ours."""
        assert self._heartbeat is not None
        while True:
            await asyncio.sleep(self._interval)
            try:
                kept = await self._call(self._heartbeat, self._claim)
            except FunctionError as error:
                logger.warning("a heartbeat of job %s failed: %s", self.id, error)
                continue
            if kept is False:
                self.lose()
                return

    async def _tell_result(self, result: Any) -> None:
        try:
            await self._call(self._complete, {**self._claim, "result": result})
        except CodecError as error:  # before anything was sent
            await self._tell_error(f"{type(error).__name__}: {error}")
        except FunctionError as error:
            self._refused(error)
        else:
            self.outcome = "completed"

    async def _tell_error(self, error: str) -> None:
        try:
            await self._call(self._fail, {**self._claim, "error": error})
        except FunctionError as refusal:
            self._refused(refusal)
        else:
            self.outcome = "failed"

    def _refused(self, error: FunctionError) -> None:
        """The function did not take what came of the job: the claim is another's by now."""
        level = logging.WARNING if isinstance(error, ConvexError) else logging.ERROR
        logger.log(level, "the end of job %s was refused: %s", self.id, error)
        self.outcome = "lost"
