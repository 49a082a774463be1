"""Ids in the calls of functions: of which table they are, and whether that is allowed.

Source: convex-backend crates/isolate/src/environment/udf/async_syscall.rs, query_batch;
crates/value/src/id_v6.rs for the texts.
"""

from __future__ import annotations

from convex_async.local.definitions.schema import check_table_name
from convex_async.local.problems import FunctionProblem
from convex_async.local.store.ids import table_number
from convex_async.local.transactions.transaction import Transaction

# Characters of an id.
_LENGTHS = range(31, 38)


def table_of(
    transaction: Transaction, document_id: str, method: str, prefix: str = ""
) -> str | None:
    """The table of an id; None if the component, whose tables have the prefix, has none such.

    Raises:
        FunctionProblem: it is no id.
    """
    number = table_number(document_id)
    if number is None:
        why = "ID wasn't valid base32"
        if len(document_id) not in _LENGTHS:
            why = f"Invalid ID length {len(document_id)}"
        raise FunctionProblem(f"Invalid argument `id` for `{method}`: Unable to decode ID: {why}")
    for table, known in transaction.store.table_numbers.items():
        if known == number:
            if table.startswith("_"):
                return table
            is_ours = table.startswith(prefix) and ":" not in table.removeprefix(prefix)
            return table.removeprefix(prefix) if is_ours else None
    return None


def check_name(table: str) -> None:
    """Raise `FunctionProblem` unless a table may have the name."""
    try:
        check_table_name(table)
    except ValueError as error:
        raise FunctionProblem(str(error)) from None


def guard_system_table(table: str, *, is_system: bool) -> None:
    """Raise `FunctionProblem` unless system tables are read as such, and others not."""
    if table.startswith("_") and not is_system:
        raise FunctionProblem("System tables can only be accessed with db.system.")
    if not table.startswith("_") and is_system:
        raise FunctionProblem("User tables cannot be accessed with db.system.")


def check_table(table: str, wanted: str | None, method: str) -> None:
    """Raise `FunctionProblem` if an id is of another table than the one that was named."""
    if wanted is not None and wanted != table:
        raise FunctionProblem(
            f'Invalid argument `id` for `{method}`: expected to be an Id<"{wanted}">, got '
            f'Id<"{table}"> instead.'
        )
