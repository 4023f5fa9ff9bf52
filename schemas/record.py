"""Rows of the description files: one image with its responses, then what agents add to it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import LongText, Record, ShortText, StrictModel
from schemas.edit import Edit
from schemas.entity import Domain, GroundTruthEntity, PredictedEntity
from schemas.judgement import PairJudgement

PROMPT_STYLES = {
    "neutral": "Describe the image. Respond in English only.",
    "conservative": (
        "Describe the image factually and refrain from guessing unobserved details. "
        "Respond in English only."
    ),
    "aggressive": ("Describe the image in as much detail as possible. Respond in English only."),
}
"""The three prompt styles of GranFact (section 6.1)."""


class ImageRecord(Record):
    """One image, the responses to judge, and its ground truth: `entities` or a `reference`."""

    id: ShortText
    image: str
    domain: Domain | None = None
    prompt: LongText = PROMPT_STYLES["neutral"]
    model: ShortText | None = None
    styles: tuple[ShortText, ...] | None = Field(
        default=None, description="Prompt style of each response, for the benchmark's table."
    )
    responses: Annotated[tuple[LongText, ...], Field(min_length=1, max_length=64)]
    entities: tuple[GroundTruthEntity, ...] | None = None
    reference: LongText | None = None

    @model_validator(mode="after")
    def _has_ground_truth(self) -> Self:
        if self.entities is None and self.reference is None:
            raise ValueError("needs `entities` (annotated objects) or `reference` (a text)")
        if self.styles is not None and len(self.styles) != len(self.responses):
            raise ValueError("`styles` needs one entry for each response")
        return self


class ResponseRecord(Record):
    """One response of one image: the unit of work. Its id is `IMAGE_ID#INDEX`."""

    image_id: ShortText
    index: Annotated[int, Field(strict=True, ge=0)]
    image: str
    domain: Domain | None = None
    prompt: LongText
    model: ShortText | None = None
    style: ShortText | None = None
    response: LongText
    entities: tuple[GroundTruthEntity, ...] | None = None
    reference: LongText | None = None


class ParsedRecord(ResponseRecord):
    """After the response parser: what is claimed, and ground truth always in `entities`."""

    entities: tuple[GroundTruthEntity, ...]
    ground_truth: Literal["entities", "reference"]
    predictions: tuple[PredictedEntity, ...]


class JudgedRecord(ParsedRecord):
    """After a judge: the category-compatible pairs."""

    judgements: tuple[PairJudgement, ...]


class ResponseScore(StrictModel):
    """Scores of one response (spec 1.8 with a single example)."""

    predicted: float
    truth: float
    matched: float
    granularity: float
    reliable: bool
    P: float
    R: float
    gP: float
    gR: float
    gF1: float


class Revision(StrictModel):
    """The rewritten response, judged like the original."""

    text: LongText
    predictions: tuple[PredictedEntity, ...]
    judgements: tuple[PairJudgement, ...]
    score: ResponseScore


class RevisedRecord(JudgedRecord):
    """After rollback. `revision` is None when no attempt passed the checks: see `refused`."""

    score: ResponseScore
    edits: tuple[Edit, ...]
    revision: Revision | None
    refused: str | None = None
