"""What reviewers' decisions say: shares, agreement, and how a threshold would have decided."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

_Z = NormalDist().inv_cdf(0.975)

Interval = tuple[float, float]


class Share(NamedTuple):
    """`number` of `total` with its 95 % interval; value and interval are None of nothing."""

    number: int
    total: int
    value: float | None
    interval: Interval | None


class Agreement(NamedTuple):
    """Cohen's kappa of `items` that two judged, with its 95 % interval.

    None where it is not defined: for no items, and where both said the same one thing throughout.
    """

    items: int
    agreed: int
    kappa: float | None
    interval: Interval | None


class ThresholdPoint(NamedTuple):
    """What a threshold would keep of the reviewed items, and how good that is.

    Positive is what is kept, right is what reviewers accepted.
    """

    threshold: float
    kept: int
    kept_good: int
    good: int
    items: int

    @property
    def precision(self) -> Share:
        """The share of what is kept that is good."""
        return share(self.kept_good, self.kept)

    @property
    def recall(self) -> Share:
        """The share of what is good that is kept."""
        return share(self.kept_good, self.good)


def share(number: int, total: int) -> Share:
    """A share with the interval of Wilson's score, which holds for few items and near 0 and 1."""
    if total == 0:
        return Share(number, total, None, None)
    p, z = number / total, _Z
    centre = p + z * z / (2 * total)
    spread = z * sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    # At the ends the interval touches the share, which rounding must not undo.
    low = 0.0 if number == 0 else (centre - spread) / scale
    high = 1.0 if number == total else (centre + spread) / scale
    return Share(number, total, p, (low, high))


def cohens_kappa(counts: Mapping[tuple[bool, bool], int]) -> Agreement:
    """Agreement of two reviewers, of how often each pair of their decisions occurred.

    The interval is that of the large-sample variance of Fleiss, Cohen and Everitt (1969).
    """
    items = sum(counts.values())
    agreed = sum(number for (one, other), number in counts.items() if one == other)
    if items == 0:
        return Agreement(0, 0, None, None)
    p = {(i, j): counts.get((i, j), 0) / items for i in (True, False) for j in (True, False)}
    row = {i: p[i, True] + p[i, False] for i in (True, False)}
    column = {j: p[True, j] + p[False, j] for j in (True, False)}
    chance = sum(row[i] * column[i] for i in row)
    if 1 - chance < 1e-12:
        return Agreement(items, agreed, None, None)
    kappa = (agreed / items - chance) / (1 - chance)
    same = sum(p[i, i] * (1 - (row[i] + column[i]) * (1 - kappa)) ** 2 for i in row)
    other = sum(p[i, not i] * (column[i] + row[not i]) ** 2 for i in row) * (1 - kappa) ** 2
    variance = max(0.0, same + other - (kappa - chance * (1 - kappa)) ** 2)
    spread = _Z * sqrt(variance / items) / (1 - chance)
    return Agreement(items, agreed, kappa, (max(-1.0, kappa - spread), min(1.0, kappa + spread)))


def threshold_curve(
    judged: Iterable[tuple[float, bool]], thresholds: Sequence[float]
) -> list[ThresholdPoint]:
    """What each threshold keeps of items given as (score, is good): those up to it.

    An item that no threshold keeps has an infinite score. Takes O(n log n) for n items.
    """
    rows = sorted(judged)
    scores = [score for score, _ in rows]
    good_up_to = [0]
    for _, good in rows:
        good_up_to.append(good_up_to[-1] + good)
    points = []
    for threshold in thresholds:
        kept = bisect_right(scores, threshold)
        points.append(ThresholdPoint(threshold, kept, good_up_to[kept], good_up_to[-1], len(rows)))
    return points
