"""Which functions were called: what a test looks at afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from convex_async.codec.diff import same
from convex_async.codec.values import decode, encode_arguments
from convex_async.errors import CodecError
from convex_async.function_path import FunctionReference, canonical_path
from convex_async.local.definitions.functions import FunctionKind

# Calls that a failed assertion shows, the latest.
SHOWN = 20
# Characters of the arguments of one.
SHOWN_ARGS = 200


class FunctionCall(Struct, frozen=True):
    """One call of a function: by a client, the scheduler, a cron, or an action.

    Attributes:
        kind: "query", "mutation" or "action", as it was called.
        path: in canonical form, as it was called; there need not be such a function.
        wire: the wire bytes of the arguments.
    """

    kind: FunctionKind
    path: str
    wire: bytes

    @property
    def args(self) -> dict[str, Any]:
        """The arguments, decoded afresh."""
        args: dict[str, Any] = decode(self.wire)
        return args

    def __repr__(self) -> str:
        args = self.wire.decode(errors="replace")
        shown = args if len(args) <= SHOWN_ARGS else f"{args[:SHOWN_ARGS]}…"
        return f"<{self.kind} {self.path} {shown}>"


def assert_called(
    calls: Iterable[FunctionCall],
    path: str | FunctionReference,
    args: Mapping[str, Any] | None,
    times: int | None,
) -> None:
    """Raise `AssertionError`, with the calls there were, unless a function was called so.

    Args:
        args: all its arguments; None for any.
        times: how often; None for at least once.
    """
    wanted = canonical_path(path)
    wire = None if args is None else encode_arguments(args)
    calls = list(calls)
    to_it = [call for call in calls if _canonical(call.path) == wanted]
    like_it = [call for call in to_it if wire is None or _same(wire, call.wire)]
    if len(like_it) == times or (times is None and like_it):
        return
    what = wanted if wire is None else f"{wanted} {wire.decode()}"
    often = {None: "at least once", 0: "never", 1: "once"}.get(times, f"{times} times")
    raise AssertionError(
        f"{what} was to be called {often}, and was called {_times(len(like_it))}.\n"
        + _shown(to_it if to_it else calls, wanted if to_it else None)
    )


def _same(wanted: bytes, wire: bytes) -> bool:
    try:
        return same(wanted, wire)
    except CodecError:
        return False  # what was sent is no Convex value


def _canonical(path: str) -> str:
    try:
        return canonical_path(path)
    except ValueError:
        return path


def _shown(calls: list[FunctionCall], path: str | None) -> str:
    if not calls:
        return "Nothing was called."
    title = "The calls there were:" if path is None else f"The calls of {path} there were:"
    left_out = [f"  … {len(calls) - SHOWN} earlier ones"] if len(calls) > SHOWN else []
    return "\n".join([title, *left_out, *(f"  {call!r}" for call in calls[-SHOWN:])])


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")
