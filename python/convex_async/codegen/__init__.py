"""Python for the functions of a deployment: typed calls, written from their specification."""

from convex_async.codegen.render import Generated, Options, Style, generate
from convex_async.codegen.specification import SpecificationError, parse

__all__ = ["Generated", "Options", "SpecificationError", "Style", "generate", "parse"]
