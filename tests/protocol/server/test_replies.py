"""Responses, and changes of results that the client does not know yet."""

from msgspec import Raw

from convex_async.protocol.messages import ABSENT, QueryFailed, QueryUpdated
from convex_async.protocol.results import Failed, Succeeded
from convex_async.protocol.server.replies import change_of_result, response_of
from convex_async.protocol.server.work import SubscribedQuery


def test_responses() -> None:
    assert response_of(Succeeded(b"1", [])) == (True, Raw(b"1"), ABSENT)
    assert response_of(Failed("no", None, [], None)) == (False, Raw(b'"no"'), ABSENT)
    assert response_of(Failed("no", b"0", [], None)) == (False, Raw(b'"no"'), Raw(b"0"))


def test_an_equal_result_is_told_once() -> None:
    query = SubscribedQuery(3, "a:b", Raw(b"[{}]"), None)
    assert isinstance(change_of_result(query, Succeeded(b"1", [])), QueryUpdated)
    assert change_of_result(query, Succeeded(b"1", [])) is None
    assert isinstance(change_of_result(query, Succeeded(b"1", ["a line"])), QueryUpdated)
    assert isinstance(change_of_result(query, Failed("no", None, [], None)), QueryFailed)
    assert isinstance(change_of_result(query, Succeeded(b"1", [])), QueryUpdated)
