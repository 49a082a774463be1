"""How many updates a second client processes take, for many simulated users.

    python -m benches.bench_scale [USERS]

A scripted deployment in a process of its own gives each user a query and then updates them in
turn, as fast as the sockets take it. 1, 2 and 4 client processes share the users: each has one
socket with its share of the subscriptions, and decodes each state that it is given. Updates a
second of all together, and the most memory that a client process had.
"""

from __future__ import annotations

import asyncio
import base64
import json
import resource
import subprocess
import sys
import time
from typing import Any

from aiohttp import WSMsgType, web

from convex_async import ConvexClient, Subscription

SECONDS = 4.0
# One user's query: a page of a chat, as JSON text.
VALUE = json.dumps([{"_id": f"m{n}", "author": "ada", "body": "hello " * 5} for n in range(5)])
# Updates in one transition, as a commit that concerns several users brings them.
TOGETHER = 20


def encode_ts(ts: int) -> str:
    return base64.b64encode(ts.to_bytes(8, "little")).decode()


def transition(ids: list[int], before: dict[str, Any], after: dict[str, Any]) -> bytes:
    """A change of these queries, each with a value that is new."""
    stamp = after["ts"]
    changes = ",".join(
        f'{{"type":"QueryUpdated","queryId":{id},"value":{{"at":"{stamp}","page":{VALUE}}},'
        '"logLines":[],"journal":null}'
        for id in ids
    )
    return (
        f'{{"type":"Transition","startVersion":{json.dumps(before)},'
        f'"endVersion":{json.dumps(after)},"modifications":[{changes}],'
        '"clientClockSkew":0,"serverTs":0}'
    ).encode()


async def sync(request: web.Request) -> web.WebSocketResponse:
    """Answers the query set, then updates its queries in turn without end."""
    socket = web.WebSocketResponse(max_msg_size=0)
    await socket.prepare(request)
    version: dict[str, Any] = {"querySet": 0, "identity": 0, "ts": encode_ts(0)}
    ids: list[int] = []
    ts = 0
    async for message in socket:
        if message.type is not WSMsgType.TEXT:
            continue
        data = json.loads(message.data)
        if data["type"] == "Event" or data["type"] != "ModifyQuerySet":
            continue
        added = [change["queryId"] for change in data["modifications"]]
        ids += added
        ts += 1
        after = {"querySet": data["newVersion"], "identity": 0, "ts": encode_ts(ts)}
        await socket.send_frame(transition(added, version, after), WSMsgType.TEXT)
        version = after
        if ids:
            break
    turn = 0
    while not socket.closed and ids:
        some = [ids[(turn + n) % len(ids)] for n in range(min(TOGETHER, len(ids)))]
        turn += TOGETHER
        ts += 1
        after = {**version, "ts": encode_ts(ts)}
        try:
            await socket.send_frame(transition(some, version, after), WSMsgType.TEXT)
        except ConnectionError:
            break
        version = after
    return socket


async def serve() -> None:
    app = web.Application()
    app.router.add_get("/api/sync", sync)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


async def client(url: str, users: int) -> None:
    """Prints updates a second, and mebibytes of the process."""
    updates = 0

    async def follow(subscription: Subscription[Any]) -> None:
        nonlocal updates
        async for _ in subscription:
            updates += 1

    async with ConvexClient(url) as convex:
        queries = [convex.subscribe("users:page", {"user": n}) for n in range(users)]
        await asyncio.gather(*(query.get() for query in queries))
        tasks = [asyncio.create_task(follow(query)) for query in queries]
        began, before = time.perf_counter(), updates
        await asyncio.sleep(SECONDS)
        rate = (updates - before) / (time.perf_counter() - began)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await convex.close(drain=False)
    print(rate, memory, flush=True)


def start(*args: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benches.bench_scale", *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def main(users: int) -> None:
    print(f"{'processes':>9}{'users each':>12}{'updates/s':>12}{'MiB each':>10}")
    for count in (1, 2, 4):
        server = start("serve")
        url = f"http://127.0.0.1:{line(server).strip()}"
        clients = [start("client", url, str(users // count)) for _ in range(count)]
        figures = [[float(figure) for figure in line(each).split()] for each in clients]
        for each in clients:
            each.wait()
        server.kill()
        server.wait()
        total = sum(rate for rate, _ in figures)
        memory = max(memory for _, memory in figures)
        print(f"{count:>9}{users // count:>12}{total:>12,.0f}{memory:>10.0f}", flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            asyncio.run(serve())
        case ["client", url, users]:
            asyncio.run(client(url, int(users)))
        case ["", *_] | []:
            main(10_000)
        case [users, *_]:
            main(int(users))
