"""Where a client lives: one event loop, in one thread of one process."""

from __future__ import annotations

import asyncio
import os
import sys
import threading

from convex_async.errors import LocalProtocolError


class Place:
    """The running event loop, which the client named belongs to from now on.

    Raises:
        LocalProtocolError: no event loop is running.
    """

    def __init__(self, client: str) -> None:
        self._client = client
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            if _in_trio():
                raise LocalProtocolError(
                    f"a {client} works on asyncio, not on trio: use convex_async.sync in a thread "
                    "(trio.to_thread.run_sync)"
                ) from None
            raise LocalProtocolError(
                f"a {client} works inside a running event loop: call it from a coroutine, "
                "or use convex_async.sync"
            ) from None
        self._owner = (os.getpid(), threading.get_ident())

    @property
    def has_ended(self) -> bool:
        """Whether the loop is closed, as after `asyncio.run`: nothing lives in it any more."""
        return self._loop.is_closed()

    def check(self) -> None:
        """Raise `LocalProtocolError` in any other place."""
        try:
            if asyncio.get_running_loop() is self._loop:
                return  # which runs in one thread of one process
        except RuntimeError:
            pass
        if self._owner != (os.getpid(), threading.get_ident()):
            raise LocalProtocolError(
                f"a {self._client} belongs to the thread and process that first used it: "
                "make one client in each (convex_async.sync has one for threads)"
            )
        raise LocalProtocolError(
            f"a {self._client} belongs to the event loop that first used it: "
            "make one client in each loop"
        )


def _in_trio() -> bool:
    """Whether trio's loop runs in this thread; it is not imported for that."""
    trio = sys.modules.get("trio")
    lowlevel = getattr(trio, "lowlevel", None)
    return bool(lowlevel is not None and lowlevel.in_trio_run())
