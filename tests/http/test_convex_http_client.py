"""ConvexHttpClient against a scripted deployment, over real sockets."""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import AsyncIterator

import msgspec
import pytest
from aiohttp import ClientSession, web

from convex_async import (
    AuthError,
    ClientClosedError,
    CodecError,
    ConvexError,
    ConvexInt64,
    FunctionError,
    InvalidValueError,
    LocalProtocolError,
    RemoteProtocolError,
    RequestTimeoutError,
    TransportError,
    api,
)
from convex_async.http import ConvexHttpClient
from convex_async.http import calls as http_calls
from tests.http.conftest import ScriptedDeployment, failure, refused, success


@pytest.fixture
async def client(deployment: ScriptedDeployment) -> AsyncIterator[ConvexHttpClient]:
    async with ConvexHttpClient(deployment.url) as client:
        yield client


@pytest.fixture
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_calls, "RETRY_INITIAL", 0.001)


async def test_a_call_carries_its_path_format_and_arguments(
    deployment: ScriptedDeployment, client: ConvexHttpClient
) -> None:
    args = {"n": ConvexInt64(1), "b": b"x"}
    assert await client.query("a/b.js:list", args) == args
    assert await client.mutation(api.tasks.create) == {}
    assert await client.action("ai:ask", {"x": 1.5}) == {"x": 1.5}
    (path, headers, body), second, third = deployment.requests
    assert path == "/api/query"
    assert headers["Content-Type"] == "application/json"
    assert headers["Convex-Client"].startswith("convex-async-")
    assert "Authorization" not in headers
    assert len(bytes.fromhex(headers["Convex-Request-Id"])) == 8
    assert body == {
        "path": "a/b:list",
        "format": "convex_encoded_json",
        "args": {"b": {"$bytes": "eA=="}, "n": {"$integer": "AQAAAAAAAAA="}},
    }
    assert [second[0], third[0]] == ["/api/mutation", "/api/action"]
    assert second[1]["Convex-Request-Id"] != headers["Convex-Request-Id"]


async def test_bad_arguments_raise_at_the_call_and_nothing_is_sent(
    deployment: ScriptedDeployment, client: ConvexHttpClient
) -> None:
    with pytest.raises(InvalidValueError) as raised:
        _ = client.query("a:b", {"items": [{"price": 2**60}]})
    assert raised.value.path == "args.items[0].price"
    with pytest.raises(ValueError, match="function path"):
        _ = client.mutation("a-b:c")
    with pytest.raises(ValueError, match="timeout"):
        _ = client.action("a:b", timeout=0)
    args = {"list": [1.0]}
    call = client.query("a:b", args)
    args["list"].append(2.0)
    assert await call == {"list": [1.0]}
    assert len(deployment.requests) == 1


async def test_values_take_the_type_that_is_asked_for(
    deployment: ScriptedDeployment, client: ConvexHttpClient
) -> None:
    class Task(msgspec.Struct):
        text: str

    deployment.script(success([{"text": "a"}]), success([{"text": 1}]))
    assert await client.query("a:b", type=list[Task]) == [Task("a")]
    with pytest.raises(CodecError) as raised:
        await client.query("a:b", type=list[Task])
    assert raised.value.path == "value[0].text"


@pytest.mark.parametrize("status", [200, 560])
async def test_function_failures_are_the_error_tree(
    deployment: ScriptedDeployment, client: ConvexHttpClient, status: int
) -> None:
    deployment.script(
        failure("[Request ID: 0123456789abcdef] Server Error", status, logLines=["[LOG] 'x'"]),
        failure("Server Error", status, errorData={"code": "FULL"}),
        failure("Server Error", status, errorData=None),
    )
    with pytest.raises(FunctionError) as plain:
        await client.mutation("a:b")
    assert not isinstance(plain.value, ConvexError)
    assert plain.value.request_id == "0123456789abcdef"
    assert plain.value.message == "Server Error"
    assert plain.value.log_lines == ("[LOG] 'x'",)
    assert plain.value.path == "a:b"
    with pytest.raises(ConvexError) as thrown:
        await client.mutation("a:b")
    assert thrown.value.data == {"code": "FULL"}
    assert thrown.value.request_id == deployment.requests[1][1]["Convex-Request-Id"]
    with pytest.raises(ConvexError) as null:
        await client.mutation("a:b")
    assert null.value.data is None
    assert pickle.loads(pickle.dumps(thrown.value)).data == {"code": "FULL"}


@pytest.mark.usefixtures("_no_backoff")
async def test_queries_are_asked_again_twice_and_nothing_else_is(
    deployment: ScriptedDeployment, client: ConvexHttpClient
) -> None:
    busy = [refused(503, "Overloaded") for _ in range(6)]
    deployment.script(busy[0], web.Response(status=502, text="<html>"), success(7.0))
    assert await client.query("a:b") == 7.0
    assert len(deployment.requests) == 3
    deployment.script(*busy[1:4])
    with pytest.raises(TransportError, match="Overloaded"):
        await client.query("a:b")
    assert len(deployment.requests) == 6
    deployment.script(busy[4])
    with pytest.raises(TransportError) as mutation:
        await client.mutation("a:b")
    assert mutation.value.outcome == "not_sent"
    deployment.script(busy[5])
    with pytest.raises(TransportError):
        await client.action("a:b")
    assert len(deployment.requests) == 8


@pytest.mark.usefixtures("_no_backoff")
async def test_retry_after_is_honoured_or_told(
    deployment: ScriptedDeployment, client: ConvexHttpClient
) -> None:
    loop = asyncio.get_running_loop()
    deployment.script(refused(429, "Busy", **{"Retry-After": "0.3"}), success(1.0))
    began = loop.time()
    assert await client.query("a:b") == 1.0
    assert loop.time() - began >= 0.3
    deployment.script(refused(429, "Busy", **{"Retry-After": "100"}))
    with pytest.raises(TransportError, match="Busy"):
        await client.query("a:b")
    deployment.script(refused(429, "Busy", **{"Retry-After": "5"}))
    with pytest.raises(TransportError, match="Busy"):
        await client.query("a:b", timeout=2)


async def test_a_lost_answer_of_a_mutation_has_an_unknown_outcome(
    deployment: ScriptedDeployment, client: ConvexHttpClient
) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    deployment.respond = cut
    with pytest.raises(TransportError) as raised:
        await client.mutation("a:b")
    assert raised.value.outcome == "unknown"
    assert not raised.value.retryable
    assert len(deployment.requests) == 1
    await deployment.server.close()
    with pytest.raises(TransportError) as gone:
        await client.mutation("a:b")
    assert gone.value.outcome == "not_sent"
    assert gone.value.retryable


@pytest.mark.parametrize(
    ("status", "code", "error", "outcome"),
    [
        (400, "BadJsonBody", RemoteProtocolError, None),
        (404, "NotFound", RemoteProtocolError, None),
        (307, "Moved", RemoteProtocolError, None),
        (400, "InvalidAdminKey", AuthError, None),
        (403, "BadDeployKey", AuthError, None),
        (500, "InternalServerError", TransportError, "unknown"),
        (503, "CommitterFullError", TransportError, "not_sent"),
    ],
)
async def test_refusals_become_typed_errors(
    deployment: ScriptedDeployment,
    client: ConvexHttpClient,
    status: int,
    code: str,
    error: type[Exception],
    outcome: str | None,
) -> None:
    deployment.script(refused(status, code, Location="http://127.0.0.1:1/"))
    with pytest.raises(error, match=code) as raised:
        await client.mutation("a:b")
    if outcome is not None:
        assert getattr(raised.value, "outcome") == outcome  # noqa: B009


async def test_an_answer_of_something_else_is_told(
    deployment: ScriptedDeployment, client: ConvexHttpClient
) -> None:
    deployment.script(web.Response(text="<html>hello</html>"))
    with pytest.raises(RemoteProtocolError, match="is the URL right"):
        await client.query("a:b")


async def test_mutations_go_one_at_a_time_unless_told_otherwise(
    deployment: ScriptedDeployment, client: ConvexHttpClient
) -> None:
    go = asyncio.Event()

    async def hold(request: web.Request) -> web.StreamResponse:
        await go.wait()
        return success(None)

    deployment.respond = hold
    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(client.mutation("a:b", {"n": float(number)}))
        skipping = group.create_task(client.mutation("a:skip", skip_queue=True))
        while len(deployment.requests) < 2:
            deployment.arrived.clear()
            await deployment.arrived.wait()
        waiting = group.create_task(client.mutation("a:late"))
        await asyncio.sleep(0)
        assert sorted(body["path"] for _, _, body in deployment.requests) == ["a:b", "a:skip"]
        waiting.cancel()
        go.set()
    assert skipping.done()
    order = [body["args"]["n"] for _, _, body in deployment.requests if body["path"] == "a:b"]
    assert order == [0.0, 1.0, 2.0]
    assert all(body["path"] != "a:late" for _, _, body in deployment.requests)


async def test_timeouts_say_whether_the_request_was_sent(
    deployment: ScriptedDeployment, client: ConvexHttpClient
) -> None:
    async def hold(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    deployment.respond = hold
    first = asyncio.create_task(client.mutation("a:b", timeout=0.3))
    await deployment.arrived.wait()
    with pytest.raises(RequestTimeoutError) as queued:
        await client.mutation("a:b", timeout=0.05)
    assert queued.value.outcome == "not_sent"
    with pytest.raises(TimeoutError) as sent:
        await first
    assert isinstance(sent.value, RequestTimeoutError)
    assert sent.value.outcome == "unknown"


async def test_closing_ends_what_is_pending(deployment: ScriptedDeployment) -> None:
    async def hold(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    deployment.respond = hold
    client = ConvexHttpClient(deployment.url)
    view = client.with_auth("a.b.c")
    pending = asyncio.create_task(client.action("a:b"))
    await deployment.arrived.wait()
    await view.close()  # has nothing of its own
    assert not pending.done()
    await client.close()
    await client.close()
    with pytest.raises(ClientClosedError) as raised:
        await pending
    assert raised.value.outcome == "unknown"
    for user in (client, view):
        with pytest.raises(ClientClosedError):
            await user.query("a:b")


async def test_the_users_session_is_used_and_left_open(deployment: ScriptedDeployment) -> None:
    async with ClientSession(headers={"X-Mine": "1"}) as session:
        async with ConvexHttpClient(deployment.url, session=session) as client:
            await client.query("a:b")
        assert not session.closed
    assert deployment.requests[0][1]["X-Mine"] == "1"


def test_one_loop_only(unused_tcp_port: int) -> None:
    client = ConvexHttpClient(f"http://127.0.0.1:{unused_tcp_port}")

    async def use() -> None:
        with pytest.raises(TransportError):
            await client.mutation("a:b")

    async def use_elsewhere() -> None:
        with pytest.raises(LocalProtocolError, match="thread and process"):
            await client.query("a:b")

    async def use_and_close() -> None:
        await use()
        await asyncio.to_thread(lambda: asyncio.run(use_elsewhere()))
        await client.close()

    asyncio.run(use_and_close())


async def test_consistent_queries_see_one_moment(
    deployment: ScriptedDeployment, client: ConvexHttpClient
) -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        if request.path == "/api/query_ts":
            return web.json_response({"ts": "6AMAAAAAAAA="})
        return success(deployment.requests[-1][2]["ts"])

    deployment.respond = respond
    snapshot = client.consistent()
    assert snapshot.ts is None
    values = await asyncio.gather(snapshot.query("a:b"), snapshot.query("a:c", {"x": 1}))
    assert list(values) == ["6AMAAAAAAAA="] * 2
    assert snapshot.ts == 1000
    paths = [path for path, _, _ in deployment.requests]
    assert sorted(paths) == ["/api/query_at_ts", "/api/query_at_ts", "/api/query_ts"]


async def test_a_close_that_is_cancelled_while_requests_end_has_closed(
    deployment: ScriptedDeployment,
) -> None:
    arrived = asyncio.Event()

    async def respond(request: web.Request) -> web.StreamResponse:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError

    deployment.respond = respond
    client = ConvexHttpClient(deployment.url)
    call = asyncio.ensure_future(client.mutation("a:b"))
    await arrived.wait()
    session = client._shared.connection.session()
    closing = asyncio.ensure_future(client.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert session.closed
    with pytest.raises(ClientClosedError):
        await call


async def test_log_lines_are_shown_on_request(
    deployment: ScriptedDeployment, client: ConvexHttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="convex_async.functions")
    deployment.script(success(1.0, logLines=["[LOG] quiet"]), success(1.0, logLines=["[LOG] hi"]))
    await client.query("a:b")
    client.set_debug(True)
    await client.query("a:b")
    assert [record.getMessage() for record in caplog.records] == ["[a:b] [LOG] hi"]


async def test_deprecation_is_warned_of_once(
    deployment: ScriptedDeployment, client: ConvexHttpClient
) -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        answer = success(None)
        answer.headers["x-convex-deprecation-state"] = "UpgradeRequired"
        answer.headers["x-convex-deprecation-message"] = "too old"
        return answer

    deployment.respond = respond
    with pytest.warns(UserWarning, match="UpgradeRequired: too old") as record:
        await asyncio.gather(client.query("a:b"), client.query("a:b"))
    assert len(record) == 1


async def test_a_session_of_the_users_that_is_closed_is_their_error(
    deployment: ScriptedDeployment,
) -> None:
    session = ClientSession()
    async with ConvexHttpClient(deployment.url, session=session) as client:
        await client.query("a:b")
        await session.close()
        for call in (client.query("a:b"), client.ping(), client.upload(b"", url="http://x/")):
            with pytest.raises(LocalProtocolError, match="session that the client was given"):
                await call


async def test_consistent_queries_log_as_others_do(
    deployment: ScriptedDeployment, caplog: pytest.LogCaptureFixture
) -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        if request.path == "/api/query_ts":
            return web.json_response({"ts": "AAAAAAAAAAA="})
        return success(None, logLines=["[LOG] 'seen'"])

    deployment.respond = respond
    caplog.set_level("INFO", "convex_async.functions")
    async with ConvexHttpClient(deployment.url) as client:
        await client.consistent().query("a:b")
        assert caplog.text == ""
        client.set_debug(True)
        await client.consistent().query("a:b")
        async with client.with_auth("a.b.c").consistent() as snapshot:
            await snapshot.query("a:b")
        assert caplog.text.count("[a:b] [LOG] 'seen'") == 2


async def test_a_proxy_is_the_sessions_affair(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxies are for a session that is made with `trust_env=True`."""
    proxy = ScriptedDeployment()
    await proxy.server.start_server()
    proxy.respond = lambda request: asyncio.sleep(0, success(str(request.url)))
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)
    url = "http://convex.corp.invalid"
    async with (
        ClientSession(trust_env=True) as session,
        ConvexHttpClient(url, session=session) as client,
    ):
        assert await client.query("a:b") == f"{url}/api/query"
    async with ConvexHttpClient(url) as client:
        with pytest.raises(TransportError, match="no connection"):
            await client.mutation("a:b")
    assert len(proxy.requests) == 1
    await proxy.server.close()
