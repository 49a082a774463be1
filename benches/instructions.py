"""Counts the instructions that the codec executes, and compares them with the counts kept here.

    python -m benches.instructions            compare; fails if one is more than 5 % above
    python -m benches.instructions --write    keep the counts of this machine's interpreter

Unlike times, counts are the same on a noisy machine. They depend on the interpreter: the counts
kept are of one version, and another one is not compared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

KEPT = Path(__file__).parent / "instructions.json"
MARGIN = 0.05
CALLS = 40
# Enough to pass over what only the first calls do.
WARM = 20

PAYLOADS = (
    *("small_document", "chat_messages_100", "numeric_table_1000", "nested_config"),
    *("bytes_heavy", "int64_analytics", "unicode_text"),
)
CASES = (
    *((what, name) for name in PAYLOADS for what in ("decode", "encode")),
    *(("frame", name) for name in PAYLOADS[:2]),
)

# Callgrind counts the whole process: the difference of two runs is what the further calls took.
CHILD = """
import gc, sys
from benches.payloads import RECORDED, transition
from convex_async import codec
from convex_async.protocol.frames import FrameDecoder
gc.disable()
what, name, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
data = (RECORDED / f"{name}.json").read_bytes()
value = codec.decode(data)
call, argument = {
    "decode": (codec.decode, data),
    "encode": (codec.encode, value),
    "frame": (FrameDecoder(limit=1 << 20).decode, transition(data)),
}[what]
for _ in range(calls):
    call(argument)
"""


def interpreter() -> str:
    version = ".".join(platform.python_version_tuple()[:2])
    return f"{platform.python_implementation()} {version} {platform.machine()}"


def executed(what: str, name: str, calls: int) -> int:
    """The instructions of a process that makes so many calls."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        done = subprocess.run(
            [*command, sys.executable, "-c", CHILD, what, name, str(calls)],
            env=os.environ | {"PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found:
        raise SystemExit(f"valgrind failed on {what} {name}:\n{done.stderr}")
    return int(found[1])


def count() -> dict[str, int]:
    """Instructions a call, by what is done to which payload."""
    counts = {}
    for what, name in CASES:
        more, less = executed(what, name, WARM + CALLS), executed(what, name, WARM)
        counts[f"{what} {name}"] = (more - less) // CALLS
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is missing (apt-get install valgrind)")
        return 0
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    if not options.write and kept.get("interpreter") != interpreter():
        print(f"skipped: the counts are of {kept.get('interpreter')}, this is {interpreter()}")
        return 0
    counts = count()
    if options.write:
        KEPT.write_text(json.dumps({"interpreter": interpreter(), "counts": counts}, indent=1))
        print(f"kept {len(counts)} counts in {KEPT.name}")
        return 0
    worse = 0
    for name, now in counts.items():
        change = now / kept["counts"][name] - 1
        verdict = "MORE THAN THE MARGIN" if change > MARGIN else "ok"
        worse += change > MARGIN
        print(f"{name:28} {now:12,} {change:+7.1%}  {verdict}")
    return int(worse > 0)


if __name__ == "__main__":
    sys.exit(main())
