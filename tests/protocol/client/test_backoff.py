"""The delay before the next socket."""

import pytest

from convex_async.protocol.client.backoff import CAP, backoff


@pytest.mark.parametrize(
    ("reason", "initial"),
    [
        ("InactiveServer", 0.1),
        ("FailedToSendMessage", 0.1),
        ("closed with code 1006", 1.0),
        ("InternalServerError", 1.0),
        ("CommitterFullError", 3.0),
        ("TooManyConcurrentRequests", 3.0),
        ("", 1.0),
    ],
)
def test_the_reason_decides_the_first_delay(reason: str, initial: float) -> None:
    assert backoff(reason, 0, 0.5) == initial


def test_it_doubles_up_to_the_cap_and_is_jittered_by_half() -> None:
    assert [backoff("x", n, 0.5) for n in range(6)] == [1, 2, 4, 8, 16, CAP]
    assert (backoff("x", 3, 0.0), backoff("x", 3, 1.0)) == (4, 12)
    assert backoff("x", 10**6, 1.0) == 1.5 * CAP
