"""The names of PyPI `convex.http_client`."""

from convex_async.errors import ConvexError as ConvexError
from convex_async.errors import FunctionError as ConvexExecutionError
from convex_async.sync.client import ConvexHttpClient
from convex_async.sync.values import CoercibleToConvexValue as CoercibleToConvexValue
from convex_async.sync.values import ConvexValue as ConvexValue
from convex_async.sync.values import FunctionArgs as FunctionArgs
from convex_async.sync.values import JsonValue as JsonValue
from convex_async.sync.values import convex_to_json as convex_to_json
from convex_async.sync.values import json_to_convex as json_to_convex
from convex_async.version import __version__ as __version__

__all__ = ["ConvexExecutionError", "ConvexHttpClient"]
