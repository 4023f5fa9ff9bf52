"""From an agent's judgements to the scorer's input and back (spec 1.9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from schemas.entity import GroundTruthEntity, PredictedEntity
from schemas.judged import JudgedEntity, JudgedExample, JudgedPrediction, Judgement
from schemas.judgement import PairJudgement
from schemas.record import JudgedRecord, ResponseScore
from scoring import score_example, summarise


class ScoredResponse(NamedTuple):
    """Scores of one response, and how much of each prediction was assigned."""

    score: ResponseScore
    assigned: dict[int, int]


def judged_example(
    predictions: Sequence[PredictedEntity],
    entities: Sequence[GroundTruthEntity],
    pairs: Sequence[PairJudgement],
    identifier: str = "response",
    domain: str | None = None,
) -> JudgedExample:
    """Name predictions p0, p1, … and entities g0, g1, … and keep levels and attribute scores."""
    return JudgedExample(
        id=identifier,
        domain=domain,
        predictions=tuple(
            JudgedPrediction(id=f"p{i}", **_quantity(p.quantity)) for i, p in enumerate(predictions)
        ),
        entities=tuple(
            JudgedEntity(id=f"g{i}", depth=e.depth, **_quantity(e.quantity))
            for i, e in enumerate(entities)
        ),
        judgements=tuple(
            Judgement(
                prediction=f"p{pair.prediction}",
                entity=f"g{pair.entity}",
                level=pair.level,
                attribute_score=pair.attribute_score or 0.0,
            )
            for pair in pairs
        ),
    )


def record_example(record: JudgedRecord) -> JudgedExample:
    """The scorer's line for a judged record."""
    return judged_example(
        record.predictions, record.entities, record.judgements, record.id, record.domain
    )


def score_response(
    predictions: Sequence[PredictedEntity],
    entities: Sequence[GroundTruthEntity],
    pairs: Sequence[PairJudgement],
) -> ScoredResponse:
    """Score one response alone (spec 1.5–1.8)."""
    result = score_example(judged_example(predictions, entities, pairs))
    metrics = summarise([result])
    assigned: dict[int, int] = {}
    for assignment in result.assignments:
        index = int(assignment.prediction[1:])
        assigned[index] = assigned.get(index, 0) + assignment.quantity
    score = ResponseScore(
        predicted=result.predicted,
        truth=result.truth,
        matched=result.matched,
        granularity=round(result.granularity, 9),
        reliable=result.reliable,
        P=metrics.P,
        R=metrics.R,
        gP=metrics.gP,
        gR=metrics.gR,
        gF1=metrics.gF1,
    )
    return ScoredResponse(score, assigned)


def _quantity(quantity: int | str) -> dict[str, int | bool]:
    if isinstance(quantity, int):
        return {"quantity": quantity, "uncertain": False}
    return {"quantity": 1, "uncertain": True}
