"""An asyncio-native client for Convex, with a Rust codec and an embedded local deployment.

The names are resolved as they are first used (PEP 562): who wants the errors alone, or the codec,
does not pay for the client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convex_async.version import __version__

if TYPE_CHECKING:
    from convex_async.calls import ActionCall, MutationCall, PageCall, QueryCall
    from convex_async.client.bound import BoundClient
    from convex_async.client.convex_client import ConvexClient
    from convex_async.client.details import Details
    from convex_async.client.optimistic import OptimisticLocalStore
    from convex_async.client.pool import ClientPool
    from convex_async.client.subscription import Subscription
    from convex_async.client_base.pagination import Page, Paginator
    from convex_async.codec.values import omit_none
    from convex_async.connection.state import ClientState
    from convex_async.errors import (
        AuthError,
        BatchError,
        ClientClosedError,
        CodecError,
        ConnectionLostError,
        ConvexClientError,
        ConvexError,
        FunctionError,
        InternalError,
        InvalidValueError,
        LocalProtocolError,
        MessageTooLargeError,
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
    from convex_async.outbox.file import OutboxEntry
    from convex_async.outbox.outbox import Outbox
    from convex_async.reactive.live_pages import LivePages
    from convex_async.reactive.subscribe_all import ConsistentView
    from convex_async.reactive.updates import Change, Result
    from convex_async.reactive.worker import Worker
    from convex_async.values import ConvexInt64, ConvexMap, ConvexSet, ConvexValue

_NAMES = {
    "calls": ["ActionCall", "MutationCall", "PageCall", "QueryCall"],
    "client.bound": ["BoundClient"],
    "client.convex_client": ["ConvexClient"],
    "client.details": ["Details"],
    "client.optimistic": ["OptimisticLocalStore"],
    "client.pool": ["ClientPool"],
    "client.subscription": ["Subscription"],
    "client_base.pagination": ["Page", "Paginator"],
    "codec.values": ["omit_none"],
    "connection.state": ["ClientState"],
    "errors": [
        "AuthError",
        "BatchError",
        "ClientClosedError",
        "CodecError",
        "ConnectionLostError",
        "ConvexClientError",
        "ConvexError",
        "FunctionError",
        "InternalError",
        "InvalidValueError",
        "LocalProtocolError",
        "MessageTooLargeError",
        "OutboxError",
        "ProtocolError",
        "RemoteProtocolError",
        "RequestTimeoutError",
        "StorageError",
        "TransportError",
        "UnsupportedTypeError",
    ],
    "function_path": ["FunctionReference", "api"],
    "http.convex_http_client": ["ConvexHttpClient"],
    "outbox.file": ["OutboxEntry"],
    "outbox.outbox": ["Outbox"],
    "reactive.live_pages": ["LivePages"],
    "reactive.subscribe_all": ["ConsistentView"],
    "reactive.updates": ["Change", "Result"],
    "reactive.worker": ["Worker"],
    "values": ["ConvexInt64", "ConvexMap", "ConvexSet", "ConvexValue"],
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "ActionCall",
    "AuthError",
    "BatchError",
    "BoundClient",
    "Change",
    "ClientClosedError",
    "ClientPool",
    "ClientState",
    "CodecError",
    "ConnectionLostError",
    "ConsistentView",
    "ConvexClient",
    "ConvexClientError",
    "ConvexError",
    "ConvexHttpClient",
    "ConvexInt64",
    "ConvexMap",
    "ConvexSet",
    "ConvexValue",
    "Details",
    "FunctionError",
    "FunctionReference",
    "InternalError",
    "InvalidValueError",
    "LivePages",
    "LocalProtocolError",
    "MessageTooLargeError",
    "MutationCall",
    "OptimisticLocalStore",
    "Outbox",
    "OutboxEntry",
    "OutboxError",
    "Page",
    "PageCall",
    "Paginator",
    "ProtocolError",
    "QueryCall",
    "RemoteProtocolError",
    "RequestTimeoutError",
    "Result",
    "StorageError",
    "Subscription",
    "TransportError",
    "UnsupportedTypeError",
    "Worker",
    "__version__",
    "api",
    "omit_none",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value  # the next look-up is a plain one
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
