"""What the codec is measured on: the recorded payloads, and seeded lists of chat messages."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parents[1] / "tests" / "vectors" / "payloads"
SIZES = (10, 100, 1000, 10_000)
TEXT = (
    "ship the sync engine before lunch and keep every query consistent while the room fills "
    "with people asking why their cursor moved again today"
)
WORDS = TEXT.split()


def message(rng: random.Random) -> dict[str, Any]:
    """One chat message: 10 fields, about 300 bytes on the wire."""
    return {
        "_creationTime": 1_732_345_678_901.0 + rng.random() * 1e9,
        "_id": "".join(rng.choices("abcdefghjkmnpqrstvwxyz0123456789", k=32)),
        "author": f"user_{rng.randrange(500):03d}",
        "body": " ".join(rng.choices(WORDS, k=rng.randint(8, 20))),
        "channel": "".join(rng.choices("abcdefghjkmnpqrstvwxyz0123456789", k=32)),
        "edited": rng.random() < 0.2,
        "last": False,
        "likes": float(rng.randrange(50)),
        "seq": 0.0,
        "t": 1e15,
    }


def messages(count: int) -> list[dict[str, Any]]:
    """The same messages each time."""
    rng = random.Random(20261123)
    return [message(rng) for _ in range(count)]


def wire(value: Any) -> bytes:
    """The text as a server writes it: compact, names sorted, whole numbers with `.0`."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode()


def all_payloads() -> dict[str, bytes]:
    """Wire bytes by name."""
    recorded = {path.stem: path.read_bytes() for path in sorted(RECORDED.glob("*.json"))}
    return recorded | {f"messages_{count}": wire(messages(count)) for count in SIZES}


def transition(value: bytes) -> bytes:
    """A frame that brings a query a new value, as a deployment writes it."""
    version = b'{"querySet":1,"identity":0,"ts":"%s"}'
    update = b'{"type":"QueryUpdated","queryId":0,"value":%s,"logLines":[],"journal":null}' % value
    return (
        b'{"type":"Transition","startVersion":%s,"endVersion":%s,"modifications":[%s],'
        b'"clientClockSkew":null,"serverTs":null}'
        % (version % b"AQAAAAAAAAA=", version % b"AgAAAAAAAAA=", update)
    )


def changed(value: list[dict[str, Any]]) -> bytes:
    """The list with another body in the middle."""
    after = [dict(one) for one in value]
    after[len(after) // 2]["body"] = "edited"
    return wire(after)


def shifted(value: list[dict[str, Any]]) -> bytes:
    """The list with a message inserted at the front and one less in the middle."""
    after = [message(random.Random(1)), *value]
    del after[len(after) // 2]
    return wire(after)
