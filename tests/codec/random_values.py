"""Random Convex values and random damage to wire text, from one seeded generator."""

from __future__ import annotations

import json
import random
import struct
from typing import Any

from convex_async.values import ConvexInt64

WORDS = [
    "",
    "a",
    "_id",
    "Ωμέγα",
    "名前",
    "\0\x1f",
    'q"\\',
    "\u2028\x7f",
    "👩‍🚀",
    "x" * 70,
    "\ufeff",
]
NAMES = ["_id", "a", "b", "name", "", "with space", '"\\', "n" * 65, "z$", "__proto__", "10", "2"]
PIECES = b'{}[]",:\\0123456789-+.eEtrufalsn$ \t\n\r/bx\x00\x1f\x7f\x80\xc3\xa9\xed\xa0\xff'
TOKENS = [
    *(b'{"$integer":"AQAAAAAAAAA="}', b'{"$float":"AAAAAAAA8H8="}', b'{"$bytes":"AAE="}'),
    *(b'"$integer":', b'"$float":', b'"\\u0024bytes":', b'"\\ud83d\\ude00"', b'"\\ud800"'),
    *(b"1e400", b"-0", b"1e-400", b"NaN", b"01", b"9007199254740993", b"null", b"true"),
    *(b'{"a":1,"a":2}', b'{"$integer":"AA==","$integer":"AQAAAAAAAAA="}', b'{"$x":1}', b"[[[["),
]


def value(rng: random.Random, depth: int = 4) -> Any:
    """Any Convex value, with the odd corners often."""
    kind = rng.randrange(9 if depth else 7)
    match kind:
        case 0:
            return rng.choice([None, True, False])
        case 1:
            return struct.unpack("<d", rng.randbytes(8))[0]
        case 2:
            return rng.choice([0.0, -0.0, 1.0, 1e21, 1e-7, 2.0**53, float(rng.randrange(10**6))])
        case 3:
            return round(rng.uniform(-1e6, 1e6), rng.randrange(12))
        case 4:
            return ConvexInt64(int.from_bytes(rng.randbytes(8), "little", signed=True))
        case 5:
            return rng.randbytes(rng.randrange(40))
        case 6:
            return "".join(rng.choices(WORDS, k=rng.randrange(4)))
        case 7:
            return [value(rng, depth - 1) for _ in range(rng.randrange(5))]
        case _:
            return {n: value(rng, depth - 1) for n in rng.sample(NAMES, rng.randrange(5))}


def document(rng: random.Random) -> Any:
    """A list or object of random values, now and then as deep as any may be, or deeper."""
    made: Any = [value(rng) for _ in range(rng.randrange(6))]
    if rng.random() < 0.5:
        made = dict(zip(NAMES, made, strict=False))
    if rng.random() < 0.02:
        for _ in range(rng.randint(55, 64)):
            made = [made] if rng.random() < 0.5 else {"a": made}
    return made


def respelled(rng: random.Random, canonical: bytes) -> bytes:
    """The same value in another spelling: blanks, escapes, other digits, repeated names."""
    separators = rng.choice([(",", ":"), (" , ", "\t:\n"), (",\r", ": ")])

    def spell(item: Any) -> str:
        if isinstance(item, list):
            return "[" + separators[0].join(map(spell, item)) + "]"
        if isinstance(item, dict):
            pairs = [(name, spell(v)) for name, v in item.items()]
            rng.shuffle(pairs)
            if pairs and rng.random() < 0.2:
                pairs.insert(0, (pairs[-1][0], rng.choice(["1", '"x"', "null"])))
            shown = (f"{text(name)}{separators[1]}{v}" for name, v in pairs)
            return "{ " + separators[0].join(shown) + "}"
        if isinstance(item, str):
            return text(item)
        return json.dumps(item)

    def text(content: str) -> str:
        return json.dumps(content, ensure_ascii=rng.random() < 0.5)

    return spell(json.loads(canonical, parse_int=float)).encode()


def damaged(rng: random.Random, data: bytes) -> bytes:
    """The text with a few bytes changed, cut, doubled or put in."""
    text = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(text) + 1)
        match rng.randrange(6):
            case 0:
                text[at : at + 1] = rng.choice(PIECES).to_bytes()
            case 1:
                text[at:at] = rng.choice(PIECES).to_bytes()
            case 2:
                del text[at : at + rng.randint(1, 4)]
            case 3:
                text[at:at] = rng.choice(TOKENS)
            case 4:
                text[at:at] = text[at : at + rng.randrange(20)]
            case _:
                del text[at:]
    return bytes(text)
