"""Imports point one way: each room sees only those below it on the ladder."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import convex_async

PACKAGE = Path(convex_async.__file__).parent

# From the top down. A room sees itself and what is below it; rooms of one rung never see each
# other. Rooms that are still to be built have their place already.
LADDER = """
__main__
cli
transfer
testing
sync
client | local
reactive | http
connection
client_base
outbox | auth
protocol
codec | files | calls
telemetry | transport | codegen | values
deployment | function_path | errors | shown
version
"""
# The same within `local`, whose `deployment` makes and ties all below it.
LOCAL_LADDER = """
deployment
served
server | jobs | typescript | inspection
engine
context
transactions
store
definitions | auth
problems | clock | texts
"""
# Below it, `local` sees these alone: it is a server, and shares with the client only the wire.
LOCAL_SEES = (
    "protocol codec files telemetry transport values deployment function_path errors shown version"
)
# Lines of a file. Most are half of it.
MAX_LINES = 400
# Modules that import aiohttp as they are imported; whoever imports them is about to use it.
AIOHTTP = {
    "cli.doctor",
    "files.downloads",
    "files.sources",
    "files.uploads",
    "local.auth.issuers",
    "local.deployment",
    "local.server.app",
    "local.server.draining",
    "local.server.faulty_wire",
    "local.server.http_api",
    "local.server.http_bodies",
    "local.server.incoming",
    "local.server.site",
    "local.server.storage_routes",
    "local.server.sync_socket",
    "transport.http",
    "transport.http_action",
    "transport.websocket",
}


def rungs(ladder: str) -> dict[str, int]:
    """Each room's rung, counted from the ground."""
    lines = ladder.split("\n")[-2:0:-1]
    return {room.strip(): rung for rung, line in enumerate(lines) for room in line.split("|")}


RUNGS = rungs(LADDER)
LOCAL_RUNGS = rungs(LOCAL_LADDER)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imports(tree: ast.AST, *, nested: bool = True) -> set[str]:
    """The modules that a file imports, also for type checkers alone; `nested`: in functions too."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not nested:
            return
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not nested:
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            found.update(module_of(node.module, alias.name) for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found


def module_of(module: str, name: str) -> str:
    """What `from module import name` imports: a module of that name, or the module."""
    if module.split(".")[0] != "convex_async":
        return module
    path = PACKAGE.parent.joinpath(*module.split("."), name)
    exists = path.is_dir() or any(path.with_suffix(end).exists() for end in (".py", ".pyi"))
    return f"{module}.{name}" if exists else module


def own(module: str) -> list[str] | None:
    """The names that lead to one of our modules; None for the extension and for others' modules."""
    first, *rest = module.split(".")
    return rest if first == "convex_async" and rest != ["_codec"] else None


def offence(importer: str, imported: str) -> str | None:
    """What is wrong with an import, or None. Both are dotted names below the package."""
    room, *inner = importer.split(".")
    seen, *seen_inner = imported.split(".")
    if room == "__init__" or not imported:
        # The command line is written as users write, by the public names.
        return None if room in ("__init__", "cli") else "the package, which names everything"
    if room == seen:
        if room != "local" or not inner or not seen_inner:
            return None
        if inner[0] == seen_inner[0] or LOCAL_RUNGS[seen_inner[0]] < LOCAL_RUNGS[inner[0]]:
            return None
        return "a room of `local` that is not below"
    if room == "local":
        return None if seen in LOCAL_SEES.split() else "not for `local`"
    if seen == "local":
        return None if room in ("cli", "testing") else "`local` is for `cli` and `testing` alone"
    return None if RUNGS[seen] < RUNGS[room] else "a room that is not below"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_room_sees_only_what_is_below_it(path: Path) -> None:
    importer = name_of(path)
    for module in imports(ast.parse(path.read_text())):
        names = own(module)
        if names is not None:
            wrong = offence(importer, ".".join(names))
            assert wrong is None, f"{importer} imports {module}: {wrong}"


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("auth.tokens", "connection.driver"),
        ("auth.tokens", "outbox.file"),
        ("local.store.store", "local.engine.engine"),
        ("local.jobs.crons", "local.server.app"),
        ("local.engine.engine", "reactive.updates"),
        ("reactive.updates", "local.deployment"),
        ("reactive.updates", ""),
    ],
)
def test_an_import_up_the_ladder_is_told(importer: str, imported: str) -> None:
    assert offence(importer, imported) is not None


def test_imports_for_type_checkers_are_read() -> None:
    source = "if TYPE_CHECKING:\n    from convex_async.local.deployment import LocalDeployment\n"
    assert imports(ast.parse(source)) == {"convex_async.local.deployment"}


def test_no_import_leads_back() -> None:
    """Also within a room, where the ladder says nothing."""
    graph = {name_of(path): edges(path) for path in modules()}
    done: set[str] = set()

    def visit(name: str, trail: list[str]) -> None:
        assert name not in trail, f"a circle: {' -> '.join([*trail, name])}"
        if name not in done:
            for following in sorted(graph.get(name, ())):
                visit(following, [*trail, name])
            done.add(name)

    for name in graph:
        visit(name, [])


def edges(path: Path) -> set[str]:
    own_names = {
        ".".join(names) for module in imports(ast.parse(path.read_text())) if (names := own(module))
    }
    return own_names - {name_of(path)}


@pytest.mark.parametrize("path", sorted((PACKAGE / "protocol").rglob("*.py")), ids=name_of)
def test_the_core_is_pure(path: Path) -> None:
    banned = {"asyncio", "time", "random", "uuid", "socket", "logging", "aiohttp", "threading"}
    assert not {module.split(".")[0] for module in imports(ast.parse(path.read_text()))} & banned


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_only_the_edges_name_aiohttp(path: Path) -> None:
    found = imports(ast.parse(path.read_text()), nested=False)
    names_it = any(module.split(".")[0] == "aiohttp" for module in found)
    assert not names_it or name_of(path) in AIOHTTP


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_files_hold_one_idea(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_only_the_codec_and_frames_import_the_extension() -> None:
    importers = {
        name_of(path)
        for path in modules()
        if "convex_async._codec" in imports(ast.parse(path.read_text()))
    }
    assert importers <= {
        *("codec.diff", "codec.shared", "codec.typed", "codec.values"),
        "protocol.frames",
    }


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
