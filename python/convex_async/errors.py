"""Every exception that this package raises.

    ConvexClientError                    all we raise
    ├─ FunctionError                     the function ran and failed
    │  └─ ConvexError                    the application threw it on purpose
    ├─ TransportError(ConnectionError)   no deployment reached
    │  ├─ ConnectionLostError            the socket went while the request was under way
    │  ├─ RequestTimeoutError(TimeoutError)
    │  └─ StorageError                   a file was not stored, or not fetched
    ├─ ProtocolError
    │  ├─ LocalProtocolError             this client was misused
    │  └─ RemoteProtocolError            the deployment broke, or refused, the protocol
    ├─ CodecError                        not a Convex value
    │  ├─ UnsupportedTypeError(TypeError)
    │  └─ InvalidValueError(ValueError)
    ├─ AuthError                         the token was refused after a refresh
    ├─ MessageTooLargeError              a request that the deployment's socket does not take
    ├─ InternalError                     a bug of this package stopped the client
    ├─ OutboxError                       the file of unanswered mutations can't be used
    ├─ BatchError                        one of many batches of rows failed
    └─ ClientClosedError                 the client was used after, or during, close()

All pickle, and all have `retryable`: whether the same call can succeed if made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, Literal, TypeAlias, TypeVar, cast

Outcome: TypeAlias = Literal["not_sent", "unknown"]
"""What is known of a request that got no answer: it will never run, or nobody can tell."""


_ABSENT: Any = object()


class ConvexClientError(Exception):
    """The base class of all that this package raises.

    Attributes:
        retryable: whether the same call can succeed if it is made again unchanged.
    """

    retryable: bool = False


class FunctionError(ConvexClientError):
    """A function ran and failed, was called wrongly, or does not exist.

    Attributes:
        message: the deployment's text; on production deployments only "Server Error".
        path: the function path, such as `"tasks:create"`; None if it is not known.
        log_lines: what the function logged; empty where the deployment redacts it.
        request_id: the deployment's 16 hex digits for finding the run in its logs, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        log_lines: Sequence[str] = (),
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.log_lines = tuple(log_lines)
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConvexError(FunctionError):
    """An error that the application threw on purpose, with its data.

    Users raise it too, in functions of a local deployment: `raise ConvexError({"code": "FULL"})`,
    or with a message of its own before the data, `raise ConvexError("full", {"code": "FULL"})`.

    Attributes:
        data: any Convex value, as the application gave it.
    """

    def __init__(
        self,
        message: object = None,
        data: object = _ABSENT,
        *,
        path: str | None = None,
        log_lines: Sequence[str] = (),
        request_id: str | None = None,
    ) -> None:
        if data is _ABSENT:
            data = message
            message = data if isinstance(data, str) else repr(data)
        elif message is None:
            message = data if isinstance(data, str) else repr(data)
        super().__init__(str(message), path=path, log_lines=log_lines, request_id=request_id)
        self.data: Any = data

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.data), self.__dict__


class TransportError(ConvexClientError, ConnectionError):
    """No deployment was reached, or the connection to it was lost.

    Attributes:
        outcome: "not_sent" when the request will never run, "unknown" when it may have.
    """

    retryable = True

    def __init__(self, message: str, *, outcome: Outcome = "not_sent") -> None:
        super().__init__(message)
        self.outcome: Outcome = outcome
        self.retryable = outcome == "not_sent"


class ConnectionLostError(TransportError):
    """The connection was lost while an action was under way: it may or may not have run."""

    def __init__(self, message: str, *, outcome: Outcome = "unknown") -> None:
        super().__init__(message, outcome=outcome)


class RequestTimeoutError(TransportError, TimeoutError):
    """No answer came within the call's `timeout`.

    Attributes:
        outcome: "not_sent" when the request was withdrawn and will never run, else "unknown".
    """

    @classmethod
    def after(
        cls, what: str, seconds: float | None, outcome: Outcome, *, because: str = ""
    ) -> RequestTimeoutError:
        """The error of a request that had so many seconds.

        Args:
            because: what is known to be in the way, if anything is.
        """
        known = "it was not sent, and will not run" if outcome == "not_sent" else "it may have run"
        hint = f" ({because})" if because else ""
        return cls(f"{what}: no answer within {seconds} s; {known}{hint}", outcome=outcome)


class StorageError(TransportError):
    """A file was not uploaded, or not downloaded whole.

    Attributes:
        outcome: of an upload: "not_sent" when nothing was stored, "unknown" when it may have been.
        status: the HTTP status of the deployment's answer, or None if there was none.
        code: the deployment's code for the error, such as `StorageTokenExpired`, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        outcome: Outcome = "not_sent",
        status: int | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, outcome=outcome)
        self.status = status
        self.code = code
        # Asking again for a file that is not there, or with a spent URL, is of no use.
        self.retryable = self.retryable and (
            status is None or status in (408, 429) or status >= 500
        )


class ProtocolError(ConvexClientError):
    """The rules of the sync protocol, or of this client, were broken."""


class LocalProtocolError(ProtocolError):
    """This client was used wrongly: from another loop, thread or process, or twice at once."""


class RemoteProtocolError(ProtocolError):
    """The deployment sent what the protocol does not allow, or ended the session for good.

    Attributes:
        outcome: "not_sent" when the request will never run, "unknown" when it may have.
    """

    outcome: Outcome = "unknown"


class CodecError(ConvexClientError):
    """Something is not a Convex value, in Python or on the wire.

    Attributes:
        path: where it is, such as `args.items[3].price`.
        offset: the byte offset in the wire text, or None when encoding.
        outcome: "unknown" where it is the answer that is none, so that the function has run.
    """

    outcome: Outcome = "not_sent"

    def __init__(self, message: str, *, path: str = "", offset: int | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.offset = offset


class UnsupportedTypeError(CodecError, TypeError):
    """A Python value of a type that has no Convex form."""


class InvalidValueError(CodecError, ValueError):
    """A value out of range, a bad field name, a surrogate, too deep, or malformed wire text."""


class AuthError(ConvexClientError):
    """The deployment refused the token, also after a refresh.

    Attributes:
        outcome: "not_sent" when the request will never run, "unknown" when it may have.
    """

    def __init__(self, message: str, *, outcome: Outcome = "not_sent") -> None:
        super().__init__(message)
        self.outcome: Outcome = outcome


class MessageTooLargeError(ConvexClientError, ValueError):
    """A request is larger on the wire than the deployment's WebSocket takes.

    Files of any size go by `upload`; much data goes in several calls.

    Attributes:
        outcome: "not_sent" when the request will never run, "unknown" when it may have.
    """

    def __init__(self, message: str, *, outcome: Outcome = "not_sent") -> None:
        super().__init__(message)
        self.outcome: Outcome = outcome


class InternalError(ConvexClientError):
    """The client stopped on a bug of this package, which is the `__cause__`. Please report it.

    Attributes:
        outcome: "not_sent" when the request will never run, "unknown" when it may have.
    """

    outcome: Outcome = "unknown"


class OutboxError(ConvexClientError):
    """The outbox is another client's, of another deployment, or can't be read or written.

    Attributes:
        outcome: "not_sent" when the mutation will never run, "unknown" when it may, as where it
            stays in the file.
    """

    outcome: Outcome = "not_sent"


class BatchError(ConvexClientError):
    """One batch of `mutation_batches` failed; its cause is the error of the mutation.

    Attributes:
        rows: those of the batch.
        index: of its first row, among all.
        results: of the batches before, which were applied.
        later: of each batch that was sent before this one had failed: the index of its first row,
            how many rows, and its result or error.
    """

    def __init__(
        self,
        message: str,
        *,
        rows: Sequence[object] = (),
        index: int = 0,
        results: Sequence[object] = (),
        later: Sequence[tuple[int, int, object]] = (),
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.rows = rows
        self.index = index
        self.results = results
        self.later = later
        self.retryable = retryable


class ClientClosedError(ConvexClientError):
    """The client was closed before the call was made, or before it was answered.

    Attributes:
        outcome: "not_sent" when the request will never run, "unknown" when it may have.
    """

    def __init__(self, message: str = "the client is closed", *, outcome: Outcome = "not_sent"):
        super().__init__(message)
        self.outcome: Outcome = outcome


E = TypeVar("E", bound=ConvexClientError)


def once_more(error: E, outcome: Outcome | None = None) -> E:
    """The same error for one more who waits: an object of their own, and without a traceback.

    Args:
        outcome: what is known of their request; None for none.
    """
    own = copy(error)
    own.__cause__ = error.__cause__
    if outcome is not None and hasattr(own, "outcome"):
        cast(Any, own).outcome = outcome
    return own
