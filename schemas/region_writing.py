"""What the region writer reads, asks and answers (FGAM section 3.2.1)."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from schemas.base import LongText, Record, ShortText, StrictModel
from schemas.region import RegionText
from schemas.scene_graph import Index, SceneGraph, SceneObject, find_caption

Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
"""What a detector was asked for, or an annotator called a thing."""

_LONGEST_CAPTION = 20_000


class CaptionRow(SceneGraph):
    """A row of the input: a caption, or a scene graph that has one.

    Other keys of the row are left alone. Without `objects` the caption parser finds them.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    caption: LongText
    objects: tuple[SceneObject, ...] = ()

    _caption = model_validator(mode="before")(find_caption)


class CaptionedImage(Record):
    """One image with its captions, and its boxes where these are given.

    The `text` of a given box is its label.
    """

    image: str
    captions: Annotated[tuple[CaptionRow, ...], Field(min_length=1)]
    boxes: tuple[RegionText, ...] | None = None

    @property
    def caption(self) -> str:
        """All captions as one text."""
        texts = [row.caption.strip() for row in self.captions]
        whole = (text if text.endswith((".", "!", "?")) else f"{text}." for text in texts)
        return " ".join(whole)[:_LONGEST_CAPTION]


class RegionQuestion(StrictModel):
    """One region that needs a text.

    `size` is its share of the image in percent; `of` says how many regions of the image have this
    label, and `where` tells it from these. `near` are the closest other regions and how this one
    lies to them. `draft` is the text of a template, `problem` why a former answer was refused.
    """

    label: Label
    draft: ShortText
    position: ShortText
    size: Annotated[int, Field(ge=0, le=100)]
    of: Annotated[int, Field(ge=1)]
    where: ShortText | None
    near: tuple[str, ...]
    problem: str | None = None


class RegionWriterInput(StrictModel):
    """What the region writer reads: the caption of an image and some of its regions."""

    caption: LongText
    regions: Annotated[tuple[RegionQuestion, ...], Field(min_length=1)]


class WrittenText(StrictModel):
    """The text of one region, by its index in the question."""

    region: Index
    text: ShortText = Field(description="One noun phrase of at most 20 words.")


class RegionTextAnswer(StrictModel):
    """What the region writer answers."""

    texts: tuple[WrittenText, ...]


class ImageRegions(Record):
    """What becomes of one image: its regions with their texts."""

    regions: tuple[RegionText, ...]
