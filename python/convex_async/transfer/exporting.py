"""A paginated query as a file of one document a line."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from convex_async.client.convex_client import ConvexClient
from convex_async.codec.values import encode
from convex_async.http.convex_http_client import ConvexHttpClient


async def export_lines(
    client: ConvexClient | ConvexHttpClient,
    path: str,
    args: Mapping[str, Any] | None,
    output: str | os.PathLike[str],
    *,
    page_size: int = 500,
    progress: Callable[[int], object] | None = None,
) -> int:
    """Write all documents of a paginated query, and return how many; the file appears whole.

    Each line is a document as Convex's JSON, without loss: `{"$integer": …}` is an int64. One page
    is in memory at a time.

    Args:
        output: the file, which is replaced.
        progress: called with the number of documents so far.

    Raises:
        FunctionError, TransportError, OSError: nothing of the file is changed.
    """
    target = Path(output)
    part = target.with_name(f"{target.name}.part")
    count = 0
    try:
        with part.open("wb") as file:
            async for page in client.paginate(path, args, page_size=page_size).pages():
                file.write(b"".join(encode(document) + b"\n" for document in page))
                count += len(page)
                if progress is not None:
                    progress(count)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return count
