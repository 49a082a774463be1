"""What goes out on a socket, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic

from convex_async.errors import MessageTooLargeError
from convex_async.function_path import FunctionPath
from convex_async.protocol.client.identity import ClientIdentity
from convex_async.protocol.client.query_set import Mailbox, QuerySet
from convex_async.protocol.client.requests import Requests
from convex_async.protocol.messages import ClientMessage, Connect

# Bytes of one frame from a client (tungstenite's max_frame_size, which convex-backend
# crates/local_backend leaves as it is). aiohttp writes a message as one frame.
MAX_FRAME = 16 * 2**20
# Bytes of a message beside the function's path and its arguments: names, ids, a journal.
ENVELOPE = 1024


def check_size(path: FunctionPath, args: bytes) -> None:
    """Raise `MessageTooLargeError` for a call that no socket of the deployment would take.

    Args:
        args: wire bytes of the arguments object.
    """
    size = len(args) + len(path) + ENVELOPE
    if size > MAX_FRAME:
        raise MessageTooLargeError(
            f"{path}: arguments of {len(args) / 2**20:.1f} MiB on the wire, where the deployment "
            f"takes messages of {MAX_FRAME / 2**20:.0f} MiB (bytes are a third longer there): "
            "send less at a time, or upload a file"
        )


class Outgoing(Generic[Mailbox]):
    """Turns what is wanted into messages; each is given once per socket.

    Args:
        hello: makes the message that opens the session on a new socket.
    """

    def __init__(
        self,
        identity: ClientIdentity,
        query_set: QuerySet[Mailbox],
        requests: Requests,
        hello: Callable[[], Connect],
    ) -> None:
        self._identity = identity
        self._query_set = query_set
        self._requests = requests
        self._hello = hello
        self._hello_due = False

    @property
    def has_messages(self) -> bool:
        """Whether `drain` may have something to give."""
        return (
            self._requests.wants_to_send
            or self._query_set.wants_to_send
            or self._identity.awaits_confirmation
            or self._hello_due
        )

    def restart(self) -> None:
        """A new socket: everything that is wanted is sent on it, from the beginning."""
        self._hello_due = True
        self._identity.restart()
        self._query_set.restart()

    def drain(self) -> list[ClientMessage]:
        """What goes out now, in order."""
        messages: list[ClientMessage] = []
        if self._hello_due:
            self._hello_due = False
            messages.append(self._hello())
        if not (self._identity.is_settled or self._identity.awaits_confirmation):
            return messages
        # What was asked as an earlier user goes out as that user: the server runs a request under
        # the identity in force when it arrives (convex-backend crates/sync/src/worker.rs).
        now = self._identity.epoch
        while (epoch := self._requests.first_queued_epoch()) is not None and epoch != now:
            if (authenticate := self._identity.speak_as(epoch)) is not None:
                messages.append(authenticate)
            messages += self._requests.drain(epoch)
            if self._requests.first_queued_epoch() == epoch:
                return messages  # the window is full
        if (authenticate := self._identity.speak_as(now)) is not None:
            messages.append(authenticate)
        while modify := self._query_set.drain(MAX_FRAME - ENVELOPE):
            messages.append(modify)
        messages += self._requests.drain(now)
        return messages

    def take_lone(self) -> ClientMessage | None:
        """The request that waits, if nothing else is to be sent and no other is unanswered.

        Nothing can leave together with it, so that it may go out before the tick is over.
        """
        if self._hello_due or not self._identity.is_settled or self._query_set.wants_to_send:
            return None
        message = self._requests.take_lone(self._identity.epoch)
        if message is not None:
            self._identity.speak_as(self._identity.epoch)  # which is in force, as it is settled
        return message
