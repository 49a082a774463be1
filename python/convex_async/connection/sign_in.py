"""Who a client is while it runs: its tokens are fetched in time, and its outbox knows its user."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from convex_async.auth.credentials import user_of
from convex_async.auth.tokens import TokenFetcher, TokenSource
from convex_async.connection.callers import Callers
from convex_async.connection.delivery import Delivery
from convex_async.connection.mailbox import Mailbox
from convex_async.errors import AuthError, MessageTooLargeError
from convex_async.outbox.journal import NoJournal
from convex_async.protocol.client.client_protocol import ClientProtocol
from convex_async.protocol.client.identity import Credential
from convex_async.protocol.client.requests import RequestId

logger: logging.Logger = logging.getLogger("convex_async")


class SignIn:
    """Gets credentials to the core, and mutations of earlier processes to their user.

    Args:
        delivery: settles what the core says to all this.
        clock: the core's, monotonic seconds.
    """

    def __init__(
        self,
        core: ClientProtocol[Mailbox],
        callers: Callers,
        journal: NoJournal,
        *,
        loop: asyncio.AbstractEventLoop,
        delivery: Delivery,
        clock: Callable[[], float],
    ) -> None:
        self._core = core
        self._callers = callers
        self._journal = journal
        self._is_open = False
        self._loop = loop
        self._delivery = delivery
        self._clock = clock
        self._tokens: TokenSource | None = None
        self._task: asyncio.Task[None] | None = None

    def become(self, credential: Credential | None, fetch: TokenFetcher | None) -> None:
        """Be another user, with a credential or with a fetcher that gets one."""
        self.stop()
        self._core.set_identity(credential, now=self._clock(), refreshable=fetch is not None)
        self._identify(credential)
        if fetch is not None:
            self.fetch(fetch)

    def fetch(self, fetch: TokenFetcher) -> None:
        """Begin to get tokens for the present user, who waits for one."""
        self._tokens = TokenSource(fetch, clock=self._clock)
        self._task = self._loop.create_task(
            self._tokens.run(self._provide, self._refuse), name="convex-async token"
        )

    def renew(self, refused: str) -> None:
        """The deployment refused the token: fetch another."""
        if self._tokens is not None:
            self._tokens.renew(refused=refused)

    def renew_if_ending(self) -> None:
        """A socket is about to be opened: send no token on it that ends any moment."""
        if self._tokens is not None and self._tokens.is_ending:
            self._core.hold_identity()
            self._tokens.renew()

    def stop(self) -> None:
        """Fetch no more tokens."""
        if self._task is not None:
            self._task.cancel()
        self._tokens = self._task = None

    def _provide(self, credential: Credential) -> None:
        self._core.provide_token(credential, now=self._clock())
        self._identify(credential)
        self._delivery.settle()

    def _refuse(self, error: AuthError) -> None:
        self._core.refuse_identity(str(error))
        self._delivery.settle(cause=error.__cause__)

    async def open(self) -> None:
        """Get the journal ready, and queue what earlier processes left. Idempotent.

        Raises:
            OutboxError: it can't be had.
        """
        await self._journal.open()
        if self._journal.is_kept and not self._is_open:
            assert self._journal.session_id is not None
            self._core.session_id = self._journal.session_id
            self._is_open = True
            self._callers.begin_journal()
            self._identify(self._core.identity.credential)

    def _identify(self, credential: Credential | None) -> None:
        """Tell the journal of the present user; None while a token is being fetched."""
        if not self._is_open:
            return
        user = self._callers.user = None if credential is None else user_of(credential)
        if credential is None or user is None:
            return
        is_token = credential.token_type == "User"
        if is_token:
            self._journal.name_user(user)
        for entry in self._journal.take(user, is_token=is_token):
            request_id = RequestId(entry.request_id)
            try:
                self._core.restore(request_id, entry.path, entry.wire)
            except MessageTooLargeError as error:
                logger.warning("a mutation of an earlier process can't be sent: %s", error)
                self._journal.fail(request_id, str(error))
