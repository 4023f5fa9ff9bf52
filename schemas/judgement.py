"""Questions to the judges and their answers (GranFact appendix C.2)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import ShortText, StrictModel
from schemas.entity import Attributes

CategoryDecision = Literal["is_a", "may_refer_to", "cannot_refer_to"]

FactIndex = Annotated[int, Field(strict=True, ge=0)]


class CategoryQuestion(StrictModel):
    """Does the predicted category name the target category?"""

    prediction: ShortText
    target: ShortText


class CategoryAnswer(StrictModel):
    """The category judge's one word."""

    decision: CategoryDecision


class AttributeCandidate(StrictModel):
    """One annotated entity whose category fits the prediction."""

    category: ShortText
    attributes: Attributes = ()


class AttributeQuestion(StrictModel):
    """One prediction's facts against the facts of every entity that it fits."""

    category: ShortText
    attributes: Attributes
    candidates: Annotated[tuple[AttributeCandidate, ...], Field(min_length=1)]


class FactVerdict(StrictModel):
    """For one candidate: which facts hold. Facts are 0-based indices into the given lists."""

    candidate: FactIndex = Field(description="Index of the candidate.")
    correct: tuple[FactIndex, ...] = Field(description="Predicted facts that it supports.")
    wrong: tuple[FactIndex, ...] = Field(description="Predicted facts that it contradicts.")
    recalled: tuple[FactIndex, ...] = Field(description="Candidate facts the prediction covers.")


class AttributeAnswer(StrictModel):
    """The attribute judge's answer: one verdict for each candidate."""

    verdicts: tuple[FactVerdict, ...]


class PairJudgement(StrictModel):
    """A category-compatible (prediction, entity) pair, both as indices into their lists."""

    prediction: FactIndex
    entity: FactIndex
    level: Annotated[int, Field(strict=True, ge=1)]
    correct: tuple[FactIndex, ...] = ()
    wrong: tuple[FactIndex, ...] = ()
    recalled: tuple[FactIndex, ...] = ()
    attribute_score: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="None until the attribute judge has run."
    )
