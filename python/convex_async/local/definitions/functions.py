"""The functions of a deployment: registered by decorators, called by path."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

from convex_async.function_path import FunctionPath, canonical_path
from convex_async.local.definitions.crons import Crons
from convex_async.local.definitions.http_actions import HttpRouter
from convex_async.local.definitions.schema import Schema
from convex_async.local.definitions.validators import (
    Validator,
    as_fields,
    as_validator,
    fields_to_json,
)

FunctionKind: TypeAlias = Literal["query", "mutation", "action"]
Args: TypeAlias = Mapping[str, Validator] | Validator | None
Returns: TypeAlias = Mapping[str, Validator] | Validator | None
Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is known of a function without running it, whatever language it is written in.

    Attributes:
        args: a validator per argument, or None to take any.
        returns: of the result, or None.
        is_internal: whether only admins and other functions may call it.
    """

    path: FunctionPath
    kind: FunctionKind
    args: Mapping[str, Validator] | None
    returns: Validator | None
    is_internal: bool

    def to_json(self) -> dict[str, Any]:
        """The function as Convex's function specification writes it."""
        module, _, name = self.path.rpartition(":")
        any_value: dict[str, Any] = {"type": "any"}
        return {
            "functionType": self.kind.capitalize(),
            "identifier": f"{module}.js:{name}",
            "visibility": {"kind": "internal" if self.is_internal else "public"},
            "args": any_value
            if self.args is None
            else {"type": "object", "value": fields_to_json(self.args)},
            "returns": any_value if self.returns is None else self.returns.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Function(Declaration):
    """One registered function, and what runs it."""

    handler: Callable[..., Any]


class Functions:
    """The functions of a deployment, and its schema.

    Handlers are `async def handler(ctx, **arguments)`, or plain `def`; they get the arguments by
    name and give a Convex value back.

    Args:
        schema: the tables; without one, any table with any fields may be used.

    Attributes:
        crons: functions to run by the clock.
    """

    def __init__(self, schema: Schema | None = None) -> None:
        self.schema = schema
        self.crons: Crons = Crons()
        self.http: HttpRouter = HttpRouter()
        self.all: dict[FunctionPath, Function] = {}

    def http_action(self, method: str, path: str) -> Callable[[Handler], Handler]:
        """Register an HTTP action: `async def handler(ctx, request)` that answers a `Response`.

        Args:
            path: beginning with a slash; one that ends in `/*` takes all paths below it.

        Raises:
            ValueError, TypeError: as for other functions.
        """

        def register(handler: Handler) -> Handler:
            self.http.add(method, path, handler)
            return handler

        return register

    def __len__(self) -> int:
        return len(self.all)

    def get(self, path: str) -> Function | None:
        """The function of a path in any spelling, or None.

        Raises:
            ValueError: it is no function path.
        """
        return self.all.get(canonical_path(path))

    def query(
        self,
        path: str,
        args: Args = None,
        returns: Returns = None,
    ) -> Callable[[Handler], Handler]:
        """Register a query: it reads, and is run again when what it read changes.

        Args:
            path: such as `"tasks:list"`.
            args: a validator for each argument, such as `{"text": v.string()}`, or `v.object(…)`
                of them; None takes any.
            returns: a validator of the result, or those of the fields of one.

        Raises:
            ValueError: the path is malformed or taken.
            TypeError: the handler does not take `ctx`, or not these arguments.
        """
        return self._register("query", path, args, returns, is_internal=False)

    def mutation(
        self,
        path: str,
        args: Args = None,
        returns: Returns = None,
    ) -> Callable[[Handler], Handler]:
        """Register a mutation: a serializable transaction. Otherwise as `query`."""
        return self._register("mutation", path, args, returns, is_internal=False)

    def action(
        self,
        path: str,
        args: Args = None,
        returns: Returns = None,
    ) -> Callable[[Handler], Handler]:
        """Register an action: it may do anything, and reaches data by other functions."""
        return self._register("action", path, args, returns, is_internal=False)

    def internal_query(
        self,
        path: str,
        args: Args = None,
        returns: Returns = None,
    ) -> Callable[[Handler], Handler]:
        """Register a query that only other functions and admins may call."""
        return self._register("query", path, args, returns, is_internal=True)

    def internal_mutation(
        self,
        path: str,
        args: Args = None,
        returns: Returns = None,
    ) -> Callable[[Handler], Handler]:
        """Register a mutation that only other functions and admins may call."""
        return self._register("mutation", path, args, returns, is_internal=True)

    def internal_action(
        self,
        path: str,
        args: Args = None,
        returns: Returns = None,
    ) -> Callable[[Handler], Handler]:
        """Register an action that only other functions and admins may call."""
        return self._register("action", path, args, returns, is_internal=True)

    def _register(
        self,
        kind: FunctionKind,
        path: str,
        args: Args,
        returns: Returns,
        *,
        is_internal: bool,
    ) -> Callable[[Handler], Handler]:
        function_path = canonical_path(path)
        fields = as_fields(args, f"the arguments of {path!r}")
        result = None if returns is None else as_validator(returns, f"the result of {path!r}")
        if function_path in self.all:
            raise ValueError(f"{path!r} is registered already")

        def register(handler: Handler) -> Handler:
            if not callable(handler):
                raise TypeError(f"the handler of {path!r} is not callable: {handler!r}")
            _check_signature(path, handler, fields)
            self.all[function_path] = Function(
                function_path, kind, fields, result, is_internal, handler
            )
            return handler

        return register


def _check_signature(
    path: str, handler: Callable[..., Any], args: Mapping[str, Validator] | None
) -> None:
    signature = inspect.signature(handler)
    required = {name: None for name, v in (args or {}).items() if not v.is_optional}
    try:
        if args is None:
            signature.bind_partial(None)
        else:
            signature.bind(None, **required)
            signature.bind(None, **dict.fromkeys(args))
    except TypeError as error:
        raise TypeError(
            f"the handler of {path!r} has to take ctx"
            + (f" and {', '.join(args)}" if args else "")
            + f": {error}"
        ) from None
