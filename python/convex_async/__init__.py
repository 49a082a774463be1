"""An asyncio-native client for Convex, with a Rust codec and an embedded local deployment."""

from convex_async.api_reference import FunctionReference, api
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
    ProtocolError,
    RemoteProtocolError,
    RequestTimeoutError,
    StorageError,
    TransportError,
    UnsupportedTypeError,
)
from convex_async.pagination import Page, Paginator
from convex_async.values import ConvexInt64, ConvexValue

__all__ = [
    "AuthError",
    "ClientClosedError",
    "CodecError",
    "ConnectionLostError",
    "ConvexClientError",
    "ConvexError",
    "ConvexInt64",
    "ConvexValue",
    "FunctionError",
    "FunctionReference",
    "InvalidValueError",
    "LocalProtocolError",
    "Page",
    "Paginator",
    "ProtocolError",
    "RemoteProtocolError",
    "RequestTimeoutError",
    "StorageError",
    "TransportError",
    "UnsupportedTypeError",
    "api",
]
