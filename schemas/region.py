"""Regions of images with their texts, and how two of them lie (FGAM section 3.2)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import LongText, ShortText, StrictModel

SpatialRelation = Literal["left of", "right of", "above", "below", "overlaps", "contains"]
"""How a first box lies to a second one (FGAM section 3.2.3)."""

Pixels = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Box = tuple[Pixels, Pixels, Pixels, Pixels]
"""`(x0, y0, x1, y1)` in pixels: the left, top, right and bottom edges."""


class RegionText(StrictModel):
    """A row of `regions.jsonl`: one region of an image and a text that describes it alone.

    `image` is a path relative to the file. `source` names the data set or the detector.
    """

    image: str
    box: Box
    text: LongText
    source: ShortText

    @model_validator(mode="after")
    def _has_area(self) -> Self:
        x0, y0, x1, y1 = self.box
        if x0 >= x1 or y0 >= y1:
            raise ValueError("box: expected [x0, y0, x1, y1] with x0 < x1 and y0 < y1")
        return self
