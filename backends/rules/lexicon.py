"""What single words mean for the parser: physical or not, part of something, person, colour."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from backends.rules.grammar import singular
from backends.rules.wordnet import wordnet

_OBJECTS = (
    "artifact", "animal", "person", "plant life", "food", "natural object", "geological formation",
    "body of water", "vegetation", "plant organ", "people", "beverage", "crowd", "meal",
)  # fmt: skip
_ABSTRACT_ENDINGS = ("ness", "ity", "ism", "tion", "ment", "ance", "ence", "ship", "hood", "ing")


@lru_cache(maxsize=1)
def _tables() -> dict[str, frozenset[str]]:
    path = Path(__file__).with_name("data") / "parser_words.json"
    tables = json.loads(path.read_text(encoding="utf-8"))
    return {name: frozenset(words) for name, words in tables.items()}


@lru_cache(maxsize=1)
def _counts() -> dict[str, int]:
    path = Path(__file__).with_name("data") / "parser_words.json"
    counts: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))["count_noun"]
    return counts


@lru_cache(maxsize=4)
def _word_list(name: str) -> frozenset[str]:
    lines = Path(__file__).with_name("data").joinpath(name).read_text(encoding="utf-8").split("\n")
    return frozenset(line for line in lines if line and not line.startswith("#"))


def is_adjective(word: str) -> bool:
    """Whether a lower-case word is listed as an adjective."""
    return word in _word_list("adjectives.txt")


def listed(table: str, word: str) -> bool:
    """Whether `word` (lower case lemma) is in the named word table."""
    return word in _tables()[table]


def counted(word: str) -> int | None:
    """The number a counting noun stands for ("pair" is 2); None for other words."""
    return _counts().get(word)


@lru_cache(maxsize=8192)
def is_physical(noun: str, known_only: bool = False) -> bool:
    """Whether a noun (lower case singular lemma) names an object of its own.

    One of its two most frequent senses has to be physical. A word that WordNet lacks is taken for
    one (a product name), unless `known_only` or its ending is that of an abstract noun.
    """
    if listed("keep", noun):
        return True
    if any(listed(table, noun) for table in ("meta", "venue", "low_information", "color")):
        return False
    if noun in _word_list("parser_abstract.txt"):
        return False
    senses = wordnet().synsets(noun)[:2]
    if not senses:
        last = noun.rpartition("-")[2]
        if last != noun and wordnet().synsets(last):
            return is_physical(last, known_only)
        return not known_only and not noun.endswith(_ABSTRACT_ENDINGS)
    return any(_below(sense, _OBJECTS) and not _below(sense, ("body part",)) for sense in senses)


def _below(sense: int, kinds: tuple[str, ...]) -> bool:
    """Whether a sense lies below the main sense of one of the kinds."""
    return not _main_senses(kinds).isdisjoint(wordnet().closure(sense))


@lru_cache(maxsize=16)
def _main_senses(kinds: tuple[str, ...]) -> frozenset[int]:
    return frozenset(wordnet().synsets(kind)[0] for kind in kinds)


@lru_cache(maxsize=8192)
def is_part(noun: str) -> bool:
    """Whether a noun names a part or the surface design of something, not a thing of its own."""
    if listed("part", noun):
        return True
    return any(_below(sense, ("body part",)) for sense in wordnet().synsets(noun)[:1])


@lru_cache(maxsize=8192)
def is_person(noun: str) -> bool:
    """Whether a noun names a human being and no thing."""
    lemma = singular(noun)
    if listed("person", lemma):
        return True
    senses = wordnet().synsets(lemma)
    return bool(senses) and all(_below(sense, ("person",)) for sense in senses)


@lru_cache(maxsize=8192)
def is_animate(noun: str) -> bool:
    """Whether a noun names a person or an animal."""
    senses = wordnet().synsets(singular(noun))[:1]
    return is_person(noun) or any(_below(sense, ("animal",)) for sense in senses)


@lru_cache(maxsize=8192)
def is_kind_of(fine: str, coarse: str) -> bool:
    """Whether `fine` is `coarse` or a kind of it in one of their common physical senses."""
    senses = wordnet()
    return fine == coarse or senses.below(senses.synsets(fine)[:2], senses.synsets(coarse)[:3])


def is_compound(modifier: str, noun: str) -> bool:
    """Whether "modifier noun" is a dictionary name for a kind of `noun` ("brown bear")."""
    senses = wordnet()
    return senses.below(senses.synsets(f"{modifier} {noun}"), senses.synsets(noun))


def is_known(noun: str) -> bool:
    """Whether WordNet or the curated kinds have the noun phrase."""
    return bool(wordnet().synsets(noun))


def is_descriptive(word: str) -> bool:
    """Whether a noun used as a modifier describes (material, colour, age) and does not classify."""
    return any(listed(table, word) for table in ("material", "color", "modifier_attribute"))
