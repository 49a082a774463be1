"""The official PyPI clients, unchanged: one JSON line for each thing that happened."""

from __future__ import annotations

import json
import sys
from typing import Any

from convex import ConvexClient, ConvexError, ConvexInt64
from convex.http_client import ConvexHttpClient


def tell(what: str, value: Any) -> None:
    print(json.dumps({"what": what, "value": value}), flush=True)


def main(url: str) -> None:
    client = ConvexClient(url)
    client.mutation("notes:add", {"text": "from PyPI"})
    tell("ready", None)
    for notes in client.subscribe("notes:list"):
        tell("update", [note["text"] for note in notes])
        if len(notes) == 2:
            break
    value = {"int64": ConvexInt64(2**62), "float": -0.0, "bytes": b"\x01\x02"}
    back = client.action("notes:echo", {"value": value})
    tell(
        "values",
        [back["int64"].value == 2**62, repr(back["float"]) == "-0.0", back["bytes"] == b"\x01\x02"],
    )
    for kind in (ConvexClient, ConvexHttpClient):
        try:
            kind(url).mutation("notes:add", {"text": ""})
        except ConvexError as error:
            tell("error", {"data": error.data})
    tell("http", len(ConvexHttpClient(url).query("notes:list")))


main(sys.argv[1])
