"""Loads a folder anew when its files change, beside the version that runs meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

from convex_async.local.typescript.runtime import TypeScriptFunctions
from convex_async.local.typescript.toolchain import LoadError

# Milliseconds after which files are looked at although no change was told.
LOOK_EVERY = 500

_log = logging.getLogger("convex_async.local")


class Reloader:
    """Watches the files that a folder was bundled of.

    Args:
        current: the version that runs.
        env: gives the environment variables of now.
        swap: puts a version in another one's place, and closes the old one; raises ValueError if
            the new one does not fit what is there.
    """

    def __init__(
        self,
        folder: Path,
        current: TypeScriptFunctions,
        env: Callable[[], Mapping[str, str]],
        swap: Callable[[TypeScriptFunctions, TypeScriptFunctions], Awaitable[None]],
    ) -> None:
        self._folder = folder
        self._current = current
        self._env = env
        self._swap = swap
        self._versions = [current]
        self._seen = self._files()

    async def close(self) -> None:
        """Close what runs, and what was being put in its place."""
        for version in self._versions:
            await version.close()

    async def run(self) -> None:
        """Watch until cancelled. What can't be loaded is told in the log, and changes nothing."""
        from watchfiles import awatch

        while True:
            # What changes before the watch has begun, it does not tell: so it is looked after, too.
            async for _ in awatch(
                *self._places(),
                watch_filter=_is_source,
                step=50,
                debounce=200,
                rust_timeout=LOOK_EVERY,
                yield_on_timeout=True,
            ):
                if (files := self._files()) == self._seen:
                    continue
                self._seen = files
                if await self.reload():
                    break  # to watch what the new version is made of

    async def reload(self) -> bool:
        """Load the folder, and swap it in; whether that was done."""
        try:
            new = await TypeScriptFunctions.load(self._folder, self._env())
        except LoadError as error:
            _log.error("%s\nThe version before goes on running.", error)
            return False
        self._versions.append(new)
        try:
            await self._swap(self._current, new)
        except ValueError as error:
            await new.close()
            _log.error("%s\nThe version before goes on running.", error)
            return False
        self._current = new
        self._versions = [new]
        _log.info("Reloaded %s: %d functions", self._folder, len(list(new.declarations())))
        return True

    def _files(self) -> dict[Path, tuple[int, int]]:
        """The files that are watched, each with its time and size."""
        found = {}
        for place in self._places():
            for path in place.rglob("*"):
                if _is_source(None, str(path)):
                    with suppress(FileNotFoundError):
                        stat = path.stat()
                        found[path] = stat.st_mtime_ns, stat.st_size
        return found

    def _places(self) -> set[Path]:
        """The folder, and those outside it of which the bundle has files; packages excepted."""
        places = {self._folder}
        for path in self._current.inputs:
            if "node_modules" not in path.parts and not path.is_relative_to(self._folder):
                places.add(path.parent)
        return {place for place in places if place.is_dir()}


def _is_source(_change: object, path: str) -> bool:
    parts = Path(path).parts
    return "node_modules" not in parts and not parts[-1].startswith((".", "#"))


def check_can_watch() -> None:
    """Raise `LoadError` unless files can be watched."""
    try:
        import watchfiles  # noqa: F401
    except ImportError:
        raise LoadError("reloading needs watchfiles: pip install 'convex-async[cli]'") from None
