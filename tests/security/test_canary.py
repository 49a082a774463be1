"""No secret shows, whatever fails: in no repr, error, traceback, log record or warning."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from convex_async import ConvexClient
from convex_async.http import ConvexHttpClient
from convex_async.local import LocalDeployment
from tests.files.storage import Storage
from tests.http.conftest import ScriptedDeployment, refused
from tests.integration.backend import make_functions
from tests.security.secrets import ADMIN_KEY, CANARY, TOKEN, Shown, everything_shown

NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens


@pytest.fixture
def shown() -> Iterator[Shown]:
    with everything_shown() as shown:
        yield shown
    assert shown.texts, "nothing failed, so nothing was checked"
    assert shown.leaks == []


@pytest.fixture
async def deployment() -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment(make_functions()) as deployment:
        yield deployment


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedDeployment]:
    scripted = ScriptedDeployment()
    await scripted.server.start_server(access_log=None)  # a server's log is its own affair
    yield scripted
    await scripted.server.close()


@pytest.fixture
async def storage() -> AsyncIterator[Storage]:
    storage = Storage()
    await storage.server.start_server(access_log=None)
    yield storage
    storage.silent.set()
    await storage.server.close()


async def failing(shown: Shown, *calls: Awaitable[Any]) -> None:
    """Each call fails, and what it raises is shown."""
    for call in calls:
        limit = asyncio.timeout(5)
        try:
            async with limit:
                await call
        except Exception as error:
            assert not limit.expired(), "it hangs"
            shown.add(error)
        else:
            pytest.fail("it did not fail")


async def raising(*, force_refresh: bool) -> str | None:
    raise OSError(f"the provider refused {TOKEN}")


async def malformed(*, force_refresh: bool) -> str | None:
    return f"{TOKEN} and a blank"


async def bad(*, force_refresh: bool) -> str | None:
    return TOKEN


IDENTITIES: dict[str, dict[str, Any]] = {
    "token": {"auth": TOKEN},
    "opaque": {"auth": CANARY},
    "fetcher": {"auth": bad},
    "admin": {"admin_key": ADMIN_KEY},
    "acting": {"admin_key": ADMIN_KEY, "acting_as": {"tokenIdentifier": "x|ada"}},
}

identities = pytest.mark.parametrize("identity", IDENTITIES.values(), ids=IDENTITIES)


def test_the_check_sees_what_it_looks_for() -> None:
    with everything_shown() as shown:
        logging.getLogger("aiohttp.client").debug("%.9s", TOKEN[-9:])
        try:
            try:
                raise OSError(TOKEN)
            except OSError as error:
                raise ValueError("no canary here") from error
        except ValueError as error:
            shown.add(error)
    assert {where for where, _ in shown.leaks} == {
        "log of aiohttp.client",
        "log record of aiohttp.client",
        "traceback",
        "OSError",
    }


@pytest.fixture
def quick_fetches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convex_async.auth.tokens.FETCH_BACKOFF_INITIAL", 0.01)


# The socket


@identities
async def test_refused_on_the_socket(
    deployment: LocalDeployment, shown: Shown, identity: dict[str, Any]
) -> None:
    async with ConvexClient(deployment.url, **identity) as client:
        live = client.subscribe("notes:list")
        shown.add(client, client.state, live)
        await failing(shown, client.query("notes:list"), client.mutation("notes:touch"))
        await failing(shown, anext(live), live.get(), client.connect())
        shown.add(client, client.state, live)


@identities
async def test_refused_upgrades(
    deployment: LocalDeployment, shown: Shown, identity: dict[str, Any]
) -> None:
    deployment.faults.refuse_upgrades = 401
    async with ConvexClient(deployment.url, **identity) as client:
        await failing(shown, client.connect(), client.query("notes:list", timeout=0.05))
        shown.add(client, client.state)


@identities
async def test_timeouts_drops_and_the_end(
    deployment: LocalDeployment, shown: Shown, identity: dict[str, Any]
) -> None:
    deployment.faults.silent = True
    client = ConvexClient(deployment.url, close_timeout=0, **identity)
    waiting = [asyncio.ensure_future(client.action("notes:echo"))]
    waiting.append(asyncio.ensure_future(client.query("notes:list")))
    await client.connect()
    await failing(shown, client.query("notes:list", timeout=0.02))
    await failing(shown, client.mutation("notes:touch", timeout=0.02))
    deployment.faults.drop()
    await client.connect()
    shown.add(client, client.state, *asyncio.all_tasks())
    await client.close()
    await failing(shown, *waiting, client.query("notes:list"))
    shown.add(client, client.state)


@identities
async def test_a_dropped_client(
    deployment: LocalDeployment, shown: Shown, identity: dict[str, Any]
) -> None:
    client = ConvexClient(deployment.url, **identity)
    await client.connect()
    before = len(shown.texts)
    del client
    gc.collect()
    await asyncio.sleep(0)
    shown.add(*asyncio.all_tasks())
    assert len(shown.texts) > before


@pytest.mark.usefixtures("quick_fetches")
@pytest.mark.parametrize("fetch", [raising, malformed])
@pytest.mark.parametrize("make", [ConvexClient, ConvexHttpClient])
async def test_fetchers(
    deployment: LocalDeployment, shown: Shown, make: Callable[..., Any], fetch: object
) -> None:
    async with make(deployment.url, auth=fetch) as client:
        for _ in range(3):
            await failing(shown, client.query("notes:list", timeout=0.05))
        shown.add(client)


# HTTP


@identities
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 503])
async def test_http_answers(
    scripted: ScriptedDeployment, shown: Shown, identity: dict[str, Any], status: int
) -> None:
    scripted.script(*(refused(status, "Refused", Location="/elsewhere") for _ in range(2)))
    async with ConvexHttpClient(scripted.url, **identity) as client:
        await failing(shown, client.mutation("a:b"), client.action("a:b"))
        shown.add(client, client.with_auth(TOKEN))
    await failing(shown, client.query("a:b"))


@identities
async def test_http_breaks(
    scripted: ScriptedDeployment, shown: Shown, identity: dict[str, Any]
) -> None:
    async with ConvexHttpClient(NOWHERE, site_url=NOWHERE, **identity) as client:
        await failing(shown, client.mutation("a:b"), client.action("a:b"))
        await failing(shown, client.http_action("GET", f"/x?key={CANARY}").__aenter__())
        await failing(shown, client.upload(b"x", url=f"{NOWHERE}/upload?token={CANARY}"))

    async def cut(request: Any) -> Any:
        request.transport.abort()

    scripted.respond = cut
    async with ConvexHttpClient(scripted.url, **identity) as client:
        await failing(shown, client.mutation("a:b"), client.action("a:b"))
        scripted.respond = lambda request: asyncio.sleep(5)  # type: ignore[assignment, return-value]
        await failing(shown, client.query("a:b", timeout=0.02))
        await failing(shown, client.mutation("a:b", timeout=0.02))
        waiting = asyncio.ensure_future(client.action("a:b"))
        await asyncio.sleep(0)
        shown.add(*asyncio.all_tasks())
        await client.close()
        await failing(shown, waiting)


# Files


UPLOAD_URLS = [
    f"http://127.0.0.1:9/upload?token={CANARY}",
    f"http://user:{CANARY}@127.0.0.1:9/upload",
    f"http://[{CANARY}/upload?token=1",
    f"http:///upload?token={CANARY}",
    f"http://127.0.0.1:{CANARY}/upload",
    f"ftp://127.0.0.1/upload?token={CANARY}",
    f"http://127.0.0.1:99999/upload?token={CANARY}",
    f"/upload?token={CANARY}",
    f"?token={CANARY}",
]


@pytest.mark.parametrize("url", UPLOAD_URLS)
async def test_file_urls_that_lead_nowhere(shown: Shown, url: str) -> None:
    for make in (ConvexClient, ConvexHttpClient):
        async with make(NOWHERE) as client:
            await failing(shown, client.upload(b"data", url=url), client.download(url))
            shown.add(client)


async def test_uploads_and_downloads_that_fail(storage: Storage, shown: Shown) -> None:
    url = storage.url(f"/upload?token={CANARY}")
    async with ConvexHttpClient(storage.url("")) as client:
        for status in (302, 400, 403, 500):
            storage.status = status
            await failing(shown, client.upload(b"data", url=url))
        storage.status = 200
        await failing(shown, client.upload(object(), url=url))  # type: ignore[arg-type]
        storage.silent.clear()
        await failing(shown, client.upload(b"data", url=url, timeout=0.05))
        storage.silent.set()
        storage.cut_at = 2
        await failing(shown, client.upload(b"data" * 2, url=url))
        for path in ("damaged", "nowhere", "file"):
            await failing(shown, client.download(storage.url(f"/{path}?token={CANARY}")))
        shown.add(client)


async def test_an_uploads_url_is_not_in_the_deployments_log(
    deployment: LocalDeployment, shown: Shown
) -> None:
    async with ConvexClient(deployment.url) as client:
        url = f"{deployment.url}/api/storage/upload?token={CANARY}"
        await failing(shown, client.upload(b"data", url=url))


# Bad arguments


MISTAKES: dict[str, Callable[[Any], object]] = {
    "a blank": lambda make: make(NOWHERE, auth=f"{CANARY} x"),
    "a line end": lambda make: make(NOWHERE, auth=f"{CANARY}\n"),
    "not ASCII": lambda make: make(NOWHERE, auth=f"{CANARY}é"),
    "bytes": lambda make: make(NOWHERE, auth=CANARY.encode()),
    "an object": lambda make: make(NOWHERE, auth={"token": CANARY}),
    "both": lambda make: make(NOWHERE, auth=TOKEN, admin_key=ADMIN_KEY),
    "a key of bytes": lambda make: make(NOWHERE, admin_key=ADMIN_KEY.encode()),
    "a key with a blank": lambda make: make(NOWHERE, admin_key=ADMIN_KEY + " "),
    "acting as nobody": lambda make: make(NOWHERE, admin_key=ADMIN_KEY, acting_as={"name": "x"}),
    "in the clear": lambda make: make("http://example.com", auth=TOKEN),
    "a key in the clear": lambda make: make("http://example.com", admin_key=ADMIN_KEY),
    "a key for a URL": lambda make: make(ADMIN_KEY),
    "an upload URL": lambda make: make(f"https://x.convex.cloud/api?token={CANARY}"),
    "a fragment": lambda make: make(f"https://x.convex.cloud/#{CANARY}"),
    "a password": lambda make: make(f"https://user:{CANARY}@x.convex.cloud"),
    "a password, no scheme": lambda make: make(f"user:{CANARY}@x.convex.cloud"),
    "a password, a site": lambda make: make(f"https://user:{CANARY}@x.convex.site"),
    "a password, a port": lambda make: make(f"https://user:{CANARY}@x.convex.cloud:port"),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
@pytest.mark.parametrize("make", [ConvexClient, ConvexHttpClient])
def test_bad_arguments(
    shown: Shown, make: Callable[..., object], mistake: Callable[[Any], object]
) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        mistake(make)
    shown.add(caught.value)
