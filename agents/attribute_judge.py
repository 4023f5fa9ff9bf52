"""Attribute judge: which described facts hold of an entity (GranFact appendix C.2)?

`python -m agents.attribute_judge levels.jsonl --output DIR` writes `judgements.jsonl`, and
`judged.jsonl` for `python -m scoring`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby

from agents.base import Agent, AgentContext, gather
from runtime.errors import ToolkitError
from schemas.entity import GroundTruthEntity, PredictedEntity
from schemas.judgement import (
    AttributeAnswer,
    AttributeCandidate,
    AttributeQuestion,
    FactVerdict,
    PairJudgement,
)
from schemas.record import JudgedRecord
from scoring.attributes import attribute_score


async def judge_attributes(
    predictions: Sequence[PredictedEntity],
    entities: Sequence[GroundTruthEntity],
    pairs: Sequence[PairJudgement],
    context: AgentContext,
) -> tuple[PairJudgement, ...]:
    """The pairs with their facts and attribute scores; one call for each prediction."""
    groups = [list(group) for _, group in groupby(pairs, key=lambda pair: pair.prediction)]
    judged = await gather(
        _judge_one(predictions[group[0].prediction], entities, group, context) for group in groups
    )
    return tuple(pair for group in judged for pair in group)


async def _judge_one(
    prediction: PredictedEntity,
    entities: Sequence[GroundTruthEntity],
    pairs: Sequence[PairJudgement],
    context: AgentContext,
) -> list[PairJudgement]:
    # A side without facts has nothing to compare: no call, and the score follows from the lengths.
    asked = [p for p in pairs if prediction.attributes and entities[p.entity].attributes]
    verdicts: dict[int, FactVerdict] = {}
    if asked:
        question = AttributeQuestion(
            category=prediction.category,
            attributes=prediction.attributes,
            candidates=tuple(_candidate(entities[pair.entity]) for pair in asked),
        )
        answer = await context.ask(
            "attribute_judge",
            question,
            AttributeAnswer,
            legend=numbered_facts(question),
            validate=lambda given: check_verdicts(question, given),
        )
        verdicts = {asked[v.candidate].entity: v for v in answer.verdicts}
    return [_scored(pair, prediction, entities[pair.entity], verdicts) for pair in pairs]


def _candidate(entity: GroundTruthEntity) -> AttributeCandidate:
    return AttributeCandidate(category=entity.path[-1], attributes=entity.attributes)


def _scored(
    pair: PairJudgement,
    prediction: PredictedEntity,
    entity: GroundTruthEntity,
    verdicts: dict[int, FactVerdict],
) -> PairJudgement:
    nothing = FactVerdict(candidate=0, correct=(), wrong=(), recalled=())
    verdict = verdicts.get(pair.entity, nothing)
    score = attribute_score(
        correct=len(set(verdict.correct)),
        wrong=len(set(verdict.wrong)),
        recalled=len(set(verdict.recalled)),
        predicted_facts=len(prediction.attributes),
        truth_facts=len(entity.attributes),
    )
    return PairJudgement(
        prediction=pair.prediction,
        entity=pair.entity,
        level=pair.level,
        correct=verdict.correct,
        wrong=verdict.wrong,
        recalled=verdict.recalled,
        attribute_score=score,
    )


def numbered_facts(question: AttributeQuestion) -> str:
    """The facts with their numbers, so that a model need not count."""
    lines = ["Described facts:", *_numbered(question.attributes)]
    for number, candidate in enumerate(question.candidates):
        lines += [f"Candidate {number}:", *_numbered(candidate.attributes)]
    return "\n".join(lines)


def _numbered(facts: Sequence[str]) -> list[str]:
    return [f"  {number}: {fact}" for number, fact in enumerate(facts)]


def check_verdicts(question: AttributeQuestion, answer: AttributeAnswer) -> None:
    """Every candidate once, every number in its list, no fact both right and wrong.

    Raises ToolkitError("semantic") with all that is wrong, for the correction turn.
    """
    problems = []
    if [v.candidate for v in answer.verdicts] != list(range(len(question.candidates))):
        problems.append(f"give one verdict for each candidate 0–{len(question.candidates) - 1}")
    for verdict in answer.verdicts:
        described = len(question.attributes)
        known = verdict.candidate < len(question.candidates)
        true = len(question.candidates[verdict.candidate].attributes) if known else 0
        if any(i >= described for i in (*verdict.correct, *verdict.wrong)):
            problems.append(f"described facts have the numbers 0–{described - 1}")
        if known and any(i >= true for i in verdict.recalled):
            problems.append(f"facts of candidate {verdict.candidate} are numbered 0–{true - 1}")
        if set(verdict.correct) & set(verdict.wrong):
            problems.append("a fact cannot be both correct and wrong")
    if problems:
        raise ToolkitError("semantic", "; ".join(problems))


class AttributeJudge(Agent[JudgedRecord, JudgedRecord]):
    """Adds facts and attribute scores to the compatible pairs of a response."""

    name = "attribute_judge"
    steps = ("attribute_judge",)

    async def run(self, item: JudgedRecord, context: AgentContext) -> JudgedRecord:
        """At most one call for each prediction."""
        pairs = await judge_attributes(item.predictions, item.entities, item.judgements, context)
        return item.model_copy(update={"judgements": pairs})

    def estimate(self, item: JudgedRecord) -> dict[str, int]:
        """One call for each prediction with a compatible entity."""
        return {"attribute_judge": len({pair.prediction for pair in item.judgements})}


def main(argv: Sequence[str] | None = None) -> int:
    """Run this agent as a command."""
    from agents.stages import ATTRIBUTES

    return ATTRIBUTES.main(argv)


if __name__ == "__main__":
    sys.exit(main())
