"""A folder of TypeScript as a runtime of the engine."""

from __future__ import annotations

import asyncio
import tempfile
from base64 import b64encode
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from convex_async.local.context.runs import Invocation
from convex_async.local.definitions.crons import Cron
from convex_async.local.definitions.functions import Declaration, FunctionKind
from convex_async.local.definitions.http_actions import Request, Response, best_route
from convex_async.local.definitions.schema import Schema
from convex_async.local.problems import FunctionFailed
from convex_async.local.typescript.declared import Declared, Place, read_declared
from convex_async.local.typescript.host import Host
from convex_async.local.typescript.running import Running
from convex_async.local.typescript.syscalls import Syscalls
from convex_async.local.typescript.toolchain import (
    WORKER,
    LoadError,
    bundle,
    find_command,
    process_env,
)

# Where HTTP actions are.
HTTP = Place("", "http", "default", "http:default")
# Seconds that an action may take. Source: convex-backend, V8_ACTION_USER_TIMEOUT.
ACTION_TIME = 1800.0


class TypeScriptFunctions:
    """The functions of a `convex/` folder; `load` makes one.

    Attributes:
        inputs: the files that it was made of.
        auth: the providers of `auth.config`.
    """

    def __init__(
        self,
        host: Host,
        declared: Declared,
        bundled: Mapping[str, Any],
        scratch: tempfile.TemporaryDirectory[str],
    ) -> None:
        self.host = host
        self.inputs: list[Path] = [Path(name) for name in bundled["inputs"]]
        self._declared = declared
        self._scratch = scratch

    @classmethod
    async def load(cls, folder: Path, env: Mapping[str, str]) -> TypeScriptFunctions:
        """Bundle a folder, start the process that runs it, and read what it declares.

        Raises:
            LoadError: it can't be bundled, loaded or understood; nothing is left running.
        """
        folder = await asyncio.to_thread(_resolved, folder)
        command = find_command()
        scratch = tempfile.TemporaryDirectory(prefix="convex-async-", ignore_cleanup_errors=True)
        host = Host([*command, str(WORKER)], {}, env, process_env(), Syscalls())
        try:
            await host.listen()
            preparing = asyncio.ensure_future(host.prepare())
            try:
                bundled = await bundle(command, folder, Path(scratch.name))
            except BaseException:
                preparing.cancel()
                await asyncio.wait([preparing])
                raise
            found = await host.begin(await preparing, bundled)
            _check(found, bundled)
            declared = read_declared(found["definitions"])
        except BaseException as error:
            await host.close()
            scratch.cleanup()
            if isinstance(error, FunctionFailed | ValueError):
                raise LoadError(str(error)) from None
            raise
        return cls(host, declared, bundled, scratch)

    @property
    def schema(self) -> Schema | None:
        return self._declared.schema

    @property
    def crons(self) -> Mapping[str, Cron]:
        return self._declared.crons

    @property
    def auth(self) -> list[Mapping[str, Any]]:
        return self._declared.auth

    def declarations(self) -> Iterable[Declaration]:
        """All functions."""
        return self._declared.functions

    def routes(self) -> Iterable[tuple[str, str]]:
        """Method and path of each HTTP action."""
        return self._declared.routes

    def find_route(self, method: str, path: str) -> object | None:
        """Its own router finds the action; here it is only told whether there is one."""
        return best_route(self._declared.routes, method, path)

    def time_limit(self, kind: FunctionKind) -> float | None:
        """The host measures what queries and mutations compute; actions are cancelled."""
        return ACTION_TIME if kind == "action" else None

    async def run(self, invocation: Invocation) -> bytes:
        """Run one function."""
        declaration = invocation.declaration
        place = self._declared.places[declaration.path]
        start: dict[str, Any] = {
            "kind": declaration.kind,
            "module": place.module,
            "name": place.name,
            "tablePrefix": place.prefix,
        }
        transaction = invocation.transaction
        if transaction is not None:
            start["now"] = transaction.now
            start["seed"] = transaction.random.getrandbits(32)
            start["snapshot"] = _int64(transaction.ts)
        key = declaration.path, invocation.args

        def running() -> Running:
            if declaration.kind == "query":
                # It may have made a page already when its worker was lost.
                invocation.pages.reset()
            return Running(invocation, key, place, self._declared.components)

        return await self.host.run(running, start, b"[" + invocation.args + b"]")

    async def run_http_action(
        self, route: Any, request: Request, invocation: Invocation
    ) -> Response:
        """Answer a request."""
        start = {
            "kind": "http",
            "module": "http",
            "method": request.method,
            "path": request.path,
            "url": request.url,
            "headers": request.headers.pairs(),
        }
        key = f"http:{request.method} {request.path}", b""
        found = await self.host.run(
            lambda: Running(invocation, key, HTTP, self._declared.components),
            start,
            await request.bytes(),
        )
        head, _, body = found.partition(b"\n")
        about = msgspec.json.decode(head)
        return Response(body, status=about["status"], headers=about["headers"])

    def set_env(self, env: Mapping[str, str]) -> None:
        """Have functions see these variables from their next run on."""
        self.host.set_env(env)

    async def close(self) -> None:
        """End its processes."""
        await self.host.close()
        self._scratch.cleanup()


def _resolved(folder: Path) -> Path:
    if not folder.is_dir():
        raise LoadError(f"{folder} is no folder")
    return folder.resolve()


def _int64(value: int) -> str:
    """A number as wire JSON."""
    return f'{{"$integer":"{b64encode(value.to_bytes(8, "little")).decode()}"}}'


def _check(found: Mapping[str, Any], bundled: Mapping[str, Any]) -> None:
    """Raise `LoadError` if a module could not be evaluated."""
    problems = found["problems"]
    if not problems:
        return
    texts = []
    for problem in problems:
        file = bundled["files"].get(problem["module"], problem["module"])
        lines = [f"Loading {file} failed: {problem['message']}", *problem["frames"]]
        texts.append("\n".join(lines))
    raise LoadError("\n".join(texts))
