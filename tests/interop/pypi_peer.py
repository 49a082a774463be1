"""The PyPI client as one of several: tells each state, and waits for an order before the next."""

from __future__ import annotations

import json
import sys
from typing import Any

from convex import ConvexClient


def main(url: str) -> None:
    client = ConvexClient(url)
    notes: Any
    last: list[str] | None = None
    for notes in client.subscribe("notes:list"):
        state = [note["text"] for note in notes]
        if state == last:
            continue  # this client repeats itself on a transition that changes nothing
        last = state
        print(json.dumps({"what": "state", "value": state}), flush=True)
        match sys.stdin.readline().split():
            case ["write", text]:
                client.mutation("notes:add", {"text": text})
            case ["stop"]:
                return
            case _:
                pass


main(sys.argv[1])
