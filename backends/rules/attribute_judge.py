"""Attribute judge by rules: shared words support a fact, closed dimensions contradict it.

Two facts are compared only when they speak of the same part: "white paws" says nothing about
"brown ears". What is neither supported nor contradicted stays unverifiable (GranFact C.2).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

from schemas.judgement import AttributeAnswer, AttributeQuestion, FactVerdict

_WORD = re.compile(r"[a-z]+")
_NEGATIONS = frozenset({"no", "not", "without", "never", "non", "un"})
_SWITCHED = frozenset({"turned", "switched", "lights", "powered"})
# Words that say nothing, and words for the whole surface, which any bare colour speaks of too.
_SILENT_WORDS = (
    "a an the with in on at of to from by for and or its his her their it is are was very slightly "
    "has have having being made that which there fur coat body color colour colored coloured hue "
    "tone shade exterior surface skin finish appearance look looking wearing toned somewhat "
    "partially mostly mainly bright vivid off rather down side"
)
_SILENT = frozenset(_SILENT_WORDS.split())


class _Fact(NamedTuple):
    """What a fact says: groups of closed dimensions, other words, and whether it is denied."""

    values: dict[str, frozenset[int]]
    parts: frozenset[str]
    denied: bool


def judge(question: AttributeQuestion) -> AttributeAnswer:
    """One verdict for each candidate; indices are in order and in range."""
    described = [_read(fact) for fact in question.attributes]
    verdicts = []
    for number, candidate in enumerate(question.candidates):
        true = [_read(fact) for fact in candidate.attributes]
        correct = [i for i, fact in enumerate(described) if any(_entails(t, fact) for t in true)]
        wrong = [
            i
            for i, fact in enumerate(described)
            if i not in correct and any(_excludes(t, fact) for t in true)
        ]
        recalled = [i for i, fact in enumerate(true) if any(_recalls(d, fact) for d in described)]
        verdicts.append(
            FactVerdict(
                candidate=number,
                correct=tuple(correct),
                wrong=tuple(wrong),
                recalled=tuple(recalled),
            )
        )
    return AttributeAnswer(verdicts=tuple(verdicts))


def _entails(known: _Fact, claim: _Fact) -> bool:
    """Everything that `claim` says is in `known`, which may say more."""
    if known.denied != claim.denied or not (claim.values or claim.parts):
        return False
    if not claim.parts and known.parts:
        return False
    return claim.parts <= known.parts and all(
        groups <= known.values.get(dimension, frozenset())
        for dimension, groups in claim.values.items()
    )


def _recalls(claim: _Fact, known: _Fact) -> bool:
    """`claim` covers `known`: all its values, and its parts but for at most half of the words."""
    if _entails(claim, known):
        return True
    if claim.denied != known.denied or not claim.parts & known.parts:
        return False
    values_covered = all(
        groups <= claim.values.get(dimension, frozenset())
        for dimension, groups in known.values.items()
    )
    return values_covered and 2 * len(claim.parts & known.parts) >= len(known.parts)


def _excludes(known: _Fact, claim: _Fact) -> bool:
    """Both speak of the same part and cannot both be true."""
    if known.denied or claim.denied:
        same = known.parts == claim.parts and known.values == claim.values
        return same and known.denied != claim.denied
    if known.parts != claim.parts:
        return False
    return any(
        not groups & known.values[dimension]
        for dimension, groups in claim.values.items()
        if dimension in known.values
    )


@lru_cache(maxsize=65_536)
def _read(fact: str) -> _Fact:
    words = _WORD.findall(fact.lower())
    switched = bool(_SWITCHED & set(words))
    values: dict[str, set[int]] = {}
    parts: set[str] = set()
    for word in words:
        entries = _lookup(word, switched)
        for dimension, group in entries:
            values.setdefault(dimension, set()).add(group)
        if not entries and word not in _SILENT and word not in _NEGATIONS:
            parts.add(_stems(word)[-1])
    frozen = {dimension: frozenset(groups) for dimension, groups in values.items()}
    return _Fact(frozen, frozenset(parts), bool(_NEGATIONS & set(words)))


def _lookup(word: str, switched: bool) -> tuple[tuple[str, int], ...]:
    if word in ("on", "off") and not switched:
        return ()
    for stem in _stems(word):
        if stem in _dimensions():
            return _dimensions()[stem]
    return ()


def _stems(word: str) -> list[str]:
    """The word and what it may be a form of, the barest last: sitting → sitt, sit, site."""
    forms = [word]
    if word == "lying":
        return [word, "lie"]
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            bare = word.removesuffix(ending)
            forms += [bare + "e", bare]
            if ending in ("ing", "ed") and bare[-1] == bare[-2]:
                forms.append(bare[:-1])
            break
    return forms


@cache
def _dimensions() -> dict[str, tuple[tuple[str, int], ...]]:
    """Word → the dimensions it has a value in, each with the number of its group."""
    text = files("backends.rules").joinpath("data/dimensions.json").read_text("utf-8")
    table: dict[str, list[tuple[str, int]]] = {}
    for word, dimension, group in _entries(json.loads(text)):
        table.setdefault(word, []).append((dimension, group))
    return {word: tuple(entries) for word, entries in table.items()}


def _entries(dimensions: dict[str, list[list[str]]]) -> Iterator[tuple[str, str, int]]:
    for dimension, groups in dimensions.items():
        for number, words in enumerate(groups):
            for word in words:
                yield word, dimension, number
