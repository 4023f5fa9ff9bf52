"""Uncertain quantities: repair after the solve, and credit (GranFact appendix C.5, spec 1.7)."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

from schemas.judged import JudgedEntity, JudgedPrediction
from scoring.assignment import Edge

UNCERTAIN_CREDIT = 0.5


def initial(items: Sequence[JudgedPrediction | JudgedEntity]) -> list[int]:
    """Quantities that the solve starts from: an uncertain one is one unit, whatever it states."""
    return [1 if item.uncertain else item.quantity for item in items]


def repair(
    edges: Sequence[Edge],
    flows: list[int],
    predictions: Sequence[JudgedPrediction],
    entities: Sequence[JudgedEntity],
) -> tuple[list[int], list[int]]:
    """Expand uncertain quantities along existing edges; `flows` grows in place.

    `flows` must be maximal. Returns the quantities of predictions and entities after expansion.
    First what is left of a prediction goes to an uncertain entity, then what is left of an
    entity to an uncertain prediction; the best edge first.
    """
    supplies, capacities = initial(predictions), initial(entities)
    unused, uncovered = list(supplies), list(capacities)
    for edge, flow in zip(edges, flows, strict=True):
        unused[edge.prediction] -= flow
        uncovered[edge.entity] -= flow
    # Edges come in order of ids, and the sort is stable: ids break the remaining ties.
    order = sorted(range(len(edges)), key=lambda e: (-edges[e].score, -edges[e].attribute_score))
    for index in order:
        prediction, entity = edges[index][:2]
        extra = unused[prediction]
        if extra and entities[entity].uncertain:
            # The flow is maximal: an entity next to unused quantity is covered, so it must grow.
            flows[index] += extra
            capacities[entity] += extra
            unused[prediction] = 0
    for index in order:
        prediction, entity = edges[index][:2]
        extra = uncovered[entity]
        if extra and predictions[prediction].uncertain:
            flows[index] += extra
            supplies[prediction] += extra
            uncovered[entity] = 0
    return supplies, capacities


def credit(prediction: JudgedPrediction, entity: JudgedEntity) -> float:
    """Credit of a matched unit: half where only the prediction is uncertain."""
    return UNCERTAIN_CREDIT if prediction.uncertain and not entity.uncertain else 1.0


def counted(
    items: Sequence[JudgedPrediction | JudgedEntity],
    quantities: Sequence[int],
    entered: set[int],
) -> float:
    """Total quantity of one side.

    An uncertain item without an edge never entered the solver; it counts as the mean of the
    certain ones on its side, or 1.
    """
    certain = [item.quantity for item in items if not item.uncertain]
    mean = sum(certain) / len(certain) if certain else 1
    return fsum(
        mean if item.uncertain and index not in entered else quantity
        for index, (item, quantity) in enumerate(zip(items, quantities, strict=True))
    )
