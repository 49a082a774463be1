"""Finds what runs and bundles TypeScript: Node or Deno, and the files of this package."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

HERE = Path(__file__).parent
WORKER = HERE / "worker.mjs"
BUNDLER = HERE / "bundle.mjs"
# The oldest Node whose Web APIs functions can rely on.
OLDEST_NODE = 20
_MAJOR = re.compile(r"v(\d+)\.")
# Variables of this process that Node or Deno needs themselves; no function sees them.
_PASSED = ("PATH", "HOME", "SystemRoot", "TEMP", "TMP", "TMPDIR", "LD_LIBRARY_PATH", "DENO_DIR")

HOW_TO_GET = (
    "TypeScript functions need Node 20 or newer (https://nodejs.org), or Deno: "
    "pip install 'convex-async[typescript]'"
)


class LoadError(Exception):
    """A folder can't be served; the text says why, with file and line where that is known."""


def find_command() -> list[str]:
    """The command that runs a JavaScript file, without its arguments.

    Raises:
        LoadError: neither Node nor Deno is to be found.
    """
    too_old = ""
    if (node := shutil.which("node")) is not None:
        version = _version(node)
        if version >= OLDEST_NODE:
            return [node, "--no-warnings", "--max-old-space-size=1024"]
        too_old = f" (Node {version} at {node} is too old)"
    if (deno := _find_deno()) is not None:
        return [deno, "run", "--quiet", "--allow-all", "--no-config", "--no-lock"]
    raise LoadError(HOW_TO_GET + too_old)


def _version(node: str) -> int:
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = _MAJOR.match(told)
    return int(found[1]) if found else 0


def _find_deno() -> str | None:
    beside = Path(sys.executable).with_name("deno.exe" if sys.platform == "win32" else "deno")
    if beside.exists():
        return str(beside)
    return shutil.which("deno")


def process_env() -> dict[str, str]:
    """The environment of the processes: functions are given another one."""
    env = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return {**env, "TZ": "UTC", "NODE_NO_WARNINGS": "1"}


async def bundle(command: Sequence[str], folder: Path, scratch: Path) -> Mapping[str, Any]:
    """The bundle of a folder, as `bundle.mjs` writes it.

    Args:
        scratch: where the files of the Node bundle may be written.

    Raises:
        LoadError: it can't be bundled.
    """
    process = await asyncio.create_subprocess_exec(
        *(*command, str(BUNDLER), str(folder), str(scratch)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=process_env(),
    )
    try:
        out, err = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    try:
        answer: Mapping[str, Any] = msgspec.json.decode(out)
    except msgspec.DecodeError:
        raise LoadError(f"the bundler failed: {err.decode(errors='replace')[-2000:]}") from None
    if "refused" in answer:
        raise LoadError(answer["refused"])
    return answer
