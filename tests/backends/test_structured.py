"""Schemas as strict modes want them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, Field

from backends.structured import strict_schema
from schemas.edit import RevisedResponse
from schemas.entity import ParsedResponse
from schemas.judgement import AttributeAnswer, CategoryAnswer


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from nodes(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from nodes(item)


@pytest.mark.parametrize(
    "output", [CategoryAnswer, AttributeAnswer, ParsedResponse, RevisedResponse]
)
def test_every_object_is_closed_and_complete(output: type[BaseModel]) -> None:
    for node in nodes(strict_schema(output)):
        if "properties" in node:
            assert node["required"] == list(node["properties"])
            assert node["additionalProperties"] is False
        assert not {"maxLength", "minLength", "maxItems"} & set(node)
        assert "default" not in node
        assert "$ref" not in node or len(node) == 1


class Oddly(BaseModel):
    title: str = Field(default="x", max_length=3)
    pattern: int = Field(default=1, ge=1, le=9)


def test_properties_named_like_keywords_stay() -> None:
    schema = strict_schema(Oddly)
    assert schema["required"] == ["title", "pattern"]
    assert schema["properties"]["title"] == {"type": "string"}
    assert schema["properties"]["pattern"] == {"type": "integer", "minimum": 1, "maximum": 9}
