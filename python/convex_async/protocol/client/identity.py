"""Who this client is: the credential, and whether the deployment has taken it.

A client may change users while requests of the old one are unanswered. Each request therefore
belongs to an *epoch*, which counts the users, and goes out only while its own epoch's credential
is the one in force on the socket. A refreshed token is the same user, and the same epoch.

Source: convex-js src/browser/sync/authentication_manager.ts and local_state.ts.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Raw, Struct

from convex_async.protocol.messages import ABSENT, Authenticate

# Tokens fetched anew after a refusal before the refusal is final (convex-js: MAX_TOKEN_RETRIES).
FORCED_TRIES = 2


class Credential(Struct, frozen=True):
    """What an Authenticate message carries.

    Attributes:
        token_type: as on the wire.
        value: a JWT or an admin key; None for anonymous.
        acting_as: JSON object of the user whom an admin acts as; empty for none.
    """

    token_type: Literal["User", "Admin", "None"]
    value: str | None = None
    acting_as: bytes = b""

    def __repr__(self) -> str:
        return f"Credential({self.token_type!r})"


ANONYMOUS = Credential("None")


class Waiting(Struct, frozen=True):
    """A token is being fetched; until then nothing is sent, so that nothing runs anonymously."""


class Unconfirmed(Struct, frozen=True):
    """The credential is on its way, or will be with the next socket."""

    credential: Credential


class Confirmed(Struct, frozen=True):
    """The deployment has acknowledged the credential on the present socket."""

    credential: Credential


class Refused(Struct, frozen=True):
    """The credential was refused for good; another identity has to be set."""

    message: str


IdentityState: TypeAlias = Waiting | Unconfirmed | Confirmed | Refused
Verdict: TypeAlias = Literal["stale", "earlier", "retry", "final"]


class ClientIdentity:
    """The identity of one client over all its sockets.

    Attributes:
        state: of the present epoch.
        epoch: counts the users; 0 is the anonymous one that a client starts as.
        version: Authenticate messages sent on the present socket.
    """

    def __init__(self) -> None:
        self.state: IdentityState = Confirmed(ANONYMOUS)
        self.epoch: int = 0
        self.version: int = 0
        self._refreshable = False
        self._forced_tries = 0
        self._credentials: dict[int, Credential] = {0: ANONYMOUS}
        self._in_force = ANONYMOUS
        self._epoch_in_force = 0

    @property
    def is_settled(self) -> bool:
        """Whether results are those of the present user."""
        return isinstance(self.state, Confirmed)

    @property
    def awaits_confirmation(self) -> bool:
        """Whether the present user's credential is known, and not yet known to be in force."""
        # `isinstance` asks the metaclass of Structs, which takes longer than the comparison.
        return type(self.state) is Unconfirmed

    @property
    def credential(self) -> Credential | None:
        """What the present user has shown; None while it is being fetched for the first time."""
        return self._credentials.get(self.epoch)

    def is_due(self, epoch: int) -> bool:
        """Whether an Authenticate has to precede what is sent as this epoch."""
        return self._credentials[epoch] != self._in_force

    def switch(self, credential: Credential | None, *, refreshable: bool) -> None:
        """Become another user, with this credential or one that is being fetched.

        Args:
            refreshable: whether a refused token can be fetched anew.
        """
        self.epoch += 1
        self._refreshable = refreshable
        self._forced_tries = 0
        self.state = Waiting()
        if credential is not None:
            self.provide(credential)

    def provide(self, credential: Credential) -> None:
        """A credential of the present user, the first or a renewed one."""
        self._credentials[self.epoch] = credential
        if self.state != Confirmed(credential):
            self.state = Unconfirmed(credential)

    def hold(self) -> None:
        """The present token is about to end: wait for `provide` before anything is sent."""
        self.state = Waiting()

    def restart(self) -> None:
        """A new socket, on which the deployment takes this client for anonymous."""
        self.version = 0
        self._in_force = ANONYMOUS
        if isinstance(self.state, Confirmed):
            self.state = Unconfirmed(self.state.credential)

    def speak_as(self, epoch: int) -> Authenticate | None:
        """The message that puts the epoch's credential in force, if it is not already."""
        credential = self._credentials[epoch]
        self._epoch_in_force = epoch
        if credential == self._in_force:
            return None
        self._in_force = credential
        self.version += 1
        acting_as = Raw(credential.acting_as) if credential.acting_as else ABSENT
        return Authenticate(self.version - 1, credential.token_type, credential.value, acting_as)

    def forget(self, before: int) -> None:
        """The credentials of earlier epochs are not needed any more: no request is of them."""
        for epoch in [epoch for epoch in self._credentials if epoch < before]:
            del self._credentials[epoch]

    def has_credential(self, epoch: int) -> bool:
        """Whether requests of this epoch can ever be sent."""
        return epoch in self._credentials

    def acknowledged(self, version: int) -> bool:
        """A transition came with this identity version: whether that confirms the present user."""
        if not isinstance(self.state, Unconfirmed):
            return False
        credential = self.state.credential
        if version < self.version or credential != self._in_force:
            return False
        self.state = Confirmed(credential)
        self._forced_tries = 0
        return True

    def refused(self, message: str, *, base_version: int | None, attempted: bool) -> Verdict:
        """The deployment sent an AuthError; what it means here.

        Args:
            base_version: the identity version of the last transition before it.
            attempted: whether it answers an Authenticate, or tells of an expired token.

        Returns:
            "stale": of a credential that is replaced already, the next socket brings the new one;
            "earlier": of an earlier user, whose requests can't be finished;
            "retry": another token has to be fetched; "final": the present user is refused.
        """
        if isinstance(self.state, Waiting | Refused):
            return "stale"
        if not attempted and isinstance(self.state, Unconfirmed):
            return "stale"
        if base_version is not None and base_version + 1 < self.version:
            return "stale"
        if self._epoch_in_force < self.epoch:
            return "earlier"
        if self._refreshable and self._forced_tries < FORCED_TRIES:
            self._forced_tries += 1
            self.state = Waiting()
            return "retry"
        self.state = Refused(message)
        return "final"

    def give_up(self, message: str) -> None:
        """No token is to be had for the present user."""
        self.state = Refused(message)
