"""Measures the codec in interleaved rounds, and writes a table and a chart that can be checked.

    python -m benches.report [--rounds 9] [--out benches/report]

Every round runs each way once on each payload, in a rotating order; a figure is the median of the
rounds, and a ratio the median of the rounds' ratios. The garbage collector is off.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from benches.chart import chart
from benches.payloads import all_payloads
from benches.ways import Ways, changes, decoding, encoding, frames, others

ROUND = 0.004  # seconds that one way runs in one round


def seconds_a_call(call: Callable[[], object]) -> float:
    """The time of one call, over enough of them to fill a round."""
    loops = 1
    while True:
        start = time.perf_counter()
        for _ in range(loops):
            call()
        took = time.perf_counter() - start
        if took >= ROUND:
            return took / loops
        loops = max(loops * 2, int(loops * ROUND / max(took, 1e-9)))


def measure(ways: Ways, rounds: int) -> dict[str, tuple[float, float]]:
    """Seconds a call, and the speed relative to the first way, by way."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            times[name].append(seconds_a_call(ways[name]))
    first = times[names[0]]
    return {
        name: (
            statistics.median(runs),
            statistics.median(a / b for a, b in zip(first, runs, strict=True)),
        )
        for name, runs in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "report")
    options = parser.parse_args()
    gc.disable()

    cases: dict[str, Ways] = {}
    for name, data in all_payloads().items():
        cases[f"decode {name}"] = decoding(data)
        cases[f"encode {name}"] = encoding(data)
    cases |= changes(1000) | frames() | others(1000)
    results = {}
    lines = [
        f"CPython {platform.python_version()}, {platform.machine()}, medians of "
        f"{options.rounds} interleaved rounds; x is speed relative to the first column.",
        "",
    ]
    for case, ways in cases.items():
        results[case] = measure(ways, options.rounds)
        figures = (
            f"{name} {took * 1e6:,.1f} µs ({ratio:.3g}x)"
            for name, (took, ratio) in results[case].items()
        )
        lines.append(f"| {case} | " + " | ".join(figures) + " |")
        print(lines[-1], flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "codec.md").write_text("\n".join(lines) + "\n")
    (options.out / "codec.json").write_text(json.dumps(results, indent=1))
    for kind in ("decode", "encode"):
        bars = {c.removeprefix(f"{kind} "): r for c, r in results.items() if c.startswith(kind)}
        speeds = {case: {way: r for way, (_, r) in row.items()} for case, row in bars.items()}
        (options.out / f"{kind}.svg").write_text(chart(f"{kind}: speed, orjson = 1", speeds))
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
