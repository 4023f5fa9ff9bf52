"""Worked cases of spec 1.5-1.8, computed by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from schemas.judged import ExampleResult, JudgedExample
from scoring.assignment import ScoringError, edge_score
from scoring.attributes import attribute_score
from scoring.bootstrap import bootstrap
from scoring.metrics import ResultsByImage, score_example, summarise


def example(
    predictions: list[tuple[int, bool]],
    entities: list[tuple[int, bool, int]],
    pairs: list[tuple[int, int, int, float]],
) -> JudgedExample:
    """(quantity, uncertain), (quantity, uncertain, depth), (prediction, entity, level, score)."""
    row: dict[str, Any] = {
        "id": "x",
        "predictions": [
            {"id": f"p{i}", "quantity": q, "uncertain": u} for i, (q, u) in enumerate(predictions)
        ],
        "entities": [
            {"id": f"g{i}", "quantity": q, "uncertain": u, "depth": d}
            for i, (q, u, d) in enumerate(entities)
        ],
        "judgements": [
            {"prediction": f"p{p}", "entity": f"g{g}", "level": level, "attribute_score": s}
            for p, g, level, s in pairs
        ],
    }
    return JudgedExample.model_validate(row)


def counts(result: ExampleResult) -> tuple[float, float, float, float, bool]:
    return result.predicted, result.truth, result.matched, result.granularity, result.reliable


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        # The line printed in spec 1.9: two claimed, one there, level 3 of 4, half the facts.
        (example([(2, False)], [(1, False, 4)], [(0, 0, 3, 0.5)]), (2, 1, 1, 0.625, False)),
        # Quantity comes before score: the good edge yields so that both can be matched.
        (
            example(
                [(1, False), (1, False)],
                [(1, False, 2), (1, False, 2)],
                [(0, 0, 2, 1.0), (0, 1, 1, 0.0), (1, 0, 1, 0.0)],
            ),
            (2, 2, 2, 0.0, True),
        ),
        # One prediction of three is spread over two entities.
        (
            example([(3, False)], [(1, False, 2), (2, False, 4)], [(0, 0, 2, 1.0), (0, 1, 2, 1.0)]),
            (3, 3, 3, 2.0, True),
        ),
        # "several" against exactly four: expanded to four, at half credit.
        (example([(1, True)], [(4, False, 1)], [(0, 0, 1, 1.0)]), (4, 4, 2, 2.0, True)),
        # Five against an uncertain entity: the entity grows, at full credit.
        (example([(5, False)], [(1, True, 1)], [(0, 0, 1, 1.0)]), (5, 5, 5, 5.0, True)),
        # Both uncertain: one unit, full credit.
        (example([(1, True)], [(1, True, 1)], [(0, 0, 1, 0.5)]), (1, 1, 1, 0.5, True)),
        # An uncertain hallucination counts as the mean of the certain predictions: (2 + 4) / 2.
        (
            example([(2, False), (4, False), (1, True)], [(6, False, 1)], [(0, 0, 1, 0.0)]),
            (9, 6, 2, 0, False),
        ),
        # ... and as 1 where no prediction is certain; the same on the entities' side.
        (example([(1, True)], [(1, True, 3)], []), (1, 1, 0, 0, False)),
        # Nothing claimed: reliable, and nothing found.
        (example([], [(2, False, 1)], []), (0, 2, 0, 0, True)),
        # An uncertain quantity starts at one, whatever number stands beside it.
        (example([(7, True)], [(3, False, 1)], [(0, 0, 1, 1.0)]), (3, 3, 1.5, 1.5, True)),
        (example([(2, False)], [(9, True, 1)], [(0, 0, 1, 1.0)]), (2, 2, 2, 2.0, True)),
        # The residual goes to the better of two uncertain entities, not to both.
        (
            example([(4, False)], [(1, True, 2), (1, True, 2)], [(0, 0, 1, 1.0), (0, 1, 2, 0.5)]),
            (4, 4, 4, 0.5 + 3 * 0.75, True),
        ),
        # A mean that is no whole number: (1 + 2) / 2 for the entity that nothing matches.
        (
            example([(3, False)], [(1, False, 1), (2, False, 1), (1, True, 1)], [(0, 1, 1, 1.0)]),
            (3, 4.5, 2, 2.0, False),
        ),
        # Level 0 is no edge.
        (example([(1, False)], [(1, False, 3)], [(0, 0, 0, 1.0)]), (1, 1, 0, 0, False)),
    ],
)
def test_worked_examples(judged: JudgedExample, expected: tuple[float, ...]) -> None:
    assert counts(score_example(judged)) == pytest.approx(expected)


def test_metrics_of_three_examples() -> None:
    good = example([(1, False)], [(1, False, 2)], [(0, 0, 1, 1.0)])
    bad = example([(3, False)], [(2, False, 1)], [(0, 0, 1, 1.0)])
    empty = example([], [(1, False, 1)], [])
    rows = [score_example(judged) for judged in (good, bad, empty)]
    metrics = summarise(rows)
    assert pytest.approx(3 / 4) == metrics.P
    assert pytest.approx(3 / 4) == metrics.R
    assert metrics.gP == pytest.approx(2.5 / 4)
    assert pytest.approx(2.5 / 3) == metrics.G
    assert pytest.approx(2 / 3) == metrics.IRR
    assert metrics.gIRR == pytest.approx(0.5 / 3)
    assert (metrics.examples, metrics.empty) == (3, 1)
    # All hallucinated is not empty, and not reliable.
    invented = summarise([*rows, score_example(example([(1, False)], [(1, False, 1)], []))])
    assert (invented.examples, invented.empty) == (4, 1)
    assert pytest.approx(2 / 4) == invented.IRR


@pytest.mark.parametrize(
    ("levels", "grows"),
    [
        # Both score 1/2: the better agreement of attributes wins.
        ([(2, 0.0), (1, 1.0)], "g1"),
        ([(1, 1.0), (2, 0.0)], "g0"),
        # Nothing tells them apart but their ids.
        ([(1, 0.5), (1, 0.5)], "g0"),
    ],
)
def test_ties_in_the_repair_go_to_attributes_then_ids(
    levels: list[tuple[int, float]], grows: str
) -> None:
    pairs = [(0, g, level, score) for g, (level, score) in enumerate(levels)]
    result = score_example(example([(4, False)], [(1, True, 2)] * 2, pairs))
    assert {a.entity: a.quantity for a in result.assignments} == {"g0": 1, "g1": 1, grows: 3}


def test_nothing_at_all_scores_zero() -> None:
    assert set(summarise([]).model_dump().values()) == {0}


def test_edge_score_never_puts_a_coarser_level_above_a_finer_one() -> None:
    assert edge_score(4, 4, 1.0) == 1.0
    assert edge_score(1, 4, 1.0) <= edge_score(2, 4, 0.0)
    assert edge_score(2, 4, 0.2) < edge_score(2, 4, 0.3)


@pytest.mark.parametrize(
    ("correct", "wrong", "recalled", "predicted", "truth", "expected"),
    [
        (0, 0, 0, 0, 0, 1.0),
        (0, 0, 0, 0, 2, 0.0),
        (0, 0, 0, 3, 0, 0.0),
        (1, 1, 1, 3, 2, 0.5),
        (2, 0, 1, 2, 4, 0.4),
        (0, 0, 0, 2, 2, 0.0),
    ],
)
def test_attribute_score(
    correct: int, wrong: int, recalled: int, predicted: int, truth: int, expected: float
) -> None:
    score = attribute_score(
        correct=correct,
        wrong=wrong,
        recalled=recalled,
        predicted_facts=predicted,
        truth_facts=truth,
    )
    assert score == pytest.approx(expected)


def test_quantities_past_64_bits_are_refused_in_words() -> None:
    judged = example([(10**9, False)] * 6, [(10**9, False, 1)] * 6, [(0, 0, 1, 1.0)])
    with pytest.raises(ScoringError, match=r"add up to 12,000,000,000; at most 9,223,372,036"):
        score_example(judged)


def by_image(groups: Iterable[Iterable[ExampleResult]]) -> ResultsByImage:
    kept = ResultsByImage()
    for group in groups:
        kept.add(group)
    return kept


def test_intervals_hold_the_estimate_and_repeat_with_the_seed() -> None:
    results = [
        score_example(example([(2, False)], [(1 + i % 3, False, 2)], [(0, 0, 1 + i % 2, 0.5)]))
        for i in range(40)
    ]
    groups = by_image([result] for result in results)
    intervals, metrics = bootstrap(groups, seed=1), summarise(results).model_dump()
    assert intervals == bootstrap(groups, seed=1)
    assert intervals != bootstrap(groups, seed=2)
    assert all(low <= metrics[name] <= high for name, (low, high) in intervals.items())
    assert intervals["P"][0] < intervals["P"][1]


def test_responses_to_one_image_are_drawn_together() -> None:
    """With a single image there is nothing to resample: no width, however many responses."""
    group = [
        score_example(example([(2, False)], [(k, False, 1)], [(0, 0, 1, 1.0)])) for k in (1, 2)
    ]
    intervals, metrics = bootstrap(by_image([group]), seed=1), summarise(group).model_dump()
    for name, (low, high) in intervals.items():
        assert low == high == pytest.approx(metrics[name]), name
    assert intervals["P"][0] == pytest.approx(0.75)


def test_intervals_are_the_percentiles_of_resampled_metrics() -> None:
    """The vectorised sums against drawing the images themselves and summing them up."""
    results = [
        score_example(example([(3, i % 4 == 0)], [(i + 1, False, 2)], [(0, 0, 1 + i % 2, 0.5)]))
        for i in range(5)
    ]
    draw = np.random.default_rng(3)
    drawn = [
        summarise([results[i] for i in draw.integers(0, 5, size=5)]).model_dump()
        for _ in range(200)
    ]
    kept = by_image([row] for row in results)
    for name, interval in bootstrap(kept, seed=3, resamples=200).items():
        expected = np.percentile([row[name] for row in drawn], [2.5, 97.5])
        assert interval == pytest.approx(tuple(expected)), name


def test_no_image_has_no_interval() -> None:
    assert bootstrap(by_image([[]]), seed=1) == {}


def test_images_of_several_responses_are_summed_up_one_by_one() -> None:
    results = [
        score_example(example([(1 + i, False)], [(2, False, 2)], [(0, 0, 1 + i % 2, 0.5)]))
        for i in range(6)
    ]
    kept = by_image([results[:1], results[1:4], results[4:]])
    assert len(kept) == 3
    assert kept.metrics() == summarise(results)
    draw = np.random.default_rng(5)
    groups = [results[:1], results[1:4], results[4:]]
    drawn = [
        summarise([row for i in draw.integers(0, 3, size=3) for row in groups[i]]).P
        for _ in range(100)
    ]
    expected = tuple(np.percentile(drawn, [2.5, 97.5]))
    assert bootstrap(kept, seed=5, resamples=100)["P"] == pytest.approx(expected)


def test_a_result_takes_64_bytes() -> None:
    row = score_example(example([(2, False)], [(1, False, 1)], [(0, 0, 1, 1.0)]))
    kept = by_image([row] * 10 for _ in range(100))
    assert len(kept.numbers) * kept.numbers.itemsize == 64 * 1000


def test_quantities_of_a_billion_are_exact() -> None:
    billion = 10**9
    judged = example(
        [(billion, False), (billion - 1, False)],
        [(billion, False, 2), (billion, False, 2)],
        [(0, 0, 2, 1.0), (0, 1, 1, 1.0), (1, 0, 1, 1.0)],
    )
    # The second prediction has only the first entity, so all but one unit of it makes way.
    expected = (2 * billion - 1, 2 * billion, 2 * billion - 1, billion, True)
    result = score_example(judged)
    assert counts(result) == pytest.approx(expected, rel=1e-12)
    assert sum(a.quantity for a in result.assignments) == 2 * billion - 1
