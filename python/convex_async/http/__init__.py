"""The client over plain HTTP: no socket, one request a call."""

from convex_async.http.convex_http_client import ConvexHttpClient

__all__ = ["ConvexHttpClient"]
