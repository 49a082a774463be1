"""Components of a folder: their functions, tables and handles."""

from __future__ import annotations

import pytest

from convex_async import ConvexClient, FunctionError


async def test_each_component_has_tables_of_its_own(client: ConvexClient) -> None:
    letter_id = await client.mutation("mailing:send", {"letter": "hello"})
    assert await client.query("mailing:letters") == {
        "mail": ["hello"],
        "archive": ["copy of hello"],
        "count": 1,
    }
    assert [task["text"] for task in await client.query("tasks:list")] == ["sent hello"]
    looked = await client.query("mailing:look", {"id": letter_id})
    assert looked == {"here": None, "there": "hello"}


async def test_a_failure_in_a_component_undoes_what_it_wrote_alone(client: ConvexClient) -> None:
    assert await client.mutation("mailing:sendOrNot") == "refused"
    assert (await client.query("mailing:letters"))["mail"] == ["kept"]


async def test_a_handle_leads_into_the_component(client: ConvexClient) -> None:
    await client.mutation("mailing:send", {"letter": "hello"})
    assert await client.query("mailing:byHandle") == 1


async def test_clients_can_not_call_into_components(client: ConvexClient) -> None:
    with pytest.raises(FunctionError, match="Could not find public function"):
        await client.query("_components/mail/letters:list")


async def test_a_live_query_follows_a_component(client: ConvexClient) -> None:
    async with client.subscribe("mailing:letters") as live:
        updates = aiter(live)
        assert (await anext(updates))["count"] == 0
        await client.mutation("mailing:send", {"letter": "hello"})
        assert (await anext(updates))["count"] == 1
