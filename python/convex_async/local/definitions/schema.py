"""Tables, their documents' fields, and their indexes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from convex_async.local import texts
from convex_async.local.definitions.validators import TableOf, Validator, as_validator

BY_ID = "by_id"
BY_CREATION_TIME = "by_creation_time"
SYSTEM_INDEXES: Mapping[str, tuple[str, ...]] = {
    BY_ID: ("_id",),
    BY_CREATION_TIME: ("_creationTime",),
}

# Fields of an index (docs.convex.dev/production/state/limits).
MAX_INDEX_FIELDS = 16
# Indexes of a table. Source: convex-backend crates/common/src/schemas/mod.rs.
MAX_INDEXES = 64

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
_FIELD_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*", re.ASCII)


def is_system_table(name: str) -> bool:
    """Whether a table is the system's own."""
    return name.startswith("_")


def check_table_name(name: str) -> None:
    """Raise ValueError unless the name is one that a table may have."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(texts.INVALID_TABLE_NAME.format(table=name))


@dataclass
class Table:
    """A table's definition; made by `define_table`.

    Attributes:
        staged: names of indexes that are there, and can't be queried yet.
    """

    validator: Validator
    indexes: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    staged: set[str] = field(default_factory=set[str])

    def index(self, name: str, fields: Sequence[str]) -> Table:
        """Add an index over these fields, in this order, and return the table.

        Raises:
            ValueError: a bad or taken name, no fields, too many, or such as can't be in an index.
            TypeError: the fields are no list of names.
        """
        if name in SYSTEM_INDEXES or name.startswith("_"):
            raise ValueError(texts.RESERVED_INDEX.format(table="…", index=name))
        if not _NAME.fullmatch(name):
            raise ValueError(texts.INVALID_INDEX_NAME.format(index=name))
        if name in self.indexes:
            raise ValueError(texts.INDEX_TWICE.format(table="…", index=name))
        if isinstance(fields, str) or not all(isinstance(path, str) for path in fields):
            raise TypeError(f"index {name!r} takes a list of names of fields, not {fields!r}")
        if not fields:
            raise ValueError(texts.EMPTY_INDEX.format(table="…", index=name))
        if len(fields) > MAX_INDEX_FIELDS:
            raise ValueError(texts.TOO_MANY_FIELDS.format(limit=MAX_INDEX_FIELDS))
        for place, path in enumerate(fields):
            _check_field(name, path)
            if path in fields[:place]:
                raise ValueError(texts.FIELD_TWICE.format(field=path))
        self.indexes[name] = tuple(fields)
        return self

    def search_index(self, name: str, **_options: object) -> NoReturn:
        """Refused: the local deployment searches no text.

        Raises:
            NotImplementedError: always, so that an application learns it when it starts.
        """
        raise NotImplementedError(
            f"search index {name!r}: the local deployment has no search indexes; "
            "test this against a deployment of Convex's own"
        )

    def vector_index(self, name: str, **_options: object) -> NoReturn:
        """Refused: the local deployment searches no vectors.

        Raises:
            NotImplementedError: always, so that an application learns it when it starts.
        """
        raise NotImplementedError(
            f"vector index {name!r}: the local deployment has no vector indexes; "
            "test this against a deployment of Convex's own"
        )

    def check(self, document: Mapping[str, object], table_of: TableOf) -> None:
        """Raise `ValidationError` unless the document, without system fields, fits."""
        fields = {name: value for name, value in document.items() if not name.startswith("_")}
        self.validator.check(fields, table_of)

    def check_definition(self, table: str) -> None:
        """Raise ValueError if the table can't be as it is.

        Source: convex-backend crates/common/src/schemas/mod.rs, check_index_references, and
        json.rs.
        """
        if not _holds_documents(self.validator):
            raise ValueError(texts.NO_DOCUMENTS.format(validator=self.validator))
        if len(self.indexes) > MAX_INDEXES:
            raise ValueError(texts.TOO_MANY_INDEXES.format(table=table, limit=MAX_INDEXES))
        seen: dict[tuple[str, ...], str] = {}
        for name, fields in self.indexes.items():
            if (other := seen.setdefault(fields, name)) != name:
                raise ValueError(texts.SAME_FIELDS.format(table=table, index=name, other=other))
            for path in fields:
                if not self.validator.can_have(path.split(".")):
                    raise ValueError(
                        texts.FIELD_IS_NONE.format(table=table, index=name, field=path)
                    )


def _check_field(index: str, path: str) -> None:
    if path == "_id":
        raise ValueError(texts.ID_IN_INDEX)
    if path == "_creationTime":
        raise ValueError(texts.CREATION_TIME_IN_INDEX)
    if path.startswith("_"):
        raise ValueError(texts.RESERVED_FIELD)
    if not _FIELD_PATH.fullmatch(path):
        raise ValueError(texts.INVALID_INDEX_FIELD.format(index=index, field=path))


def _holds_documents(validator: Validator) -> bool:
    if validator.kind == "union":
        return all(member.kind == "object" for member in validator.items)
    return validator.kind in ("object", "any")


def define_table(definition: Mapping[str, Validator] | Validator) -> Table:
    """A table whose documents have these fields, or match this validator of objects.

    Raises:
        ValueError, TypeError: no documents can match it.
    """
    validator = as_validator(definition, "define_table()")
    if not _holds_documents(validator):
        raise ValueError(texts.NO_DOCUMENTS.format(validator=validator))
    return Table(validator)


@dataclass(frozen=True)
class Schema:
    """The tables of a deployment; made by `define_schema`.

    Attributes:
        schema_validation: whether documents are checked. Tables that are not named here take any,
            and the system's own are no schema's business.

    Source: convex-backend crates/common/src/schemas/mod.rs, DatabaseSchema::check_value.
    """

    tables: Mapping[str, Table] = field(default_factory=dict[str, Table])
    schema_validation: bool = True

    def __post_init__(self) -> None:
        """Raise ValueError if a table can't be as it is."""
        if self.schema_validation:
            for name, table in self.tables.items():
                table.check_definition(name)

    def indexes(self, table: str) -> dict[str, tuple[str, ...]]:
        """All indexes of a table by name, each as its field paths."""
        declared = self.tables[table].indexes if table in self.tables else {}
        return {**SYSTEM_INDEXES, **declared}

    def check(self, table: str, document: Mapping[str, object], table_of: TableOf) -> None:
        """Raise `ValidationError` unless the document may stand in the table."""
        if self.schema_validation and table in self.tables:
            self.tables[table].check(document, table_of)


def define_schema(tables: Mapping[str, Table], *, schema_validation: bool = True) -> Schema:
    """A schema of these tables.

    Args:
        schema_validation: refuse documents that do not match the definition of their table;
            without it a table's definition only tells its indexes.

    Raises:
        ValueError: a bad table name, or a table or index that can't be as it is.
        TypeError: a table was not made by `define_table`.
    """
    for name, table in tables.items():
        if not isinstance(table, Table):
            raise TypeError(f"table {name!r} is made by define_table(), not {table!r}")
    for name in tables:
        check_table_name(name)
    return Schema(dict(tables), schema_validation)
