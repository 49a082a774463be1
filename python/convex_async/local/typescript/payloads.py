"""What calls of functions come with, and what they are answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw

from convex_async.local.transactions.transaction import Transaction
from convex_async.local.typescript.running import Running

Answer: TypeAlias = "bytes | Awaitable[bytes]"
Handler: TypeAlias = Callable[[Running, bytes], Answer]

NULL = b"null"


def as_json(payload: bytes) -> dict[str, Any]:
    """A payload that is an object of JSON."""
    found: dict[str, Any] = msgspec.json.decode(payload)
    return found


def fields_of(payload: bytes) -> dict[str, Raw]:
    """The fields of an object, each as it came: some are Convex values."""
    return msgspec.json.decode(payload, type=dict[str, Raw])


def dump(value: object) -> bytes:
    """An answer in JSON."""
    return msgspec.json.encode(value)


def transaction_of(running: Running) -> Transaction:
    """The transaction of a run that has one."""
    transaction = running.invocation.transaction
    assert transaction is not None
    return transaction
