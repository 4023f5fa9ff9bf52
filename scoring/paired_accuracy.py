"""Paired accuracy on fine-grained negative questions (FINER section 2.4, equation 1; spec 3.5).

What counts, in every number of this module:

- An answer is *right* when its `pred_idx` is the question's `gt_index`.
- An *unparsed* answer has a `pred_idx` of -1 or none: the model refused, was cut off or failed, or
  no option could be read from what it said. It is not right and stays in the denominator, as in
  the published script. `unparsed` tells how many there are, and `parsed_paired_accuracy` leaves
  out every pair that holds one.
- Guessing uniformly among five options gives a paired accuracy of 1/25.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from operator import add
from typing import NamedTuple

from schemas.finer import AnsweredRow, QuestionRow
from scoring.metrics import ratio
from scoring.pairing import split_stem

_YES = re.compile(r"yes\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PairedScore:
    """Some pairs of questions. What is no count is a share from 0 to 1; 0/0 is 0.

    `positive_accuracy` and `negative_accuracy` are over the positive and the negative questions
    alone. `yes_share`: of the answers that were read to questions with an option that starts with
    "Yes", how many chose such an option; None where there are none, as in `wh`. `unparsed` counts
    answers, two a pair. `intervals` are 95 % bootstrap intervals over images.
    """

    pairs: int
    images: int
    paired_accuracy: float
    positive_accuracy: float
    negative_accuracy: float
    yes_share: float | None
    unparsed: int
    unparsed_share: float
    parsed_pairs: int
    parsed_paired_accuracy: float
    intervals: dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class LevelScore:
    """Questions of one level of the seven-level study. They are single: the answer is No.

    An unparsed answer is not right here either. The fields are those of `PairedScore`.
    """

    questions: int
    images: int
    accuracy: float
    yes_share: float | None
    unparsed: int
    unparsed_share: float
    intervals: dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class FinerScores:
    """Scores of a file of answers: all pairs, those of each setting, and each level.

    `by_elements` holds, for each setting whose stems end in a number, the pairs with that many
    elements.
    """

    questions: int
    unparsed: int
    overall: PairedScore | None
    settings: dict[str, PairedScore]
    by_elements: dict[str, dict[int, PairedScore]]
    levels: dict[str, LevelScore]


def score_units(units: Iterable[tuple[AnsweredRow, ...]], *, seed: int) -> FinerScores:
    """Score what `scoring.pairing.pair_rows` yields; `seed` is the bootstrap's.

    Reads the rows once and keeps a few numbers for each image.
    """
    overall, settings = _Images(), dict[str, _Images]()
    counted, levels = dict[str, dict[int, _Images]](), dict[str, _Images]()
    for unit in units:
        sums, image, qtype = _sums(unit), unit[0].image, unit[0].qtype
        if len(unit) == 1:
            levels.setdefault(qtype, _Images()).count(image, sums)
            continue
        setting, elements = split_stem(qtype)
        overall.count(image, sums)
        settings.setdefault(setting, _Images()).count(image, sums)
        if elements is not None:
            by_number = counted.setdefault(setting, {})
            by_number.setdefault(elements, _Images()).count(image, sums)
    totals = [images.total() for images in (overall, *levels.values())]
    return FinerScores(
        questions=sum(total.questions for total in totals),
        unparsed=sum(total.unparsed for total in totals),
        overall=_paired(overall, seed) if overall else None,
        settings={name: _paired(images, seed) for name, images in settings.items()},
        by_elements={
            name: {number: _paired(images, seed) for number, images in sorted(groups.items())}
            for name, groups in counted.items()
        },
        levels={name: _level(levels[name], seed) for name in sorted(levels, key=_level_number)},
    )


class _Sums(NamedTuple):
    """What a pair or a level's question adds to the scores, or what those of an image add."""

    units: int
    right: int
    positive_right: int
    negative_right: int
    parsed_units: int
    questions: int
    unparsed: int
    yes: int
    yes_offered: int


class _Images(dict[str, _Sums]):
    """Sums by image."""

    def count(self, image: str, sums: _Sums) -> None:
        self[image] = _Sums(*map(add, self[image], sums)) if image in self else sums

    def total(self) -> _Sums:
        return _Sums(*map(sum, zip(*self.values(), strict=True))) if self else _Sums(*[0] * 9)


def _sums(unit: tuple[AnsweredRow, ...]) -> _Sums:
    right = [row.pred_idx == row.gt_index for row in unit]
    read = [row for row in unit if row.pred_idx is not None and row.pred_idx >= 0]
    offered = [row for row in read if any(map(_YES.match, row.choices))]
    return _Sums(
        units=1,
        right=all(right),
        positive_right=sum(r for r, row in zip(right, unit, strict=True) if _is(row, "pos")),
        negative_right=sum(r for r, row in zip(right, unit, strict=True) if _is(row, "neg")),
        parsed_units=len(read) == len(unit),
        questions=len(unit),
        unparsed=len(unit) - len(read),
        yes=sum(bool(_YES.match(row.choices[row.pred_idx or 0])) for row in offered),
        yes_offered=len(offered),
    )


def _paired(images: _Images, seed: int) -> PairedScore:
    sums = images.total()
    names = ("paired_accuracy", "positive_accuracy", "negative_accuracy")
    return PairedScore(
        pairs=sums.units,
        images=len(images),
        paired_accuracy=paired_accuracy(sums.right, sums.units),
        positive_accuracy=ratio(sums.positive_right, sums.units),
        negative_accuracy=ratio(sums.negative_right, sums.units),
        yes_share=_yes_share(sums),
        unparsed=sums.unparsed,
        unparsed_share=ratio(sums.unparsed, sums.questions),
        parsed_pairs=sums.parsed_units,
        # Both answers of a right pair were read, so the numerator is the same.
        parsed_paired_accuracy=ratio(sums.right, sums.parsed_units),
        intervals=_intervals(images, names, seed),
    )


def paired_accuracy(both_right: int, pairs: int) -> float:
    """FINER equation 1: the share of pairs with both questions answered right."""
    return ratio(both_right, pairs)


def _level(images: _Images, seed: int) -> LevelScore:
    sums = images.total()
    return LevelScore(
        questions=sums.units,
        images=len(images),
        accuracy=ratio(sums.right, sums.units),
        yes_share=_yes_share(sums),
        unparsed=sums.unparsed,
        unparsed_share=ratio(sums.unparsed, sums.questions),
        intervals=_intervals(images, ("accuracy",), seed),
    )


def _yes_share(sums: _Sums) -> float | None:
    return ratio(sums.yes, sums.yes_offered) if sums.yes_offered else None


def _intervals(
    images: _Images, names: tuple[str, ...], seed: int
) -> dict[str, tuple[float, float]]:
    """Of the sums that follow the number of units, as shares of it."""
    import numpy as np  # here, so that a command's --help does without it

    from scoring.bootstrap import interval, resampled_sums

    sums = np.array([row[: 1 + len(names)] for row in images.values()], dtype=np.float64)
    units, *columns = resampled_sums(sums, seed=seed).T
    return {name: interval(column / units) for name, column in zip(names, columns, strict=True)}


def _is(row: QuestionRow, side: str) -> bool:
    return row.qtype.endswith(f"_{side}")


def _level_number(name: str) -> int:
    return int(name.removeprefix("level_"))
