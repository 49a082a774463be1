"""Files: their bytes in a folder, what is known of them in the `_storage` table."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import os
import secrets
import shutil
import struct
import tempfile
import time
import uuid
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from convex_async.local.problems import DeploymentProblem
from convex_async.local.store.documents import STORAGE, Commit

# Seconds for which an upload URL can be used (convex-backend: storage upload tokens).
UPLOAD_URL_LIFETIME = 3600.0
# What its token holds: when it ends, seconds since the epoch, and what makes it one of its own.
_TOKEN = struct.Struct("!d8s")

# Of temporary folders; the process's id follows.
_PREFIX = "convex-async-files-"

_log = logging.getLogger("convex_async.local")


class Files:
    """The bytes of a deployment's files.

    Args:
        folder: where they are kept; None for a temporary folder that goes with the deployment.
        secret: what upload URLs are signed with.
    """

    def __init__(self, folder: Path | None, secret: bytes) -> None:
        self._temporary = None if folder is not None else _temporary_folder()
        self._folder = folder or Path(self._temporary.name if self._temporary else "")
        self._secret = secret
        self._remover = ThreadPoolExecutor(1, thread_name_prefix="convex-async files")
        self.origin = ""

    def close(self) -> None:
        """Finish removing what was deleted, and remove the temporary folder."""
        self._remover.shutdown(wait=True)
        if self._temporary is not None:
            self._temporary.cleanup()

    def make_upload_url(self) -> str:
        """A URL that takes uploads, for an hour."""
        body = _TOKEN.pack(time.time() + UPLOAD_URL_LIFETIME, secrets.token_bytes(8))
        token = urlsafe_b64encode(body + self._sign(body)).decode()
        return f"{self.origin}/api/storage/upload?token={token}"

    def _sign(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, body, "sha256")

    def check_token(self, token: str) -> None:
        """Check the token of an upload URL, which is good for several uploads, as Convex's are.

        Raises:
            DeploymentProblem: it is unknown or too old.

        Source: convex-backend crates/keybroker/src/broker.rs, check_store_file_authorization.
        """
        try:
            data = urlsafe_b64decode(token)
        except ValueError:
            data = b""
        body, signature = data[: _TOKEN.size], data[_TOKEN.size :]
        if not hmac.compare_digest(signature, self._sign(body)):
            raise DeploymentProblem(
                "Unauthenticated", "StorageTokenInvalid", "the upload URL is not valid"
            )
        expires_at: float = _TOKEN.unpack(body)[0]
        if expires_at < time.time():
            raise DeploymentProblem(
                "Unauthenticated", "StorageTokenExpired", "the upload URL has expired"
            )

    def url(self, name: str) -> str:
        """Where a file can be fetched."""
        return f"{self.origin}/api/storage/{name}"

    def path(self, name: str) -> Path:
        """Where a file is kept.

        Raises:
            DeploymentProblem: the name is none that a file can have.
        """
        try:
            return self._folder / str(uuid.UUID(name))
        except ValueError:
            raise DeploymentProblem(
                "BadRequest", "InvalidStoragePath", "a file's name is a UUID"
            ) from None

    def committed(self, commit: Commit) -> None:
        """Remove the bytes of the files that a commit deleted, in a thread of their own."""
        for write in commit.writes:
            if write.after is None and write.before is not None and write.before.table == STORAGE:
                self._remover.submit(_remove, self.path(write.before.fields["name"]))

    def remove(self, name: str) -> None:
        """Remove the bytes of a file that came to nothing, in a thread of their own."""
        self._remover.submit(_remove, self.path(name))

    async def write(self, chunks: AsyncIterable[bytes], digest: str | None) -> dict[str, Any]:
        """Keep a file, streaming it; what there is to know of it.

        Args:
            digest: the value of a `Digest` header, `sha-256=…`, to check.

        Raises:
            DeploymentProblem: the digest is malformed, or not the file's.
        """
        wanted = _read_digest(digest)
        name = str(uuid.uuid4())
        path = self.path(name)
        sha256, size = hashlib.sha256(), 0
        await asyncio.to_thread(make_private_folder, self._folder)
        file = await asyncio.to_thread(open, path, "xb", opener=_private)
        try:
            async for chunk in chunks:
                sha256.update(chunk)
                size += len(chunk)
                await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(file.close)
            if wanted is not None and wanted != sha256.digest():
                raise DeploymentProblem(
                    "BadRequest", "Sha256Mismatch", "the file is not what its Digest says"
                )
        except BaseException:
            file.close()
            path.unlink(missing_ok=True)
            raise
        return {"name": name, "sha256": b64encode(sha256.digest()).decode(), "size": float(size)}


def make_private_folder(folder: Path) -> None:
    """Make a folder, or narrow it, so that it is its owner's alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder of this process's; those of processes that were killed go now."""
    if hasattr(os, "getuid"):  # elsewhere there is no asking whether a process lives
        _sweep(Path(tempfile.gettempdir()))
    return tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-")


def _sweep(folder: Path) -> None:
    for left in folder.glob(f"{_PREFIX}*"):
        process_id = left.name.removeprefix(_PREFIX).partition("-")[0]
        with suppress(OSError):  # another one was sooner
            is_ours = left.lstat().st_uid == os.getuid() and left.is_dir()
            if is_ours and process_id.isdecimal() and not _lives(int(process_id)):
                shutil.rmtree(left)  # which follows no symlink


def _lives(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass  # it is another user's
    return True


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        _log.exception("the bytes of a deleted file stay at %s", path)


def _read_digest(header: str | None) -> bytes | None:
    if header is None:
        return None
    algorithm, _, value = header.partition("=")
    try:
        digest = b64decode(value, validate=True)
    except ValueError:
        digest = b""
    if algorithm.lower() != "sha-256" or len(digest) != 32:
        raise DeploymentProblem("BadRequest", "BadHeader", "Digest: sha-256=<base64>")
    return digest
