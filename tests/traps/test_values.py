"""Timestamps, numbers, strings, error data and paths, where JSON or Python would mislead."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from convex_async import ConvexClient, ConvexError, ConvexInt64, FunctionError, InvalidValueError
from convex_async.client_base.answers import value_or_raise
from convex_async.codec import encode_arguments
from convex_async.function_path import FunctionPath
from convex_async.protocol.client.events import ResultsChanged
from convex_async.protocol.frames import decode_server_message, encode_message
from convex_async.protocol.messages import Transition, parse_timestamp
from tests.protocol.client.test_client_protocol import PATH, SEND, Session, settled
from tests.protocol.wire import Server, failed, mutation_failed, succeeded


def test_trap_22_timestamps_are_little_endian_integers() -> None:
    """8 bytes, the lowest first; the order of the texts is not the order of the times."""
    early, late = "AQAAAAAAAAA=", "AAEAAAAAAAA="
    assert (parse_timestamp(early), parse_timestamp(late)) == (1, 256)
    assert late < early


@pytest.mark.parametrize("response_first", [True, False])
def test_trap_22_times_are_compared_as_integers(session: Session, response_first: bool) -> None:
    """A transition at 1 does not show a commit at 256, whose text is the smaller."""
    session.core.mutation(SEND, b"{}")
    session.connect()
    messages = [succeeded(0, b"1", ts=256), session.server.transition(ts=1)]
    assert session.receive(*(messages if response_first else reversed(messages))) == []
    assert list(settled(session.receive(session.server.transition(ts=256)))) == [0]


def test_trap_23_server_ts_is_a_plain_integer_kept_whole() -> None:
    """It has 19 digits in ns, more than a float holds, and is no base64 like the others."""
    frame = msgspec.json.decode(encode_message(Server().transition(ts=5)))
    frame["serverTs"] = 1723680000123456789
    message = decode_server_message(msgspec.json.encode(frame))
    assert isinstance(message, Transition)
    assert message.server_ts == 1723680000123456789
    assert type(message.server_ts) is int


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        (3, 3.0),
        (3.0, 3.0),
        (ConvexInt64(3), {"$integer": "AwAAAAAAAAA="}),
        (ConvexInt64(-1), {"$integer": "//////////8="}),
    ],
)
def test_trap_25_a_number_is_a_float64_unless_an_int64_is_asked_for(value: Any, wire: Any) -> None:
    """`v.number()` and `v.int64()` take different things: the caller chooses, by the type."""
    (sent,) = msgspec.json.decode(encode_arguments({"n": value})).values()
    assert sent == wire


def test_trap_25_an_int_that_a_float64_cannot_hold_is_refused() -> None:
    """Rather than rounded, or sent as what was not asked for."""
    with pytest.raises(InvalidValueError) as caught:
        encode_arguments({"n": 2**53 + 1})
    assert caught.value.path == "args.n"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0])
def test_trap_26_floats_that_json_lacks_are_tagged(value: float) -> None:
    """A bare NaN is no JSON, and ends the connection."""
    text = encode_arguments({"n": value})
    assert list(msgspec.json.decode(text)["n"]) == ["$float"]


@pytest.mark.parametrize("args", [{"s": "\ud800"}, {"s": ["ok", "a\udfffb"]}, {"\ud800": 1}])
async def test_trap_26_a_lone_surrogate_fails_its_call_alone(
    client: ConvexClient, args: dict[str, Any]
) -> None:
    """It has no UTF-8: it is refused before anything is sent, and the socket stays."""
    await client.connect()
    with pytest.raises(InvalidValueError):
        await client.mutation("notes:touch", args)
    assert await client.query("notes:list") == []
    assert client.state.connection_count == 1


@pytest.mark.parametrize("path", ["my-notes:list", "notes.ts:list", "", ":list", "notes:li-st"])
async def test_trap_27_a_bad_path_fails_its_call_alone(client: ConvexClient, path: str) -> None:
    """The deployment would end the whole session over it."""
    await client.connect()
    for call in (client.query, client.mutation, client.action, client.subscribe):
        with pytest.raises(ValueError, match="function path"):
            _ = call(path)
    assert await client.query("notes:list") == []
    assert client.state.connection_count == 1


FALSY = [(b"null", None), (b"0", 0), (b'""', ""), (b"false", False)]


@pytest.mark.parametrize(("data", "value"), FALSY)
def test_trap_28_error_data_that_is_falsy_is_data(
    session: Session, data: bytes, value: object
) -> None:
    """It is the presence of `errorData` that tells a ConvexError from a bug."""
    session.subscribe(PATH)
    session.core.mutation(SEND, b"{}")
    session.connect()
    (answer,) = settled(session.receive(mutation_failed(0, b'"Server Error"', data))).values()
    failure = session.server.transition(failed(0, "Server Error", data), ts=5, query_set=1)
    (event,) = session.receive(failure)
    assert isinstance(event, ResultsChanged)
    for outcome in (answer, event.deliveries[0][1]):
        with pytest.raises(ConvexError) as caught:
            value_or_raise(FunctionPath("a:b"), outcome, None)  # type: ignore[arg-type]
        assert caught.value.data == value


def test_trap_28_no_error_data_is_no_convex_error(session: Session) -> None:
    """A failure without the key has nothing that the application threw."""
    session.core.mutation(SEND, b"{}")
    session.connect()
    (answer,) = settled(session.receive(mutation_failed(0, b'"Server Error"'))).values()
    with pytest.raises(FunctionError) as caught:
        value_or_raise(FunctionPath("a:b"), answer, None)  # type: ignore[arg-type]
    assert not isinstance(caught.value, ConvexError)
