"""The messages as they stand on the wire."""

import msgspec
import pytest
from msgspec import Raw

from convex_async.protocol.frames import decode_server_message, encode_message
from convex_async.protocol.messages import (
    Add,
    Authenticate,
    Connect,
    ModifyQuerySet,
    Mutation,
    Ping,
    QueryFailed,
    Remove,
    Transition,
    format_timestamp,
    parse_timestamp,
)
from tests.protocol.wire import Server, mutation_failed, updated, version


@pytest.mark.parametrize(
    ("ts", "text"),
    [
        (0, "AAAAAAAAAAA="),
        (1, "AQAAAAAAAAA="),
        (1000, "6AMAAAAAAAA="),
        (1723680000123456789, "Fc3N4dO96xc="),
    ],
)
def test_timestamps_are_little_endian(ts: int, text: str) -> None:
    assert format_timestamp(ts) == text
    assert parse_timestamp(text) == ts


@pytest.mark.parametrize("text", ["", "AAAA", "AAAAAAAAAA*=", "AAAAAAAAAAAAAAAA"])
def test_a_malformed_timestamp_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_timestamp(text)


def test_client_messages_omit_what_is_absent() -> None:
    assert msgspec.json.decode(msgspec.json.encode(Connect("s", 0, "InitialConnect"))) == {
        "type": "Connect",
        "sessionId": "s",
        "connectionCount": 0,
        "lastCloseReason": "InitialConnect",
    }
    message = ModifyQuerySet(0, 1, [Add(0, "a:b", Raw(b"[{}]")), Remove(3)])
    assert msgspec.json.encode(message) == (
        b'{"type":"ModifyQuerySet","baseVersion":0,"newVersion":1,"modifications":['
        b'{"type":"Add","queryId":0,"udfPath":"a:b","args":[{}]},{"type":"Remove","queryId":3}]}'
    )
    assert msgspec.json.encode(Mutation(4, "a:b", Raw(b"[{}]"))) == (
        b'{"type":"Mutation","requestId":4,"udfPath":"a:b","args":[{}]}'
    )


def test_server_messages_write_the_nulls_that_npm_counts_on() -> None:
    transition = Transition(version(0, 0, 0), version(1, 0, 9), [updated(0, b"5")])
    assert msgspec.json.decode(msgspec.json.encode(transition)) == {
        "type": "Transition",
        "startVersion": {"querySet": 0, "identity": 0, "ts": "AAAAAAAAAAA="},
        "endVersion": {"querySet": 1, "identity": 0, "ts": "CQAAAAAAAAA="},
        "modifications": [
            {"type": "QueryUpdated", "queryId": 0, "value": 5, "logLines": [], "journal": None}
        ],
        "clientClockSkew": None,
        "serverTs": None,
    }
    assert b'"ts":null' in msgspec.json.encode(mutation_failed(0, b'"no"'))
    assert msgspec.json.encode(Ping()) == b'{"type":"Ping"}'


def test_absent_error_data_differs_from_null() -> None:
    absent = msgspec.json.encode(QueryFailed(0, "no", [], None))
    null = msgspec.json.encode(QueryFailed(0, "no", [], None, Raw(b"null")))
    assert b"errorData" not in absent
    assert b'"errorData":null' in null


def test_a_token_shows_in_no_repr() -> None:
    assert "secret" not in repr(Authenticate(0, "User", "secret"))


@pytest.mark.trap(22)
def test_timestamps_are_little_endian_integers() -> None:
    """8 bytes, the lowest first; the order of the texts is not the order of the times."""
    early, late = "AQAAAAAAAAA=", "AAEAAAAAAAA="
    assert (parse_timestamp(early), parse_timestamp(late)) == (1, 256)
    assert late < early


@pytest.mark.trap(23)
def test_server_ts_is_a_plain_integer_kept_whole() -> None:
    """It has 19 digits in ns, more than a float holds, and is no base64 like the others."""
    frame = msgspec.json.decode(encode_message(Server().transition(ts=5)))
    frame["serverTs"] = 1723680000123456789
    message = decode_server_message(msgspec.json.encode(frame))
    assert isinstance(message, Transition)
    assert message.server_ts == 1723680000123456789
    assert type(message.server_ts) is int
