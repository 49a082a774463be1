"""Mutations that outlive the process."""

from convex_async.outbox.file import OutboxEntry
from convex_async.outbox.outbox import Outbox

__all__ = ["Outbox", "OutboxEntry"]
