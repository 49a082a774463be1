"""One version, whole transitions only."""

import pytest
from msgspec import Raw

from convex_async.errors import RemoteProtocolError
from convex_async.protocol.client.remote import (
    RemoteState,
    StartVersionMismatch,
    step_of,
    update_of,
)
from convex_async.protocol.messages import QueryRemoved, StateVersion, Transition
from convex_async.protocol.results import Failed, Succeeded, split_request_id
from tests.protocol.wire import Server, failed, updated, version


def move(remote: RemoteState, transition: Transition) -> None:
    start, end, _ = step_of(transition)
    remote.move(start, end)


def test_transitions_follow_each_other() -> None:
    remote, server = RemoteState(), Server()
    move(remote, server.transition(ts=5, query_set=1, identity=2))
    assert (remote.ts, remote.identity) == (5, 2)
    move(remote, server.transition(ts=5))
    with pytest.raises(StartVersionMismatch):
        move(remote, Transition(version(1, 1, 5), version(1, 1, 6), []))
    assert remote.ts == 5


def test_time_never_goes_back_also_not_on_a_new_socket() -> None:
    remote = RemoteState()
    move(remote, Server().transition(ts=10))
    remote.restart()
    with pytest.raises(RemoteProtocolError, match="back"):
        move(remote, Server().transition(ts=9))
    move(remote, Server().transition(ts=10))


def test_a_malformed_timestamp_moves_nothing() -> None:
    remote = RemoteState()
    with pytest.raises(RemoteProtocolError):
        move(remote, Transition(version(0, 0, 0), StateVersion(1, 0, "nonsense"), []))
    assert remote.ts == 0


def test_results() -> None:
    assert update_of(updated(7, b"[1]", "J")) == (7, Succeeded(b"[1]", ()), "J")
    assert update_of(failed(8, "[Request ID: 0a1b] Server Error", b"null")) == (
        8,
        Failed("Server Error", b"null", (), "0a1b"),
        None,
    )
    assert update_of(QueryRemoved(9)) == (9, None, None)


def test_a_kept_value_does_not_pin_its_frame() -> None:
    _, value, _ = update_of(updated(0, b"1"))
    assert isinstance(value, Succeeded)
    assert type(value.value) is bytes
    assert not isinstance(value.value, Raw)


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("[Request ID: 0123456789abcdef] Server Error", ("Server Error", "0123456789abcdef")),
        ("Server Error", ("Server Error", None)),
    ],
)
def test_the_request_id_is_apart_from_the_message(text: str, split: tuple[str, str]) -> None:
    assert split_request_id(text) == split


@pytest.mark.parametrize("back", [(1, 2), (2, 1)], ids=["query set", "identity"])
def test_no_version_goes_back(back: tuple[int, int]) -> None:
    remote = RemoteState()
    remote.move((0, 0, 0), (2, 2, 10))
    with pytest.raises(RemoteProtocolError, match="back"):
        remote.move((2, 2, 10), (*back, 10))
    remote.move((2, 2, 10), (2, 2, 10))
