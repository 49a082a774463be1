"""The official PyPI clients, unchanged: one JSON line for each thing that happened."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

from convex import ConvexClient, ConvexError, ConvexInt64
from convex.http_client import ConvexHttpClient

PLAIN = {"null": None, "bool": True, "text": "é\u2028🙂", "list": [1.5, []], "object": {"a b": {}}}


def tell(what: str, value: Any) -> None:
    print(json.dumps({"what": what, "value": value}), flush=True)


def calls(client: ConvexClient | ConvexHttpClient) -> None:
    """A call of each kind, one that fails, and every type of value."""
    special = {"int64": ConvexInt64(-(2**63)), "bytes": b"\x00\xff", "zero": -0.0, "nan": math.nan}
    sent: Any = {**PLAIN, **special}
    back = client.action("notes:echo", {"value": sent})
    same = {name: back[name] == PLAIN[name] for name in PLAIN}
    same["int64"] = back["int64"].value == -(2**63)
    same["bytes"] = back["bytes"] == b"\x00\xff"
    same["zero"] = math.copysign(1, back["zero"]) == -1
    same["nan"] = math.isnan(back["nan"])
    tell("same", same)
    try:
        client.mutation("notes:add", {"text": ""})
    except ConvexError as error:
        tell("error", error.data)
    tell("mutation", client.mutation("notes:touch"))
    tell("query", len(client.query("notes:list")))


def main(url: str) -> None:
    client = ConvexClient(url)
    client.mutation("notes:add", {"text": "from PyPI"})
    tell("ready", None)
    notes: Any
    for notes in client.subscribe("notes:list"):
        tell("update", [note["text"] for note in notes])
        if len(notes) == 2:
            break
    calls(client)
    calls(ConvexHttpClient(url))


main(sys.argv[1])
