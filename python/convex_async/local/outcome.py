"""How a function failed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """A function's failure.

    Attributes:
        message: as clients are told it, the request id included.
        data: the wire bytes of a ConvexError's data; None for any other failure.
    """

    message: str
    data: bytes | None
