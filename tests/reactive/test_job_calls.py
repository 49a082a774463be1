"""Arguments that a function does not take are left out."""

from __future__ import annotations

from typing import Any

import pytest

from convex_async import FunctionError
from convex_async.reactive.job_calls import JobCalls


class Strict:
    """A client of a deployment whose functions take `id` alone."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def subscribe(self, path: Any, /) -> Any:
        raise NotImplementedError

    async def mutation(self, path: Any, args: Any, /, **options: Any) -> str:
        self.asked.append(args)
        for name in args:
            if name != "id":
                text = f"Object contains extra field `{name}` that is not in the validator"
                raise FunctionError(text, path=str(path))
        if args["id"] == "bad":
            raise FunctionError("no such job", path=str(path))
        return "done"


async def test_an_unknown_argument_is_left_out_from_then_on() -> None:
    client = Strict()
    calls = JobCalls(client)
    assert await calls("jobs:complete", {"id": "1", "worker": "w"}) == "done"
    assert await calls("jobs:complete", {"id": "2", "worker": "w"}) == "done"
    assert client.asked == [{"id": "1", "worker": "w"}, {"id": "1"}, {"id": "2"}]
    with pytest.raises(FunctionError, match="no such job"):
        await calls("jobs:complete", {"id": "bad"})
