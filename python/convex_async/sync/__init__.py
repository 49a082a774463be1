"""The same client for code that must block: scripts, Django, Celery, notebooks without `await`.

The names are those of PyPI `convex`: a program written for it runs after changing its import to
`from convex_async.sync import ConvexClient`. Unlike there, waiting never holds the GIL, Ctrl-C
works at once, calls have time limits, and one client serves any number of threads.
"""

from convex_async.codec.values import convex_to_json, json_to_convex
from convex_async.errors import (
    AuthError,
    ClientClosedError,
    ConvexClientError,
    ConvexError,
    FunctionError,
    RequestTimeoutError,
    TransportError,
)
from convex_async.errors import FunctionError as ConvexExecutionError
from convex_async.function_path import api
from convex_async.sync.client import ConvexClient, ConvexHttpClient
from convex_async.sync.subscription import QuerySubscription
from convex_async.sync.watch_all import QuerySetSubscription
from convex_async.values import ConvexInt64, ConvexMap, ConvexSet, ConvexValue

__all__ = [
    "AuthError",
    "ClientClosedError",
    "ConvexClient",
    "ConvexClientError",
    "ConvexError",
    "ConvexExecutionError",
    "ConvexHttpClient",
    "ConvexInt64",
    "ConvexMap",
    "ConvexSet",
    "ConvexValue",
    "FunctionError",
    "QuerySetSubscription",
    "QuerySubscription",
    "RequestTimeoutError",
    "TransportError",
    "api",
    "convex_to_json",
    "json_to_convex",
]
