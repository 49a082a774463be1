"""The guide: "Error handling"."""

from __future__ import annotations

import pytest

from convex_async import (
    ConvexClient,
    ConvexClientError,
    ConvexError,
    FunctionError,
    TransportError,
)


async def order(client: ConvexClient, product: str, quantity: int = 1) -> str:
    """The guide's `try`, telling what it found."""
    try:
        await client.mutation("orders:create", {"productId": product, "quantity": quantity})
    except ConvexError as err:
        if isinstance(err.data, dict):
            code = err.data.get("code")
            if code == "INSUFFICIENT_STOCK":
                return f"Only {err.data.get('available', 0):.0f} items available"
            if code == "NOT_FOUND":
                return "Product not found"
            return f"Error: {err.data.get('message')}"
        return f"Error: {err.data}"
    except FunctionError as err:
        return f"A bug in {err.path}"
    except TransportError as err:
        return f"Try again: {err.retryable}"
    return "Ordered"


async def test_application_errors(client: ConvexClient) -> None:
    assert await order(client, "prod_123", 100) == "Only 10 items available"
    assert await order(client, "nonexistent") == "Product not found"
    assert await order(client, "text") == "Error: plain text"
    assert await order(client, "bug") == "A bug in orders:create"
    assert await order(client, "prod_123") == "Ordered"


async def test_network_errors(unused_tcp_port: int) -> None:
    async with ConvexClient(f"http://127.0.0.1:{unused_tcp_port}", timeout=0.2) as client:
        assert await order(client, "prod_123") == "Try again: True"
        with pytest.raises(TransportError):
            await client.connect()


async def test_developer_errors_say_where(client: ConvexClient) -> None:
    with pytest.raises(FunctionError, match="KeyError") as raised:
        await client.mutation("orders:create", {"productId": "bug"})
    assert not isinstance(raised.value, ConvexError)
    assert raised.value.path == "orders:create"
    assert raised.value.request_id is not None
    with pytest.raises(FunctionError, match="text"):
        await client.mutation("tasks:create", {"txt": "a wrong name"})
    assert isinstance(raised.value, ConvexClientError)
