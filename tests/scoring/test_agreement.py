"""Agreement and its intervals against other ways to compute them."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.agreement import cohens_kappa, share, threshold_curve

Z = 1.959963984540054
PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_bounds_are_the_shares_that_the_data_just_does_not_refute(
    case: tuple[int, int],
) -> None:
    number, total = case
    found = share(number, total)
    assert found.value == number / total and found.interval is not None
    low, high = found.interval
    assert 0 <= low <= found.value <= high <= 1
    for bound, other in ((low, high), (high, low)):
        spread = Z * math.sqrt(bound * (1 - bound) / total)
        assert abs(found.value - bound) == pytest.approx(spread, abs=1e-9), other


def test_a_published_example_of_wilsons_interval() -> None:
    low, high = share(81, 263).interval or (0, 0)  # Newcombe (1998), table I
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    low, high = share(0, 20).interval or (1, 1)
    assert (low, round(high, 4)) == (0, 0.1611)


def test_nothing_has_no_share() -> None:
    assert share(0, 0) == (0, 0, None, None)


def kappa_of(p: list[float]) -> float:
    """Of the shares yes-yes, yes-no, no-yes, no-no; they need not sum to 1."""
    a, b, c, d = p
    chance = (a + b) * (a + c) + (c + d) * (b + d)
    return (a + d - chance) / (1 - chance)


@given(PAIRS)
def test_kappa_is_what_its_definition_says(pairs: list[tuple[bool, bool]]) -> None:
    found = cohens_kappa(Counter(pairs))
    assert found.items == len(pairs)
    assert found.agreed == sum(one == other for one, other in pairs)
    said = {one for one, _ in pairs}, {other for _, other in pairs}
    if not pairs or (said[0] == said[1] and len(said[0]) == 1):
        assert found.kappa is None and found.interval is None
        return
    n = len(pairs)
    p = [
        pairs.count(cell) / n
        for cell in ((True, True), (True, False), (False, True), (False, False))
    ]
    assert found.kappa == pytest.approx(kappa_of(p))
    assert found.interval is not None and -1 <= found.interval[0] <= found.kappa + 1e-12
    assert found.kappa - 1e-12 <= found.interval[1] <= 1


@given(st.tuples(*[st.integers(3, 300)] * 4))
def test_the_interval_is_that_of_the_delta_method(cells: tuple[int, int, int, int]) -> None:
    n = sum(cells)
    p = [cell / n for cell in cells]
    step = 1e-6
    slopes = []
    for index in range(4):
        moved = [list(p), list(p)]
        moved[0][index] += step
        moved[1][index] -= step
        slopes.append((kappa_of(moved[0]) - kappa_of(moved[1])) / (2 * step))
    mean = sum(share * slope for share, slope in zip(p, slopes, strict=True))
    variance = sum(s * slope**2 for s, slope in zip(p, slopes, strict=True)) - mean**2
    spread = Z * math.sqrt(max(0, variance) / n)
    counts = dict(
        zip(((True, True), (True, False), (False, True), (False, False)), cells, strict=True)
    )
    found = cohens_kappa(counts)
    assert found.kappa is not None and found.interval is not None
    if found.interval[0] > -1:
        assert found.kappa - found.interval[0] == pytest.approx(spread, rel=1e-3, abs=1e-6)


def test_kappa_of_a_textbook_table() -> None:
    found = cohens_kappa(
        {(True, True): 20, (True, False): 5, (False, True): 10, (False, False): 15}
    )
    assert found.kappa == pytest.approx(0.4) and found.items == 50 and found.agreed == 35


SCORED = st.lists(st.tuples(st.floats(0, 1.6) | st.just(math.inf), st.booleans()), max_size=40)


@given(SCORED, st.lists(st.floats(0, 1.6), min_size=1, max_size=5))
def test_a_threshold_keeps_what_is_not_above_it(
    judged: list[tuple[float, bool]], thresholds: list[float]
) -> None:
    for point in threshold_curve(judged, thresholds):
        kept = [good for score, good in judged if score <= point.threshold]
        assert (point.kept, point.kept_good) == (len(kept), sum(kept))
        assert (point.items, point.good) == (len(judged), sum(good for _, good in judged))
        if kept:
            assert point.precision.value == sum(kept) / len(kept)
        else:
            assert point.precision.value is None
        assert point.recall.total == point.good


def test_what_is_never_kept_lowers_the_recall_only() -> None:
    [point] = threshold_curve([(0.1, True), (math.inf, True), (0.2, False)], [1.6])
    assert point.precision.value == 0.5 and point.recall.value == 0.5
