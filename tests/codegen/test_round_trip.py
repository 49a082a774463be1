"""Generated calls against a deployment with the same functions, over every client and style."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from convex_async import ConvexClient, ConvexHttpClient
from convex_async.client.optimistic import OptimisticLocalStore
from convex_async.codegen import Style
from convex_async.local import LocalDeployment
from convex_async.sync import ConvexClient as BlockingClient
from convex_async.sync import ConvexHttpClient as BlockingHttpClient
from convex_async.values import ConvexInt64
from tests.codegen.backend import functions
from tests.codegen.generated import STYLES, as_module, written


@pytest.fixture
async def deployment() -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment(functions) as deployment:
        yield deployment


@pytest.fixture
async def client(deployment: LocalDeployment) -> AsyncIterator[ConvexClient]:
    async with ConvexClient(deployment.url, timeout=10) as client:
        yield client


@pytest.fixture(params=STYLES)
def module(request: pytest.FixtureRequest) -> Any:
    style: Style = request.param
    return as_module(written(functions, style).text, f"round_trip_{style}")


def shapes(module: Any) -> list[Any]:
    """A label with an int64 deep within, in the style of the module."""
    label = {"kind": "label", "text": "x", "size": 3}
    cls = module.TasksCreateShapesLabel
    return [label if issubclass(cls, dict) else cls(**label)]


def field(value: Any, name: str) -> Any:
    return value[name] if isinstance(value, dict) else getattr(value, name)


async def check(client: Any, deployment: LocalDeployment, module: Any) -> None:
    """What each asynchronous client does with calls."""
    api = module.api
    user = await client.mutation(api.users.create(name="Ada"))
    task = await client.mutation(
        api.tasks.create(text="Milk", rank=2**60, authorId=user, shapes=shapes(module))
    )
    stored = deployment.tables["tasks"][0]
    assert stored["rank"] == ConvexInt64(2**60)
    assert stored["shapes"] == [{"kind": "label", "text": "x", "size": ConvexInt64(3)}]
    assert isinstance(stored["shapes"][0]["size"], ConvexInt64)
    assert stored["status"] == "open"  # the optional argument was left out
    (found,) = await client.query(api.tasks.list(list=[2**60]))
    assert field(found, "rank") == 2**60
    assert field(found, "text") == "Milk"
    assert field(found, "scores") == {"x": 1.5}
    assert field(field(found, "shapes")[0], "size") == 3
    assert await client.query(api.tasks.list(status="done")) == []
    assert await client.query(api.tasks.get(id=task)) == found
    assert [one async for one in client.paginate(api.tasks.page(), page_size=1)] == [found]
    report = await client.action(api.admin.reports.make(class_="x", data=b"\0", version=2))
    assert (report["_x"] if isinstance(report, dict) else report.x) == 7
    assert await client.query(api.loose.default({"n": 1.0})) == {"n": 1.0}
    assert await client.mutation(api.tasks.clear()) is None
    assert await client.query(api.tasks.get(id=task)) is None


async def test_over_a_socket(
    client: ConvexClient, deployment: LocalDeployment, module: Any
) -> None:
    await check(client, deployment, module)


async def test_over_http(deployment: LocalDeployment, module: Any) -> None:
    async with ConvexHttpClient(deployment.url) as client:
        await check(client, deployment, module)
        async with client.consistent() as snapshot:
            assert await snapshot.query(module.api.tasks.list()) == []
            assert [task async for task in snapshot.paginate(module.api.tasks.page())] == []


async def test_blocking(deployment: LocalDeployment, module: Any) -> None:
    def use(cls: Any) -> None:
        with cls(deployment.url) as client:
            api = module.api
            client.mutation(api.tasks.create(text="a", rank=1))
            (task,) = client.query(api.tasks.list())
            assert list(client.paginate(api.tasks.page())) == [task]
            client.action(api.admin.reports.make(class_="x", data=b"", version=2))
            if cls is BlockingClient:
                for tasks in client.subscribe(api.tasks.list()):
                    assert tasks == [task]
                    break
            client.mutation(api.tasks.clear())

    for cls in (BlockingClient, BlockingHttpClient):
        await asyncio.to_thread(use, cls)


async def test_live(client: ConvexClient, module: Any) -> None:
    api = module.api
    async with client.subscribe(api.tasks.list()) as live:
        assert await live.get(timeout=5) == []
        await client.mutation(api.tasks.create(text="a", rank=1))
        (task,) = await live.get(timeout=5)
        assert field(task, "text") == "a"
    async with client.subscribe_all(
        {"tasks": api.tasks.list(), "loose": api.loose.default()}
    ) as view:
        assert await view.get(timeout=5) == {"tasks": [task], "loose": {}}
    async with client.paginate_live(api.tasks.page(), page_size=5) as pages:
        async for items in pages:
            assert list(items) == [task]
            break


async def test_optimistic(client: ConvexClient) -> None:
    api: Any = as_module(written(functions).text, "optimistic").api
    seen: list[Any] = []

    def expect(store: OptimisticLocalStore, args: dict[str, Any]) -> None:
        tasks: Any = store.get_query(api.tasks.list())
        seen.append(tasks)
        store.set_query(api.tasks.list(), value=[*(tasks or []), {"text": args["text"]}])

    async with client.subscribe(api.tasks.list()) as live:
        assert await live.get(timeout=5) == []
        await client.mutation(api.tasks.create(text="a", rank=1), optimistic=expect)
        assert seen[0] == []
        assert len(await live.until(bool, timeout=5)) == 1


WRONG: list[tuple[str, Callable[[Any], Any], str]] = [
    ("query", lambda api: api.users.create(name="x"), "create is a mutation: .* client.mutation"),
    ("mutation", lambda api: api.tasks.list(), "tasks:list is a query: .* client.query"),
    ("action", lambda api: api.tasks.list(), "is a query"),
    ("subscribe", lambda api: api.tasks.clear(), "is a mutation"),
    ("query", lambda api: api.tasks.page(), "is a query in pages: .* client.paginate"),
    ("paginate", lambda api: api.tasks.list(), "is a query: .* client.query"),
]


@pytest.mark.parametrize(("verb", "make", "message"), WRONG)
async def test_a_call_of_another_kind_is_a_type_error(
    client: ConvexClient, deployment: LocalDeployment, verb: str, make: Any, message: str
) -> None:
    call = make(as_module(written(functions).text, "wrong_kind").api)
    async with ConvexHttpClient(deployment.url) as http_client:
        blocking = BlockingClient(deployment.url)
        for one in (client, http_client):
            if hasattr(one, verb):
                with pytest.raises(TypeError, match=message):
                    getattr(one, verb)(call)
        if hasattr(blocking, verb):
            with pytest.raises(TypeError, match=message):
                await asyncio.to_thread(getattr(blocking, verb), call)
        await asyncio.to_thread(blocking.close)
    deployment.assert_called(call.path, times=0)


async def test_arguments_beside_a_call_are_refused(client: ConvexClient) -> None:
    call: Any = as_module(written(functions).text, "beside").api.tasks.list()
    with pytest.raises(TypeError, match="has its arguments"):
        await client.query(call, {"status": "open"})


async def test_a_type_may_be_given_in_place_of_the_call_s(client: ConvexClient) -> None:
    api: Any = as_module(written(functions, "msgspec").text, "other_type").api
    await client.mutation(api.tasks.create(text="a", rank=1))
    (task,) = await client.query(api.tasks.list(), type=list[dict[str, Any]])
    assert task["text"] == "a"
