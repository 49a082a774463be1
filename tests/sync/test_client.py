"""The blocking client against a deployment in another thread."""

from __future__ import annotations

import asyncio
import copy
import gc
import io
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from convex_async.local import Functions, LocalDeployment
from convex_async.sync import (
    ClientClosedError,
    ConvexClient,
    ConvexError,
    ConvexHttpClient,
    FunctionError,
    RequestTimeoutError,
)
from tests.sync.served import served


def test_calls(client: ConvexClient) -> None:
    task_id = client.mutation("tasks:create", {"text": "a"}, type=str)
    assert [task["_id"] for task in client.query("tasks:list")] == [task_id]
    assert client.action("payments:processStripe", {"amount": 1, "currency": "usd"}) == {
        "charged": 1,
        "currency": "usd",
    }
    with pytest.raises(ConvexError) as raised:
        client.mutation("orders:create", {"productId": "nonexistent"})
    assert raised.value.data == {"code": "NOT_FOUND", "message": "no such product"}


def test_a_subscription_is_an_iterator(client: ConvexClient) -> None:
    subscription = client.subscribe("tasks:list")
    seen = []
    for tasks in subscription:
        seen.append(len(tasks))
        if len(tasks) == 2:
            break
        client.mutation("tasks:create", {"text": "a"})
    assert seen == [0, 1, 2]
    subscription.unsubscribe()
    subscription.unsubscribe()
    assert list(subscription) == []


def test_changes_results_and_waiting(client: ConvexClient) -> None:
    client.mutation("tasks:create", {"text": "a"})
    with client.subscribe("tasks:list") as tasks:
        assert [task["text"] for task in next(tasks.changes()).inserted] == ["a"]
    with client.subscribe("tasks:myTasks") as mine:
        result = next(mine.results())
        assert isinstance(result.error, ConvexError)
    with client.subscribe("tasks:list") as tasks:
        timer = threading.Timer(0.05, client.mutation, ("tasks:create", {"text": "b"}))
        timer.start()
        assert len(tasks.until(lambda found: len(found) == 2, timeout=5)) == 2
        timer.join()
        with pytest.raises(TimeoutError):
            tasks.until(lambda found: len(found) == 3, timeout=0.05)


async def test_a_subscription_is_an_async_iterator_too(deployment: LocalDeployment) -> None:
    client = ConvexClient(deployment.url)
    subscription = await asyncio.to_thread(client.subscribe, "tasks:list")
    assert await anext(subscription) == []
    await asyncio.to_thread(client.mutation, "tasks:create", {"text": "a"})
    async for tasks in subscription:
        assert len(tasks) == 1
        break
    await asyncio.to_thread(client.close)


def test_watch_all_is_consistent_and_follows_the_set(client: ConvexClient) -> None:
    tasks, failing = client.subscribe("tasks:list"), client.subscribe("tasks:myTasks")
    views = client.watch_all()
    view = next(v for v in views if v[tasks.id] is not None and v[failing.id] is not None)
    assert view[tasks.id] == []
    assert isinstance(view[failing.id], ConvexError)
    same = client.subscribe("tasks:list")
    assert next(v for v in views if v.get(same.id) is not None)[same.id] == []
    failing.unsubscribe()
    client.mutation("tasks:create", {"text": "a"})
    view = next(v for v in views if v[tasks.id])
    assert set(view) == {tasks.id, same.id}
    assert view[tasks.id] == view[same.id]


def test_dropped_subscriptions_leave(client: ConvexClient) -> None:
    kept, dropped = client.subscribe("tasks:list"), client.subscribe("logs:getAll")
    views = client.watch_all()
    id = dropped.id
    del dropped
    gc.collect()
    client.mutation("tasks:create", {"text": "a"})
    view = next(v for v in views if v[kept.id])
    assert id not in view


def test_identity(deployment: LocalDeployment, client: ConvexClient) -> None:
    client.set_auth(deployment.issue_token("ada"))
    assert client.query("users:getCurrentUser") == {"subject": "ada"}
    client.set_auth(None)
    assert client.query("users:getCurrentUser") is None
    client.set_admin_auth(deployment.admin_key)
    assert client.mutation("internal:adminOperation", {"note": "x"}) == "done"
    client.clear_auth()
    with pytest.raises(FunctionError, match="Could not find"):
        client.mutation("internal:adminOperation", {"note": "x"})


def test_a_blocking_fetcher_runs_in_a_thread_of_its_own(deployment: LocalDeployment) -> None:
    threads: list[int] = []

    def fetch(*, force_refresh: bool) -> str | None:
        threads.append(threading.get_ident())
        with ConvexHttpClient(deployment.url) as other:  # may block, even on another client
            other.query("tasks:list")
        return deployment.issue_token("ada")

    with ConvexClient(deployment.url, auth=fetch) as client:
        assert client.query("users:getCurrentUser") == {"subject": "ada"}
    with ConvexHttpClient(deployment.url, auth=fetch) as http:
        assert http.query("users:getCurrentUser") == {"subject": "ada"}
    assert threading.get_ident() not in threads


def test_pages(client: ConvexClient) -> None:
    for number in range(5):
        client.mutation("messages:send", {"body": str(number)})
    assert [m["body"] for m in client.paginate("messages:list", page_size=2)] == list("01234")
    pages = client.paginate("messages:list", page_size=2).pages()
    assert [len(page) for page in pages] == [2, 2, 1]


def test_any_number_of_threads(client: ConvexClient) -> None:
    def work(number: int) -> str:
        return client.mutation("tasks:create", {"text": str(number)}, type=str)

    with ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(work, range(64)))
    assert len(set(ids)) == 64
    assert len(client.query("tasks:list")) == 64


def test_closing_ends_waits_in_other_threads(deployment: LocalDeployment) -> None:
    client = ConvexClient(deployment.url)
    subscription = client.subscribe("tasks:list")
    assert next(subscription) == []
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, subscription)
        client.close()
        with pytest.raises(ClientClosedError):
            waiting.result(5)
    client.close()
    with pytest.raises(ClientClosedError):
        client.query("tasks:list")


def test_a_callback_may_not_wait_for_itself(deployment: LocalDeployment) -> None:
    with ConvexHttpClient(deployment.url) as client:

        async def fetch(*, force_refresh: bool) -> str | None:
            client.query("tasks:list")  # in the client's own loop
            raise AssertionError

        client.set_auth(fetch)
        with pytest.raises(Exception, match="LocalProtocolError"):
            client.query("tasks:list", timeout=10)


@pytest.fixture
def slow() -> Functions:
    functions = Functions()

    @functions.action("slow:sleep")
    async def sleep(ctx: Any, seconds: float) -> Any:
        await asyncio.sleep(seconds)
        return seconds

    return functions


def test_time_limits(slow: Functions) -> None:
    with served(slow) as deployment, ConvexClient(deployment.url) as client:
        with pytest.raises(RequestTimeoutError) as raised:
            client.action("slow:sleep", {"seconds": 2}, timeout=0.1)
        assert raised.value.outcome == "unknown"


async def beat(stalls: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(0.005)
        stalls.append(time.perf_counter() - before - 0.005)


async def three_sleeps(client: ConvexClient, stalls: list[float]) -> float:
    heart = asyncio.create_task(beat(stalls))
    began = time.perf_counter()
    calls = [asyncio.to_thread(client.action, "slow:sleep", {"seconds": 0.5}) for _ in range(3)]
    assert await asyncio.gather(*calls) == [0.5] * 3
    heart.cancel()
    return time.perf_counter() - began


def test_three_calls_overlap_and_the_loop_keeps_its_beat(slow: Functions) -> None:
    """Half a second each, in place of two: the benchmark has the full length."""
    stalls: list[float] = []
    with served(slow) as deployment, ConvexClient(deployment.url) as client:
        client.connect()
        took = asyncio.run(three_sleeps(client, stalls))
    assert took < 1.0, "three waits of 0.5 s ran one after another"
    assert max(stalls) < 0.25, "a wait in another thread held up this thread's loop"


def test_files_are_taken_as_blocking_code_has_them() -> None:
    from tests.guide.site import functions

    with served(functions) as deployment:
        for kind in (ConvexClient, ConvexHttpClient):
            with kind(deployment.url, site_url=deployment.site_url) as client:
                sources: list[Any] = [b"data", io.BytesIO(b"data"), iter([b"da", b"ta"])]
                for source in sources:
                    storage_id = client.upload(source, url="files:generateUploadUrl")
                    url = client.query("files:getUrl", {"storageId": storage_id})
                    assert client.download(url) == b"data"
                response = client.http_action("POST", "/webhook/stripe", json={"amount": 1})
                assert (response.status, response.json()) == (200, {"received": True})
                assert client.http_action("GET", "/nothing").status == 404


# What PyPI's client has not


@pytest.fixture
def counted() -> Functions:
    """A mutation that takes a while, and a query of what ran."""
    functions = Functions()

    @functions.mutation("slow:add")
    async def add(ctx: Any, number: float) -> Any:
        await asyncio.sleep(0.2)
        await ctx.db.insert("numbers", {"number": number})
        return number

    @functions.query("slow:list")
    async def numbers(ctx: Any) -> Any:
        return [row["number"] for row in await ctx.db.query("numbers").collect()]

    return functions


@pytest.mark.parametrize("make", [ConvexClient, ConvexHttpClient])
def test_mutations_of_ten_threads_do_not_queue(counted: Functions, make: type) -> None:
    with served(counted) as deployment, make(deployment.url) as client:
        client.query("slow:list")
        began = time.perf_counter()
        with ThreadPoolExecutor(10) as pool:
            calls = [pool.submit(client.mutation, "slow:add", {"number": n}) for n in range(10)]
            assert [call.result() for call in calls] == list(range(10))
        took = time.perf_counter() - began
    limit = 1.0 if make is ConvexHttpClient else 3.0  # a socket's mutations run one by one
    assert took < limit, "ten mutations of 0.2 s ran one after another"


def test_what_one_thread_submits_goes_out_in_order(counted: Functions) -> None:
    with served(counted) as deployment:
        for client in (ConvexClient(deployment.url), ConvexHttpClient(deployment.url)):
            with client:
                before = len(client.query("slow:list"))
                calls = [
                    client.submit("mutation", "slow:add", {"number": n}, timeout=20)
                    for n in range(3)
                ]
                assert not calls[2].done()
                assert client.submit(client.query, "slow:list").result(5) is not None
                assert [call.result(10) for call in calls] == [0, 1, 2]
                assert client.query("slow:list")[before:] == [0, 1, 2]
                wrongs: list[Any] = ["subscribe", print, ConvexClient.mutation]
                for wrong in wrongs:
                    with pytest.raises(TypeError, match="submit"):
                        client.submit(wrong, "slow:list")


def test_an_optimistic_update_shows_at_once(deployment: LocalDeployment) -> None:
    with ConvexClient(deployment.url) as client, client.subscribe("tasks:list") as tasks:
        assert next(tasks) == []
        client.mutation(
            "tasks:create",
            {"text": "a"},
            optimistic=lambda store, args: store.set_query("tasks:list", {}, [{"_id": "expected"}]),
        )
        assert next(tasks)[0]["_id"] in ("expected", client.query("tasks:list")[0]["_id"])


def test_an_outbox_keeps_what_was_not_answered(deployment: LocalDeployment, tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    with ConvexClient(deployment.url, outbox=path, close_timeout=0.01) as client:
        client.connect()
        assert client.outbox.path == path
        deployment.faults.silent = True
        call = client.submit("mutation", "tasks:create", {"text": "kept"})
        while not (pending := client.outbox.pending):
            time.sleep(0.001)
        assert pending[0].args == {"text": "kept"}
    with pytest.raises(ClientClosedError):
        call.result(5)
    deployment.faults.silent = False
    with ConvexClient(deployment.url, outbox=path) as client:
        client.outbox.drained()
        assert [task["text"] for task in client.query("tasks:list")] == ["kept"]
        assert client.outbox.pending == client.outbox.failed == []


def test_the_answer_of_an_http_action_tells_of_its_status() -> None:
    from tests.guide.site import functions

    with (
        served(functions) as deployment,
        ConvexHttpClient(deployment.url, site_url=deployment.site_url) as client,
    ):
        answer = client.http_action("POST", "/webhook/stripe", json={"amount": 1})
        assert answer.ok
        answer.raise_for_status()
        answer = client.http_action("GET", "/nothing?key=1")
        assert not answer.ok
        with pytest.raises(FunctionError, match=r"^GET /nothing: answered with HTTP status 404"):
            answer.raise_for_status()


@pytest.mark.parametrize("make", [ConvexClient, ConvexHttpClient])
def test_a_wrong_keyword_is_named(make: type) -> None:
    for wrong in ("url", "timeuot"):
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{wrong}'"):
            make(**{wrong: "https://happy-animal-123.convex.cloud"})


@pytest.mark.parametrize("make", [ConvexClient, ConvexHttpClient])
def test_a_client_is_not_copied(make: type) -> None:
    client = make("https://happy-animal-123.convex.cloud", auth="a.b.c")
    for copies in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="make one where it is used"):
            copies(client)
    with pytest.raises(TypeError, match="make one where it is used"):
        pickle.dumps(client._inner)
