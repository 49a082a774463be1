"""How a client reads what a call is given: in the caller's frame, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from convex_async.codec.typed import Converter, converter
from convex_async.codec.values import encode_arguments
from convex_async.function_path import FunctionPath, FunctionReference, canonical_path


class Reading(Struct, frozen=True):
    """What a client was told of the user's values.

    Attributes:
        dec_hook: `dec_hook(type, value)`, for types that `type=` asks for and nobody here knows.
    """

    dec_hook: Callable[[Any, Any], Any] | None = None

    def call(
        self, path: str | FunctionReference, args: Mapping[str, Any] | None, type: Any
    ) -> tuple[FunctionPath, bytes, Converter | None]:
        """The path in canonical form, the arguments as wire bytes, and what makes the result.

        Raises:
            ValueError, TypeError: the path is none; no value could become a `type`.
            CodecError: the arguments are no Convex values.
        """
        return canonical_path(path), self.arguments(args), self.converter(type)

    def arguments(self, args: Mapping[str, Any] | None) -> bytes:
        """A call's arguments as canonical wire bytes."""
        return encode_arguments(args)

    def converter(self, type: Any) -> Converter | None:
        """What makes results of a type; None gives them as they come."""
        made: Converter | None = converter(type, self.dec_hook)
        return made
