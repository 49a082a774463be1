"""The parts of a client core, and what more than one side of it does."""

from __future__ import annotations

from convex_async.function_path import FunctionPath
from convex_async.protocol.client.events import CloseConnection, IdentityRefused
from convex_async.protocol.client.session import Session


def session() -> Session[str]:
    return Session(inactivity_timeout=30, same=lambda one, other: one == other)


def test_what_was_given_up_is_not_outstanding() -> None:
    parts = session()
    request = parts.requests.add("mutation", FunctionPath("a:b"), b"{}", 0)
    query = parts.query_set.subscribe(FunctionPath("a:c"), b"{}", "m", 0.0).query
    kept = {("request", request.request_id), ("query", query.query_id), ("identity", 0)}
    parts.link.outstanding = {*kept, ("request", 99), ("query", 99)}  # type: ignore[arg-type]
    parts.forget_gone()
    assert parts.link.outstanding == kept


def test_a_refusal_fails_what_waits_and_cuts_the_socket() -> None:
    parts = session()
    request = parts.requests.add("mutation", FunctionPath("a:b"), b"{}", 0)
    parts.link.opened(set(), now=0)
    parts.refuse("no")
    assert parts.events == [
        IdentityRefused("no", [(request.request_id, "not_sent")]),
        CloseConnection("AuthError"),
    ]
