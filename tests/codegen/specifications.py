"""hypothesis: any function specification that a deployment could have."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

SEGMENTS = st.one_of(
    st.sampled_from(
        ["tasks", "admin", "class", "list", "api", "None", "import", "a.b", "_x", "1a"]
    ),
    st.from_regex(r"[A-Za-z0-9_]{0,6}[A-Za-z0-9]", fullmatch=True),
)
IDENTIFIERS = st.one_of(
    st.sampled_from(
        ["list", "default", "get", "class_", "__init__", "mro", "print", "str", "QueryCall", "_a"]
    ),
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}[A-Za-z0-9]", fullmatch=True),
)
ODD_NAMES = [
    *("id", "_id", "_creationTime", "from", "class", "self", "list", "str", "type", "field"),
    *("Any", "TasksDoc", "TasksId", "channelId", "channel_id", "a b", "", "0", "quote\"'"),
    *("back\\slash", "model_config", "json", "__x", "args", "None", "api", "Literal"),
]
NAMES = st.one_of(
    st.sampled_from(ODD_NAMES),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12).filter(
        lambda name: not name.startswith("$")
    ),
)
TABLES = st.sampled_from(["tasks", "users", "list", "_storage", "class", "T" * 60])
LITERALS = st.one_of(
    st.text(max_size=50),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**53), 2**53),
    st.just({"$integer": "AQAAAAAAAAA="}),
    st.just({"$float": "AAAAAAAA8H8="}),
)
SCALARS = st.sampled_from(["null", "boolean", "number", "bigint", "string", "bytes", "any"])


def fields(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    one = st.fixed_dictionaries({"fieldType": inner, "optional": st.booleans()})
    return st.dictionaries(NAMES, one, max_size=5)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return fields(inner).map(lambda made: {"type": "object", "value": made})


VALIDATORS: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        SCALARS.map(lambda kind: {"type": kind}),
        TABLES.map(lambda table: {"type": "id", "tableName": table}),
        LITERALS.map(lambda value: {"type": "literal", "value": value}),
    ),
    lambda inner: st.one_of(
        inner.map(lambda item: {"type": "array", "value": item}),
        st.lists(inner, max_size=4).map(lambda members: {"type": "union", "value": members}),
        inner.map(
            lambda item: {
                "type": "record",
                "keys": {"type": "string"},
                "values": {"fieldType": item, "optional": False},
            }
        ),
        objects(inner),
    ),
    max_leaves=8,
)
FUNCTIONS = st.fixed_dictionaries(
    {
        "functionType": st.sampled_from(["Query", "Mutation", "Action"]),
        "identifier": st.builds(
            "{}.js:{}".format, st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join), IDENTIFIERS
        ).filter(lambda path: "." not in path.partition(".js:")[0].rpartition("/")[2]),
        "visibility": st.sampled_from([{"kind": "public"}, {"kind": "internal"}]),
        "args": st.one_of(st.just({"type": "any"}), st.none(), objects(VALIDATORS)),
        "returns": st.one_of(st.none(), VALIDATORS),
    }
)
SPECIFICATIONS = st.lists(FUNCTIONS, max_size=6)
