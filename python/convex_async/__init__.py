"""An asyncio-native client for Convex, with a Rust codec and an embedded local deployment."""

from convex_async.api_reference import FunctionReference, api
from convex_async.client import ConvexClient
from convex_async.errors import (
    AuthError,
    ClientClosedError,
    CodecError,
    ConnectionLostError,
    ConvexClientError,
    ConvexError,
    FunctionError,
    InvalidValueError,
    LocalProtocolError,
    OutboxError,
    ProtocolError,
    RemoteProtocolError,
    RequestTimeoutError,
    StorageError,
    TransportError,
    UnsupportedTypeError,
)
from convex_async.http import ConvexHttpClient
from convex_async.optimistic import OptimisticLocalStore
from convex_async.outbox import Outbox, OutboxEntry
from convex_async.pagination import Page, Paginator
from convex_async.state import ClientState
from convex_async.subscription import Change, Result, Subscription
from convex_async.values import ConvexInt64, ConvexMap, ConvexSet, ConvexValue
from convex_async.version import __version__

__all__ = [
    "AuthError",
    "Change",
    "ClientClosedError",
    "ClientState",
    "CodecError",
    "ConnectionLostError",
    "ConvexClient",
    "ConvexClientError",
    "ConvexError",
    "ConvexHttpClient",
    "ConvexInt64",
    "ConvexMap",
    "ConvexSet",
    "ConvexValue",
    "FunctionError",
    "FunctionReference",
    "InvalidValueError",
    "LocalProtocolError",
    "OptimisticLocalStore",
    "Outbox",
    "OutboxEntry",
    "OutboxError",
    "Page",
    "Paginator",
    "ProtocolError",
    "RemoteProtocolError",
    "RequestTimeoutError",
    "Result",
    "StorageError",
    "Subscription",
    "TransportError",
    "UnsupportedTypeError",
    "__version__",
    "api",
]
