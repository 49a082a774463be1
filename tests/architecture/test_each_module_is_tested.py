"""No module without a test that imports it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import convex_async
from convex_async.cli.__main__ import COMMANDS

# Those that tests see from outside alone, by what they do for others. The list only gets shorter.
NOT_YET = {
    "cli.chat",
    "cli.demo",
    "client.batches",
    "client.bound",
    "client.calling",
    "client.copying",
    "client.live_views",
    "client.more_calls",
    "client.subscription",
    "client.traced_calls",
    "client_base.base",
    "client_base.signatures",
    "client_base.stored_files",
    "codegen.annotation_text",
    "codegen.annotations",
    "codegen.validators",
    "connection.sign_in",
    "files.downloads",
    "files.uploads",
    "http.consistent",
    "http.identity",
    "local.context.database",
    "local.context.scheduler",
    "local.context.storage",
    "local.definitions.pairs",
    "local.engine.runtime",
    "local.inspection.tables",
    "local.served",
    "local.server.app",
    "local.server.storage_routes",
    "local.texts",
    "local.typescript.document_syscalls",
    "local.typescript.entrance",
    "local.typescript.payloads",
    "local.typescript.reload",
    "local.typescript.running",
    "local.typescript.storage_syscalls",
    "local.typescript.streams",
    "local.typescript.syscalls",
    "local.typescript.worker",
    "protocol.client.incoming",
    "reactive.job",
    "reactive.subscribe_all",
    "sync.calls",
    "sync.outbox",
    "sync.watch_all",
    "transport.http_action",
    "transport.websocket",
}
PACKAGE = Path(convex_async.__file__).parent
TESTS = Path(__file__).parent.parent
# What the tests of the commands run them with.
RUNNERS = ("run", "command", "on_a_terminal")
DOTTED = re.compile(r"convex_async(\.\w+)+")


def modules() -> list[str]:
    files = (f for f in sorted(PACKAGE.rglob("*.py")) if f.stem != "__init__")
    return [".".join(f.relative_to(PACKAGE.parent).with_suffix("").parts) for f in files]


def is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


@cache
def names_of(room: str) -> dict[str, tuple[str, str]]:
    """Where a room's `__init__` has its names from, read also where they are resolved lazily."""
    init = PACKAGE.parent.joinpath(*room.split("."), "__init__.py")
    if not init.exists():
        return {}
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(ast.parse(init.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if alias.name.isidentifier()
    }


def resolved(module: str, name: str) -> Iterator[str]:
    """The modules that `module.name` leads to."""
    yield module
    if is_module(f"{module}.{name}"):
        yield f"{module}.{name}"
    elif name in names_of(module):
        yield from resolved(*names_of(module)[name])


def ran(words: list[ast.expr], *, is_command: bool = False) -> Iterator[str]:
    """The modules of a command: `run("serve", …)` of the commands' tests, `["-m", room, …]`."""
    texts = [value for word in words if isinstance(value := getattr(word, "value", ""), str)]
    if "-m" in texts[:-1]:
        at = texts.index("-m")
        yield f"{texts[at + 1]}.__main__"
        texts, is_command = texts[at + 2 :], texts[at + 1] in ("convex_async", "convex_async.cli")
    if is_command and texts and texts[0] in COMMANDS:
        yield COMMANDS[texts[0]]


def named(source: str) -> set[str]:
    """The modules of ours that a test imports, patches by their full name, or runs."""
    found: set[str] = set()
    rooms: dict[str, str] = {}
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.add(alias.name)
                rooms[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                found.update(resolved(node.module, alias.name))
                rooms[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            room = rooms.get(node.value.id, "")
            if is_module(room):
                found.update(resolved(room, node.attr))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            for match in DOTTED.finditer(node.value):
                parts = match[0].split(".")
                found.update(".".join(parts[:end]) for end in range(2, len(parts) + 1))
        elif isinstance(node, ast.List):
            found.update(ran(node.elts))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in RUNNERS:
            found.update(ran(node.args, is_command=True))
    return found


@cache
def covered() -> frozenset[str]:
    return frozenset(
        name
        for file in TESTS.rglob("*.py")
        if file.parent != Path(__file__).parent  # which speaks of all modules
        for name in named(file.read_text("utf-8"))
    )


def test_each_module_is_imported_by_a_test() -> None:
    """One that has a test by now leaves the list."""
    assert {name for name in modules() if name not in covered()} == {
        f"convex_async.{name}" for name in NOT_YET
    }


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("import convex_async.errors", "errors"),
        ("from convex_async.auth import tokens", "auth.tokens"),
        ("from convex_async import ClientPool", "client.pool"),
        ("import convex_async as c\nc.ClientPool()", "client.pool"),
        ("from convex_async import sync\nsync.BlockingOutbox", "sync.outbox"),
        ("from convex_async.testing import serve", "testing.served"),
        ("patch('convex_async.auth.tokens.LEEWAY', 1)", "auth.tokens"),
        ("run('import', 'x')", "cli.import_"),
        ("[sys.executable, '-m', 'convex_async.cli', 'serve']", "cli.serve"),
        ("[sys.executable, '-m', 'convex_async.cli', 'serve']", "cli.__main__"),
    ],
)
def test_what_names_a_module(source: str, module: str) -> None:
    assert f"convex_async.{module}" in named(source)


def test_a_room_does_not_name_its_modules() -> None:
    assert named("import convex_async.client") & set(modules()) == set()
    assert named("names = ['serve', 'run']; ask('serve')") == set()
