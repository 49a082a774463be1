"""The calls of functions to the deployment, by Convex's names for them.

Source: convex-backend crates/isolate/src/environment/{udf,action}/async_syscall.rs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec
from msgspec import Raw

from convex_async.codec.values import decode
from convex_async.function_path import canonical_path
from convex_async.local.context.context import identity_of
from convex_async.local.context.scheduler import Scheduler
from convex_async.local.problems import DeploymentProblem, FunctionProblem
from convex_async.local.typescript import document_syscalls, storage_syscalls
from convex_async.local.typescript.declared import full_path
from convex_async.local.typescript.payloads import (
    NULL,
    Answer,
    Handler,
    as_json,
    dump,
    fields_of,
    transaction_of,
)
from convex_async.local.typescript.running import Running

HANDLE = "function://;"


def perform(running: Running, op: str, payload: bytes) -> Answer:
    """The answer of a call, or what will give it.

    Raises:
        FunctionProblem: there is no such call, or it may not be made.
    """
    in_transaction = running.is_transaction
    handler = (_TRANSACTION if in_transaction else _ACTION).get(op)
    if handler is None:
        raise FunctionProblem(f"Unknown async operation {op}")
    return handler(running, payload)


class Syscalls:
    """The calls, as a worker is given them."""

    def perform(self, running: Running, op: str, payload: bytes) -> Answer:
        """The answer of a call, or what will give it."""
        return perform(running, op, payload)


# Other functions


def _path_of(running: Running, args: Mapping[str, Raw]) -> str:
    """The path of the function that a call names."""
    component = running.place.component
    if (handle := args.get("functionHandle")) is not None:
        text: str = msgspec.json.decode(handle)
        if not text.startswith(HANDLE):
            raise FunctionProblem(f"Invalid function handle: {text!r}")
        return canonical_path(text.removeprefix(HANDLE))
    if (name := args.get("name")) is not None:
        return full_path(component, msgspec.json.decode(name))
    reference: str = msgspec.json.decode(args["reference"])
    match reference.split("/"):
        case ["_reference", "childComponent", child, *modules, function] if modules:
            inner = f"{component}/{child}" if component else child
            if inner not in running.components:
                raise FunctionProblem(f"Couldn't find child component {child!r}")
            return full_path(inner, f"{'/'.join(modules)}:{function}")
        case ["_reference", "function", *modules, function] if modules:
            return full_path(component, f"{'/'.join(modules)}:{function}")
    raise FunctionProblem(f"{reference!r} is no function")


async def _run_udf(running: Running, payload: bytes) -> bytes:
    args = fields_of(payload)
    kind: str = msgspec.json.decode(args["udfType"])
    invocation = running.invocation
    if kind == "snapshotQuery":
        # It sees nothing that this transaction wrote, and this one does not depend on it.
        outside = replace(invocation, transaction=None)
        return await invocation.engine.call(
            "query", _path_of(running, args), bytes(args["args"]), outside
        )
    if kind == "mutation" and invocation.declaration.kind == "query":
        raise FunctionProblem("Cannot call a mutation function from a query function")
    return await invocation.engine.call(
        kind, _path_of(running, args), bytes(args["args"]), invocation
    )


def _call(kind: str) -> Handler:
    async def call(running: Running, payload: bytes) -> bytes:
        args = fields_of(payload)
        invocation = running.invocation
        return await invocation.engine.call(
            kind, _path_of(running, args), bytes(args["args"]), invocation
        )

    return call


def _create_handle(running: Running, payload: bytes) -> bytes:
    return dump(HANDLE + _path_of(running, fields_of(payload)))


# Who calls, and what is known of the run


def _identity(running: Running, payload: bytes) -> bytes:
    return dump(identity_of(running.invocation.run.identity))


def _function_metadata(running: Running, payload: bytes) -> bytes:
    return dump({"name": running.place.path, "componentPath": running.place.component})


def _deployment_metadata(running: Running, payload: bytes) -> bytes:
    return dump({"name": "local", "region": None, "class": "s16"})


def _request_metadata(running: Running, payload: bytes) -> bytes:
    if running.invocation.declaration.kind == "query":
        raise FunctionProblem("getRequestMetadata can't be used in queries")
    names = ("ip", "userAgent", "requestId", "scheduledFunctionId", "authToken")
    return dump(dict.fromkeys(names))


def _metrics(running: Running, payload: bytes) -> bytes:
    transaction = transaction_of(running)
    return dump(
        {
            name: {"used": used, "remaining": limit - used}
            for name, (used, limit) in transaction.metrics.items()
        }
    )


def _audit_log(running: Running, payload: bytes) -> bytes:
    return NULL


# Later


async def _schedule(running: Running, payload: bytes) -> bytes:
    args = fields_of(payload)
    invocation = running.invocation
    scheduler = Scheduler(invocation)
    seconds: float = msgspec.json.decode(args["ts"])
    arguments = decode(bytes(args["args"]))
    return dump(await scheduler.run_at(seconds, _path_of(running, args), arguments))


async def _cancel(running: Running, payload: bytes) -> bytes:
    invocation = running.invocation
    scheduler = Scheduler(invocation)
    await scheduler.cancel(as_json(payload)["id"])
    return NULL


# System errors on demand, which no function can catch.


def _throw_occ(running: Running, payload: bytes) -> bytes:
    raise DeploymentProblem(
        "OCC",
        "OptimisticConcurrencyControlFailure",
        "Data read or written in this mutation changed while it was being run. "
        "Consider reducing the amount of data read by using indexed queries with selective index "
        "range expressions (https://docs.convex.dev/database/indexes/).",
    )


def _throw_overloaded(running: Running, payload: bytes) -> bytes:
    raise DeploymentProblem("Overloaded", "Busy", "I'm a bit busy.")


_COMMON: Mapping[str, Handler] = {
    **storage_syscalls.CALLS,
    "1.0/getUserIdentity": _identity,
    "1.0/createFunctionHandle": _create_handle,
    "1.0/getFunctionMetadata": _function_metadata,
    "1.0/getDeploymentMetadata": _deployment_metadata,
    "1.0/getRequestMetadata": _request_metadata,
}
_TRANSACTION: Mapping[str, Handler] = {
    **_COMMON,
    **document_syscalls.CALLS,
    **storage_syscalls.IN_TRANSACTIONS,
    "1.0/runUdf": _run_udf,
    "1.0/schedule": _schedule,
    "1.0/cancel_job": _cancel,
    "1.0/getTransactionMetrics": _metrics,
    "1.0/auditLog": _audit_log,
    "throwOcc": _throw_occ,
    "throwOverloaded": _throw_overloaded,
}
_ACTION: Mapping[str, Handler] = {
    **_COMMON,
    **storage_syscalls.IN_ACTIONS,
    "1.0/actions/query": _call("query"),
    "1.0/actions/mutation": _call("mutation"),
    "1.0/actions/action": _call("action"),
    "1.0/actions/schedule": _schedule,
    "1.0/actions/cancel_job": _cancel,
}
