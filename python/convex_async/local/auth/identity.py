"""Who a function runs as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Caller:
    """Who calls.

    Attributes:
        attributes: the token's claims with `subject`, `issuer` and `tokenIdentifier`; None for an
            admin who acts as nobody.
        is_admin: whether internal functions may be called.
        refusal: why the credentials of an HTTP action's request name nobody, which only those
            who ask are told (convex-backend: Identity::Unknown).
    """

    attributes: Mapping[str, Any] | None = field(default=None, repr=False)
    is_admin: bool = False
    refusal: str | None = None


# Of what the deployment itself calls: it may call internal functions too.
INTERNAL = Caller(is_admin=True)
