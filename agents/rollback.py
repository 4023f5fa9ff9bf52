"""Semantic rollback: which claims to delete, to make coarser, or to recount.

GranFact section 5.1 and appendix D.5, spec 2.1. Pure decisions; the editor is in `agents.rsr`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agents.attribute_judge import judge_attributes
from agents.base import AgentContext, gather
from agents.category_judge import compatible_pairs, decide
from agents.judged import score_response
from schemas.edit import Edit
from schemas.entity import GroundTruthEntity, PredictedEntity
from schemas.judgement import PairJudgement


async def judge(
    predictions: Sequence[PredictedEntity],
    entities: Sequence[GroundTruthEntity],
    context: AgentContext,
) -> tuple[PairJudgement, ...]:
    """Both judges: the compatible pairs with levels, facts and attribute scores."""
    pairs = await compatible_pairs(predictions, entities, context)
    return await judge_attributes(predictions, entities, pairs, context)


async def decide_edits(
    predictions: Sequence[PredictedEntity],
    entities: Sequence[GroundTruthEntity],
    pairs: Sequence[PairJudgement],
    context: AgentContext,
    *,
    counts_are_exact: bool = True,
) -> tuple[Edit, ...]:
    """Edits in order of prediction: category edits, then counts that are still too high.

    With `counts_are_exact` false (ground truth parsed from a reference, which names "pants" once
    however many people wear some) a further object of a known kind is not called a repeat.
    """
    compatible = {pair.prediction for pair in pairs}
    found = await gather(
        _category_edit(index, prediction, entities, context)
        for index, prediction in enumerate(predictions)
        if index not in compatible
    )
    category_edits = {edit.prediction: edit for edit in found if edit}
    kept, origin = _apply(predictions, category_edits)
    pairs_after = await judge(kept, entities, context) if category_edits else pairs
    surplus = _surplus(kept, origin, entities, pairs_after)
    edits = []
    for index, prediction in enumerate(predictions):
        edit = category_edits.get(index)
        left = surplus.get(index)
        if edit and edit.kind == "rollback" and left == 0:
            # Every object of that node is described already: this one is not in the image.
            edits.append(_edit("delete", index, prediction))
            continue
        if edit:
            edits.append(edit)
        if left is not None and (left or counts_are_exact):
            edits.append(_edit("quantity", index, prediction, quantity=left))
    return tuple(edits)


async def _category_edit(
    index: int,
    prediction: PredictedEntity,
    entities: Sequence[GroundTruthEntity],
    context: AgentContext,
) -> Edit | None:
    """Edit of a prediction that fits no path; None where it is merely too vague to fit."""
    fits = await gather(
        _finest_shared_level(prediction.category, entity.path, context) for entity in entities
    )
    level, node = max(
        ((level, entity.path[level - 1]) for level, entity in zip(fits, entities, strict=True)
         if level),
        key=lambda fit: fit[0],
        default=(0, ""),
    )  # fmt: skip
    if level:
        # The level walk said 0, so something finer than this node excludes the prediction.
        return _edit("rollback", index, prediction, node)
    if await _is_vague(prediction.category, entities, context):
        return None
    return _edit("delete", index, prediction)


async def _finest_shared_level(category: str, path: Sequence[str], context: AgentContext) -> int:
    """Deepest node that the category is an instance of; unlike the level walk, it never stops."""
    for level in range(len(path), 0, -1):
        if await decide(category, path[level - 1], context) == "is_a":
            return level
    return 0


async def _is_vague(
    category: str, entities: Sequence[GroundTruthEntity], context: AgentContext
) -> bool:
    """True if the category could mean an entity and names none: "object" is no hallucination."""
    answers = await gather(decide(category, entity.path[-1], context) for entity in entities)
    return "may_refer_to" in answers


def _apply(
    predictions: Sequence[PredictedEntity], edits: Mapping[int, Edit]
) -> tuple[list[PredictedEntity], list[int]]:
    """Predictions as they will be after the category edits, with their former indices."""
    kept, origin = [], []
    for index, prediction in enumerate(predictions):
        edit = edits.get(index)
        if edit is None:
            kept.append(prediction)
        elif edit.kind == "rollback":
            kept.append(prediction.model_copy(update={"category": edit.replacement}))
        else:
            continue
        origin.append(index)
    return kept, origin


def _surplus(
    predictions: Sequence[PredictedEntity],
    origin: Sequence[int],
    entities: Sequence[GroundTruthEntity],
    pairs: Sequence[PairJudgement],
) -> dict[int, int]:
    """Former index of each compatible prediction that claims too many → how many there are."""
    compatible = {pair.prediction for pair in pairs}
    assigned = score_response(predictions, entities, pairs).assigned
    surplus = {}
    for index in sorted(compatible):
        quantity = predictions[index].quantity
        stated = 1 if quantity == "uncertain" else quantity
        if assigned.get(index, 0) < stated:
            surplus[origin[index]] = assigned.get(index, 0)
    return surplus


def _edit(
    kind: str,
    index: int,
    prediction: PredictedEntity,
    replacement: str | None = None,
    quantity: int | None = None,
) -> Edit:
    return Edit.model_validate(
        {
            "kind": kind,
            "prediction": index,
            "category": prediction.category,
            "replacement": replacement,
            "stated_quantity": prediction.quantity,
            "quantity": quantity,
        }
    )
