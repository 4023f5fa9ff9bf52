"""Discriminator by rules: which of five statements has its words closest together in a caption?

The positive was taken from the caption, so its words are in it. A negative gets its share where
its words are there too, where the caption has a synonym or a finer word for one ("bicycle" for
"bike"), and some of it where it names something finer than the caption, which could be.
Rules see no image, so this is `--text-only` (FINER section 2.3).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from backends.base import Completion, TokenLogprob
from backends.rules.grammar import singular
from backends.rules.wordnet import wordnet
from runtime.errors import ToolkitError
from schemas.finer import ChoiceQuestion

_LETTERS = "ABCDE"
_WORD = re.compile(r"[a-z0-9]+(?:['’-][a-z0-9]+)*")
_SILENT_WORDS = "a an the is are was were be being with of and it its his her their that"
_SILENT = frozenset(_SILENT_WORDS.split())
_SYNONYM, _FINER = 0.9, 0.4
_NEAR, _FAR = 3, 6  # distance in the caption of two words that are neighbours in a statement
_SHARPNESS = 8.0
_SENSES = 2


class _Word(NamedTuple):
    """A word of the caption: its stem, its likely senses, and all that these are kinds of."""

    stem: str
    senses: frozenset[int]
    above: frozenset[int]


def choose(question: ChoiceQuestion) -> Completion:
    """The letter of the likeliest statement, with the log-probabilities of all five.

    Raises ToolkitError("capability") where there is no caption to read.
    """
    if question.caption is None:
        raise ToolkitError(
            "capability", "the rules backend sees no images", "test with --text-only"
        )
    caption = _read(question.caption)
    options = [_content(option) for option in question.options]
    common = set(options[0]).intersection(*options[1:])
    ordered = question.kind == "relation"  # "black cat" is "the cat with a black colour"
    supports = [_support(option, common, caption, ordered) for option in options]
    scores = [_SHARPNESS * support for support in supports]
    total = math.log(sum(map(math.exp, scores)))
    top = {letter: score - total for letter, score in zip(_LETTERS, scores, strict=True)}
    best = max(top, key=top.__getitem__)
    token = TokenLogprob(token=best, logprob=top[best], top=top)
    return Completion(text=best, model="rules", logprobs=(token,))


def _support(
    option: Sequence[str], common: set[str], caption: Sequence[_Word], ordered: bool
) -> float:
    """0 to 1: how well the caption supports the words that tell the option from the others."""
    telling = [index for index, word in enumerate(option) if word not in common]
    if not telling:
        return 1.0  # it says no more than the others do
    total = sum(_word_support(option, index, caption, ordered) for index in telling)
    return total / len(telling)


def _word_support(
    option: Sequence[str], index: int, caption: Sequence[_Word], ordered: bool
) -> float:
    """Best over the places of the word in the caption: how like it, and how near its neighbours."""
    word = _describe(option[index])
    stems = {found.stem for found in caption}
    sides = [(_stem(other), side) for other, side in _neighbours(option, index)]
    sides = [(stem, side if ordered else 0) for stem, side in sides if stem in stems]
    best = 0.0
    for place, found in enumerate(caption):
        likeness = _likeness(word, found)
        if likeness > best:
            near = [_nearness(place, stem, side, caption) for stem, side in sides] or [1.0]
            best = max(best, likeness * sum(near) / len(near))
    return best


def _neighbours(option: Sequence[str], index: int) -> Iterator[tuple[str, int]]:
    """The words before and after, with the side they stand on."""
    if index > 0:
        yield option[index - 1], -1
    if index + 1 < len(option):
        yield option[index + 1], 1


def _likeness(word: _Word, found: _Word) -> float:
    if word.stem == found.stem:
        return 1.0
    if word.senses & found.above:
        return _SYNONYM
    return _FINER if found.senses & word.above else 0.0


def _nearness(place: int, stem: str, side: int, caption: Sequence[_Word]) -> float:
    """How near a stem is to a place; only on one side of it, unless `side` is 0."""
    gaps = (i - place for i, word in enumerate(caption) if word.stem == stem and i != place)
    gap = min((abs(gap) for gap in gaps if gap * side >= 0), default=len(caption))
    return 1.0 if gap <= _NEAR else 0.75 if gap <= _FAR else 0.5


@lru_cache(maxsize=64)
def _read(caption: str) -> tuple[_Word, ...]:
    return tuple(_describe(word) for word in _WORD.findall(caption.lower()))


def _content(statement: str) -> tuple[str, ...]:
    return tuple(word for word in _WORD.findall(statement.lower()) if word not in _SILENT)


@lru_cache(maxsize=8192)
def _describe(word: str) -> _Word:
    senses = frozenset(wordnet().synsets(word)[:_SENSES])
    above = frozenset().union(*(wordnet().closure(sense) for sense in senses))
    return _Word(_stem(word), senses, above)


@lru_cache(maxsize=8192)
def _stem(word: str) -> str:
    """One form for "sits", "sitting" and "sit"; not a word, but the same for all of them."""
    word = singular(word)
    for ending in ("ing", "ed"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 1:
            word = stem[:-1] if stem[-1] == stem[-2] and stem[-1] not in "ls" else stem
            break
    word = word.removesuffix("e")
    return f"{word[:-1]}i" if word.endswith("y") else word
