"""Gives transactions their order, and shows none before it is on disk."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from convex_async.local.store.documents import Commit
from convex_async.local.store.durable import Durable, RequestRecord
from convex_async.local.store.store import Store
from convex_async.local.transactions.outcome import MutationRun
from convex_async.local.transactions.transaction import Conflict, Transaction
from convex_async.local.transactions.turns import Turn, Turns

# Nanoseconds for which the answer to a mutation is kept: 14 days (convex-backend: session
# requests).
REQUESTS_KEPT = 14 * 24 * 3600 * 10**9

_log = logging.getLogger("convex_async.local")

Session = tuple[str, int]
"""Session id and request id of a mutation."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A transaction that is to be committed, and what is answered once it is."""

    transaction: Transaction
    result: bytes
    log_lines: list[str]
    session: Session | None
    turn: Turn | None
    done: asyncio.Future[MutationRun]


@dataclass(frozen=True, slots=True)
class _Ordered:
    """A transaction and what becomes of it.

    Attributes:
        commit: None if it was committed before, or conflicts.
    """

    waiting: _Waiting
    run: MutationRun | Conflict
    commit: Commit | None


class Committer:
    """Commits transactions in groups, each group by one write to the disk.

    Those that become ready in one turn of the loop, or while a write is on its way, are a group.
    Nobody sees a transaction, nor its own caller an answer, before it is on disk: nobody can see
    what a crash would take back.

    Args:
        durable: None commits in memory only.
        turns: of contested ranges, to which only who has the turn may write.

    Attributes:
        listeners: called with each commit once it and its group are in the store. What one of
            them raises is logged, and nobody else's concern: the commit is a fact.
    """

    def __init__(self, store: Store, durable: Durable | None, turns: Turns) -> None:
        self.listeners: list[Callable[[Commit], None]] = []
        self._store = store
        self._durable = durable
        self._turns = turns
        self._waiting: list[_Waiting] = []
        self._worker: asyncio.Task[None] | None = None
        # In the order of their timestamps, so that the oldest are forgotten first.
        self._answers: dict[Session, MutationRun] = {}
        for record in [] if durable is None else durable.requests():
            log_lines = msgspec.json.decode(record.log_lines, type=list[str])
            self._answers[record.session] = MutationRun(record.result, log_lines, record.ts)

    def answer(self, session: Session | None) -> MutationRun | None:
        """The answer to a request that was committed before, or None."""
        return None if session is None else self._answers.get(session)

    async def commit(
        self,
        transaction: Transaction,
        result: bytes,
        log_lines: list[str],
        session: Session | None,
        turn: Turn | None = None,
    ) -> MutationRun:
        """Commit a transaction; the answer, which is that of before if the request was repeated.

        A caller that is cancelled takes its transaction back, unless the write had begun: that
        is finished.

        Args:
            turn: the mutation's places in the queues for contested ranges.

        Raises:
            Conflict: another one changed what it read, or has its turn.
            sqlite3.Error: nothing of the group could be written, and nothing of it is in memory.
        """
        done: asyncio.Future[MutationRun] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(transaction, result, log_lines, session, turn, done)
        if self._durable is None:
            self._show(self._order([waiting]))
        else:
            self._waiting.append(waiting)
            if self._worker is None:
                self._worker = asyncio.create_task(self._work(self._durable))
        return await done

    async def close(self) -> None:
        """Finish what is waiting."""
        if self._worker is not None:
            await asyncio.wait([self._worker])

    async def _work(self, durable: Durable) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            try:
                ordered = self._order(group)
                await self._write(durable, ordered)
            except Exception as error:
                for waiting in group:
                    if not waiting.done.done():
                        waiting.done.set_exception(error)
            else:
                self._show(ordered)
        self._worker = None

    def _order(self, group: list[_Waiting]) -> list[_Ordered]:
        """Give timestamps to those that conflict with none before."""
        ordered: list[_Ordered] = []
        answers: dict[Session, MutationRun] = {}
        commits: list[Commit] = []
        ts = self._store.latest_ts
        for waiting in group:
            if waiting.done.cancelled():
                continue
            session = waiting.session
            known = None if session is None else self.answer(session) or answers.get(session)
            if known is not None:
                ordered.append(_Ordered(waiting, known, None))
                continue
            ts = max(time.time_ns(), ts + 1)
            try:
                commit = waiting.transaction.validated(ts, commits)
                contested = self._turns.in_the_way(commit, waiting.turn)
                if contested is not None:
                    raise Conflict(contested, is_real=False)
            except Conflict as conflict:
                ordered.append(_Ordered(waiting, conflict, None))
                continue
            run = MutationRun(waiting.result, waiting.log_lines, ts)
            commits.append(commit)
            if session is not None:
                answers[session] = run
            ordered.append(_Ordered(waiting, run, commit))
        return ordered

    async def _write(self, durable: Durable, ordered: list[_Ordered]) -> None:
        commits = [one.commit for one in ordered if one.commit is not None]
        if not commits:
            return
        records = [
            RequestRecord(
                one.waiting.session,
                one.commit.ts,
                one.waiting.result,
                msgspec.json.encode(one.waiting.log_lines),
            )
            for one in ordered
            if one.commit is not None and one.waiting.session is not None
        ]
        keep_after = commits[-1].ts - REQUESTS_KEPT
        await durable.write(commits, self._store.table_numbers, records, keep_after)

    def _show(self, ordered: list[_Ordered]) -> None:
        """Make all that is written the latest state, then tell of it: nothing can fail it now."""
        commits: list[Commit] = []
        for one in ordered:
            if one.commit is not None and isinstance(one.run, MutationRun):
                self._store.apply(one.commit)
                commits.append(one.commit)
                if one.waiting.session is not None:
                    self._answers[one.waiting.session] = one.run
                self._forget_answers(one.commit.ts - REQUESTS_KEPT)
        for commit in commits:
            for listener in self.listeners:
                try:
                    listener(commit)
                except Exception:
                    _log.exception("what follows a commit failed")
        for one in ordered:
            if one.waiting.done.cancelled():
                continue
            # Those that conflict hear of it only now: before, they would run again on a
            # snapshot without the commit that was in their way.
            if isinstance(one.run, Conflict):
                one.waiting.done.set_exception(one.run)
            else:
                one.waiting.done.set_result(one.run)

    def _forget_answers(self, before: int) -> None:
        while self._answers:
            oldest = next(iter(self._answers))
            if (self._answers[oldest].ts or 0) >= before:
                return
            del self._answers[oldest]
