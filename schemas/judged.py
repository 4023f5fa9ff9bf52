"""The interface between judging and scoring: one judged example a line (spec 1.9)."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from schemas.base import Identifier, ShortText, StrictModel

WholeNumber = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)]


class JudgedPrediction(StrictModel):
    """A predicted object. `uncertain` marks a count that was not stated exactly; it starts at 1."""

    id: ShortText
    quantity: WholeNumber = 1
    uncertain: Annotated[bool, Field(strict=True)] = False


class JudgedEntity(StrictModel):
    """An annotated object; `depth` is the number of nodes on its category path."""

    id: ShortText
    depth: WholeNumber
    quantity: WholeNumber = 1
    uncertain: Annotated[bool, Field(strict=True)] = False


class Judgement(StrictModel):
    """The judges' word on one pair; a pair without one, or with level 0, is incompatible."""

    prediction: ShortText
    entity: ShortText
    level: Annotated[int, Field(strict=True, ge=0)]
    attribute_score: Fraction = Field(
        default=0.0, description="Required where the level is 1 or more."
    )


class JudgedExample(StrictModel):
    """One response to one image, judged. Ids are unique on each side."""

    id: Identifier
    domain: ShortText | None = None
    predictions: tuple[JudgedPrediction, ...]
    entities: tuple[JudgedEntity, ...]
    judgements: tuple[Judgement, ...]

    @field_validator("predictions", "entities")
    @classmethod
    def _ids_are_unique(
        cls, items: tuple[JudgedPrediction | JudgedEntity, ...]
    ) -> tuple[JudgedPrediction | JudgedEntity, ...]:
        seen: set[str] = set()
        for item in items:
            if item.id in seen:
                raise ValueError(f"id {item.id!r} stands twice")
            seen.add(item.id)
        return items

    @model_validator(mode="after")
    def _judgements_fit(self) -> Self:
        predictions = {prediction.id for prediction in self.predictions}
        depths = {entity.id: entity.depth for entity in self.entities}
        seen: set[tuple[str, str]] = set()
        for index, pair in enumerate(self.judgements):
            where = f"judgements[{index}]"
            if pair.prediction not in predictions:
                raise ValueError(f"{where}.prediction: no prediction has id {pair.prediction!r}")
            if pair.entity not in depths:
                raise ValueError(f"{where}.entity: no entity has id {pair.entity!r}")
            if pair.level > depths[pair.entity]:
                raise ValueError(
                    f"{where}.level: expected at most the entity's depth "
                    f"{depths[pair.entity]}, got {pair.level}"
                )
            if pair.level and "attribute_score" not in pair.model_fields_set:
                raise ValueError(f"{where}.attribute_score: required where the level is 1 or more")
            if (pair.prediction, pair.entity) in seen:
                raise ValueError(f"{where}: a second judgement of the same pair")
            seen.add((pair.prediction, pair.entity))
        return self


class Assignment(StrictModel):
    """How much of a prediction was assigned to an entity."""

    prediction: str
    entity: str
    quantity: int


class ExampleResult(StrictModel):
    """Score of one example. `matched` and `granularity` are after the uncertainty discount."""

    id: str
    predicted: int | float
    truth: int | float
    matched: int | float
    granularity: int | float
    reliable: bool
    assignments: tuple[Assignment, ...]


class Metrics(StrictModel):
    """The nine metrics of GranFact (section 4.3), and what they were computed from."""

    IRR: float
    P: float
    R: float
    F1: float
    gIRR: float
    gP: float
    gR: float
    gF1: float
    G: float
    examples: int
    empty: int = Field(description="Examples without a prediction; each counts as reliable.")
