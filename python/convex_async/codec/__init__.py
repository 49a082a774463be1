"""Convex values to wire bytes and back, and what differs between two results."""

from convex_async.codec.diff import Diff, ListDiffer, changed_fields, diff, same
from convex_async.codec.values import (
    MAX_DEPTH,
    convex_to_json,
    decode,
    encode,
    encode_arguments,
    json_to_convex,
    to_plain_json,
)

__all__ = [
    "MAX_DEPTH",
    "Diff",
    "ListDiffer",
    "changed_fields",
    "convex_to_json",
    "decode",
    "diff",
    "encode",
    "encode_arguments",
    "json_to_convex",
    "same",
    "to_plain_json",
]
