"""Score examples, and sum them up to the nine metrics (GranFact section 4.3, spec 1.8)."""

from __future__ import annotations

from collections.abc import Iterable
from math import fsum

from schemas.judged import Assignment, ExampleResult, JudgedExample, Metrics
from scoring.assignment import assign, compatible_edges
from scoring.uncertain import counted, credit, repair


def score_example(example: JudgedExample) -> ExampleResult:
    """Assign one example and count what was matched.

    Raises ScoringError when its quantities add up to more than the solver can represent.
    """
    predictions, entities = example.predictions, example.entities
    edges = compatible_edges(example)
    flows = assign(edges, [p.quantity for p in predictions], [e.quantity for e in entities])
    supplies, capacities = repair(edges, flows, predictions, entities)
    used = [(edge, flow) for edge, flow in zip(edges, flows, strict=True) if flow]
    credits = [credit(predictions[e.prediction], entities[e.entity]) * flow for e, flow in used]
    predicted = counted(predictions, supplies, {edge.prediction for edge in edges})
    return ExampleResult(
        id=example.id,
        predicted=whole(predicted),
        truth=whole(counted(entities, capacities, {edge.entity for edge in edges})),
        matched=whole(fsum(credits)),
        granularity=whole(fsum(e.score * c for (e, _), c in zip(used, credits, strict=True))),
        reliable=sum(flow for _, flow in used) == predicted,
        assignments=tuple(
            Assignment(
                prediction=predictions[edge.prediction].id,
                entity=entities[edge.entity].id,
                quantity=flow,
            )
            for edge, flow in used
        ),
    )


def summarise(results: Iterable[ExampleResult]) -> Metrics:
    """The nine metrics, micro-averaged over the examples. Every 0/0 is 0."""
    rows = list(results)
    matched = fsum(row.matched for row in rows)
    granularity = fsum(row.granularity for row in rows)
    predicted = fsum(row.predicted for row in rows)
    truth = fsum(row.truth for row in rows)
    precision, recall = ratio(matched, predicted), ratio(matched, truth)
    fine_precision, fine_recall = ratio(granularity, predicted), ratio(granularity, truth)
    return Metrics(
        IRR=ratio(sum(row.reliable for row in rows), len(rows)),
        P=precision,
        R=recall,
        F1=harmonic(precision, recall),
        gIRR=ratio(fsum(mean_granularity(row) for row in rows), len(rows)),
        gP=fine_precision,
        gR=fine_recall,
        gF1=harmonic(fine_precision, fine_recall),
        G=ratio(granularity, matched),
        examples=len(rows),
        empty=sum(row.predicted == 0 for row in rows),
    )


def mean_granularity(row: ExampleResult) -> float:
    """What an example adds to gIRR: its granularity a matched unit, if it is reliable."""
    return ratio(row.granularity, row.matched) if row.reliable else 0.0


def ratio(numerator: float, denominator: float) -> float:
    """The quotient; 0 where the denominator is 0."""
    return numerator / denominator if denominator else 0.0


def harmonic(one: float, other: float) -> float:
    """Harmonic mean of two rates; 0 where both are 0."""
    return ratio(2 * one * other, one + other)


def whole(number: float) -> int | float:
    """An int where nothing is lost, so that counts print as counts."""
    return int(number) if number == int(number) else number
