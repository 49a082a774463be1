"""The client: calls and live subscriptions over one WebSocket."""

from convex_async.client.convex_client import ConvexClient

__all__ = ["ConvexClient"]
