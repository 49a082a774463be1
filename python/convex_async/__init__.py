"""An asyncio-native client for Convex, with a Rust codec and an embedded local deployment."""

from convex_async.client.convex_client import ConvexClient
from convex_async.client.optimistic import OptimisticLocalStore
from convex_async.client.subscription import Change, Result, Subscription
from convex_async.client_base.pagination import Page, Paginator
from convex_async.connection.state import ClientState
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
from convex_async.function_path import FunctionReference, api
from convex_async.http.convex_http_client import ConvexHttpClient
from convex_async.outbox.outbox import Outbox, OutboxEntry
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
