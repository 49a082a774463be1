"""One version, whole transitions only."""

import pytest
from msgspec import Raw

from convex_async.errors import RemoteProtocolError
from convex_async.protocol.messages import QueryRemoved, StateVersion, Transition
from convex_async.protocol.query_set import QueryFailure, QueryValue
from convex_async.protocol.remote import (
    RemoteState,
    StartVersionMismatch,
    result_of,
    split_request_id,
)
from tests.protocol.wire import Server, failed, updated, version


def test_transitions_follow_each_other() -> None:
    remote, server = RemoteState(), Server()
    remote.apply(server.transition(ts=5, query_set=1, identity=2))
    assert (remote.ts, remote.identity) == (5, 2)
    remote.apply(server.transition(ts=5))
    with pytest.raises(StartVersionMismatch):
        remote.apply(Transition(version(1, 1, 5), version(1, 1, 6), []))
    assert remote.ts == 5


def test_time_never_goes_back_also_not_on_a_new_socket() -> None:
    remote = RemoteState()
    remote.apply(Server().transition(ts=10))
    remote.restart()
    with pytest.raises(RemoteProtocolError, match="back"):
        remote.apply(Server().transition(ts=9))
    remote.apply(Server().transition(ts=10))


def test_a_malformed_timestamp_moves_nothing() -> None:
    remote = RemoteState()
    with pytest.raises(RemoteProtocolError):
        remote.apply(Transition(version(0, 0, 0), StateVersion(1, 0, "nonsense"), []))
    assert remote.ts == 0


def test_results() -> None:
    assert result_of(updated(0, b"[1]", "J")) == (QueryValue(b"[1]", []), "J")
    assert result_of(failed(0, "[Request ID: 0a1b] Server Error", b"null")) == (
        QueryFailure("Server Error", "0a1b", b"null", []),
        None,
    )
    assert result_of(QueryRemoved(0)) is None


def test_a_kept_value_does_not_pin_its_frame() -> None:
    result = result_of(updated(0, b"1"))
    assert result is not None
    value, _ = result
    assert isinstance(value, QueryValue)
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
