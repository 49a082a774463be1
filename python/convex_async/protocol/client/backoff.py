"""How long to wait before the next socket, by why the last one went."""

from __future__ import annotations

# Seconds. Source for all: convex-js src/browser/sync/web_socket_manager.ts.
CAP = 16.0
CLIENT_INITIAL = 0.1
DEFAULT_INITIAL = 1.0
OVERLOADED_INITIAL = 3.0

CLIENT_REASONS = ("InactiveServer", "FailedToSendMessage")
OVERLOADED_REASONS = (
    "SubscriptionsWorkerFullError",
    "TooManyConcurrentRequests",
    "CommitterFullError",
    "AwsTooManyRequestsException",
    "ExecuteFullError",
    "SystemTimeoutError",
    "ExpiredInQueue",
    "VectorIndexTooLarge",
    "SearchIndexTooLarge",
    "TooManyWritesInTimePeriod",
)


def backoff(reason: str, retries: int, jitter: float) -> float:
    """The delay before the next try, in seconds.

    Args:
        reason: why the socket went; the server's close reason if it gave one.
        retries: tries since all that was outstanding had last settled.
        jitter: a random number from 0 to 1; the delay is 0.5 to 1.5 times the base.
    """
    if reason.startswith(CLIENT_REASONS):
        initial = CLIENT_INITIAL
    elif reason.startswith(OVERLOADED_REASONS):
        initial = OVERLOADED_INITIAL
    else:
        initial = DEFAULT_INITIAL
    # 10 doublings are past the cap for every cause, and keep the number small.
    return min(initial * (1 << min(retries, 10)), CAP) * (0.5 + jitter)
