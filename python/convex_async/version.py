"""The version of this package, and how it names itself to a deployment."""

from __future__ import annotations

__version__ = "0.1.0"

CLIENT_HEADER = f"convex-async-{__version__}"
"""The `Convex-Client` header: a name and a strict semantic version."""
