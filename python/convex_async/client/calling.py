"""One call from its sending to its value, over a client that runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from convex_async.client.details import Notes, request_id_of
from convex_async.client_base.answers import value_or_raise
from convex_async.connection.mailbox import Mailbox
from convex_async.connection.running import Running
from convex_async.errors import RequestTimeoutError, once_more
from convex_async.function_path import FunctionPath
from convex_async.protocol.client.overlay import OptimisticUpdate
from convex_async.protocol.client.requests import RequestKind
from convex_async.protocol.results import Answer, Failed, Succeeded

logger: logging.Logger = logging.getLogger("convex_async")


async def ask(
    running: Running,
    path: FunctionPath,
    args: bytes,
    type: Any,
    timeout: float | None,
    notes: Notes | None = None,
) -> Any:
    """The value of a query, as of now: not one from before a disconnect.

    Args:
        args: wire bytes of the arguments object.
        timeout: seconds, or None.
    """
    began = time.monotonic()
    mailbox = Mailbox()
    subscriber = running.subscribe(path, args, mailbox, fresh=True)
    try:
        async with asyncio.timeout(timeout):
            while (result := mailbox.result) is None:
                if mailbox.error is not None:
                    raise once_more(mailbox.error)
                await mailbox.changed()
    except TimeoutError:
        outcome, trouble = running.known_of(subscriber), running.trouble()
        raise RequestTimeoutError.after(path, timeout, outcome, because=trouble) from None
    else:
        if notes is not None:
            notes.log_lines, notes.ts = result.log_lines, mailbox.ts
        return value_or_raise(path, result, type)
    finally:
        running.unsubscribe_now(subscriber)
        if logger.isEnabledFor(logging.DEBUG):
            _log("query", path, mailbox.result, began)


async def request(
    start: Callable[[], Running],
    kind: RequestKind,
    path: FunctionPath,
    args: bytes,
    type: Any,
    timeout: float | None,
    update: OptimisticUpdate | None = None,
    notes: Notes | None = None,
) -> Any:
    """What a mutation or action returned; withdrawn when this is cancelled, or out of time.

    Args:
        start: gives what runs, started if need be.
        args: wire bytes of the arguments object.
        timeout: seconds, or None.
        update: what is expected of a mutation.
        notes: is filled with what else is known.
    """
    running = start()
    began, answer = time.monotonic(), None
    running.check()
    if not running.is_ready:
        await running.ready()
    request_id, answered = running.request(kind, path, args, timeout, update)
    if notes is not None:
        notes.deployments_id = request_id_of(running.core.session_id, request_id)
        running.core.note_time(request_id)
    try:
        await running.send()
        answer = await answered
    except TimeoutError:
        outcome = running.withdraw(request_id) or "unknown"
        trouble = running.trouble()
        raise RequestTimeoutError.after(path, timeout, outcome, because=trouble) from None
    except asyncio.CancelledError:
        running.withdraw(request_id)
        raise
    else:
        if notes is not None and isinstance(answer, Succeeded | Failed):
            notes.log_lines = answer.log_lines
        return value_or_raise(path, answer, type)
    finally:
        if logger.isEnabledFor(logging.DEBUG):
            _log(kind, path, answer, began)
        if notes is not None:
            notes.ts = running.core.noted_time(request_id)


def _log(kind: str, path: FunctionPath, answer: Answer | None, began: float) -> None:
    """Tell how a call went, and how long it took."""
    how = "no answer" if answer is None else type(answer).__name__.lower()
    logger.debug("%s %s: %s, %.3f s", kind, path, how, time.monotonic() - began)
