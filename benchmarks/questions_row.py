"""A question as a row, and the seeded draws that make one."""

from __future__ import annotations

import random
from typing import NamedTuple

from agents import draws


class Row(NamedTuple):
    """The columns of the interchange CSV, valid as `schemas.finer.QuestionRow`; "" for no option.

    Rows are made by the million, which a pydantic model each would slow down.
    """

    image: str
    qtype: str
    question: str
    choice1: str
    choice2: str
    choice3: str
    choice4: str
    choice5: str
    gt_index: int


class Source(NamedTuple):
    """Where questions come from: the graph's `id` and the `seed` decide every draw."""

    id: str
    image: str
    seed: int


def seeded(source: Source, *place: object) -> random.Random:
    """The same draws for the same seed, graph and place, in every process."""
    return draws.seeded(source.seed, source.id, *place)


def shuffled(
    source: Source, qtype: str, question: str, rng: random.Random, right: str, wrong: list[str]
) -> Row:
    """A row of five different options in random order."""
    options = [right, *wrong]
    rng.shuffle(options)
    one, two, three, four, five = options
    place = options.index(right)
    return Row(source.image, qtype, question, one, two, three, four, five, place)
