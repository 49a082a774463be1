"""The ways to do a thing that are measured beside each other; the first is what ratios are to."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import convex
import msgspec
import orjson

from benches.payloads import changed, messages, shifted, transition, wire
from convex_async import _codec, codec
from convex_async.protocol.frames import FrameDecoder

Ways = dict[str, Callable[[], object]]

if _codec.build_profile != "release":
    raise SystemExit("the extension is a debug build: make it with `maturin develop --release`")


class Message(msgspec.Struct, rename={"id": "_id", "created": "_creationTime"}):
    """A message as a user would declare it."""

    id: str
    created: float
    author: str
    body: str
    channel: str
    edited: bool
    last: bool
    likes: float
    seq: float
    t: float


def decoding(data: bytes) -> Ways:
    """From wire bytes to fresh Python objects."""
    decode = msgspec.json.Decoder().decode
    return {
        "orjson": lambda: orjson.loads(data),
        "convex_async": lambda: codec.decode(data),
        "msgspec": lambda: decode(data),
        "json": lambda: json.loads(data),
        "convex": lambda: convex.json_to_convex(with_floats(data)),
    }


def with_floats(data: bytes) -> Any:
    """The JSON of a text, as `json_to_convex` wants it: it refuses whole numbers without `.0`."""
    return json.loads(data, parse_int=float)


def encoding(data: bytes) -> Ways:
    """From Python objects to wire bytes; orjson, msgspec and json check and sort nothing."""
    plain, value = orjson.loads(data), codec.decode(data)
    theirs = convex.json_to_convex(with_floats(data))
    encode = msgspec.json.Encoder().encode
    return {
        "orjson": lambda: orjson.dumps(plain),
        "convex_async": lambda: codec.encode(value),
        "msgspec": lambda: encode(plain),
        "json": lambda: json.dumps(plain, separators=(",", ":")),
        "convex": lambda: json.dumps(convex.convex_to_json(theirs)),
    }


def changes(count: int) -> dict[str, Ways]:
    """What one change in a list costs, beside decoding the whole list."""
    before = messages(count)
    data = wire(before)

    def there_and_back(after: bytes) -> Callable[[], object]:
        differ = codec.ListDiffer()
        differ.next(data)
        texts = [after, data]

        def turn() -> object:
            texts.reverse()
            return differ.next(texts[1])

        return turn

    whole = {"orjson": lambda: orjson.loads(data)}
    return {
        f"changes_1_of_{count}": whole | {"convex_async": there_and_back(changed(before))},
        f"changes_insert_delete_{count}": whole | {"convex_async": there_and_back(shifted(before))},
    }


def frames() -> dict[str, Ways]:
    """A frame with one new value, from the socket's bytes to the value that a user gets."""

    def both(value: bytes) -> Ways:
        frame = transition(value)
        return {
            "orjson": lambda: orjson.loads(frame),
            "convex_async": lambda: codec.decode(decoder.decode(frame)[2][0][1].value),
        }

    decoder = FrameDecoder(limit=1 << 20)
    return {
        f"frame {name}": both(wire(value))
        for name, value in (("number", 1.0), ("message", messages(1)[0]), ("100", messages(100)))
    }


def others(count: int) -> dict[str, Ways]:
    """Decoding to a declared type, and plain JSON, beside what they are measured against."""
    data = wire(messages(count))
    decoder = msgspec.json.Decoder(list[Message])
    return {
        f"typed_{count}": {
            "msgspec": lambda: decoder.decode(data),
            "convex_async": lambda: codec.decode(data, type=list[Message]),
        },
        f"plain_json_{count}": {
            "memcpy": lambda: bytes(memoryview(data)),
            "convex_async": lambda: codec.to_plain_json(data),
        },
    }
