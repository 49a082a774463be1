"""Tests of an application: a deployment in a thread, pytest fixtures, hypothesis strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convex_async.testing.served import ServedDeployment, serve

__all__ = ["ServedDeployment", "serve"]


def __getattr__(name: str) -> Any:
    # pytest imports this room in every project: it may cost nothing before it is used.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from convex_async.testing import served

    return getattr(served, name)
