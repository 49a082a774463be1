"""The documents of scheduled functions, as `ctx.db.system` shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

SCHEDULED = "_scheduled_functions"

JobKind: TypeAlias = Literal["pending", "inProgress", "success", "failed", "canceled"]


@dataclass(frozen=True, slots=True)
class Job:
    """A function that is to run once.

    Attributes:
        name: of the function, in the form `module.js:function`.
        args: one object of arguments.
        scheduled_time: when it is due, ms since the epoch.
        error: why it failed.
        completed_time: when it ended, ms since the epoch.

    Source: convex-backend crates/model/src/scheduled_jobs/virtual_table.rs, PublicScheduledJob.
    """

    name: str
    args: list[Any]
    scheduled_time: float
    kind: JobKind = "pending"
    error: str | None = None
    completed_time: float | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Job:
        """The job that a document is."""
        state = fields["state"]
        return cls(
            fields["name"],
            fields["args"],
            fields["scheduledTime"],
            state["kind"],
            state.get("error"),
            fields.get("completedTime"),
        )

    @property
    def is_over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.kind not in ("pending", "inProgress")

    def fields(self) -> dict[str, Any]:
        """The document of a new job."""
        return {
            "name": self.name,
            "args": self.args,
            "scheduledTime": self.scheduled_time,
            "state": {"kind": self.kind},
        }


# What changes in the document.


def begun() -> dict[str, Any]:
    """The job runs now."""
    return {"state": {"kind": "inProgress"}}


def ended(kind: JobKind, at: float, error: str | None = None) -> dict[str, Any]:
    """The job has ended at a time, ms since the epoch."""
    state = {"kind": kind} if error is None else {"kind": kind, "error": error}
    return {"state": state, "completedTime": at}
