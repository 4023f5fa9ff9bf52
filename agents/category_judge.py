"""Category judge: how fine is a prediction on an annotated path (GranFact appendix C.2)?

`python -m agents.category_judge parsed.jsonl --output DIR` writes `levels.jsonl`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from agents.base import Agent, AgentContext, gather
from schemas.entity import GroundTruthEntity, PredictedEntity
from schemas.judgement import CategoryAnswer, CategoryDecision, CategoryQuestion, PairJudgement
from schemas.record import JudgedRecord, ParsedRecord


async def decide(prediction: str, target: str, context: AgentContext) -> CategoryDecision:
    """How `prediction` relates to `target`. Equal names need no call."""
    if same_name(prediction, target):
        return "is_a"
    question = CategoryQuestion(prediction=prediction, target=target)
    return (await context.ask("category_judge", question, CategoryAnswer)).decision


def same_name(one: str, other: str) -> bool:
    """Equal but for case and a plural s."""
    return one.casefold().removesuffix("s") == other.casefold().removesuffix("s")


async def level_on_path(prediction: str, path: Sequence[str], context: AgentContext) -> int:
    """1-based position of the finest node that the prediction supports; 0 if incompatible.

    A prediction that has the name of a node is at that node: nothing finer on the path can exclude
    it. Otherwise walks from fine to coarse and stops at the first `is_a` or `cannot_refer_to`.
    """
    for level in range(len(path), 0, -1):
        if same_name(prediction, path[level - 1]):
            return level
    for level in range(len(path), 0, -1):
        decision = await decide(prediction, path[level - 1], context)
        if decision == "is_a":
            return level
        if decision == "cannot_refer_to":
            return 0
    return 0


async def compatible_pairs(
    predictions: Sequence[PredictedEntity],
    entities: Sequence[GroundTruthEntity],
    context: AgentContext,
) -> tuple[PairJudgement, ...]:
    """All pairs with a level of at least 1, ordered by prediction, then entity."""
    pairs = [(p, e) for p in range(len(predictions)) for e in range(len(entities))]
    levels = await gather(
        level_on_path(predictions[p].category, entities[e].path, context) for p, e in pairs
    )
    return tuple(
        PairJudgement(prediction=p, entity=e, level=level)
        for (p, e), level in zip(pairs, levels, strict=True)
        if level
    )


class CategoryJudge(Agent[ParsedRecord, JudgedRecord]):
    """Judges every prediction of a response against every annotated path."""

    name = "category_judge"
    steps = ("category_judge",)

    async def run(self, item: ParsedRecord, context: AgentContext) -> JudgedRecord:
        """At most predictions × nodes calls; the cache asks each pair of names once a run."""
        pairs = await compatible_pairs(item.predictions, item.entities, context)
        return JudgedRecord(**item.model_dump(), judgements=pairs)

    def estimate(self, item: ParsedRecord) -> dict[str, int]:
        """Half of the nodes of every path, as most walks stop early."""
        nodes = sum(entity.depth for entity in item.entities)
        return {"category_judge": max(1, len(item.predictions) * nodes // 2)}


def main(argv: Sequence[str] | None = None) -> int:
    """Run this agent as a command."""
    from agents.stages import CATEGORIES

    return CATEGORIES.main(argv)


if __name__ == "__main__":
    sys.exit(main())
