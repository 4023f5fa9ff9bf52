"""The exact assignment of predictions to entities (GranFact section 4.2.3, spec 1.5 and 1.6)."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from schemas.judged import JudgedExample

SCALE = 10**9
"""Scores become whole-number costs of this resolution."""

_COLUMNS = attrgetter("prediction", "entity", "level", "attribute_score")


class ScoringError(ValueError):
    """An example that the solver cannot represent."""


class Edge(NamedTuple):
    """A category-compatible pair: indices into predictions and entities."""

    prediction: int
    entity: int
    score: float
    attribute_score: float


def edge_score(level: int, depth: int, attribute_score: float) -> float:
    """Granularity score of a compatible pair, in [0, 1] (spec 1.5).

    Rebuilt from the prose around the paper's eq. 34: a finer level never scores below a coarser
    one, attributes order the predictions within a level, and a full match scores 1.
    """
    return (level - 1 + attribute_score) / depth


def compatible_edges(example: JudgedExample) -> list[Edge]:
    """All edges of an example in order of ids, so that results do not depend on line order."""
    predictions = {prediction.id: index for index, prediction in enumerate(example.predictions)}
    entities = {entity.id: (i, entity.depth) for i, entity in enumerate(example.entities)}
    edges = []
    for prediction, entity, level, attributes in sorted(map(_COLUMNS, example.judgements)):
        if level:
            index, depth = entities[entity]
            score = edge_score(level, depth, attributes)
            edges.append(Edge(predictions[prediction], index, score, attributes))
    return edges


def assign(edges: Sequence[Edge], supplies: Sequence[int], capacities: Sequence[int]) -> list[int]:
    """Quantity assigned on each edge: most matched first, then the highest total score.

    `supplies` are the predictions' quantities, `capacities` the entities'. A maximum flow of
    minimal cost is that lexicographic optimum, so no big constant is needed and the costs stay
    small: the total is checked to fit 64 bits. Raises ScoringError when it does not.
    """
    if not edges:
        return []
    total = sum(supplies) + sum(capacities)
    if total * SCALE >= 2**63:
        raise ScoringError(
            f"quantity: the quantities of one example add up to {total:,}; at most "
            f"{2**63 // SCALE:,} fit the solver: lower them, or mark what was not counted uncertain"
        )
    flows = _solve(edges, supplies, capacities)
    _check(edges, flows, supplies, capacities)
    return flows


def _solve(edges: Sequence[Edge], supplies: Sequence[int], capacities: Sequence[int]) -> list[int]:
    from ortools.graph.python import min_cost_flow

    # Nodes are numbered in order of the edges: which of several equal optima is found must not
    # depend on the order of the input.
    predictions, entities, scores, _ = zip(*edges, strict=True)
    givers = {p: node for node, p in enumerate(dict.fromkeys(predictions))}
    takers = {e: node for node, e in enumerate(dict.fromkeys(entities), start=len(givers))}
    network = min_cost_flow.SimpleMinCostFlow()
    arcs = network.add_arcs_with_capacity_and_unit_cost(
        [givers[p] for p in predictions],
        [takers[e] for e in entities],
        [supplies[p] for p in predictions],
        [-round(score * SCALE) for score in scores],
    )
    # Source and sink are the solver's own: supplies and demands need not balance.
    network.set_nodes_supplies(
        range(len(givers) + len(takers)),
        [*(supplies[p] for p in givers), *(-capacities[e] for e in takers)],
    )
    status = network.solve_max_flow_with_min_cost()
    if status != network.OPTIMAL:
        raise ScoringError(f"the flow solver stopped with status {status}")
    flows: list[int] = network.flows(arcs).tolist()
    return flows


def _check(
    edges: Sequence[Edge],
    flows: Sequence[int],
    supplies: Sequence[int],
    capacities: Sequence[int],
) -> None:
    """The three constraints of eq. 2: nothing negative, no supply or capacity exceeded."""
    unused, free = list(supplies), list(capacities)
    for edge, flow in zip(edges, flows, strict=True):
        unused[edge[0]] -= flow
        free[edge[1]] -= flow
    if min(*flows, *unused, *free) < 0:
        raise ScoringError("the flow solver returned an assignment that breaks a capacity")
