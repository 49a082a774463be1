"""An embedded deployment that speaks the real protocol: for tests, demos and offline work."""

from convex_async.local.deployment import LocalDeployment
from convex_async.local.faults import Faults
from convex_async.local.functions import Functions
from convex_async.local.http_actions import Request, Response
from convex_async.local.index_key import UNDEFINED
from convex_async.local.schema import define_schema, define_table
from convex_async.local.validators import v

__all__ = [
    "UNDEFINED",
    "Faults",
    "Functions",
    "LocalDeployment",
    "Request",
    "Response",
    "define_schema",
    "define_table",
    "v",
]
