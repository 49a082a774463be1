"""A Transition read straight from its frame says what the message definitions say of it.

Whatever the frame, `FrameDecoder` gives the same with the direct reader as without: the same
change, or a refusal. What deployments write is read directly. Only what is within a value is left
unread: where that is no JSON the definitions refuse the frame, and here its reader is refused.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_async import _codec
from convex_async.codec import decode
from convex_async.errors import InvalidValueError, RemoteProtocolError
from convex_async.protocol.client.remote import Step, step_of
from convex_async.protocol.frames import FrameDecoder, decode_server_message
from convex_async.protocol.messages import Transition
from convex_async.protocol.results import Failed, FunctionResult, Succeeded
from tests.codec.random_frames import damaged, frame, ts


def by_definition(frame: bytes) -> Step | None:
    """None if it is no transition, or refused."""
    try:
        message = decode_server_message(frame)
        return step_of(message) if isinstance(message, Transition) else None
    except RemoteProtocolError:
        return None


def is_read_alike(frame: bytes) -> bool:
    """Whether it was read directly; fails if that says another thing than the definition."""
    change = _codec.read_transition(frame, Succeeded)
    if change is None:
        return False
    if change != by_definition(frame):
        assert by_definition(frame) is None, frame
        assert any(is_unreadable(result) for _, result, _ in change[2]), frame
    return True


def is_unreadable(result: FunctionResult | None) -> bool:
    assert isinstance(result, Succeeded)
    try:
        decode(result.value)
    except InvalidValueError:
        return True
    return False


def test_random_frames_are_read_alike() -> None:
    rng = random.Random(5)
    direct = sum(is_read_alike(frame(rng)) for _ in range(3000))
    assert direct > 800


def test_damaged_frames_are_read_alike() -> None:
    rng = random.Random(6)
    direct = 0
    for _ in range(10_000):
        text = frame(rng)
        for _ in range(rng.randrange(1, 3)):
            text = damaged(rng, text)
        direct += is_read_alike(text)
    assert direct > 300  # the damage was in a string, or to a number


def test_a_cut_frame_is_refused_at_each_byte() -> None:
    text = spelled(b'{"a":[1.5,"x\\n",{}],"b":null}')
    assert is_read_alike(text)
    assert not any(is_read_alike(text[:end]) for end in range(len(text)))
    assert not is_read_alike(text + b" ")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON, st.booleans(), st.sampled_from([(",", ":"), (" , ", " :\t")]))
def test_any_json_is_a_value(thing: Any, is_ascii: bool, separators: tuple[str, str]) -> None:
    text = json.dumps(thing, ensure_ascii=is_ascii, separators=separators)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return  # a lone surrogate has no UTF-8
    change = _codec.read_transition(spelled(data), Succeeded)
    assert change == (VERSION, VERSION, ((0, Succeeded(data, ()), None),))


@given(st.binary(max_size=12) | st.text('{}[]:,"\\ut0e.-1 ', max_size=12).map(str.encode))
def test_no_other_text_is_a_value(data: bytes) -> None:
    is_read_alike(spelled(data))


MALFORMED = r"""
    [1} {"a":1] [1,] {"a":1,} {"a"1} {"a"} {1:2} {,} [,] [1;2] { [ tru nulll Null 01 1. .5
    - +1 1e 1e+ 0x1 -a "a "\x" "\u12" "\u00g0" "\ud83d" "\udc69" "\udc69\ud83d"
    "\ud83d\u0041" "\ud83d\n" 'a' [1]] {}} , : [[] {"a":{} "a":1 nan
"""


@pytest.mark.parametrize("text", [*MALFORMED.split(), "", '"\t"', '"\0"'])
def test_malformed_values_are_refused_here_or_where_they_are_read(text: str) -> None:
    frame = spelled(text.encode())
    assert by_definition(frame) is None
    is_read_alike(frame)


VERSION = (1, 0, 5)


def spelled(data: bytes) -> bytes:
    """The frame of one new value."""
    at = b'{"querySet":1,"identity":0,"ts":"%s"}' % ts(5).encode()
    return (
        b'{"type":"Transition","startVersion":%s,"endVersion":%s,"modifications":[{"type":'
        b'"QueryUpdated","queryId":0,"value":%s,"logLines":[],"journal":null}],'
        b'"clientClockSkew":null,"serverTs":null}' % (at, at, data)
    )


@pytest.mark.parametrize("depth", [1, 63, 64, 65, 128, 1000])
def test_deep_values_are_read_alike(depth: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        text = spelled(opening * depth + b"1" + closing * depth)
        assert is_read_alike(text)
        assert not is_read_alike(spelled(opening * depth + b"1" + closing * (depth - 1)))
        assert not is_read_alike(spelled(opening * depth + b"1" + b"]" * depth + b"}"))


# Quotes and brackets that are told apart, at each place of the blocks in which they are sought.
@pytest.mark.parametrize(
    "text", ['"', "]}", '\\"]', "\\\\", '\\\\"}{', '"]' * 40, "\\" * 67, "é" * 65]
)
def test_the_end_of_a_value_is_found_at_each_place(text: str) -> None:
    for before in range(130):
        for inner in ([text], {"a": [], text: {"b": text + "x" * before}}):
            data = json.dumps(["x" * before, inner], separators=(",", ":")).encode()
            change = _codec.read_transition(spelled(data), Succeeded)
            assert change == (VERSION, VERSION, ((0, Succeeded(data, ()), None),))
            assert _codec.read_transition(spelled(data[:-1]), Succeeded) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b'"queryId":0', b'"queryId":0,"queryId":1'),
        lambda text: text.replace(b'"journal":null', b'"journal":null,"more":1'),
        lambda text: text.replace(b'"identity":0', b'"identity":0.0', 1),
        lambda text: text.replace(b'"serverTs":null', b'"serverTs":1e3'),
        lambda text: text.replace(b'"Transition"', b'"Trans\\u0069tion"'),
        lambda text: b" " + text,
        lambda text: text.replace(b'"logLines":[]', b'"logLines":["\\ud800"]'),
        lambda text: text.replace(ts(5).encode(), b"AQAAAAAAAAB=", 1),
        lambda text: text.replace(b'"value":1', b'"value": 1'),
        lambda text: text.replace(b'"value":1', b'"value":1 '),
    ],
)
def test_other_spellings_are_left_to_the_definition(change: Callable[[bytes], bytes]) -> None:
    text = change(spelled(b"1"))
    assert text != spelled(b"1")
    assert not is_read_alike(text)


def test_the_decoder_reads_what_a_deployment_writes_directly() -> None:
    decoder = FrameDecoder(limit=100)
    assert decoder.decode(spelled(b"[7.0]")) == (
        VERSION,
        VERSION,
        ((0, Succeeded(b"[7.0]", ()), None),),
    )
    failed = (
        spelled(b"1")
        .replace(b'"QueryUpdated"', b'"QueryFailed"')
        .replace(b'"value":1', b'"errorMessage":"no"')
    )
    message = decoder.decode(failed)
    assert isinstance(message, Transition)
    assert step_of(message)[2] == ((0, Failed("no"), None),)


def test_what_msgspec_writes_is_read_directly() -> None:
    message = decode_server_message(spelled(b'"x"'))
    assert is_read_alike(msgspec.json.encode(message))


def test_a_value_does_not_pin_its_frame() -> None:
    change = _codec.read_transition(spelled(b"[1]"), Succeeded)
    assert change is not None
    ((_, result, _),) = change[2]
    assert isinstance(result, Succeeded)
    assert type(result.value) is bytes
