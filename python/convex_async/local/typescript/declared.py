"""What a folder's modules declare, from Convex's JSON to the deployment's own definitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from convex_async.function_path import canonical_path
from convex_async.local.definitions.crons import Cron, Crons
from convex_async.local.definitions.functions import Declaration
from convex_async.local.definitions.schema import Schema, Table
from convex_async.local.definitions.validators import Validator
from convex_async.local.typescript.expressions import value_of

# Kinds whose names differ in JSON.
_KINDS = {"bigint": "int64", "number": "float64"}


def read_validator(json: Mapping[str, Any], *, is_optional: bool = False) -> Validator:
    """The validator that JSON is.

    Raises:
        ValueError: it is of a kind that is not known.
    """
    kind = _KINDS.get(json["type"], json["type"])
    match kind:
        case "null" | "boolean" | "string" | "bytes" | "any" | "int64" | "float64":
            return Validator(kind, is_optional=is_optional)
        case "id":
            return Validator(kind, table=json["tableName"], is_optional=is_optional)
        case "literal":
            return Validator(kind, value=value_of(json["value"]), is_optional=is_optional)
        case "array":
            return Validator(kind, items=(read_validator(json["value"]),), is_optional=is_optional)
        case "union":
            members = tuple(map(read_validator, json["value"]))
            return Validator(kind, items=members, is_optional=is_optional)
        case "record":
            keys, values = json["keys"], json["values"]["fieldType"]
            items = read_validator(keys), read_validator(values)
            return Validator(kind, items=items, is_optional=is_optional)
        case "object":
            return Validator(kind, fields=read_fields(json["value"]), is_optional=is_optional)
    raise ValueError(f"a validator of an unknown kind: {json['type']!r}")


def read_fields(json: Mapping[str, Any]) -> dict[str, Validator]:
    """The validators of an object's fields."""
    return {
        name: read_validator(field["fieldType"], is_optional=field["optional"])
        for name, field in json.items()
    }


def read_schema(json: Mapping[str, Any]) -> Schema:
    """The schema that `SchemaDefinition.export()` wrote.

    Raises:
        ValueError: a table or index can't be as it is.
    """
    tables: dict[str, Table] = {}
    for entry in json["tables"]:
        document = entry["documentType"]
        table = Table(Validator("any") if document is None else read_validator(document))
        for index in entry["indexes"]:
            table.index(index["indexDescriptor"], index["fields"])
        tables[entry["tableName"]] = table
    return Schema(tables, schema_validation=json["schemaValidation"])


def read_crons(json: Mapping[str, Any]) -> Mapping[str, Cron]:
    """The crons that `Crons.export()` wrote.

    Raises:
        ValueError: a schedule can't be as it is.
    """
    crons = Crons()
    for name, entry in json.items():
        path, args = canonical_path(entry["name"]), value_of(entry["args"][0])
        schedule = entry["schedule"]
        hour, minute = schedule.get("hourUTC"), schedule.get("minuteUTC", 0)
        match schedule["type"]:
            case "interval":
                seconds = (
                    schedule.get("seconds", 0)
                    + 60 * schedule.get("minutes", 0)
                    + 3600 * schedule.get("hours", 0)
                )
                crons.interval(name, path, args, seconds=seconds)
            case "hourly":
                crons.cron(name, f"{minute:g} * * * *", path, args)
            case "daily":
                crons.daily(name, path, args, hour_utc=int(hour), minute_utc=int(minute))
            case "weekly":
                day = schedule["dayOfWeek"][:3].upper()
                crons.cron(name, f"{minute:g} {hour:g} * * {day}", path, args)
            case "monthly":
                crons.cron(name, f"{minute:g} {hour:g} {schedule['day']:g} * *", path, args)
            case "cron":
                crons.cron(name, schedule["cron"], path, args)
            case kind:
                raise ValueError(f"cron {name!r}: there is no schedule {kind!r}")
    return crons.all


@dataclass(frozen=True)
class Declared:
    """All that a folder declares.

    Attributes:
        routes: method and path of each HTTP action; a path that ends in `*` is a prefix.
        auth: the providers of `auth.config`.
        modules: by canonical path, the module and the name by which the worker knows a function.
    """

    functions: list[Declaration]
    schema: Schema | None
    crons: Mapping[str, Cron]
    routes: list[tuple[str, str]]
    auth: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    names: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])


def read_declared(json: Mapping[str, Any]) -> Declared:
    """What the worker found in a folder's modules.

    Raises:
        ValueError: something can't be as it is declared.
    """
    functions = list(_functions(json["functions"]))
    return Declared(
        functions,
        None if json["schema"] is None else read_schema(json["schema"]),
        {} if json["crons"] is None else read_crons(json["crons"]),
        [(method, path) for path, method in json["routes"] or ()],
        (json["auth"] or {}).get("providers", []),
        {
            canonical_path(entry["path"]): tuple(entry["path"].rsplit(":", 1))
            for entry in json["functions"]
        },
    )


def _functions(json: list[Mapping[str, Any]]) -> Iterator[Declaration]:
    for entry in json:
        args, returns = entry["args"], entry["returns"]
        yield Declaration(
            canonical_path(entry["path"]),
            entry["kind"],
            None if args["type"] == "any" else read_fields(args["value"]),
            None if returns is None else read_validator(returns),
            entry["visibility"] == "internal",
        )
