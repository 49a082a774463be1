# Written by convex-async codegen from examples.generated_api.backend:functions: do not edit.
# Style msgspec, sha256 0fad9fb6b768479e9545ddf4121067c955bf2e65772d88dcefce5f52493f1987

from __future__ import annotations

from typing import Literal, NewType, TypeAlias

from convex_async.calls import OMITTED, MutationCall, Omitted, QueryCall
from msgspec import UNSET, Struct, UnsetType, field

TasksId = NewType("TasksId", str)
"""An id of table `tasks`."""


class TasksDoc(Struct, frozen=True, kw_only=True):
    """A document of table `tasks`."""

    id: TasksId = field(name="_id")
    creationTime: float = field(name="_creationTime")
    dueAt: float | UnsetType = UNSET
    status: Literal["open", "done"]
    text: str


TasksListResult: TypeAlias = list[TasksDoc]


def _tasks_create(
    *,
    text: str,
    dueAt: float | Omitted = OMITTED,
) -> MutationCall[TasksId]:
    """Mutation `tasks:create`.

    Args:
        text: string
        dueAt: number, optional
    """
    return MutationCall(
        "tasks:create",
        {
            "text": text,
            "dueAt": dueAt,
        },
        type=TasksId,
    )


def _tasks_finish(
    *,
    id: TasksId,
) -> MutationCall[None]:
    """Mutation `tasks:finish`.

    Args:
        id: id of `tasks`
    """
    return MutationCall(
        "tasks:finish",
        {
            "id": id,
        },
    )


def _tasks_list(
    *,
    status: Literal["open", "done"] | Omitted = OMITTED,
) -> QueryCall[TasksListResult]:
    """Query `tasks:list`.

    Args:
        status: 'open' | 'done', optional
    """
    return QueryCall(
        "tasks:list",
        {
            "status": status,
        },
        type=TasksListResult,
    )


class _Tasks:
    """Functions of `tasks`."""

    create = staticmethod(_tasks_create)
    finish = staticmethod(_tasks_finish)
    list = staticmethod(_tasks_list)


class _Api:
    """Functions of the deployment."""

    tasks = _Tasks


api = _Api
