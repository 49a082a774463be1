"""The aiohttp session: the user's, or one of ours made inside the running loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convex_async.errors import LocalProtocolError

if TYPE_CHECKING:
    import aiohttp


class SessionHolder:
    """Makes a session at first use; closes only what it made.

    Args:
        session: the user's own session, or None.
    """

    def __init__(self, session: aiohttp.ClientSession | None = None) -> None:
        self._given = session
        self._made: aiohttp.ClientSession | None = None

    def get(self) -> aiohttp.ClientSession:
        """The session; call it inside the running loop."""
        if self._given is not None:
            if self._given.closed:
                raise LocalProtocolError(
                    "the session that the client was given is closed: close the client first, or "
                    "let it make a session of its own"
                )
            return self._given
        if self._made is None or self._made.closed:
            import aiohttp  # 130 ms: not before it is needed

            # No cookies: one user's would go along with the next user's calls.
            self._made = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self._made

    async def close(self) -> None:
        """Close the session if it is ours. Idempotent."""
        if self._made is not None:
            made, self._made = self._made, None
            await made.close()
