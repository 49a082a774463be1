"""What goes wrong inside the deployment, and how far it reaches."""

from __future__ import annotations

from typing import Literal, TypeAlias

Category: TypeAlias = Literal[
    "BadRequest",
    "Unauthenticated",
    "AuthUpdateFailed",
    "Forbidden",
    "NotFound",
    "Overloaded",
    "OutOfRetention",
    "OCC",
    "RateLimited",
    "ClientDisconnect",
    "Internal",
]
"""convex-backend crates/errors; what each does to a socket or a request is its table there."""


class FunctionProblem(Exception):
    """A function did what it may not; it fails with this text, as if it had raised it."""


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
