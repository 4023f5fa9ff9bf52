"""The base of every record: immutable, and an unknown key is an error."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints


class StrictModel(BaseModel):
    """A frozen pydantic model that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
"""A name or a phrase: a category, an attribute, a node of a path."""

LongText = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
"""A response, a caption or a reference."""


Identifier = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
"""An id; longer than a name, as ids of responses and pairs are made of ids of images."""


class Record(StrictModel):
    """A row that a run works on: its id is unique within the run."""

    id: Identifier


Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
"""How many objects: a positive whole number, up to a million."""


def _number(value: object) -> object:
    # A Parquet column cannot hold both numbers and "uncertain", so numbers come as text there.
    return int(value) if isinstance(value, str) and value.isdecimal() else value


Quantity = Annotated[Count | Literal["uncertain"], BeforeValidator(_number)]
"""A stated count, or "uncertain" for "several", "many", ranges and bare plurals."""
