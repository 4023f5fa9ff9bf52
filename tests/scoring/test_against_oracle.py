"""The solver against the networkx oracle, and the identities of the metrics."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from schemas.judged import JudgedExample
from scoring.assignment import assign, compatible_edges
from scoring.metrics import score_example, summarise
from tests.scoring import oracle
from tests.scoring.strategies import examples

many = settings(
    max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def solved(example: dict[str, Any]) -> dict[tuple[str, str], int]:
    """The solver's flow before any repair."""
    judged = JudgedExample.model_validate(example)
    edges = compatible_edges(judged)
    flows = assign(
        edges, [p.quantity for p in judged.predictions], [g.quantity for g in judged.entities]
    )
    return {
        (judged.predictions[edge.prediction].id, judged.entities[edge.entity].id): flow
        for edge, flow in zip(edges, flows, strict=True)
    }


@many
@given(examples())
def test_assignment_is_as_good_as_the_oracles(example: dict[str, Any]) -> None:
    ours = oracle.objective(example, solved(example))
    best = oracle.objective(example, oracle.assign(example))
    assert ours[0] == best[0]
    assert ours[1] == pytest.approx(best[1], rel=1e-7, abs=1e-7)


@many
@given(examples())
def test_scores_follow_the_rules_for_uncertain_quantities(example: dict[str, Any]) -> None:
    result = score_example(JudgedExample.model_validate(example))
    expected = oracle.score(example, solved(example))
    for name in ("predicted", "truth", "matched", "granularity"):
        assert getattr(result, name) == pytest.approx(expected[name], rel=1e-9), name
    assert result.reliable == expected["reliable"]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(examples())
def test_granular_rates_are_granularity_times_plain_rates(example: dict[str, Any]) -> None:
    metrics = summarise([score_example(JudgedExample.model_validate(example))])
    assert metrics.gP == pytest.approx(metrics.G * metrics.P)
    assert metrics.gR == pytest.approx(metrics.G * metrics.R)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(examples())
def test_no_prediction_or_certain_entity_exceeds_its_quantity(example: dict[str, Any]) -> None:
    result = score_example(JudgedExample.model_validate(example))
    for side, name in (("predictions", "prediction"), ("entities", "entity")):
        for item in example[side]:
            used = sum(a.quantity for a in result.assignments if getattr(a, name) == item["id"])
            assert item["uncertain"] or used <= item["quantity"]


@settings(max_examples=200, deadline=None, derandomize=True)
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
