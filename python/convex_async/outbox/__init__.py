"""Mutations that outlive the process."""

from convex_async.outbox.outbox import Outbox, OutboxEntry

__all__ = ["Outbox", "OutboxEntry"]
