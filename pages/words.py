"""What changed between two texts, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

Change = Literal["same", "deleted", "inserted"]

_TOKEN = re.compile(r"\w+\s*|[^\w\s]\s*|\s+")
"""A word or a mark, with the space behind it."""
_LONG = 2000
"""Words between what both texts begin and end with; more are not compared, which takes minutes."""


class Passage(NamedTuple):
    """A run of words that both texts share, or that only the first or only the second one has."""

    change: Change
    text: str


def word_diff(before: str, after: str) -> list[Passage]:
    """Passages in reading order; those not deleted give `after`, those not inserted `before`.

    White space does not count: what is shared has that of `after`.
    """
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    return [
        passage
        for i, j, k, m in _runs([one.strip() for one in old], [one.strip() for one in new])
        for passage in _passages("".join(old[i:j]), "".join(new[k:m]))
    ]


def _runs(old: list[str], new: list[str]) -> Iterator[tuple[int, int, int, int]]:
    """Slices `old[i:j]`, `new[k:m]` that are the same, or not, in reading order.

    White space is gone, as a cut into words moves it.
    """
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    left, right = old[start : len(old) - end], new[start : len(new) - end]
    yield 0, start, 0, start
    if max(len(left), len(right)) <= _LONG:
        for _, i, j, k, m in SequenceMatcher(None, left, right).get_opcodes():
            yield start + i, start + j, start + k, start + m
    else:
        yield start, len(old) - end, start, len(new) - end
    yield len(old) - end, len(old), len(new) - end, len(new)


def _common(old: list[str], new: list[str]) -> int:
    """How many words both begin with."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(old), len(new)))


def both_sides(before: str, after: str) -> tuple[list[Passage], list[Passage]]:
    """The passages of each text by itself, to stand beside each other.

    Nothing is marked in texts that share less than half of their words: marks would be all over
    them and say nothing.
    """
    found = word_diff(before, after)
    shared = sum(_words(passage.text) for passage in found if passage.change == "same")
    if 2 * shared < max(_words(before), _words(after)):
        return [Passage("same", before)], [Passage("same", after)]
    left = [passage for passage in found if passage.change != "inserted"]
    return left, [passage for passage in found if passage.change != "deleted"]


def _words(text: str) -> int:
    return len(re.findall(r"\w+", text))


def _passages(old: str, new: str) -> Iterator[Passage]:
    if old.split() == new.split():
        if new:
            yield Passage("same", new)
        if old[-1:].isspace() and not new[-1:].isspace():
            yield Passage("deleted", " ")  # or what is deleted next would stick to it
        return
    if old:
        yield Passage("deleted", old)
    if new:
        yield Passage("inserted", new)
