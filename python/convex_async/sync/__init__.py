"""The same client for code that must block: scripts, Django, Celery, notebooks without `await`.

The names are those of PyPI `convex`: a program written for it runs with `convex_async.sync` in the
place of `convex` in its imports, also of the modules `http_client` and `values`. Unlike there,
waiting never holds the GIL, Ctrl-C works at once, calls have time limits, and one client serves any
number of threads.
"""

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
from convex_async.sync.answers import SiteResponse
from convex_async.sync.client import ConvexClient, ConvexHttpClient
from convex_async.sync.outbox import BlockingOutbox
from convex_async.sync.subscription import QuerySubscription, SubscriberId
from convex_async.sync.values import (
    CoercibleToConvexValue,
    FunctionArgs,
    JsonValue,
    coerce_args_to_convex,
    convex_to_json,
    json_to_convex,
)
from convex_async.sync.watch_all import QuerySetSubscription
from convex_async.values import ConvexInt64, ConvexMap, ConvexSet, ConvexValue
from convex_async.version import __version__

__all__ = [
    "AuthError",
    "BlockingOutbox",
    "ClientClosedError",
    "CoercibleToConvexValue",
    "ConvexClient",
    "ConvexClientError",
    "ConvexError",
    "ConvexExecutionError",
    "ConvexHttpClient",
    "ConvexInt64",
    "ConvexMap",
    "ConvexSet",
    "ConvexValue",
    "FunctionArgs",
    "FunctionError",
    "JsonValue",
    "QuerySetSubscription",
    "QuerySubscription",
    "RequestTimeoutError",
    "SiteResponse",
    "SubscriberId",
    "TransportError",
    "__version__",
    "api",
    "coerce_args_to_convex",
    "convex_to_json",
    "json_to_convex",
]
