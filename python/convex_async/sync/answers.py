"""What blocking calls give beyond Convex values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from convex_async.errors import FunctionError

# Characters of a refusing answer that its error shows.
SHOWN = 200


@dataclass(frozen=True, slots=True)
class SiteResponse:
    """The whole answer of an HTTP action."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    what: str = "HTTP action"

    @property
    def ok(self) -> bool:
        """Whether the status tells of no error: it is below 400."""
        return self.status < 400

    @property
    def text(self) -> str:
        """The body, which is UTF-8."""
        return self.content.decode()

    def json(self) -> Any:
        """The body, which is JSON."""
        return msgspec.json.decode(self.content)

    def raise_for_status(self) -> None:
        """Raise `FunctionError` if the status tells of an error."""
        if not self.ok:
            said = self.content.decode(errors="replace")[:SHOWN].strip()
            text = f"answered with HTTP status {self.status}"
            raise FunctionError(f"{text}: {said}" if said else text, path=self.what)
