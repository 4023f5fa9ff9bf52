"""Words of a phrase that carry its meaning, in a form that ignores inflection.

The stems are keys to compare, not words: "wooden", "wood" and "woods" share one.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WORD = re.compile(r"[a-z0-9]+")

DETERMINERS = frozenset({
    "a", "an", "the", "this", "that", "these", "those", "its", "their", "his", "her", "some",
    "any", "several", "many", "few", "one", "ones", "two", "three", "four", "five", "six",
    "seven", "eight", "nine", "ten",
})  # fmt: skip
_FUNCTION = DETERMINERS | frozenset({
    "of", "in", "on", "at", "with", "to", "by", "for", "from", "into", "onto", "and", "or",
    "as", "it", "them", "they", "he", "she", "him", "is", "are", "was", "were", "be", "been",
    "being", "has", "have", "having", "made", "which", "who", "that", "like", "near", "toward",
    "towards",
})  # fmt: skip
DIMENSIONS = frozenset({
    "color", "colour", "hue", "size", "shape", "form", "posture", "pose", "appearance", "look",
    "surface", "texture", "material", "height", "length", "width", "position", "place",
    "location", "expression", "gender", "style", "pattern", "finish",
})  # fmt: skip
"""Nouns that only say what an attribute is about: "a dark green color"."""


def words(text: str) -> list[str]:
    """Lower-case words; a hyphen parts words, an apostrophe does not."""
    return _WORD.findall(text.lower().replace("'", "").replace("\u2019", ""))


def content(text: str) -> frozenset[str]:
    """Stems of the content words; of all words where a phrase has nothing else."""
    found = words(text)
    kept = [word for word in found if word not in _FUNCTION and word not in DIMENSIONS]
    return frozenset(stem(word) for word in kept or found)


def overlap(first: frozenset[str], second: frozenset[str]) -> float:
    """Jaccard index of two sets, from 0 to 1; of two empty ones 0."""
    return len(first & second) / (len(first | second) or 1)


@lru_cache(maxsize=10_000)
def stem(word: str) -> str:
    """A word without its endings: "lies" and "lying", "wood" and "wooden", "grass" and "grassy"."""
    return _cut(word, ("es", "s"), ("ing", "ed"), ("ish", "en"))


@lru_cache(maxsize=10_000)
def noun_stem(word: str) -> str:
    """A noun without its plural ending: "leaf" and "leaves", but not "paint" and "painting"."""
    return _cut(word, ("es", "s"))


def _cut(word: str, *endings: tuple[str, ...]) -> str:
    for group in endings:
        if word.endswith(group) and not word.endswith("ss"):
            ending = next(ending for ending in group if word.endswith(ending))
            word = word.removesuffix(ending) if len(word) - len(ending) > 1 else word
    word = word[:-1] + "i" if word.endswith("y") else word.removesuffix("e")
    word = word[:-1] if len(word) > 3 and word.endswith("i") else word
    word = word[:-1] if len(word) > 3 and word[-1] == word[-2] else word
    return word[:-1] + "f" if word.endswith("v") else word
