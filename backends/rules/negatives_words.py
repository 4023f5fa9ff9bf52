"""Words, number and word classes for the negative generator and its checks (FINER section 2.3)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from backends.rules import lexicon
from backends.rules.grammar import article, singular
from backends.rules.wordnet import wordnet

PREPOSITIONS = frozenset(
    "of in on with by from at to into onto under over above below behind beside between against "
    "across through around near inside outside for during towards toward like along down up off "
    "atop beneath underneath".split()
)
ARTICLES = frozenset(("a", "an", "the"))
_SILENT = ARTICLES | {"is", "are", "its", "his", "her", "their"}
_PLURALS = frozenset("skis emus taxis bikinis kiwis police cattle swim-trunks grasses".split())
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_INNER = re.compile(r" (?:of|with|in|on|for|from|at|to|by|made|wearing|holding) ")

_HUMAN = frozenset("person people man woman child sportsperson worker".split())
_ANIMAL = frozenset("dog farm_animal wild_animal animal bird fish insect".split())


@cache
def table(name: str) -> Any:
    """A data table of the negative generator: "objects", "attributes", "phrases", "relations"."""
    path = Path(__file__).with_name("data") / f"negative_{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


@lru_cache(16_384)
def words(text: str) -> tuple[str, ...]:
    """Lower-case words; hyphens and apostrophes stay inside."""
    return tuple(_WORD.findall(text.lower()))


@lru_cache(16_384)
def key(text: str) -> tuple[str, ...]:
    """What two texts have in common that differ in case, articles, "is" or number only."""
    return tuple(singular(word) for word in words(text) if word not in _SILENT)


@lru_cache(16_384)
def head(phrase: str) -> str:
    """Lower-case head noun: "statue" of "statue of a laughing Buddha"."""
    found = words(_INNER.split(f"{phrase} ", maxsplit=1)[0]) or words(phrase)
    return found[-1] if found else ""


@lru_cache(16_384)
def is_plural(phrase: str) -> bool:
    """Whether the head noun is a plural: "dogs", "people", "jeans"; not "glass", "lens"."""
    noun = head(phrase)
    if noun in _PLURALS or lexicon.listed("plurale_tantum", noun):
        return True
    net = wordnet()
    return singular(noun) != noun and (net.singular(noun) != noun or not net.is_lemma(noun))


def with_article(phrase: str) -> str:
    """The phrase behind its indefinite article."""
    return f"{article(phrase)} {phrase}"


def shuffled(items: Iterable[str], seed: Sequence[object]) -> list[str]:
    """Distinct items in an order that depends on the seed only, and not on how many there are."""

    def rank(item: str) -> bytes:
        return hashlib.sha256("\n".join(map(str, (*seed, item))).encode()).digest()

    return sorted(dict.fromkeys(items), key=rank)


def is_listed(name: str) -> bool:
    """Whether the table has the name itself, and not only a kind of which it is one."""
    lower = name.lower()
    return not {lower, singular(lower), head(name), singular(head(name))}.isdisjoint(_members())


@lru_cache(16_384)
def category(name: str) -> str:
    """The class of everyday things that a noun phrase belongs to, such as "furniture"; or ""."""
    members = _members()
    last = head(name)
    for form in (name.lower(), singular(name.lower()), last, singular(last)):
        if form in members:
            return members[form]
    net = wordnet()
    senses = (net.synsets(name) or net.synsets(last))[:1]
    above = frozenset[int]().union(*(net.closure(sense) for sense in senses))
    kinds = [kind for kind in _kinds() if kind in above]
    return _kinds()[max(kinds, key=lambda kind: len(net.closure(kind)))] if kinds else ""


def belongs(name: str, classes: Sequence[str]) -> bool:
    """Whether a name is in one of the classes; "human", "animal" and "animate" are classes too."""
    found = category(name)
    human = found in _HUMAN or (not found and lexicon.is_person(head(name)))
    animal = found in _ANIMAL
    return (
        found in classes
        or (human and not {"human", "animate"}.isdisjoint(classes))
        or (animal and not {"animal", "animate"}.isdisjoint(classes))
    )


@cache
def _members() -> dict[str, str]:
    found: dict[str, str] = {}
    for name, entry in table("objects").items():
        for member in entry["is"]:
            found.setdefault(member.lower(), name)
    return found


@cache
def _kinds() -> dict[int, str]:
    """Classes by the main senses of their members."""
    found: dict[int, str] = {}
    for name, entry in table("objects").items():
        for member in entry["is"]:
            for sense in wordnet().synsets(member)[:1]:
                found.setdefault(sense, name)
    return found
