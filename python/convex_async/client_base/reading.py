"""How a client reads what a call is given: in the caller's frame, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import Struct

from convex_async.calls import Call, Verb
from convex_async.client_base.asked import unpack
from convex_async.codec.typed import Converter, converter
from convex_async.codec.values import encode, encode_arguments
from convex_async.function_path import FunctionPath, FunctionReference, canonical_path
from convex_async.values import Arguments

EncHook: TypeAlias = Callable[[Any], Any]
"""What to send for a value without a Convex form; NotImplementedError for one it does not know."""
DecHook: TypeAlias = Callable[[Any, Any], Any]
"""`dec_hook(type, value)`: a value of a type that nobody here knows, of a Convex value."""


class Reading(Struct, frozen=True):
    """What a client was told of the user's values.

    Attributes:
        enc_hook: called with what has no Convex form, for what to send in its place.
        omit_none: whether fields of arguments that are None are left out.
        dec_hook: `dec_hook(type, value)`, for types that `type=` asks for and nobody here knows.
    """

    enc_hook: EncHook | None = None
    dec_hook: DecHook | None = None
    omit_none: bool = False

    def call(
        self,
        verb: Verb,
        path: str | FunctionReference | Call[Any],
        args: Arguments | None,
        type: Any,
    ) -> tuple[FunctionPath, bytes, Converter | None]:
        """The path in canonical form, the arguments as wire bytes, and what makes the result.

        Args:
            path: or a typed call, which has arguments and a type of its own.
            type: where a call is given, in place of the call's own; None takes that.

        Raises:
            ValueError, TypeError: the path is none; the call is for another verb, or has
                arguments beside it; no value could become a `type`.
            CodecError: the arguments are no Convex values.
        """
        path, args, type = unpack(verb, path, args, type)
        return canonical_path(path), self.arguments(args), self.converter(type)

    def arguments(self, args: Arguments | None) -> bytes:
        """A call's arguments as canonical wire bytes."""
        return encode_arguments(args, enc_hook=self.enc_hook, omit_none=self.omit_none)

    def value(self, value: object) -> bytes:
        """A value as canonical wire bytes."""
        return encode(value, enc_hook=self.enc_hook, omit_none=self.omit_none)

    def converter(self, type: Any) -> Converter | None:
        """What makes results of a type; None gives them as they come."""
        made: Converter | None = converter(type, self.dec_hook)
        return made
