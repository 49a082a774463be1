"""Tables, their documents' fields, and their indexes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from convex_async.local.definitions.validators import IsId, ValidationError, Validator, check_fields

BY_ID = "by_id"
BY_CREATION_TIME = "by_creation_time"
SYSTEM_INDEXES: Mapping[str, tuple[str, ...]] = {
    BY_ID: ("_id",),
    BY_CREATION_TIME: ("_creationTime",),
}

# Fields of an index (docs.convex.dev/production/state/limits).
MAX_INDEX_FIELDS = 16

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
_FIELD_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*", re.ASCII)


def is_system_table(name: str) -> bool:
    """Whether a table is the system's own."""
    return name.startswith("_")


def check_table_name(name: str) -> None:
    """Raise ValueError unless the name is one that a table may have."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is not a table name: letters, digits and '_', beginning with a letter"
        )


@dataclass
class Table:
    """A table's definition; made by `define_table`.

    Attributes:
        staged: names of indexes that are there, and can't be queried yet.
    """

    validator: Validator
    indexes: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    staged: set[str] = field(default_factory=set[str])

    def index(self, name: str, fields: list[str]) -> Table:
        """Add an index over these fields, in this order, and return the table.

        Raises:
            ValueError: a bad or taken name, no fields, or too many.
        """
        if not _NAME.fullmatch(name) or name in SYSTEM_INDEXES or name in self.indexes:
            raise ValueError(f"{name!r} can't be the name of an index here")
        if not fields or len(set(fields)) != len(fields):
            raise ValueError(f"index {name!r} needs at least one field, each once")
        if len(fields) > MAX_INDEX_FIELDS:
            raise ValueError(f"index {name!r} has {len(fields)} fields: {MAX_INDEX_FIELDS} at most")
        for path in fields:
            if not _FIELD_PATH.fullmatch(path) or path == "_creationTime":
                raise ValueError(f"index {name!r} can't be over {path!r}")
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

    def check(self, document: Mapping[str, object], is_id: IsId) -> None:
        """Raise `ValidationError` unless the document, without system fields, fits."""
        fields = {name: value for name, value in document.items() if not name.startswith("_")}
        if self.validator.kind == "object":
            check_fields(self.validator.fields, fields, is_id)
        else:
            self.validator.check(fields, is_id)


def define_table(definition: Mapping[str, Validator] | Validator) -> Table:
    """A table whose documents have these fields, or match this validator of objects."""
    if isinstance(definition, Validator):
        return Table(definition)
    return Table(Validator("object", fields=dict(definition)))


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

    def indexes(self, table: str) -> dict[str, tuple[str, ...]]:
        """All indexes of a table by name, each as its field paths."""
        declared = self.tables[table].indexes if table in self.tables else {}
        return {**SYSTEM_INDEXES, **declared}

    def check(self, table: str, document: Mapping[str, object], is_id: IsId) -> None:
        """Raise `ValidationError` unless the document may stand in the table."""
        if self.schema_validation and table in self.tables:
            try:
                self.tables[table].check(document, is_id)
            except ValidationError as error:
                raise ValidationError(
                    f"Failed to insert or update a document in table {table!r} because it does "
                    f"not match the schema: {error}"
                ) from None


def define_schema(tables: Mapping[str, Table], *, schema_validation: bool = True) -> Schema:
    """A schema of these tables.

    Args:
        schema_validation: refuse documents that do not match the definition of their table;
            without it a table's definition only tells its indexes.

    Raises:
        ValueError: a bad table name.
    """
    for name in tables:
        check_table_name(name)
    return Schema(dict(tables), schema_validation)
