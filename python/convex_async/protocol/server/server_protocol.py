"""The deployment's end of the sync protocol, for one socket: messages in, work and messages out.

Like the client's end it does nothing by itself: its state says what work is due, the engine asks,
runs and reports. Source: convex-backend crates/sync/src/worker.rs and state.rs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Generic, assert_never

from convex_async.protocol.messages import (
    INITIAL_VERSION,
    Action,
    ActionResponse,
    Add,
    Authenticate,
    AuthError,
    ClientMessage,
    Connect,
    Event,
    FatalError,
    Modification,
    ModifyQuerySet,
    Mutation,
    MutationResponse,
    QueryRemoved,
    Remove,
    ServerMessage,
    StateVersion,
    Transition,
    format_timestamp,
    parse_timestamp,
)
from convex_async.protocol.results import FunctionResult
from convex_async.protocol.server.checks import MAX_QUERIES, check
from convex_async.protocol.server.replies import change_of_result, response_of
from convex_async.protocol.server.work import (
    Close,
    Identity,
    RunAction,
    RunMutation,
    RunQueries,
    SubscribedQuery,
    Verify,
    Work,
)

# Source for all: convex-backend crates/sync/src/worker.rs.
MAX_QUEUED_MUTATIONS = 1000
MAX_RUNNING_ACTIONS = 1000
MAX_UNSENT_TRANSITIONS = 2


class ServerProtocol(Generic[Identity]):
    """One socket. Identities are the shell's own: the core only hands them back.

    Attributes:
        session_id: names the client over all its sockets; None without a Connect.
        closing: set once the socket is to be ended, after `messages_to_send` was sent.
    """

    def __init__(self) -> None:
        self.session_id: str | None = None
        self.closing: Close | None = None
        self._current = INITIAL_VERSION
        self._query_set = 0
        self._identity_version = 0
        self._identity: Identity | None = None
        self._expires_at: float | None = None
        self._skew: int | None = None
        self._queries: dict[int, SubscribedQuery] = {}
        self._changes: list[Add | Remove] = []
        self._inbox: deque[ClientMessage] = deque()
        self._verifying: Authenticate | None = None
        self._mutations: deque[RunMutation[Identity]] = deque()
        self._running_mutation: Mutation | None = None
        self._is_committing = False
        self._running_actions = 0
        self._in_transition: StateVersion | None = None
        self._removed: list[int] = []
        self._to_run: list[SubscribedQuery] = []
        self._update_due = False
        self._work: list[Work[Identity]] = []
        self._outbox: list[ServerMessage] = []

    # What came

    def received(self, message: ClientMessage, *, now: float, ts: int) -> None:
        """A message came.

        Args:
            now: seconds since the epoch.
            ts: the latest commit, ns since the epoch.
        """
        try:
            check(message)
        except ValueError as error:
            self.fatal(f"Received Invalid JSON on websocket: {error}")
            return
        self._inbox.append(message)
        self._process(now, ts)

    def verified(
        self, identity: Identity | None, *, expires_at: float | None, now: float, ts: int
    ) -> None:
        """The token that `Verify` asked about is this identity's.

        Args:
            expires_at: seconds since the epoch, or None.
        """
        message, self._verifying = self._verifying, None
        if message is None or self.closing:
            return
        if message.base_version != self._identity_version:
            self._close(1011, "InternalServerError")
            return
        self._identity, self._expires_at = identity, expires_at
        self._identity_version += 1
        for query in self._queries.values():
            query.is_valid = False
        self._update_due = True
        self._process(now, ts)

    def refused(self, message: str) -> None:
        """The token that `Verify` asked about is refused."""
        self._auth_error(message, attempted=True)

    def _process(self, now: float, ts: int) -> None:
        while self._inbox and self._verifying is None and self.closing is None:
            self._handle(self._inbox.popleft(), now, ts)

    def _handle(self, message: ClientMessage, now: float, ts: int) -> None:
        match message:
            case Connect():
                self._connect(message, now, ts)
            case ModifyQuerySet():
                self._modify(message)
            case Authenticate():
                self._verifying = message
                self._work.append(Verify(message))
            case Mutation():
                if self._is_expired(now):
                    return
                if len(self._mutations) >= MAX_QUEUED_MUTATIONS:
                    self._close(1013, "TooManyConcurrentMutations")
                    return
                self._mutations.append(RunMutation(message, self._identity))
            case Action():
                if self._is_expired(now):
                    return
                if self._running_actions > MAX_RUNNING_ACTIONS:
                    self._close(1013, "TooManyInflightActionsForSingleClient")
                    return
                self._running_actions += 1
                self._work.append(RunAction(message, self._identity))
            case Event():
                pass
            case _:
                assert_never(message)

    def _connect(self, message: Connect, now: float, ts: int) -> None:
        self.session_id = message.session_id
        if message.client_ts is not None:
            self._skew = message.client_ts - int(now * 1000)
        observed = message.max_observed_timestamp
        if observed is not None and parse_timestamp(observed) > ts:
            # The client has seen a later state than there is: it is another deployment's.
            self._close(1011, "InternalServerError")

    def _modify(self, message: ModifyQuerySet) -> None:
        if message.base_version != self._query_set:
            self.fatal(
                f"Base version {message.base_version} passed up doesn't match the current version "
                f"{self._query_set}"
            )
        elif message.new_version <= message.base_version:
            self._close(1011, "InternalServerError")
        else:
            self._query_set = message.new_version
            self._changes += message.modifications
            self._update_due = True

    def invalidated(self, query_id: int) -> None:
        """A commit touched what the query read."""
        query = self._queries.get(query_id)
        if query is not None:
            query.is_valid = False
            # While the running mutation commits, its response goes first, and one transition
            # tells of both: `mutation_done` makes it due.
            if not self._is_committing:
                self._update_due = True

    def schedule_transition(self) -> None:
        """A transition is due, though nothing has changed."""
        self._update_due = True

    # What was done

    def mutation_commits(self) -> None:
        """The running mutation has succeeded, and what it wrote is about to be seen."""
        self._is_committing = True

    def mutation_done(self, result: FunctionResult, ts: int | None) -> None:
        """The running mutation is over; `ts` is its commit, None if it failed."""
        message, self._running_mutation = self._running_mutation, None
        self._is_committing = False
        if message is None or self.closing:
            return
        stamp = None if ts is None else format_timestamp(ts)
        success, value, data = response_of(result)
        lines = list(result.log_lines)
        self._outbox.append(
            MutationResponse(message.request_id, success, value, stamp, lines, data)
        )
        self._update_due = True

    def action_done(self, request_id: int, result: FunctionResult) -> None:
        """An action is over."""
        self._running_actions -= 1
        if self.closing:
            return
        success, value, data = response_of(result)
        lines = list(result.log_lines)
        self._outbox.append(ActionResponse(request_id, success, value, lines, data))
        self._update_due = True

    def queries_done(
        self,
        ts: int,
        results: Mapping[int, FunctionResult],
        journals: Mapping[int, str | None] | None = None,
        *,
        server_ts: int | None = None,
    ) -> None:
        """The queries that `RunQueries` asked for have run on the snapshot of `ts`.

        Args:
            results: by query id.
            journals: of the queries that have one, by query id.
            server_ts: the time of sending, ns since the epoch.
        """
        end, self._in_transition = self._in_transition, None
        if end is None or self.closing:
            return
        end = StateVersion(end.query_set, end.identity, format_timestamp(ts))
        # One for each id: of a query that was removed and added again, the result alone.
        changes: dict[int, Modification] = {
            query_id: QueryRemoved(query_id) for query_id in self._removed
        }
        self._removed = []
        for query_id, result in results.items():
            query = self._queries.get(query_id)
            if query is None:
                continue
            query.journal = None if journals is None else journals.get(query_id)
            if (change := change_of_result(query, result)) is not None:
                changes[query_id] = change
        ordered = [changes[query_id] for query_id in sorted(changes)]
        self._outbox.append(Transition(self._current, end, ordered, self._skew, server_ts))
        self._current = end

    def expire_token(self) -> None:
        """Take the token for expired, whatever it says; nothing happens to who has none."""
        if self._identity is not None:
            self._expires_at = 0.0
            self._update_due = True

    def fatal(self, message: str, code: int | None = None, reason: str = "") -> None:
        """The client did what it may not: it is told, and must not try again.

        Args:
            code: of the close frame; None for one without a status.
        """
        if not self.closing:
            self._outbox = [FatalError(message)]
            self.closing = Close(code, reason)

    def fail(self, code: int, reason: str) -> None:
        """End the socket for a problem of the deployment; the client may try again."""
        self._close(code, reason)

    # What to do

    def work(self, *, now: float) -> list[Work[Identity]]:
        """What is to be done now; each piece of work is given once.

        Args:
            now: seconds since the epoch.
        """
        if self.closing:
            return []
        if self._running_mutation is None and self._mutations:
            run = self._mutations.popleft()
            self._running_mutation = run.message
            self._work.append(run)
        if (run_queries := self._begin_transition(now)) is not None:
            self._work.append(run_queries)
        work, self._work = self._work, []
        return work

    def messages_to_send(self) -> list[ServerMessage]:
        """What goes out now, in order; call it when the last batch is written."""
        messages, self._outbox = self._outbox, []
        return messages

    def _begin_transition(self, now: float) -> RunQueries[Identity] | None:
        unsent = sum(isinstance(message, Transition) for message in self._outbox)
        if not self._update_due or self._in_transition or unsent >= MAX_UNSENT_TRANSITIONS:
            return None
        if self._verifying is not None or self._is_expired(now):
            return None
        self._update_due = False
        changes, self._changes = self._changes, []
        for change in changes:
            if isinstance(change, Add) and change.query_id not in self._queries:
                self._queries[change.query_id] = SubscribedQuery(
                    change.query_id,
                    change.udf_path,
                    change.args,
                    change.journal,
                    change.component_path,
                )
            elif isinstance(change, Remove) and change.query_id in self._queries:
                del self._queries[change.query_id]
                self._removed.append(change.query_id)
            else:
                self._close(1011, "InternalServerError")
                return None
        if len(self._queries) > MAX_QUERIES:
            self.fatal(f"more than {MAX_QUERIES} queries on one socket")
            return None
        self._in_transition = StateVersion(
            self._query_set, self._identity_version, self._current.ts
        )
        self._to_run = self._take_invalid()
        return RunQueries(list(self._to_run), list(self._removed), self._identity)

    def snapshot_opened(self) -> list[SubscribedQuery]:
        """The snapshot for `RunQueries` is open: the queries to run on it, as its identity.

        A commit since that work was given is in the snapshot, and so in the transition's
        timestamp: what it touched runs too. Not so after a change of the identity, which the
        next transition tells of.
        """
        queries, self._to_run = self._to_run, []
        end = self._in_transition
        if end is not None and end.identity == self._identity_version:
            known = {query.query_id for query in queries}
            queries += [query for query in self._take_invalid() if query.query_id not in known]
        return queries

    def _take_invalid(self) -> list[SubscribedQuery]:
        """The queries whose results are out of date, which are taken to be run from now on."""
        queries = [query for query in self._queries.values() if not query.is_valid]
        for query in queries:
            query.is_valid = True
        return queries

    def is_subscribed(self, query: SubscribedQuery) -> bool:
        """Whether the query is still wanted."""
        return self._queries.get(query.query_id) is query

    def _is_expired(self, now: float) -> bool:
        if self._expires_at is None or now < self._expires_at:
            return False
        self._auth_error("Convex token identity expired", attempted=False)
        return True

    def _auth_error(self, message: str, *, attempted: bool) -> None:
        if not self.closing:
            self._outbox = [AuthError(message, self._current.identity, attempted)]
            self.closing = Close(None, "")

    def _close(self, code: int, reason: str) -> None:
        if not self.closing:
            self.closing = Close(code, reason)
