"""What a function is given to run in, and what it may not do."""

from __future__ import annotations

import os

import pytest

from convex_async import ConvexClient, FunctionError
from convex_async.local import LocalDeployment


async def test_module_state_and_globals_are_fresh_each_time(client: ConvexClient) -> None:
    for _ in range(3):
        assert await client.query("trouble:count") == 1
        assert await client.query("trouble:leak") == 0


async def test_time_stands_still_and_chance_is_seeded(
    client: ConvexClient, deployment: LocalDeployment
) -> None:
    found = await client.query("trouble:time")
    assert found["first"][:2] == found["second"][:2]
    assert found["first"][0] == found["first"][1]
    assert found["isDate"]
    assert found["whole"]
    assert 0 <= found["first"][2] < 1
    assert found["first"][2] != found["second"][2]
    again = await deployment.run("trouble:time")
    assert again["first"][2] == found["first"][2]


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("trouble:fetchInQuery", r"fetch\(\)"),
        ("trouble:randomnessInQuery", "cryptographic randomness"),
    ],
)
async def test_queries_may_not(client: ConvexClient, path: str, what: str) -> None:
    text = f"Can't use {what} in queries and mutations. Please consider using an action"
    with pytest.raises(FunctionError, match=text):
        await client.query(path)


async def test_mutations_have_no_timers(client: ConvexClient) -> None:
    with pytest.raises(FunctionError, match="Can't use setTimeout in queries and mutations"):
        await client.mutation("trouble:timerInMutation")


async def test_actions_have_timers(client: ConvexClient) -> None:
    assert await client.action("trouble:wait", {"ms": 10}) == "waited"


async def test_a_promise_that_waits_for_nothing_fails(client: ConvexClient) -> None:
    with pytest.raises(FunctionError, match="Returned promise will never resolve"):
        await client.query("trouble:neverResolves")


async def test_an_unhandled_rejection_ends_its_own_run_alone(client: ConvexClient) -> None:
    with pytest.raises(FunctionError, match="Uncaught Error: nobody looks"):
        await client.query("trouble:unhandled")
    with pytest.raises(FunctionError, match="Uncaught Error: nobody looks"):
        await client.action("trouble:unhandledInAction")
    assert await client.query("trouble:count") == 1


async def test_what_is_thrown_is_told_as_v8_tells_it(client: ConvexClient) -> None:
    with pytest.raises(FunctionError, match="Uncaught a text"):
        await client.query("trouble:throwText")
    with pytest.raises(FunctionError, match="Uncaught #<Object>"):
        await client.query("trouble:throwObject")


async def test_a_nested_failure_is_the_message_of_the_outer_one(client: ConvexClient) -> None:
    with pytest.raises(FunctionError) as caught:
        await client.action("trouble:nested")
    assert "Uncaught Error: Uncaught a text" in str(caught.value)
    assert "\n    at async handler (../convex/trouble.ts:" in str(caught.value)


async def test_web_apis_are_of_the_same_realm(client: ConvexClient) -> None:
    assert await client.query("trouble:realm") == {"buffer": True, "typeError": True, "bytes": b"x"}


async def test_only_the_deployments_environment_is_seen(
    client: ConvexClient, deployment: LocalDeployment
) -> None:
    assert "PATH" in os.environ
    seen = await client.query("trouble:environment")
    assert seen == {
        "greeting": "hello",
        "path": None,
        "home": None,
        "names": ["GREETING"],
        "others": ["env"],
    }
    in_node = await client.action("node:environment")
    assert in_node["greeting"] == "hello"
    assert set(in_node["names"]) <= {"GREETING", "TZ"}
    deployment.env["GREETING"] = "good bye"
    assert (await client.query("trouble:environment"))["greeting"] == "good bye"
    assert (await client.action("node:environment"))["greeting"] == "good bye"
    del deployment.env["GREETING"]
    assert (await client.query("trouble:environment"))["greeting"] is None


async def test_log_lines_are_as_convex_prints_them(deployment: LocalDeployment) -> None:
    run = await deployment._running().query("trouble:log", b"{}", identity=None)
    assert run.log_lines == [
        "[LOG] 'hello' 1 2n null undefined {\n  a: [ 1, 'two' ],\n"
        "  b: Map (1) {\n    'k' => 1\n  }\n}",
        "[WARN] [Error: shown]",
        "[DEBUG] 'it\\'s'",
    ]


async def test_node_actions(client: ConvexClient) -> None:
    digest = await client.action("node:hash", {"text": "x"})
    assert digest == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert await client.action("node:create", {"text": "from Node"}) == "from Node"


async def test_frames_of_node_actions_are_mapped(client: ConvexClient) -> None:
    with pytest.raises(FunctionError) as caught:
        await client.action("node:fail")
    assert "Uncaught Error: in Node\n    at handler (../convex/node.ts:" in str(caught.value)


async def test_ids_are_normalized_as_ours(client: ConvexClient) -> None:
    letter = await client.mutation("mailing:send", {"letter": "x"})
    assert (await client.query("mailing:look", {"id": letter}))["there"] == "x"
    task = (await client.query("tasks:list"))[0]["_id"]
    assert (await client.query("mailing:look", {"id": task}))["here"] == task
    for wrong in ("", "x", task[:-1], task[:-1] + ("0" if task[-1] != "0" else "1"), task.upper()):
        assert (await client.query("mailing:look", {"id": wrong}))["here"] is None
