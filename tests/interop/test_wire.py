"""What the client sends, read by the official Rust types."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from convex_async.auth.credentials import admin_credential
from convex_async.codec import encode_arguments
from convex_async.function_path import canonical_path
from convex_async.protocol.client.client_protocol import ClientProtocol
from convex_async.protocol.client.identity import ANONYMOUS, Credential
from convex_async.protocol.frames import encode_message
from convex_async.protocol.messages import ClientMessage
from tests.interop.official import need
from tests.protocol.wire import Server, succeeded, updated

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def wire_check() -> Path:
    """The program that parses client messages by `convex_sync_types`."""
    need("cargo")
    command = ["cargo", "build", "--quiet", "-p", "convex-async-wire-check"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=600)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "debug" / "convex-async-wire-check"


def verdicts(program: Path, frames: list[bytes]) -> list[str]:
    done = subprocess.run(
        [program], input=b"\n".join(frames), capture_output=True, check=True, timeout=30
    )
    return done.stdout.decode().splitlines()


def conversation() -> list[ClientMessage]:
    """Every kind of message that a client sends in its life."""
    path, args = canonical_path("messages:list"), encode_arguments({"n": 1, "b": b"x", "text": "é"})
    sent: list[ClientMessage] = []
    core = ClientProtocol[None](session_id="5f0c1c1e-7a0d-4d7e-9a57-0c6b9a0f8f11")
    subscriber, _ = core.subscribe(path, args, None)
    other, _ = core.subscribe(canonical_path("a/b.js:c"), b"{}", None)
    core.connected(now=0)
    sent += core.messages_to_send()
    server = Server()
    core.received(server.transition(updated(0, b"1", journal="J"), ts=9, query_set=1), now=0)
    core.mutation(path, args)
    core.action(path, args)
    core.unsubscribe(other, now=0)
    sent += core.messages_to_send()
    core.received(succeeded(0, b"1", ts=2**60), now=0)
    for credential in (
        Credential("User", "a.b.c"),
        admin_credential("prod:name|secret", {"issuer": "https://i", "subject": "s"}),
        admin_credential("name|secret"),
        ANONYMOUS,
    ):
        core.set_identity(credential, now=0)
        sent += core.messages_to_send()
    core.disconnected("closed with code 1006", now=0, jitter=0)
    core.connected(now=0)
    sent += core.messages_to_send()
    core.unsubscribe(subscriber, now=0)
    return sent + core.messages_to_send()


def test_the_official_types_read_all_that_we_send(wire_check: Path) -> None:
    sent = conversation()
    kinds = {type(message).__name__ for message in sent}
    assert kinds == {"Connect", "ModifyQuerySet", "Mutation", "Action", "Authenticate"}
    frames = [encode_message(message) for message in sent]
    for part in (b'"journal":"J"', b'"impersonating":{', b'"type":"Remove"', b'"None"'):
        assert any(part in frame for frame in frames), part
    assert verdicts(wire_check, frames) == ["ok"] * len(frames)


def test_the_check_can_fail(wire_check: Path) -> None:
    frames = [
        b'{"type":"Mutation","requestId":1.5,"udfPath":"a:b","args":[]}',
        b'{"type":"Connect","sessionId":"no uuid","connectionCount":0}',
        b"nonsense",
    ]
    answers = verdicts(wire_check, [*frames, encode_message(conversation()[0])])
    assert [answer == "ok" for answer in answers] == [False, False, False, True]
