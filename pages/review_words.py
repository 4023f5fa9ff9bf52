"""Two texts word by word: which words only one of them has."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import NamedTuple

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_LONG = 2000
"""Words; beyond, only what both texts begin and end with is told apart from the rest."""


class Word(NamedTuple):
    """A piece of a text, and whether the other text lacks it."""

    text: str
    changed: bool


def word_diff(old: str, new: str) -> tuple[list[Word], list[Word]]:
    """Both texts in pieces; joined again they are the texts."""
    a, b = _WORDS.findall(old), _WORDS.findall(new)
    start = _common(a, b)
    end = _common(a[start:][::-1], b[start:][::-1])
    middle = a[start : len(a) - end], b[start : len(b) - end]
    if max(map(len, middle)) > _LONG:
        blocks = [("replace", 0, len(middle[0]), 0, len(middle[1]))]
    else:
        blocks = SequenceMatcher(None, *middle).get_opcodes()  # type: ignore[assignment]
    left, right = [Word("".join(a[:start]), False)], [Word("".join(b[:start]), False)]
    for tag, i, j, k, m in blocks:
        left.append(Word("".join(middle[0][i:j]), tag != "equal"))
        right.append(Word("".join(middle[1][k:m]), tag != "equal"))
    left.append(Word("".join(a[len(a) - end :]), False))
    right.append(Word("".join(b[len(b) - end :]), False))
    return [one for one in left if one.text], [one for one in right if one.text]


def _common(a: list[str], b: list[str]) -> int:
    """How many words both begin with."""
    length = 0
    for one, other in zip(a, b, strict=False):
        if one != other:
            break
        length += 1
    return length
