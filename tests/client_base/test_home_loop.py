"""Where a client lives, and what it says elsewhere."""

from __future__ import annotations

import pytest
import trio

from convex_async import ConvexClient, LocalProtocolError
from convex_async.http import ConvexHttpClient

NOWHERE = "http://127.0.0.1:9"


@pytest.mark.parametrize("make", [ConvexClient, ConvexHttpClient])
def test_trio_is_named(make: type[ConvexClient] | type[ConvexHttpClient]) -> None:
    async def main() -> None:
        client = make(NOWHERE)
        with pytest.raises(LocalProtocolError, match="not on trio: use convex_async"):
            await client.query("a:b")

    trio.run(main)
