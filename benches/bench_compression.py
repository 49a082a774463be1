"""What permessage-deflate saves on the way, and costs the client: `ConvexClient(compress=True)`.

    python -m benches.bench_compression

Each run is a process of its own, whose processor time is told; the deployment, in another, sends
lists of chat messages of which one changes from update to update.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

from aiohttp import WSMsgType, web

from benches.payloads import messages
from convex_async import ConvexClient
from convex_async.codec import encode
from convex_async.protocol.frames import decode_client_message, encode_message
from convex_async.protocol.messages import (
    INITIAL_VERSION,
    ModifyQuerySet,
    QueryUpdated,
    Raw,
    StateVersion,
    Transition,
    format_timestamp,
)

# Documents of a list, and updates of it.
CASES = ((1, 20_000), (100, 2000), (1000, 300))


def transitions(documents: int, updates: int) -> list[bytes]:
    """The frames that a deployment sends, the first for a query set of one query."""
    document_list, at, frames = messages(documents), INITIAL_VERSION, []
    for number in range(updates):
        document_list[number % documents]["likes"] = float(number)
        end = StateVersion(1, 0, format_timestamp(number + 1))
        state = QueryUpdated(0, Raw(encode(document_list)), [], None)
        frames.append(encode_message(Transition(at, end, [state])))
        at = end
    return frames


async def serve() -> None:
    """Print an URL, flood each client, and tell how many bytes each was sent."""
    sent = 0

    async def sync(request: web.Request) -> web.WebSocketResponse:
        nonlocal sent
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        transport = request.transport
        assert transport is not None
        write = transport.write

        def counted(data: bytes) -> None:
            nonlocal sent
            sent += len(data)
            write(data)

        transport.write = counted  # type: ignore[method-assign,assignment]
        async for message in socket:
            match decode_client_message(message.data.encode()):
                case ModifyQuerySet(modifications=[added]):
                    documents, updates = CASES[int(added.udf_path[-1])]  # type: ignore[union-attr]
                    frames, sent = transitions(documents, updates), 0
                    for frame in frames:
                        await socket.send_frame(frame, WSMsgType.TEXT)
                case _:
                    pass
        return socket

    async def told(request: web.Request) -> web.Response:
        return web.Response(text=str(sent))

    app = web.Application()
    app.router.add_get("/api/sync", sync)
    app.router.add_get("/sent", told)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)


async def measure(url: str, case: int, compress: bool) -> None:
    """Take the updates, the newest decoded, and print seconds, processor seconds and bytes."""
    updates = CASES[case][1]
    async with ConvexClient(url, compress=compress) as client:
        states = client.subscribe(f"lists:case{case}")
        await anext(states)
        began, busy = time.perf_counter(), time.process_time()
        await states.until(lambda value: any(each["likes"] == updates - 1 for each in value))
        took, busy = time.perf_counter() - began, time.process_time() - busy
        async with client._http_session().get(f"{url}/sent") as answer:
            print(took, busy, await answer.text())


def main() -> None:
    command = [sys.executable, "-m", "benches.bench_compression"]
    server = subprocess.Popen(
        [*command, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    print("documents  compress  updates/s  client ms/update  bytes/update")
    for case, (documents, updates) in enumerate(CASES):
        for compress in (False, True):
            run = [*command, url, str(case), "1" if compress else ""]
            output = subprocess.run(run, stdout=subprocess.PIPE, text=True, check=True).stdout
            took, busy, sent = map(float, output.split())
            print(
                f"{documents:9}  {'yes' if compress else 'no':8}  {updates / took:9.0f}"
                f"  {1000 * busy / updates:16.3f}  {sent / updates:12.0f}"
            )
    server.communicate()


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            main()
        case ["serve"]:
            asyncio.run(serve())
        case [url, case, compress]:
            asyncio.run(measure(url, int(case), bool(compress)))
