"""Tries the tests: small breaks of the core, one at a time, of which each should turn a test red.

Run by `make mutants`. The breaks are chosen by a seed; each is made in a copy of the package, and
the tests of its file are run on it, then those beside them. What no test notices is listed.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import os
import queue
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
ROOMS = ("protocol", "connection")
# The share of the breaks that tests notice, at the least. Some breaks change nothing that anybody
# could see, so that all of them is out of reach.
# Those beside a file notice about two of three; what the whole suite notices is more.
FLOOR = 0.55
# Seconds and bytes that the tests of one break may take: a loop without an end is noticed too.
PATIENCE = 180.0
MEMORY = 4 * 2**30

SWAPPED: dict[type, Any] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
}
# What is no behaviour: types, and what the interpreter reads of a class.
SKIPPED_FIELDS = {"annotation", "returns", "decorator_list", "bases", "keywords", "type_params"}


@dataclass(frozen=True)
class Break:
    """One small change: the file below the root, which of its places, the line, and what."""

    path: Path
    number: int
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


def breaks(path: Path, source: str) -> list[Break]:
    """Every break of a file, in the order of its text."""
    found = []
    for number, (node, field) in enumerate(places(ast.parse(source))):
        broken = copy.deepcopy(node)
        change(broken, field)
        what = f"{shortened(ast.unparse(node))}  ->  {shortened(ast.unparse(broken))}"
        found.append(Break(path, number, getattr(node, "lineno", 0), what))
    return found


def broken_text(source: str, number: int) -> str:
    """The file with one of its places broken."""
    tree = ast.parse(source)
    change(*list(places(tree))[number])
    return ast.unparse(tree) + "\n"


def shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 70 else f"{line[:67]}..."


def places(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Where a break can be made: the node, and which part of it is changed."""
    for field, value in ast.iter_fields(tree):
        if field in SKIPPED_FIELDS and not isinstance(tree, ast.Call):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from places_in(child)


def places_in(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Assert):
        return
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED:
        yield node, "ops"
    elif isinstance(node, ast.BoolOp) or (
        isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in SWAPPED
    ):
        yield node, "op"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node, "not"
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int):
        yield node, "value"
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await):
        yield node, "statement"
    elif isinstance(node, ast.If | ast.While):
        yield node, "test"
    yield from places(node)


def change(node: ast.AST, field: str) -> None:
    """Break a node in place."""
    match node, field:
        case ast.Compare(), "ops":
            node.ops[0] = SWAPPED[type(node.ops[0])]()
        case ast.BoolOp() | ast.BinOp() | ast.AugAssign(), "op":
            node.op = SWAPPED[type(node.op)]()
        case ast.UnaryOp(), "not":
            # `not not x`: the truth of x, whatever stands around it.
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
        case ast.Constant(), "value":
            is_bool = isinstance(node.value, bool)
            node.value = not node.value if is_bool else int(node.value) + 1  # type: ignore[arg-type]
        case ast.Expr(), "statement":
            node.value = ast.Constant(None)
        case ((ast.If() | ast.While()), "test"):
            node.test = ast.Constant(False)
        case _:
            raise AssertionError(f"no break of {node}")


def tests_of(root: Path, package: str, path: Path) -> list[str]:
    """The mirrored tests of a file first, then those beside it.

    The conversations take minutes, and have a run of their own.
    """
    inner = path.relative_to(Path("python") / package)
    folder = root / "tests" / inner.parent
    mirrored = sorted(folder.glob(f"test_{inner.stem}*.py"))
    beside = [file for file in sorted(folder.glob("test_*.py")) if "conversation" not in file.stem]
    return list(dict.fromkeys(str(file.relative_to(root)) for file in [*mirrored, *beside]))


def passes(root: Path, packages: Path, tests: Sequence[str]) -> bool:
    """Whether the tests are green with the package in a folder."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--hypothesis-seed=0"),
            *("-p", "no:cacheprovider", "-o", "timeout=30", *tests),
        ],
        cwd=root,
        env={
            **os.environ,
            "PYTHONPATH": f"{packages}{os.pathsep}{root}",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=limit_memory,
    )
    try:
        return process.wait(PATIENCE) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def survivors(root: Path, chosen: Sequence[Break], package: str, jobs: int) -> list[Break]:
    """The breaks that no test notices."""
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(jobs) as pool:
        copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for number in range(jobs):
            made = Path(scratch, str(number))
            shutil.copytree(
                root / "python", made / "python", ignore=shutil.ignore_patterns("__pycache__")
            )
            copies.put(made)

        def survives(broken: Break) -> bool:
            made = copies.get()
            whole = (made / broken.path).read_text("utf-8")
            try:
                (made / broken.path).write_text(broken_text(whole, broken.number), "utf-8")
                alive = passes(root, made / "python", tests_of(root, package, broken.path))
            finally:
                (made / broken.path).write_text(whole, "utf-8")
                copies.put(made)
            print(f"{'NOT NOTICED' if alive else 'noticed':11}  {broken}", flush=True)
            return alive

        return [one for one, alive in zip(chosen, pool.map(survives, chosen), strict=True) if alive]


def main(arguments: Sequence[str], *, root: Path = ROOT, package: str = "convex_async") -> int:
    """Try so many breaks; the exit code is 1 if too few are noticed, 2 if nothing can be said."""
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--floor", type=float, default=FLOOR)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="a part of the path of the files to break")
    options = parser.parse_args(arguments)
    files = [
        file.relative_to(root)
        for room in ROOMS
        for file in sorted((root / "python" / package / room).rglob("*.py"))
        if options.only in str(file)
    ]
    all_breaks = [b for file in files for b in breaks(file, (root / file).read_text("utf-8"))]
    chosen = random.Random(options.seed).sample(all_breaks, min(options.count, len(all_breaks)))
    whole = sorted({test for one in chosen for test in tests_of(root, package, one.path)})
    if not chosen or not passes(root, root / "python", whole):
        print("there is nothing to break, or the tests are red without a break", file=sys.stderr)
        return 2
    alive = survivors(root, chosen, package, options.jobs)
    score = 1 - len(alive) / len(chosen)
    print(
        f"{len(chosen) - len(alive)} of {len(chosen)} breaks were noticed, of {len(all_breaks)} "
        f"that can be made (seed {options.seed}): {score:.0%}; the floor is {options.floor:.0%}"
    )
    return int(score < options.floor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
