"""Uploads and downloads a large file in a process of its own, and prints what that cost.

Arguments: upload URL, download URL, working directory. Prints one JSON object: MiB of
memory above the baseline at the peak, and the last progress of either transfer.
"""

import asyncio
import json
import re
import sys
from pathlib import Path

from convex_async.http import ConvexHttpClient


def memory(field: str) -> float:
    """MiB: VmRSS now, or VmHWM at the peak since this process began."""
    found = re.search(rf"{field}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


async def main(upload: str, download: str, directory: str) -> None:
    source, target = Path(directory, "source.bin"), Path(directory, "target.bin")
    last: dict[str, tuple[int, int | None]] = {}
    async with ConvexHttpClient(upload.removesuffix("/upload")) as client:
        await client.upload(b"warm", url=upload)
        baseline = memory("VmRSS")
        await client.upload(
            source, url=upload, progress=lambda *step: last.__setitem__("upload", step)
        )
        await client.download(
            download, target, progress=lambda *step: last.__setitem__("download", step)
        )
    peak = memory("VmHWM") - baseline
    print(json.dumps({"peak": peak, **last}))


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3]))
