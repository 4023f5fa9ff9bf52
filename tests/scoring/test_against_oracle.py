"""The solver against the networkx oracle, and the identities of the metrics."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.judged import ExampleResult, JudgedExample
from scoring.assignment import assign, compatible_edges
from scoring.metrics import score_example, summarise
from scoring.uncertain import initial
from tests.scoring import oracle
from tests.scoring.strategies import examples

many = settings(
    max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
some = settings(max_examples=200, deadline=None, derandomize=True)


def solved(example: dict[str, Any]) -> dict[tuple[str, str], int]:
    """The solver's flow before any repair."""
    judged = JudgedExample.model_validate(example)
    edges = compatible_edges(judged)
    flows = assign(edges, initial(judged.predictions), initial(judged.entities))
    return {
        (judged.predictions[edge.prediction].id, judged.entities[edge.entity].id): flow
        for edge, flow in zip(edges, flows, strict=True)
    }


SCORES = ("predicted", "truth", "matched", "granularity")


def scores(result: ExampleResult) -> dict[str, Any]:
    """A result as the oracle has it, equal up to the last digits of floats."""
    numbers = {name: pytest.approx(getattr(result, name), rel=1e-9) for name in SCORES}
    return numbers | {"reliable": result.reliable}


@many
@given(examples())
def test_assignment_and_repair_equal_the_oracles(example: dict[str, Any]) -> None:
    """The assignment is as good as the oracle's, and the repair of it follows the rules.

    Equally good assignments may be repaired differently, so the repair starts from ours.
    """
    flow = solved(example)
    ours, best = oracle.objective(example, flow), oracle.objective(example, oracle.assign(example))
    assert ours[0] == best[0]
    assert ours[1] == pytest.approx(best[1], rel=1e-9, abs=1e-9)
    result = score_example(JudgedExample.model_validate(example))
    assert oracle.score(example, flow) == scores(result)


@settings(some, max_examples=400)
@given(examples(uncertain=False))
def test_certain_quantities_score_as_the_oracle_alone_says(example: dict[str, Any]) -> None:
    result = score_example(JudgedExample.model_validate(example))
    assert oracle.score(example, oracle.assign(example)) == scores(result)


@some
@given(examples())
def test_granular_rates_are_granularity_times_plain_rates(example: dict[str, Any]) -> None:
    metrics = summarise([score_example(JudgedExample.model_validate(example))])
    assert metrics.gP == pytest.approx(metrics.G * metrics.P)
    assert metrics.gR == pytest.approx(metrics.G * metrics.R)


@some
@given(examples())
def test_no_prediction_or_certain_entity_exceeds_its_quantity(example: dict[str, Any]) -> None:
    result = score_example(JudgedExample.model_validate(example))
    for side, name in (("predictions", "prediction"), ("entities", "entity")):
        for item in example[side]:
            used = sum(a.quantity for a in result.assignments if getattr(a, name) == item["id"])
            assert item["uncertain"] or used <= item["quantity"]
    pairs = {(a.prediction, a.entity) for a in result.assignments}
    assert pairs <= {(pair["prediction"], pair["entity"]) for pair in oracle.edges(example)}
    assert all(a.quantity >= 1 for a in result.assignments)
    assert len(pairs) == len(result.assignments)


@some
@given(examples())
def test_the_order_of_lines_does_not_change_the_scores(example: dict[str, Any]) -> None:
    shuffled = dict(example)
    for side in ("predictions", "entities", "judgements"):
        rows = list(example[side])
        random.Random(3).shuffle(rows)
        shuffled[side] = rows
    one = score_example(JudgedExample.model_validate(example))
    other = score_example(JudgedExample.model_validate(shuffled))
    assert (one.predicted, one.truth, one.matched) == (other.predicted, other.truth, other.matched)
    assert one.granularity == pytest.approx(other.granularity)


@settings(some, max_examples=50)
@given(st.lists(examples(), min_size=2, max_size=5))
def test_neighbours_do_not_change_a_score(rows: list[dict[str, Any]]) -> None:
    """Sums over examples are sums over any grouping of them."""
    results = [score_example(JudgedExample.model_validate(row)) for row in rows]
    together, parts = summarise(results), [summarise([result]) for result in results]
    assert together == summarise(reversed(results))
    assert together.examples == sum(part.examples for part in parts)
    assert together.IRR * len(rows) == pytest.approx(sum(part.IRR for part in parts))
    assert together.gIRR * len(rows) == pytest.approx(sum(part.gIRR for part in parts))
    predicted = sum(result.predicted for result in results)
    matched = sum(part.P * result.predicted for part, result in zip(parts, results, strict=True))
    assert together.P * predicted == pytest.approx(matched)
