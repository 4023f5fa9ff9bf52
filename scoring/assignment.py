"""The exact assignment of predictions to entities (GranFact section 4.2.3, spec 1.5 and 1.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from schemas.judged import JudgedExample

SCALE = 10**9
"""Scores become whole-number costs of this resolution."""


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
    entities = {entity.id: index for index, entity in enumerate(example.entities)}
    edges = []
    for pair in sorted(example.judgements, key=lambda pair: (pair.prediction, pair.entity)):
        if pair.level:
            entity = entities[pair.entity]
            score = edge_score(pair.level, example.entities[entity].depth, pair.attribute_score)
            edges.append(Edge(predictions[pair.prediction], entity, score, pair.attribute_score))
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
            f"the quantities of one example add up to {total:,}; at most {2**63 // SCALE:,} fit"
        )
    flows = _solve(edges, supplies, capacities)
    _check(edges, flows, supplies, capacities)
    return flows


def _solve(edges: Sequence[Edge], supplies: Sequence[int], capacities: Sequence[int]) -> list[int]:
    from ortools.graph.python import min_cost_flow

    network = min_cost_flow.SimpleMinCostFlow()
    add = network.add_arc_with_capacity_and_unit_cost
    # Nodes are numbered in order of the edges: which of several equal optima is found must not
    # depend on the order of the input.
    givers = {p: 2 + i for i, p in enumerate(dict.fromkeys(edge.prediction for edge in edges))}
    takers = {
        e: 2 + len(givers) + i for i, e in enumerate(dict.fromkeys(edge.entity for edge in edges))
    }
    arcs = [
        add(
            givers[edge.prediction],
            takers[edge.entity],
            min(supplies[edge.prediction], capacities[edge.entity]),
            -round(edge.score * SCALE),
        )
        for edge in edges
    ]
    for prediction, node in givers.items():
        add(0, node, supplies[prediction], 0)
    for entity, node in takers.items():
        add(node, 1, capacities[entity], 0)
    network.set_node_supply(0, sum(supplies))
    network.set_node_supply(1, -sum(supplies))
    status = network.solve_max_flow_with_min_cost()
    if status != network.OPTIMAL:
        raise ScoringError(f"the flow solver stopped with status {status}")
    return [network.flow(arc) for arc in arcs]


def _check(
    edges: Sequence[Edge],
    flows: Sequence[int],
    supplies: Sequence[int],
    capacities: Sequence[int],
) -> None:
    """The three constraints of eq. 2: nothing negative, no supply or capacity exceeded."""
    given, taken = [0] * len(supplies), [0] * len(capacities)
    for edge, flow in zip(edges, flows, strict=True):
        given[edge.prediction] += flow
        taken[edge.entity] += flow
    within = all(g <= s for g, s in zip(given, supplies, strict=True)) and all(
        t <= c for t, c in zip(taken, capacities, strict=True)
    )
    if min(flows) < 0 or not within:
        raise ScoringError("the flow solver returned an assignment that breaks a capacity")
