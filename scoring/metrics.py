"""Score examples, and sum them up to the nine metrics (GranFact section 4.3, spec 1.8)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from math import fsum
from typing import NamedTuple

from schemas.judged import Assignment, ExampleResult, JudgedExample, Metrics
from schemas.record import ResponseScore
from scoring.assignment import assign, compatible_edges
from scoring.uncertain import counted, credit, initial, repair


def score_example(example: JudgedExample) -> ExampleResult:
    """Assign one example and count what was matched.

    Raises ScoringError when its quantities add up to more than the solver can represent.
    """
    predictions, entities = example.predictions, example.entities
    edges = compatible_edges(example)
    flows = assign(edges, initial(predictions), initial(entities))
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
    """The nine metrics, micro-averaged over the examples. Every 0/0 is 0.

    Reads the results once and keeps 64 bytes of each.
    """
    kept = ResultsByImage()
    kept.add(results)
    return kept.metrics()


def metrics(totals: Sequence[float]) -> Metrics:
    """The nine metrics, from the sum of each field of `Summands`."""
    matched, granularity, predicted, truth, reliable, fine, empty, examples = totals
    precision, recall = ratio(matched, predicted), ratio(matched, truth)
    fine_precision, fine_recall = ratio(granularity, predicted), ratio(granularity, truth)
    return Metrics(
        IRR=ratio(reliable, examples),
        P=precision,
        R=recall,
        F1=harmonic(precision, recall),
        gIRR=ratio(fine, examples),
        gP=fine_precision,
        gR=fine_recall,
        gF1=harmonic(fine_precision, fine_recall),
        G=ratio(granularity, matched),
        examples=int(examples),
        empty=int(empty),
    )


class Summands(NamedTuple):
    """What one example adds to the sums that all metrics are made of.

    `mean_granularity` is its granularity a matched unit if it is reliable, else 0.
    """

    matched: float
    granularity: float
    predicted: float
    truth: float
    reliable: bool
    mean_granularity: float
    empty: bool
    examples: int


_COLUMNS = len(Summands._fields)


def summands(row: ExampleResult | ResponseScore) -> Summands:
    """The summands of one example's result."""
    return Summands(
        matched=row.matched,
        granularity=row.granularity,
        predicted=row.predicted,
        truth=row.truth,
        reliable=row.reliable,
        mean_granularity=ratio(row.granularity, row.matched) if row.reliable else 0.0,
        empty=row.predicted == 0,
        examples=1,
    )


class ResultsByImage:
    """What any number of results adds to the metrics, image by image; 64 bytes a result."""

    def __init__(self) -> None:
        self.numbers = array("d")
        """The summands of all results, one after the other."""
        self.starts = array("q")
        """The result that each image begins with."""

    def __len__(self) -> int:
        return len(self.starts)

    def add(self, results: Iterable[ExampleResult]) -> None:
        """All results of one image; none is no image."""
        start = len(self.numbers)
        for result in results:
            self.numbers.extend(summands(result))
        if len(self.numbers) > start:
            self.starts.append(start // _COLUMNS)

    def metrics(self) -> Metrics:
        """The nine metrics of all results."""
        return metrics([fsum(self.numbers[column::_COLUMNS]) for column in range(_COLUMNS)])


def ratio(numerator: float, denominator: float) -> float:
    """The quotient; 0 where the denominator is 0."""
    return numerator / denominator if denominator else 0.0


def harmonic(one: float, other: float) -> float:
    """Harmonic mean of two rates; 0 where both are 0."""
    return ratio(2 * one * other, one + other)


def whole(number: float) -> int | float:
    """An int where nothing is lost, so that counts print as counts."""
    return int(number) if number == int(number) else number
