"""Entities: what an image holds (ground truth) and what a response claims (prediction)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import LongText, Quantity, ShortText, StrictModel

Attributes = Annotated[tuple[ShortText, ...], Field(max_length=40)]

Domain = Literal["daily objects", "plants", "animals", "cars", "electronics", "landmarks", "games"]
"""The seven domains of GranFact (section 4.1)."""


class GroundTruthEntity(StrictModel):
    """One annotated object: its coarse-to-fine category path, quantity and visual facts."""

    path: Annotated[tuple[ShortText, ...], Field(min_length=1, max_length=16)]
    quantity: Quantity = 1
    attributes: Attributes = ()

    @property
    def depth(self) -> int:
        """Number of nodes on the path."""
        return len(self.path)


class PredictedEntity(StrictModel):
    """One object that a response claims to see (GranFact section 4.2.1)."""

    category: ShortText = Field(description="The most specific category the text states.")
    quantity: Quantity = Field(
        default=1, description='The stated count; 1 if none; "uncertain" if vague or bare plural.'
    )
    attributes: Attributes = Field(
        default=(), description="Non-quantitative visual facts the text states of this object."
    )


class ParseInput(StrictModel):
    """What the response parser reads: one response, and the domain it is limited to."""

    response: LongText
    domain: Domain | None = None


class ParsedResponse(StrictModel):
    """What the response parser answers."""

    entities: Annotated[tuple[PredictedEntity, ...], Field(max_length=60)]
