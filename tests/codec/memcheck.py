"""Every way through the codec a few hundred times, under valgrind's memcheck.

    python -m tests.codec.memcheck           runs `work` under valgrind, and judges what it says
    python -m tests.codec.memcheck work

The unsafe parts write into new objects and borrow fields of dicts: a byte too many, or a field
that is gone, is an invalid read or write there, even where a test would still pass.
"""

from __future__ import annotations

import gc
import os
import random
import re
import shutil
import subprocess
import sys
from contextlib import suppress

from convex_async import _codec, codec
from convex_async.errors import CodecError
from convex_async.protocol.results import Succeeded
from tests.codec import random_frames
from tests.codec.random_values import damaged, document, respelled
from tests.codec.test_encode import Meddler, Twin

ROUNDS = 300


def work() -> None:
    rng = random.Random(3)
    texts = [b"[]"]
    for _ in range(ROUNDS):
        with suppress(CodecError):
            texts.append(codec.encode(document(rng)))
        text = respelled(rng, rng.choice(texts))
        for one in (text, damaged(rng, text)):
            with suppress(CodecError):
                codec.decode(one)
            with suppress(CodecError):
                codec.to_plain_json(one)
            with suppress(CodecError):
                codec.same(text, one)
            with suppress(CodecError, TypeError):
                codec.changed_fields(text, one)
        frame = random_frames.frame(rng)
        cut = frame[: rng.randrange(len(frame))]
        for one in (frame, cut, random_frames.damaged(rng, frame)):
            _codec.read_transition(one, Succeeded)
    strings()
    lists(rng)
    changing_dicts()
    gc.collect()


def strings() -> None:
    """Each length and width of characters, with a special one at each place."""
    for width in ("x", "é", "名", "👩"):
        for length in range(40):
            for special in ("", '"', "\n"):
                text = width * (length // 2) + special + width * (length - length // 2)
                assert codec.decode(codec.encode({text[:0] or "k": text})) == {"k": text}


def lists(rng: random.Random) -> None:
    """Texts of a list, one after the other."""
    differ = codec.ListDiffer()
    documents = [{"_id": str(n), "text": "x" * rng.randrange(50)} for n in range(30)]
    for _ in range(60):
        documents.insert(rng.randrange(10), {"_id": str(rng.random()), "text": "new"})
        del documents[rng.randrange(len(documents))]
        documents[rng.randrange(len(documents))] = {"_id": str(rng.random()), "text": "other"}
        differ.next(codec.encode(documents))


def changing_dicts() -> None:
    """What is borrowed from a dict that goes away meanwhile."""
    for size in range(30):
        home: dict[str, object] = {}
        home.update({f"a{n}": [f"text {n}"] for n in range(size)})
        home.update({"b": {"c": Meddler(home), "d": f"text {size}"}, "e": f"{size} more"})
        codec.encode([home])
        with suppress(CodecError):
            codec.encode({"a": Meddler(home), "b": home, "c": {Twin("x"): 1, Twin("x"): [size]}})


def complaints(log: str) -> list[str]:
    """What valgrind found that the codec may have a part in.

    The loader and the start of the interpreter have findings of their own: left out are those in
    the loader, and uninitialised values that no function of the codec is about.
    """
    errors = re.split(r"\n==\d+== *\n", log)
    ours = [e for e in errors if re.search(r"\b_codec::|_codec\.", e)]
    invalid = [e for e in errors if re.search(r"== (Invalid|Mismatched|Process terminating)", e)]
    return [e for e in errors if e in ours or (e in invalid and "dl-load.c" not in e)]


def main() -> int:
    if sys.argv[1:] == ["work"]:
        work()
        print("worked")
        return 0
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is missing (apt-get install valgrind)")
        return 0
    done = subprocess.run(
        ["valgrind", "--num-callers=40", sys.executable, "-m", "tests.codec.memcheck", "work"],
        # With an allocation of its own for each object, valgrind sees what lies outside of it.
        env=os.environ | {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = complaints(done.stderr)
    print(*found, sep="\n\n")
    if done.returncode or "worked" not in done.stdout:
        print(done.stderr[-2000:])
        return 1
    print(f"memcheck: {len(found)} findings in the codec")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
