"""A deployment that tells one query's value over and over, at a steady rate, as a script."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import WSMsgType, web

# Seconds between two writes: what is due by then goes out, a frame each.
BEAT = 0.01


class Flood:
    """How a flood went. Times are of the monotonic clock, in seconds.

    Attributes:
        ended_at: when the last update was handed to the socket.
        seconds: from the first update to the last.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.ended_at = 0.0
        self.seconds = 0.0
        self.has_ended = threading.Event()


@contextmanager
def flooding(rate: int, updates: int) -> Iterator[Flood]:
    """Serve a query that is `[{"number": "<n>"}]`, n from 1 to `updates`, `rate` a second.

    The first update is sent as the query is asked for. The server waits where its peer does not
    read: a slow one is late, it does not make the flood slower than it is told.
    """
    ready: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    started = threading.Event()

    async def sync(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        version = {"querySet": 0, "identity": 0, "ts": _ts(0)}
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            asked = json.loads(message.data)
            if asked["type"] != "ModifyQuerySet" or not asked["modifications"]:
                continue
            (query,) = asked["modifications"]
            began = loop.time()
            sent = 0
            while sent < updates:
                due = min(updates, 1 + int((loop.time() - began) * rate))
                for number in range(sent + 1, due + 1):
                    end = {"querySet": asked["newVersion"], "identity": 0, "ts": _ts(number)}
                    await socket.send_str(_transition(query["queryId"], version, end, number))
                    version = end
                sent = due
                await asyncio.sleep(BEAT)
            flood.ended_at = loop.time()
            flood.seconds = flood.ended_at - began
            flood.has_ended.set()
        return socket

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/api/{version}/sync", sync)
        app.router.add_get("/api/sync", sync)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        ready.put_nowait(runner.addresses[0][1])
        started.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    started.wait()
    flood = Flood(f"http://127.0.0.1:{ready.get_nowait()}")
    try:
        yield flood
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def _ts(ts: int) -> str:
    return base64.b64encode(ts.to_bytes(8, "little")).decode()


def _transition(query_id: int, start: object, end: object, number: int) -> str:
    update = {
        "type": "QueryUpdated",
        "queryId": query_id,
        "value": [{"number": f"<{number}>"}],
        "logLines": [],
        "journal": None,
    }
    return json.dumps(
        {
            "type": "Transition",
            "startVersion": start,
            "endVersion": end,
            "modifications": [update],
        }
    )
