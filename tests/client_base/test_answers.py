"""What a function gave, as a value or an exception."""

from __future__ import annotations

import pytest

from convex_async import CodecError, ConvexError, FunctionError
from convex_async.client_base.answers import value_or_raise
from convex_async.function_path import FunctionPath
from convex_async.protocol.client.events import ResultsChanged
from convex_async.protocol.results import Failed, Succeeded
from tests.protocol.client.test_client_protocol import PATH, SEND, Session, settled
from tests.protocol.wire import failed, mutation_failed


@pytest.fixture
def session() -> Session:
    return Session()


FALSY = [(b"null", None), (b"0", 0), (b'""', ""), (b"false", False)]


@pytest.mark.trap(28)
@pytest.mark.parametrize(("data", "value"), FALSY)
def test_error_data_that_is_falsy_is_data(session: Session, data: bytes, value: object) -> None:
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


@pytest.mark.trap(28)
def test_no_error_data_is_no_convex_error(session: Session) -> None:
    """A failure without the key has nothing that the application threw."""
    session.core.mutation(SEND, b"{}")
    session.connect()
    (answer,) = settled(session.receive(mutation_failed(0, b'"Server Error"'))).values()
    with pytest.raises(FunctionError) as caught:
        value_or_raise(FunctionPath("a:b"), answer, None)  # type: ignore[arg-type]
    assert not isinstance(caught.value, ConvexError)


@pytest.mark.parametrize(
    "answer",
    [
        Succeeded(b'{"count":"many"}'),
        Succeeded(b'{"$integer":"x"}'),
        Failed("Server Error", b'{"$bytes":5}'),
    ],
    ids=["of another type", "no value", "data that is no value"],
)
def test_an_answer_of_the_wrong_shape_tells_that_the_mutation_may_have_run(
    answer: Succeeded | Failed,
) -> None:
    with pytest.raises(CodecError) as caught:
        value_or_raise(FunctionPath("a:b"), answer, dict[str, int])
    assert caught.value.outcome == "unknown"
    assert "a:b" in caught.value.__notes__[0]
