"""What a folder's modules declare, from Convex's JSON to the deployment's own definitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from convex_async.function_path import FunctionPath, canonical_path
from convex_async.local.definitions.crons import Cron, Crons
from convex_async.local.definitions.functions import Declaration
from convex_async.local.definitions.schema import Schema, Table
from convex_async.local.definitions.validators import Validator
from convex_async.local.typescript.expressions import value_of

# Kinds whose names differ in JSON.
_KINDS = {"bigint": "int64", "number": "float64"}


def read_validator(
    json: Mapping[str, Any], prefix: str = "", *, is_optional: bool = False
) -> Validator:
    """The validator that JSON is; `prefix` is of the names of the tables.

    Raises:
        ValueError: it is of a kind that is not known.
    """
    kind = _KINDS.get(json["type"], json["type"])
    match kind:
        case "null" | "boolean" | "string" | "bytes" | "any" | "int64" | "float64":
            return Validator(kind, is_optional=is_optional)
        case "id":
            return Validator(
                kind, table=in_component(prefix, json["tableName"]), is_optional=is_optional
            )
        case "literal":
            return Validator(kind, value=value_of(json["value"]), is_optional=is_optional)
        case "array":
            return Validator(
                kind, items=(read_validator(json["value"], prefix),), is_optional=is_optional
            )
        case "union":
            members = tuple(read_validator(member, prefix) for member in json["value"])
            return Validator(kind, items=members, is_optional=is_optional)
        case "record":
            keys, values = json["keys"], json["values"]["fieldType"]
            items = read_validator(keys, prefix), read_validator(values, prefix)
            return Validator(kind, items=items, is_optional=is_optional)
        case "object":
            return Validator(
                kind, fields=read_fields(json["value"], prefix), is_optional=is_optional
            )
    raise ValueError(f"a validator of an unknown kind: {json['type']!r}")


def read_fields(json: Mapping[str, Any], prefix: str = "") -> dict[str, Validator]:
    """The validators of an object's fields."""
    return {
        name: read_validator(field["fieldType"], prefix, is_optional=field["optional"])
        for name, field in json.items()
    }


def read_tables(json: Mapping[str, Any], prefix: str = "") -> dict[str, Table]:
    """The tables that `SchemaDefinition.export()` wrote.

    Raises:
        ValueError: a table or index can't be as it is.
    """
    tables: dict[str, Table] = {}
    for entry in json["tables"]:
        document = entry["documentType"]
        table = Table(Validator("any") if document is None else read_validator(document, prefix))
        for index in entry["indexes"]:
            table.index(index["indexDescriptor"], index["fields"])
        for kind in ("stagedDbIndexes", "stagedSearchIndexes", "stagedVectorIndexes"):
            table.staged.update(index["indexDescriptor"] for index in entry.get(kind) or ())
        if not json["schemaValidation"]:
            table.validator = Validator("any")
        tables[in_component(prefix, entry["tableName"])] = table
    return tables


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
                given = {n: schedule[n] for n in ("seconds", "minutes", "hours") if n in schedule}
                crons.interval(name, path, args, **given)
            case "hourly":
                crons.hourly(name, path, args, minute_utc=minute)
            case "daily":
                crons.daily(name, path, args, hour_utc=hour, minute_utc=minute)
            case "weekly":
                crons.weekly(
                    name,
                    path,
                    args,
                    day_of_week=schedule["dayOfWeek"],
                    hour_utc=hour,
                    minute_utc=minute,
                )
            case "monthly":
                day = schedule["day"]
                crons.monthly(name, path, args, day=day, hour_utc=hour, minute_utc=minute)
            case "cron":
                crons.cron(name, schedule["cron"], path, args)
            case kind:
                raise ValueError(f"cron {name!r}: there is no schedule {kind!r}")
    return crons.all


# The folder of the paths of components' functions, which no module of an app can have.
COMPONENTS = "_components"


def in_component(prefix: str, table: str) -> str:
    """The name of a component's table among all; the system's tables are everybody's."""
    return table if table.startswith("_") else prefix + table


@dataclass(frozen=True, slots=True)
class Place:
    """Where a function is.

    Attributes:
        component: the path of its component, such as `emails/queue`; empty for the app.
        module: by which the worker knows its module.
        name: of the function in its module.
        path: `module:function`, within its component.
    """

    component: str
    module: str
    name: str
    path: str

    @property
    def prefix(self) -> str:
        """Of the names of its component's tables."""
        return table_prefix(self.component)


def table_prefix(component: str) -> str:
    """Of the names of a component's tables among all."""
    return f"{component}:" if component else ""


def full_path(component: str, path: str) -> FunctionPath:
    """The path of a component's function among all."""
    return canonical_path(f"{COMPONENTS}/{component}/{path}" if component else path)


@dataclass(frozen=True)
class Declared:
    """All that a folder declares, its components included.

    Attributes:
        routes: method and path of each HTTP action; a path that ends in `*` is a prefix.
        auth: the providers of `auth.config`.
        places: of each function, by its path among all.
        components: their paths; the app's is empty.
    """

    functions: list[Declaration]
    schema: Schema | None
    crons: Mapping[str, Cron]
    routes: list[tuple[str, str]]
    auth: list[Mapping[str, Any]]
    places: Mapping[FunctionPath, Place]
    components: frozenset[str]


def read_declared(definitions: Mapping[str, Mapping[str, Any]]) -> Declared:
    """What the worker found in the modules of each definition, by its key; the app's is empty.

    Raises:
        ValueError: something can't be as it is declared.
    """
    functions: list[Declaration] = []
    places: dict[FunctionPath, Place] = {}
    tables: dict[str, Table] = {}
    crons: dict[str, Cron] = {}
    components: set[str] = set()

    def mount(component: str, key: str) -> None:
        components.add(component)
        found, prefix = definitions[key], table_prefix(component)
        for entry in found["functions"]:
            module, _, name = entry["path"].rpartition(":")
            path = full_path(component, entry["path"])
            places[path] = Place(component, key + module, name, entry["path"])
            functions.append(_declaration(path, entry, prefix, is_inner=bool(component)))
        if found["schema"] is not None:
            tables.update(read_tables(found["schema"], prefix))
        for name, cron in read_crons(found["crons"] or {}).items():
            path = full_path(component, cron.path)
            crons[f"{component}/{name}" if component else name] = replace(cron, path=path)
        for name, child in found["children"]:
            mount(f"{component}/{name}" if component else name, child)

    mount("", "")
    app = definitions[""]
    return Declared(
        functions,
        None if app["schema"] is None and not tables else Schema(tables),
        crons,
        [(method, path) for path, method in app["routes"] or ()],
        (app["auth"] or {}).get("providers", []),
        places,
        frozenset(components),
    )


def _declaration(
    path: FunctionPath, entry: Mapping[str, Any], prefix: str, *, is_inner: bool
) -> Declaration:
    args, returns = entry["args"], entry["returns"]
    return Declaration(
        path,
        entry["kind"],
        None if args["type"] == "any" else read_fields(args["value"], prefix),
        None if returns is None else read_validator(returns, prefix),
        is_inner or entry["visibility"] == "internal",
    )
