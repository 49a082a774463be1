"""Imports point one way: each room sees only those below it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import convex_async

PACKAGE = Path(convex_async.__file__).parent

# From the ground up. A room sees itself and what is below it; rooms of one floor never see each
# other.
FLOORS: list[set[str]] = [
    {"errors", "version", "api_reference", "alarm"},
    {"values", "deployment", "place"},
    {"protocol"},
    {"typed"},
    {"codec"},
    {"transport", "environment", "function_logs"},
    {"failures", "auth", "pagination", "files", "outbox"},
    {"uploads", "downloads", "subscription", "calls", "optimistic"},
    {"driver", "client_base"},
    {"state"},
    {"client", "http", "local"},
    {"__init__"},
    {"sync"},
    {"cli"},
]
# Lines of a file. Most are half of it; `client.py` spells out its overloads.
MAX_LINES = 600
# Modules that import aiohttp as they are imported; whoever imports them is about to use it.
AIOHTTP = {
    "local.site",
    "downloads",
    "files",
    "local.app",
    "local.deployment",
    "local.draining",
    "local.http_api",
    "local.issuers",
    "local.sync",
    "transport.http",
    "transport.websocket",
    "uploads",
}

ROOM_OF_PREFIX = {"http_": "http"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def room_of(name: str) -> str:
    first = name.split(".")[0]
    for prefix, room in ROOM_OF_PREFIX.items():
        if first.startswith(prefix):
            return room
    return first


def floor_of(room: str) -> int:
    (floor,) = [number for number, rooms in enumerate(FLOORS) if room in rooms]
    return floor


def imports(path: Path, *, nested: bool) -> set[str]:
    """The modules that a file imports, under `TYPE_CHECKING` left out."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not nested:
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found.update(names if node.module == "convex_async" else names | {node.module})
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


def own(module: str) -> str | None:
    """The room of one of our modules; None for others, and for names within modules."""
    if not module.startswith("convex_async"):
        return None
    name = module.removeprefix("convex_async").removeprefix(".")
    path = PACKAGE / name.replace(".", "/")
    if name and (path.with_suffix(".py").exists() or path.is_dir()):
        return room_of(name)
    # A name of the package itself, or of a module that is looked at anyway.
    return "__init__" if "." not in name and name != "_codec" else None


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_room_sees_only_what_is_below_it(path: Path) -> None:
    room = room_of(name_of(path))
    for module in imports(path, nested=True):
        seen = own(module)
        if seen is not None and seen != room:
            assert floor_of(seen) < floor_of(room), f"{name_of(path)} imports {module}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "protocol").glob("*.py")), ids=name_of)
def test_the_core_is_pure(path: Path) -> None:
    banned = {"asyncio", "time", "random", "uuid", "socket", "logging", "aiohttp", "threading"}
    assert not {module.split(".")[0] for module in imports(path, nested=True)} & banned


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_only_the_edges_name_aiohttp(path: Path) -> None:
    names_it = any(module.split(".")[0] == "aiohttp" for module in imports(path, nested=False))
    assert not names_it or name_of(path) in AIOHTTP


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_files_hold_one_idea(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_only_the_codec_imports_the_extension() -> None:
    importers = {
        name_of(path) for path in modules() if "convex_async._codec" in imports(path, nested=True)
    }
    assert importers == {"codec"}


def test_importing_the_package_imports_no_aiohttp_and_starts_nothing() -> None:
    script = (
        "import sys, threading, convex_async\n"
        "assert 'aiohttp' not in sys.modules, 'aiohttp'\n"
        "assert 'asyncio.events' not in sys.modules or threading.active_count() == 1\n"
        "import logging; assert not logging.getLogger('convex_async').handlers\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=30)


def test_all_is_sorted_and_there() -> None:
    public = convex_async.__all__
    assert len(public) == len(set(public))
    assert [name for name in public if not hasattr(convex_async, name)] == []
    classes = [name for name in public if name[0].isupper()]
    assert classes == sorted(classes)
