"""Bootstrap confidence intervals over images: the papers report single runs (spec 1.8, 3.5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.metrics import ResultsByImage, Summands

Intervals = dict[str, tuple[float, float]]


def bootstrap(results: ResultsByImage, *, seed: int, resamples: int = 2000) -> Intervals:
    """Percentile 95 % intervals of the nine metrics.

    Responses to one image are drawn together, as they are not independent. One resample is held
    in memory at a time. No image, no interval.
    """
    if not results:
        return {}
    numbers = np.frombuffer(results.numbers).reshape(-1, len(Summands._fields))
    sums = np.add.reduceat(numbers, np.frombuffer(results.starts, dtype=np.int64))
    drawn = resampled_sums(sums, seed=seed, resamples=resamples)
    return {name: interval(column) for name, column in _metrics(drawn).items()}


def resampled_sums(
    sums: NDArray[np.float64], *, seed: int, resamples: int = 2000
) -> NDArray[np.float64]:
    """Totals over images drawn with replacement.

    `sums` is [images, columns], what each image adds to the totals; the result is
    [resamples, columns].
    """
    generator = np.random.default_rng(seed)
    count = len(sums)
    drawn = np.empty((resamples, sums.shape[1]))
    for row in drawn:
        # How often each image is drawn is all that a sum needs to know.
        times = np.bincount(generator.integers(0, count, size=count), minlength=count)
        row[:] = times @ sums
    return drawn


def interval(column: NDArray[np.float64]) -> tuple[float, float]:
    """The 2.5th and the 97.5th percentile."""
    return float(np.percentile(column, 2.5)), float(np.percentile(column, 97.5))


def _metrics(sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    matched, granularity, predicted, truth, reliable, fine, _, examples = sums.T
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
