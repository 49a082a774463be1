"""Mutations and actions from the call to the answer.

A mutation is sent again on each new socket, under the same session id and request id, until it is
answered: the deployment runs it once. It is settled when a transition reaches its commit, so that
its caller reads its own writes. An action is sent once.

Source: convex-js src/browser/sync/request_manager.ts; convex-backend crates/sync/src/worker.rs.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Literal, NewType, TypeAlias, assert_never

from msgspec import Raw, Struct

from convex_async.errors import Outcome
from convex_async.function_path import FunctionPath
from convex_async.protocol.messages import Action, Mutation
from convex_async.protocol.results import Failed, Succeeded

RequestId = NewType("RequestId", int)
RequestKind: TypeAlias = Literal["mutation", "action"]

# Requests of one kind on the wire without an answer. The server closes a socket that has over 1000
# (convex-backend crates/sync/src/worker.rs), and a full queue must survive a reconnect too.
WINDOW = 500
# Bytes of arguments of a request that may go out by itself: so few are written without waiting.
SMALL = 2**14


class Unsent(Struct, frozen=True):
    """Not on the wire yet, or its time has not come on this socket."""


class Sent(Struct, frozen=True):
    """On the wire of the present socket, or of an earlier one; no answer yet."""


class Completed(Struct, frozen=True):
    """Committed at `ts`; settled when a transition reaches it."""

    ts: int
    answer: Succeeded


class Abandoned(Struct, frozen=True):
    """Sent, but nobody waits any more: it still has its place in the server's queue."""


State: TypeAlias = Unsent | Sent | Completed | Abandoned
_UNSENT, _SENT, _ABANDONED = Unsent(), Sent(), Abandoned()


class Request:
    """One mutation or action.

    Attributes:
        epoch: the identity it was made under, as `identity.ClientIdentity.epoch` counts them.
    """

    __slots__ = ("args", "epoch", "kind", "path", "request_id", "state")

    def __init__(
        self, request_id: RequestId, kind: RequestKind, path: FunctionPath, args: bytes, epoch: int
    ) -> None:
        self.request_id: RequestId = request_id
        self.kind: RequestKind = kind
        self.path: FunctionPath = path
        self.args: bytes = args
        self.epoch: int = epoch
        self.state: State = _UNSENT

    def message(self) -> Mutation | Action:
        """The request as it goes on the wire."""
        args = Raw(b"[%b]" % self.args)
        if self.kind == "mutation":
            return Mutation(self.request_id, self.path, args)
        return Action(self.request_id, self.path, args)


class Requests:
    """All requests that are not settled, in the order of their ids.

    Attributes:
        next_id: the id of the next request that is given none.
        sendable: the highest id that may go out.
        times: of the requests whose commit times somebody wants, those that are known.
    """

    def __init__(self) -> None:
        self._requests: dict[int, Request] = {}
        self._queued: dict[RequestKind, deque[Request]] = {"mutation": deque(), "action": deque()}
        self._on_wire: dict[RequestKind, int] = {"mutation": 0, "action": 0}
        self._completed: dict[RequestId, int] = {}
        self.times: dict[RequestId, int | None] = {}
        self.next_id: int = 0
        self.sendable: float = math.inf
        self._careful_up_to: int | None = None
        self._suspect: RequestId | None = None

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[Request]:
        return iter(self._requests.values())

    def get(self, request_id: int) -> Request | None:
        """The request, unless it is settled."""
        return self._requests.get(request_id)

    @property
    def wants_to_send(self) -> bool:
        """Whether a request waits and the window has room for it."""
        mutations, actions = self._queued["mutation"], self._queued["action"]
        return bool(
            (mutations and self._may_go(mutations[0])) or (actions and self._may_go(actions[0]))
        )

    def pending(self) -> list[tuple[RequestId, Outcome]]:
        """The requests that somebody waits for, and what would be known of each by now."""
        return [
            (request.request_id, _known(request.state))
            for request in self._requests.values()
            if not isinstance(request.state, Abandoned)
        ]

    def first_queued_epoch(self) -> int | None:
        """The earliest identity under which a request still waits to be sent."""
        epochs = [queue[0].epoch for queue in self._queued.values() if queue]
        return min(epochs) if epochs else None

    def queued_epochs(self) -> set[int]:
        """The identities under which requests wait to be sent."""
        return {request.epoch for queue in self._queued.values() for request in queue}

    def add(
        self,
        kind: RequestKind,
        path: FunctionPath,
        args: bytes,
        epoch: int,
        request_id: RequestId | None = None,
    ) -> Request:
        """A new request, queued.

        Args:
            request_id: above all before it; the next one if not given.
        """
        if request_id is None:
            request_id = RequestId(self.next_id)
        request = Request(request_id, kind, path, args, epoch)
        self.next_id = request_id + 1
        self._requests[request_id] = request
        self._queued[kind].append(request)
        return request

    def restore(self, request_id: RequestId, path: FunctionPath, args: bytes, epoch: int) -> None:
        """Queue a mutation of an earlier process, which may have sent it, in its place."""
        request = Request(request_id, "mutation", path, args, epoch)
        request.state = _SENT
        self._requests[request_id] = request
        self._requests = {i: self._requests[i] for i in sorted(self._requests)}
        queue = (*self._queued["mutation"], request)
        self._queued["mutation"] = deque(sorted(queue, key=_turn))

    def drain(self, epoch: int) -> Iterator[Mutation | Action]:
        """The requests of one identity that may go out now, in order."""
        for queue in self._queued.values():
            while queue and queue[0].epoch == epoch and self._may_go(queue[0]):
                yield self._send(queue.popleft())

    def _may_go(self, request: Request) -> bool:
        if self._careful_up_to is not None and any(self._on_wire.values()):
            return False
        return self._on_wire[request.kind] < WINDOW and request.request_id <= self.sendable

    def take_lone(self, epoch: int) -> Mutation | Action | None:
        """The only request there is, if it is small and waits to be sent as this identity."""
        if len(self._requests) != 1:
            return None
        (request,) = self._requests.values()
        if request.epoch != epoch or len(request.args) > SMALL:
            return None
        if not isinstance(request.state, Unsent) or request.request_id > self.sendable:
            return None
        return self._send(self._queued[request.kind].popleft())

    def _send(self, request: Request) -> Mutation | Action:
        if isinstance(request.state, Unsent):
            request.state = _SENT
        self._on_wire[request.kind] += 1
        return request.message()

    def withdraw(self, request_id: RequestId) -> Outcome | None:
        """Nobody waits any more: take it back if it was never sent.

        Returns:
            What is known of the request; None if it was settled already.
        """
        request = self._requests.get(request_id)
        if request is None:
            return None
        match request.state:
            case Unsent():
                del self._requests[request_id]
                self._queued[request.kind].remove(request)
                return "not_sent"
            case Sent():
                if request in self._queued[request.kind]:  # no socket has it: not sent again
                    self._queued[request.kind].remove(request)
                    self._settle(request)
                else:
                    request.state = _ABANDONED
                return "unknown"
            case Completed():
                self._settle(request)
                return "unknown"
            case Abandoned():
                return None
            case _:
                assert_never(request.state)

    def answered(
        self,
        kind: RequestKind,
        request_id: int,
        answer: Succeeded | Failed,
        ts: int | None,
        *,
        reached: int,
    ) -> Request | None:
        """Record the deployment's answer.

        Args:
            ts: the commit time of a successful mutation, ns since the epoch, else None.
            reached: the ts of the last transition.

        Returns:
            The request if it is settled by this; a successful mutation that no transition has
            reached yet is settled by `reached` later. None too for an unknown or repeated answer,
            which is normal after a reconnect.
        """
        request = self._requests.get(request_id)
        if request is None or request.kind != kind:
            return None
        # `isinstance` asks the metaclass of Structs, which takes longer than the comparison.
        state = type(request.state)
        if state is Completed:
            return None
        self._on_wire[kind] -= 1
        if state is Abandoned:
            self._settle(request)
            return None
        if isinstance(answer, Succeeded) and ts is not None and ts > reached:
            request.state = Completed(ts, answer)
            self._completed[request.request_id] = ts
            return None
        self._settle(request)
        return request

    def reached(self, ts: int) -> list[tuple[Request, Succeeded]]:
        """A transition reached `ts`: the mutations whose effects it shows, now settled."""
        if not self._completed:
            return []
        settled: list[tuple[Request, Succeeded]] = []
        for request_id in [i for i, commit_ts in self._completed.items() if commit_ts <= ts]:
            request = self._requests[request_id]
            assert isinstance(request.state, Completed)
            settled.append((request, request.state.answer))
            self._settle(request)
        return settled

    def closed_for_size(self) -> Request | None:
        """The socket was closed because a message was too large: find out which, and go on.

        All that was on the wire is sent again one by one. Call it before `disconnected`.

        Returns:
            The request that was alone on the wire for the second time; it is settled.
        """
        queued = {r.request_id for queue in self._queued.values() for r in queue}
        on_wire = [
            request
            for request in self._requests.values()
            if type(request.state) in (Sent, Abandoned) and request.request_id not in queued
        ]
        if not on_wire:
            return None
        ids = [request.request_id for request in on_wire]
        self._careful_up_to = max(self._careful_up_to or 0, *ids)
        culprit = on_wire[0] if len(on_wire) == 1 else None
        if culprit is None or culprit.request_id != self._suspect:
            self._suspect = None if culprit is None else culprit.request_id
            return None
        self._settle(culprit)
        return culprit if type(culprit.state) is Sent else None  # nobody waits for it

    def disconnected(self) -> list[Request]:
        """The socket is gone: queue again what may be sent again.

        Returns:
            The actions that were on the wire; they are settled, as lost.
        """
        lost: list[Request] = []
        again: list[Request] = []
        for request in list(self._requests.values()):
            match request.state:
                case Sent() if request.kind == "action":
                    lost.append(request)
                    self._settle(request)
                case Abandoned():
                    self._settle(request)
                case Sent():
                    again.append(request)
                case Unsent() | Completed():
                    pass
                case _:
                    assert_never(request.state)
        again.extend(r for r in self._queued["mutation"] if isinstance(r.state, Unsent))
        self._queued["mutation"] = deque(sorted(again, key=_turn))
        self._on_wire = {"mutation": 0, "action": 0}
        return lost

    def abandon(self, epochs: range) -> list[tuple[RequestId, Outcome]]:
        """Give up the requests of these identities: what is known of each."""
        abandoned: list[tuple[RequestId, Outcome]] = [
            (request_id, outcome)
            for request_id, outcome in self.pending()
            if self._requests[request_id].epoch in epochs
        ]
        for request in [r for r in self._requests.values() if r.epoch in epochs]:
            self._settle(request)
        for kind, queue in self._queued.items():
            self._queued[kind] = deque(r for r in queue if r.request_id in self._requests)
        return abandoned

    def _settle(self, request: Request) -> None:
        del self._requests[request.request_id]
        self._completed.pop(request.request_id, None)
        up_to = self._careful_up_to
        if up_to is not None and not any(left <= up_to for left in self._requests):
            self._careful_up_to = self._suspect = None


def _turn(request: Request) -> tuple[int, RequestId]:
    """What was asked as an earlier user goes out first, and one user's requests by their ids."""
    return request.epoch, request.request_id


def _known(state: State) -> Outcome:
    return "not_sent" if isinstance(state, Unsent) else "unknown"
