"""Runs client drivers against the fake server, interleaved, and prints medians and ratios.

    run_clients.py --python VENV/bin/python --node-modules DIR [--clients …] [--scenarios …] [--tls]

One process per measurement; the server keeps core 0, the clients core 1. Every round
runs every client once on a scenario, in a rotating order, so that a ratio compares
neighbours in time. A scenario's results go to stdout as Markdown when it is done, and
every single one to --out as JSON when it is there.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tls import Relay

HERE = Path(__file__).resolve().parent
TIMEOUT_S = 150

SCENARIOS: dict[str, tuple[str, dict, list[str]]] = {
    # name: (the driver's scenario, its parameters, the figures to print)
    "updates_small": (
        "updates",
        {"documents": 0, "n": 20000},
        ["updates_per_s", "delivered", "cpu_us_per_update"],
    ),
    "updates_100": (
        "updates",
        {"documents": 100, "n": 2000},
        ["updates_per_s", "delivered", "cpu_us_per_update"],
    ),
    "updates_1000": (
        "updates",
        {"documents": 1000, "n": 300},
        ["updates_per_s", "delivered", "cpu_us_per_update"],
    ),
    "latency_small": (
        "latency",
        {"documents": 0, "n": 500, "interval_ms": 2},
        ["p50_us", "p99_us", "cpu_us_per_update"],
    ),
    "latency_1000": (
        "latency",
        {"documents": 1000, "n": 100, "interval_ms": 20},
        ["p50_us", "p99_us", "cpu_us_per_update"],
    ),
    "fanout_1000": (
        "fanout",
        {"subs": 1000, "rounds": 10},
        ["setup_s", "p50_deliver_ms", "cpu_ms_per_round"],
    ),
    "fanout_5000": (
        "fanout",
        {"subs": 5000, "rounds": 5},
        ["setup_s", "p50_deliver_ms", "cpu_ms_per_round"],
    ),
    "one_of_1000": (
        "fanout",
        {"subs": 1000, "rounds": 10, "which": "one"},
        ["p50_deliver_ms", "cpu_ms_per_round", "spurious_per_round"],
    ),
    "one_of_5000": (
        "fanout",
        {"subs": 5000, "rounds": 5, "which": "one"},
        ["p50_deliver_ms", "cpu_ms_per_round", "spurious_per_round"],
    ),
    "mutations_1": (
        "requests",
        {"in_flight": 1, "n": 2000},
        ["per_s", "p50_us", "p99_us", "cpu_us_each"],
    ),
    "mutations_100": (
        "requests",
        {"in_flight": 100, "n": 10000},
        ["per_s", "p50_us", "p99_us", "cpu_us_each"],
    ),
    "actions_1": (
        "requests",
        {"in_flight": 1, "n": 2000, "kind": "action"},
        ["per_s", "p50_us", "p99_us", "cpu_us_each"],
    ),
    "startup": (
        "startup",
        {},
        [
            "interpreter_ms",
            "import_ms",
            "beyond_aiohttp_ms",
            "first_result_ms",
            "first_after_imports_ms",
        ],
    ),
    "memory_1000": (
        "memory",
        {"subs": 1000, "idle_s": 5},
        ["imported_mb", "connected_mb", "subscribed_mb", "kb_per_sub", "idle_cpu_pct"],
    ),
    "memory_5000": (
        "memory",
        {"subs": 5000, "idle_s": 5},
        ["connected_mb", "subscribed_mb", "kb_per_sub", "idle_cpu_pct"],
    ),
    **{
        f"decode_{name}": (
            "decode",
            {"class": name, "n": 15},
            ["worker_us", "convert_us", "total_us"],
        )
        for name in (
            "small_doc",
            "chat100",
            "chat1000",
            "table1000",
            "config",
            "bytes64",
            "int64_1000",
            "unicode100",
        )
    },
    "stall_call": (
        "stall",
        {"ms": 200},
        ["query_stall_ms", "mutation_stall_ms", "to_thread_stall_ms"],
    ),
    "stall_updates": (
        "updates",
        {"documents": 1000, "n": 100, "heartbeat": True},
        ["longest_stall_ms", "updates_per_s"],
    ),
}


def client_commands(python: str) -> dict[str, list[str]]:
    """Name -> command; the driver appends URL, scenario and parameters to it."""
    drivers = HERE / "drivers"

    def bare(*mode: str) -> list[str]:
        return [python, str(HERE / "drivers" / "bare.py"), *mode]

    return {
        "convex-py-sync": [python, str(drivers / "convex_py.py"), "sync"],
        "convex-py-async": [python, str(drivers / "convex_py.py"), "async"],
        "npm": ["node", str(drivers / "npm.cjs")],
        "bare-aiohttp": bare("aiohttp", "orjson", "asyncio"),
        "bare-aiohttp-uvloop": bare("aiohttp", "orjson", "uvloop"),
        "bare-picows-uvloop": bare("picows", "orjson", "uvloop"),
        "ceiling-aiohttp": bare("aiohttp", "none", "asyncio"),
        "ceiling-picows": bare("picows", "none", "uvloop"),
        "convex-async": [python, str(drivers / "convex_async.py"), "asyncio"],
        "convex-async-uvloop": [python, str(drivers / "convex_async.py"), "uvloop"],
    }


def start_server(python: str) -> tuple[subprocess.Popen, str]:
    server = subprocess.Popen(
        ["taskset", "-c", "0", python, str(HERE / "fake_server.py")],
        stdout=subprocess.PIPE,
        text=True,
    )
    return server, server.stdout.readline().split()[1]


def run_once(
    command: list[str], url: str, scenario: str, params: dict, env: dict, cpus: str
) -> dict | str:
    """The driver's figures, or in a few words why there are none."""
    params = params | {"spawned_us": time.monotonic_ns() / 1e3}
    try:
        done = subprocess.run(
            ["taskset", "-c", cpus, *command, url, scenario, json.dumps(params)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            env=env,
        )
    except subprocess.TimeoutExpired:
        return f"over {TIMEOUT_S} s"
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode == 0 and lines:
        return json.loads(lines[-1])
    words = (done.stderr.strip().splitlines() or ["no output"])[-1]
    return "not offered" if "KeyError" in words or "not a function" in done.stderr else words[:80]


def measure(options: argparse.Namespace) -> None:
    env = os.environ | {"NODE_PATH": options.node_modules}
    commands = client_commands(options.python)
    results: dict = {}
    server, url = start_server(options.python)
    relay = None
    try:
        if options.tls:
            relay = Relay(url)
            url, env = relay.url, env | relay.environment
            env.pop("SSL_CERT_DIR", None)
        for name in options.scenarios:
            scenario, params, _ = SCENARIOS[name]
            table = results.setdefault(name, {client: [] for client in options.clients})
            failed: set[str] = set()
            for round_number in range(options.rounds):
                turn = round_number % len(options.clients)
                for client in options.clients[turn:] + options.clients[:turn]:
                    if client in failed:
                        continue
                    figures = run_once(commands[client], url, scenario, params, env, options.cpus)
                    table[client].append(figures)
                    write(results, options.out)
                    if isinstance(figures, str):
                        failed.add(client)
            print(markdown(name, table, options.reference), flush=True)
    finally:
        if relay is not None:
            relay.close()
        server.terminate()
        server.wait()


def write(results: dict, out: str) -> None:
    """What there is so far, whole at every moment."""
    if out:
        draft = Path(f"{out}.part")
        draft.write_text(json.dumps(results, indent=1))
        draft.replace(out)


def figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def markdown(name: str, table: dict, reference: str) -> str:
    keys = SCENARIOS[name][2]
    rounds = max(len(runs) for runs in table.values())
    lines = [f"### {name}  {json.dumps(SCENARIOS[name][1])}, median of {rounds}", ""]
    lines += ["| client | " + " | ".join(f"{key} (÷ {reference})" for key in keys) + " |"]
    lines += ["|" + " --- |" * (len(keys) + 1)]
    base = table.get(reference, [])
    for client, runs in table.items():
        if not runs or isinstance(runs[-1], str):
            why = runs[-1] if runs else "not run"
            lines.append(f"| {client} | {why} |" + " |" * (len(keys) - 1))
            continue
        cells = []
        for key in keys:
            values = [run[key] for run in runs if key in run]
            if not values:
                cells.append("–")
                continue
            cell = figure(statistics.median(values))
            pairs = [
                run[key] / other[key]
                for run, other in zip(runs, base)
                if isinstance(other, dict) and other.get(key) and key in run
            ]
            if pairs:
                cell += f" ({statistics.median(pairs):.3g}×)"
            cells.append(cell)
        lines.append(f"| {client} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def chosen(
    parser: argparse.ArgumentParser, what: str, text: str, known: Iterable[str]
) -> list[str]:
    """The names that were asked for, all of them known, before anything is measured."""
    names = text.split(",")
    if unknown := [name for name in names if name not in known]:
        parser.error(f"no such {what}: {', '.join(unknown)}; there are {', '.join(known)}")
    return names


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--python", default=sys.executable, help="the interpreter with the clients installed"
    )
    parser.add_argument(
        "--node-modules", default=os.environ.get("NODE_PATH", ""), help="where npm convex is"
    )
    parser.add_argument(
        "--clients",
        default="convex-py-sync,convex-py-async,npm,bare-aiohttp,bare-picows-uvloop,ceiling-aiohttp,ceiling-picows",
    )
    parser.add_argument(
        "--scenarios",
        default=",".join(name for name in SCENARIOS if not name.startswith("decode_")),
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpus", default="1", help="the cores a client may use")
    parser.add_argument("--reference", default="convex-py-async")
    parser.add_argument(
        "--tls", action="store_true", help="with TLS between, by stunnel (apt: stunnel4)"
    )
    parser.add_argument("--out", default="", help="a file for every figure, as JSON")
    options = parser.parse_args()
    options.clients = chosen(parser, "client", options.clients, client_commands(options.python))
    options.scenarios = chosen(parser, "scenario", options.scenarios, SCENARIOS)
    measure(options)
