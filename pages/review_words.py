"""Two texts word by word: which words only one of them has."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import NamedTuple

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_LONG = 2000
"""Words between what both texts begin and end with; more are not compared."""


class Word(NamedTuple):
    """A piece of a text, and whether the other text lacks it."""

    text: str
    changed: bool


def word_diff(old: str, new: str) -> tuple[list[Word], list[Word]]:
    """Both texts in pieces; joined again they are the texts.

    Nothing is marked in texts that share less than half of their words: marks would be all over
    them and say nothing.
    """
    a, b = _WORDS.findall(old), _WORDS.findall(new)
    start = _common(a, b)
    end = _common(a[start:][::-1], b[start:][::-1])
    blocks = [(start, start, 0)]
    if max(len(a), len(b)) - start - end <= _LONG:
        matcher = SequenceMatcher(None, a[start : len(a) - end], b[start : len(b) - end])
        blocks = [(start + i, start + j, size) for i, j, size in matcher.get_matching_blocks()]
    blocks = [(0, 0, start), *blocks, (len(a) - end, len(b) - end, end)]
    shared = sum(one.isalnum() for i, _, size in blocks for one in a[i : i + size])
    if 2 * shared < max(sum(one.isalnum() for one in words) for words in (a, b)):
        return [Word(old, False)], [Word(new, False)]
    left = _pieces(a, [(i, size) for i, _, size in blocks])
    return left, _pieces(b, [(j, size) for _, j, size in blocks])


def _pieces(words: list[str], same: list[tuple[int, int]]) -> list[Word]:
    """The words in order, those of the `same` runs (start, length) unmarked."""
    found, place = [], 0
    for start, size in same:
        found.append(Word("".join(words[place:start]), True))
        found.append(Word("".join(words[start : start + size]), False))
        place = start + size
    return [one for one in found if one.text]


def _common(a: list[str], b: list[str]) -> int:
    """How many words both begin with."""
    length = 0
    for one, other in zip(a, b, strict=False):
        if one != other:
            break
        length += 1
    return length
