"""`convex-async export` and `import` take as much memory for many documents as for few."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from convex_async.testing import ServedDeployment, serve
from tests.cli.commands import environment
from tests.cli.test_transfer import backend, write

# The command, which says at its end how much it had in memory at most: in KiB, of its own (what a
# parent learns of its child counts the parent's from before the program began).
MEASURED = """
import sys
from convex_async.cli.__main__ import main
try:
    main(sys.argv[1:])
finally:
    with open("/proc/self/status") as status:
        print(next(line.split()[1] for line in status if line.startswith("VmHWM")), file=sys.stderr)
"""

# Documents, of about 100 bytes each: the difference is 3.5 MB as text, and more as objects.
FEW, MANY = 5_000, 40_000


def measured(served: ServedDeployment, *arguments: str) -> tuple[dict[str, int], float]:
    """What a command printed, and its peak in MB."""
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments],
        env=environment(CONVEX_URL=served.url),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout), int(ran.stderr.split()[-1]) / 1024


@pytest.mark.timeout(150)
def test_there_and_back_takes_no_more_memory_for_more(tmp_path: Path) -> None:
    peaks: dict[str, list[float]] = {"import": [], "export": []}
    for count in (FEW, MANY):
        source, copy = tmp_path / f"{count}.jsonl", tmp_path / "copy.jsonl"
        write(source, count)
        with serve(backend()) as served:
            did, peak = measured(served, "import", str(source), "rows:add_many")
            assert did["rows"] == count
            peaks["import"].append(peak)
            did, peak = measured(served, "export", "rows:page", "-o", str(copy))
            assert did["documents"] == count
            peaks["export"].append(peak)
        with copy.open("rb") as lines:
            assert sum(1 for _ in lines) == count
    print(peaks)
    for few, many in peaks.values():
        assert many - few < 4
        assert many < 100
