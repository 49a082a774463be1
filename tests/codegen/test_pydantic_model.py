"""Absent and null are two things, also in generated models."""

from pydantic import Field

from convex_async.codegen.pydantic_model import ConvexModel


class Note(ConvexModel):
    text: str
    rank: float | None = None
    kind: str | None = Field(default=None, alias="class")


def test_what_was_not_given_does_not_travel() -> None:
    assert Note(text="a").model_dump(by_alias=True) == {"text": "a"}


def test_a_null_that_was_given_does() -> None:
    note = Note.model_validate({"text": "a", "rank": None, "class": None})
    assert note.model_dump(by_alias=True) == {"text": "a", "rank": None, "class": None}
