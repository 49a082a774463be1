"""Transitions as deployments spell them, most often, and what may become of them."""

from __future__ import annotations

import json
import random
from base64 import b64encode
from typing import Any

HUGE = [0, 1, 9, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 10**19, -1]
PIECES = [
    *(b'"', b"\\", b"\\u12", b"\\ud83d", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"\0"),
    *(b"\\ud83d\\udc69", b"\\udc69", b"\\u00e9"),
    *(b"null", b"true", b"-", b"0", b"00", b"1.5e3", b"1e", b".", b"\xff", b"\xc3", "é👩".encode()),
    *(b',"type":"Transition"', b',"queryId":7', b'"logLines":["x"]', b'"journal":"j"', b"=", b"A"),
]


def ts(ns: int) -> str:
    return b64encode(ns.to_bytes(8, "little")).decode()


def version(rng: random.Random) -> dict[str, Any]:
    numbers = HUGE if rng.random() < 0.05 else [0, 1, 2**32 - 1]
    ns = rng.choice([0, 1, 2**64 - 1, rng.randrange(2**64)])
    return {"querySet": rng.choice(numbers), "identity": rng.choice(numbers), "ts": ts(ns)}


def value(rng: random.Random, depth: int = 0) -> Any:
    if depth > 3 or rng.random() < 0.4:
        text = rng.choice(["", "plain", 'a"b\\c', "é👩\n", "x" * rng.randrange(70)])
        return rng.choice([None, True, False, 1.0, -0.5, 1e300, 5e-324, 12345678901234567, text])
    if rng.random() < 0.5:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {f"f{n}" * rng.randrange(1, 9): value(rng, depth + 1) for n in range(rng.randrange(4))}


def modification(rng: random.Random) -> dict[str, Any]:
    query_id = rng.choice(HUGE if rng.random() < 0.1 else [0, 1, 77])
    lines = rng.choice([[], [], ["one"], ["[LOG] 'two'", 'é\n"']])
    tail = {"logLines": lines, "journal": rng.choice([None, None, "j", 'j\\"'])}
    kind = rng.random()
    if kind < 0.94:
        return {"type": "QueryUpdated", "queryId": query_id, "value": value(rng)} | tail
    if kind < 0.97:
        return {"type": "QueryFailed", "queryId": query_id, "errorMessage": "no"} | tail
    return {"type": "QueryRemoved", "queryId": query_id}


def frame(rng: random.Random) -> bytes:
    """As a deployment spells it, most often."""
    message: dict[str, Any] = {
        "type": "Transition",
        "startVersion": version(rng),
        "endVersion": version(rng),
        "modifications": [modification(rng) for _ in range(rng.randrange(4))],
        "clientClockSkew": rng.choice([None, 0, -12, 2**40]),
        "serverTs": rng.choice([None, 1_732_345_678_901_000_000]),
    }
    if rng.random() < 0.1:
        message = dict(rng.sample(list(message.items()), rng.randrange(3, 7)))
    if rng.random() < 0.1:
        message["serverTs"] = rng.choice(HUGE)
    if rng.random() < 0.1:
        message["serverPressure"] = {"kind": "x"}
    separators = rng.choice([(",", ":")] * 9 + [(", ", ": ")])
    return json.dumps(message, ensure_ascii=rng.random() < 0.5, separators=separators).encode()


def damaged(rng: random.Random, text: bytes) -> bytes:
    start = rng.randrange(len(text) + 1)
    end = min(len(text), start + rng.choice([0, 0, 1, 2, 12, 50]))
    return text[:start] + rng.choice([b"", rng.choice(PIECES)]) + text[end:]
