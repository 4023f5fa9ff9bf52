"""Bootstrap confidence intervals over images: the paper reports single runs (spec 1.8)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.judged import ExampleResult
from scoring.metrics import mean_granularity

Intervals = dict[str, tuple[float, float]]
_CHUNK = 200


def bootstrap(
    groups: Sequence[Sequence[ExampleResult]], *, seed: int, resamples: int = 2000
) -> Intervals:
    """Percentile 95 % intervals of the nine metrics.

    `groups` holds the results of each image: responses to one image are drawn together, as
    they are not independent. Memory is bounded by 200 resamples at a time.
    """
    if not groups:
        return {}
    sums = np.array([_sums(group) for group in groups], dtype=np.float64)
    generator = np.random.default_rng(seed)
    drawn: list[NDArray[np.float64]] = []
    for start in range(0, resamples, _CHUNK):
        size = (min(_CHUNK, resamples - start), len(groups))
        counts = generator.integers(0, len(groups), size=size)
        drawn.append(sums[counts].sum(axis=1))
    values = _metrics(np.concatenate(drawn))
    return {
        name: (float(np.percentile(column, 2.5)), float(np.percentile(column, 97.5)))
        for name, column in values.items()
    }


def _sums(group: Sequence[ExampleResult]) -> tuple[float, ...]:
    return (
        sum(row.matched for row in group),
        sum(row.granularity for row in group),
        sum(row.predicted for row in group),
        sum(row.truth for row in group),
        sum(row.reliable for row in group),
        sum(mean_granularity(row) for row in group),
        len(group),
    )


def _metrics(sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    matched, granularity, predicted, truth, reliable, fine, examples = sums.T
    p, r = _ratio(matched, predicted), _ratio(matched, truth)
    fine_p, fine_r = _ratio(granularity, predicted), _ratio(granularity, truth)
    return {
        "IRR": _ratio(reliable, examples),
        "P": p,
        "R": r,
        "F1": _ratio(2 * p * r, p + r),
        "gIRR": _ratio(fine, examples),
        "gP": fine_p,
        "gR": fine_r,
        "gF1": _ratio(2 * fine_p * fine_r, fine_p + fine_r),
        "G": _ratio(granularity, matched),
    }


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)
