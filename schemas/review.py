"""A person's decisions on what a run made: rows of `reviews.jsonl`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from schemas.base import ShortText, StrictModel
from schemas.scene_graph import NEGATIVES, ElementKind

Decision = Literal["accept", "reject"]

Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]

ItemId = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
"""Longer than the id of a row, as an item may be a part of one."""

Reviewer = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class Review(StrictModel):
    """One line of `reviews.jsonl`: what a reviewer said of one item of one file.

    With `undo` in place of a decision the reviewer takes the latest one on the item back.
    `item_sha256` tells whether the item is still the one that was looked at. `edited` is the item
    as the reviewer would have it, in the form it has in `runtime.reviews`.
    """

    file: ShortText
    id: ItemId
    reviewer: Reviewer
    decision: Decision | None = None
    reason: Reason = ""
    edited: Any = None
    at: AwareDatetime
    item_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    undo: bool = False

    @model_validator(mode="after")
    def _decides_or_undoes(self) -> Self:
        if self.undo == (self.decision is not None):
            raise ValueError("expected either `decision` or `undo`")
        if self.edited is not None and self.decision != "accept":
            raise ValueError("edited: only what is accepted can be edited")
        return self


class ReviewedElement(StrictModel):
    """An element of a graph with its negatives, as a reviewer sees and may change them.

    `image` is that of the graph: what is true of one image need not be true of another.
    """

    image: str
    kind: ElementKind
    text: ShortText
    subject: ShortText | None = None
    object: ShortText | None = None
    negatives: Annotated[tuple[ShortText, ...], Field(min_length=NEGATIVES, max_length=NEGATIVES)]

    @model_validator(mode="after")
    def _differ(self) -> Self:
        texts = [text.casefold() for text in (self.text, *self.negatives)]
        if len(set(texts)) < len(texts):
            raise ValueError("negatives: expected four that differ from each other and the text")
        return self
