"""Convex values to wire bytes and back, and what differs between two results."""

from convex_async.codec.values import (
    MAX_DEPTH,
    Diff,
    ListDiffer,
    convex_to_json,
    decode,
    diff,
    encode,
    encode_arguments,
    json_to_convex,
    to_plain_json,
)

__all__ = [
    "MAX_DEPTH",
    "Diff",
    "ListDiffer",
    "convex_to_json",
    "decode",
    "diff",
    "encode",
    "encode_arguments",
    "json_to_convex",
    "to_plain_json",
]
