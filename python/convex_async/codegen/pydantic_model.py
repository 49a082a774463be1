"""The base of generated pydantic models."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class ConvexModel(BaseModel):
    """A frozen model in which an optional field that was not given stays away when it travels.

    In Convex absent and null are two things.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True, protected_namespaces=())

    @model_serializer(mode="wrap")
    def _present(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        for name, info in type(self).model_fields.items():
            if name not in self.model_fields_set:
                written.pop(name, None)
                written.pop(info.alias or name, None)
        return written
