"""The deployment's own time, which tests may move ahead of the machine's."""

from __future__ import annotations

import time


class WallClock:
    """The time of day as functions, jobs and crons have it; it never goes back."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._standing: float | None = None

    def time(self) -> float:
        """Seconds since the epoch."""
        if self._standing is not None:
            return self._standing
        return time.time() + self._ahead

    def stand(self, at: float) -> None:
        """Stand still at a time, seconds since the epoch, or now if that is past."""
        self._standing = max(at, self.time())

    def go_on(self) -> None:
        """Go on from where it stands. Idempotent."""
        if self._standing is not None:
            self._ahead = max(self._ahead, self._standing - time.time())
            self._standing = None
