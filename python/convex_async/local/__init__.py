"""An embedded deployment that speaks the real protocol: for tests, demos and offline work."""

from convex_async.local.context.context import ActionContext, MutationContext, QueryContext
from convex_async.local.definitions.functions import Functions
from convex_async.local.definitions.http_actions import Request, Response
from convex_async.local.definitions.schema import define_schema, define_table
from convex_async.local.definitions.validators import v
from convex_async.local.deployment import LocalDeployment
from convex_async.local.server.faults import Faults
from convex_async.local.store.index_key import UNDEFINED
from convex_async.local.typescript.toolchain import LoadError

__all__ = [
    "UNDEFINED",
    "ActionContext",
    "Faults",
    "Functions",
    "LoadError",
    "LocalDeployment",
    "MutationContext",
    "QueryContext",
    "Request",
    "Response",
    "define_schema",
    "define_table",
    "v",
]
