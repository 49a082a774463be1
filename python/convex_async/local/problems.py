"""What goes wrong inside the deployment, and how far it reaches."""

from __future__ import annotations

from typing import Literal, TypeAlias

Category: TypeAlias = Literal[
    "BadRequest",
    "Unauthenticated",
    "Forbidden",
    "NotFound",
    "Overloaded",
    "OutOfRetention",
    "OCC",
    "RateLimited",
    "ClientDisconnect",
    "Internal",
]
"""What kind of problem it is: the client's fault, a passing one, or the deployment's own."""

# Each category's HTTP status and close code; None is a close frame without a status.
# Source: convex-backend crates/errors/src/lib.rs, http_status_code and close_frame.
CONSEQUENCES: dict[Category, tuple[int, int | None]] = {
    "BadRequest": (400, None),
    "Unauthenticated": (401, None),
    "Forbidden": (403, 1000),
    "NotFound": (404, 1000),
    "ClientDisconnect": (408, 1000),
    "RateLimited": (429, 1013),
    "Overloaded": (503, 1013),
    "OutOfRetention": (503, 1013),
    "OCC": (503, 1013),
    "Internal": (500, 1011),
}


class FunctionProblem(Exception):
    """A function did what it may not; it fails with this text, as if it had raised it."""


class FunctionFailed(Exception):
    """A function ended in an error of its own.

    Attributes:
        text: the whole text of it, frames of the user's code included, as development shows it.
        data: the wire bytes of a ConvexError's data; None for any other error.
    """

    def __init__(self, text: str, data: bytes | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.data = data


class DeploymentProblem(Exception):
    """Something that is no function's own failure: it ends the socket, or is an HTTP error.

    Attributes:
        category: decides the close code and the HTTP status.
        code: a short word such as `BaseVersionMismatch`.
    """

    def __init__(self, category: Category, code: str, message: str) -> None:
        super().__init__(message)
        self.category: Category = category
        self.code = code

    @property
    def status(self) -> int:
        """The HTTP status."""
        return CONSEQUENCES[self.category][0]

    @property
    def close_code(self) -> int | None:
        """The close code of the socket that it ends; None for a frame without one."""
        return CONSEQUENCES[self.category][1]


def internal_problem(message: str) -> DeploymentProblem:
    """What clients are told of a problem of the deployment's own, which has no code."""
    return DeploymentProblem("Internal", "InternalServerError", message)
