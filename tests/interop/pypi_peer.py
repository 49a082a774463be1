"""The official PyPI clients, unchanged, doing what the lines on standard input say.

The orders and answers are those of `official.py`. One after the other: a call of the client that
waits holds the interpreter's lock, so that no thread could read the next order meanwhile.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from convex import ConvexClient, ConvexError, convex_to_json, json_to_convex
from convex.http_client import ConvexHttpClient


class Peer:
    """One client, and its one subscription."""

    def __init__(self, kind: str, url: str) -> None:
        self.client: Any = ConvexHttpClient(url) if kind == "http" else ConvexClient(url)
        self.states: Any = None
        self.last: Any = ...

    def carry_out(self, order: dict[str, Any]) -> Any:
        args = json_to_convex(order.get("args", {}))
        match order["do"]:
            case "query" | "mutation" | "action" as kind:
                return getattr(self.client, kind)(order["path"], args)
            case "subscribe":
                self.states, self.last = self.client.subscribe(order["path"], args), ...
            case "next":
                return self.next()
            case "storm":
                return self.storm(order["name"], order["count"], order["total"])
            case "auth":
                print(json.dumps({"token": False}), flush=True)
                self.client.set_auth(json.loads(sys.stdin.readline())["value"])
            case "logout":
                self.client.clear_auth()
            case "admin":
                self.client.set_admin_auth(order["key"])
            case other:
                raise ValueError(f"no such order: {other}")
        return None

    def next(self) -> Any:
        """The next state that differs from the last: it repeats itself on every transition."""
        while (state := next(self.states)) == self.last:
            pass
        self.last = state
        return state

    def storm(self, name: str, count: float, total: float) -> list[Any]:
        """Write `count` lines, reading a state after each, then until there are `total` lines."""
        seen = []
        for number in range(int(count)):
            self.client.mutation("log:append", {"line": f"{name}-{number}"})
            seen.append(self.next())
        while len(seen[-1]) < total:
            seen.append(self.next())
        return seen


def main(kind: str, url: str) -> None:
    peer = Peer(kind, url)
    while line := sys.stdin.readline():
        answer: dict[str, Any]
        try:
            # To this client, an int of Python is an int64, and none of JSON's numbers is one.
            order = json.loads(line, parse_int=float)
            answer = {"value": convex_to_json(peer.carry_out(order))}
        except ConvexError as error:
            # The HTTP client leaves the data as it came.
            data = error.data if kind == "http" else convex_to_json(error.data)
            answer = {"error": str(error), "data": data}
        except Exception as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


main(*sys.argv[1:])
