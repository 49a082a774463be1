"""Ids in the calls of functions: of which table they are, and whether that is allowed.

Source: convex-backend crates/isolate/src/environment/udf/async_syscall.rs, query_batch;
crates/value/src/id_v6.rs for the texts.
"""

from __future__ import annotations

from convex_async.local.definitions.schema import check_table_name
from convex_async.local.problems import FunctionProblem
from convex_async.local.store.ids import decode_id
from convex_async.local.transactions.transaction import Transaction


def table_of(
    transaction: Transaction, document_id: str, method: str, prefix: str = ""
) -> str | None:
    """The table of an id; None if the component, whose tables have the prefix, has none such.

    Raises:
        FunctionProblem: it is no id.
    """
    try:
        number, _ = decode_id(document_id)
    except ValueError as error:
        raise FunctionProblem(f"Invalid argument `id` for `{method}`: {error}") from None
    table = transaction.store.table_of(number)
    if table is None or table.startswith("_"):
        return table
    is_ours = table.startswith(prefix) and ":" not in table.removeprefix(prefix)
    return table.removeprefix(prefix) if is_ours else None


def check_name(table: str) -> None:
    """Raise `FunctionProblem` unless a table may have the name."""
    try:
        check_table_name(table)
    except ValueError as error:
        raise FunctionProblem(str(error)) from None


def check_table(table: str, wanted: str | None, method: str) -> None:
    """Raise `FunctionProblem` if an id is of another table than the one that was named."""
    if wanted is not None and wanted != table:
        raise FunctionProblem(
            f'Invalid argument `id` for `{method}`: expected to be an Id<"{wanted}">, got '
            f'Id<"{table}"> instead.'
        )
