"""What changed between two texts, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

Change = Literal["same", "deleted", "inserted"]

_TOKEN = re.compile(r"\w+\s*|[^\w\s]\s*|\s+")
"""A word or a mark, with the space behind it."""


class Passage(NamedTuple):
    """A run of words that both texts share, or that only the first or only the second one has."""

    change: Change
    text: str


def word_diff(before: str, after: str) -> list[Passage]:
    """Passages in reading order; those not deleted give `after`, those not inserted `before`.

    White space does not count: what is shared has that of `after`.
    """
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    # Both are cut into words the same way; space is compared away, as a cut moves it.
    matcher = SequenceMatcher(None, [token.strip() for token in old], [t.strip() for t in new])
    return [
        passage
        for _, i, j, k, m in matcher.get_opcodes()
        for passage in _passages("".join(old[i:j]), "".join(new[k:m]))
    ]


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
