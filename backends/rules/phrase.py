"""Reads a category phrase: its head in the hierarchy, what narrows it, and product names in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from backends.rules.wordnet import DATA, normalise, read_table, wordnet

Words = tuple[str, ...]

_YEAR = re.compile(r"(19|20)\d\d")


@dataclass(frozen=True, slots=True)
class Name:
    """A product or series: "2019 Toyota Camry SE" is toyota, camry, {se}, 2019."""

    brand: str
    series: str
    marks: frozenset[str]
    year: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """`kinds` are the synsets of `head`; `modifiers` are the words that make a subtype of it."""

    text: str
    head: str
    kinds: tuple[int, ...]
    modifiers: frozenset[str] = frozenset()
    descriptions: frozenset[str] = frozenset()
    name: Name | None = None
    proper: bool = False

    @property
    def words(self) -> frozenset[str]:
        """Every word of the phrase."""
        return frozenset(self.text.split())

    @property
    def compound(self) -> frozenset[str]:
        """Every word before the last one of the head that makes a subtype."""
        return self.modifiers | frozenset(self.head.split()[:-1])


@dataclass(frozen=True, slots=True)
class _Series:
    words: Words
    series: str
    brand: str
    kind: str


@lru_cache(maxsize=1)
def word_lists() -> dict[str, Any]:
    """`data/phrases.json`: the closed lists that the analysis uses."""
    lists: dict[str, Any] = json.loads((DATA / "phrases.json").read_text(encoding="utf-8"))
    return lists


@lru_cache(maxsize=1)
def _describing_words() -> frozenset[str]:
    lists = word_lists()
    words = set((DATA / "adjectives.txt").read_text(encoding="utf-8").split())
    for classes in json.loads((DATA / "dimensions.json").read_text(encoding="utf-8")).values():
        words.update(word for values in classes for word in values)
    return frozenset(words.union(lists["describing"]).difference(lists["classifying"]))


@lru_cache(maxsize=1)
def _series() -> dict[str, list[_Series]]:
    """Series by first word, longest first."""
    found: dict[str, list[_Series]] = {}
    for names, brand, kind in read_table("names.tsv"):
        for group in names.split(","):
            aliases = group.split("|")
            for alias in aliases:
                words = tuple(normalise(alias).split())
                found.setdefault(words[0], []).append(_Series(words, aliases[0], brand, kind))
    for entries in found.values():
        entries.sort(key=lambda entry: -len(entry.words))
    return found


@lru_cache(maxsize=1)
def _brands() -> dict[str, list[tuple[Words, str, Words]]]:
    """Brands by first word, longest first: words, canonical name, kinds that it makes."""
    found: dict[str, list[tuple[Words, str, Words]]] = {}
    for names, kinds in read_table("brands.tsv"):
        for group in names.split(","):
            aliases = group.split("|")
            for alias in aliases:
                words = tuple(alias.split())
                entry = (words, aliases[0], tuple(kinds.split(";")))
                found.setdefault(words[0], []).append(entry)
    for entries in found.values():
        entries.sort(key=lambda entry: -len(entry[0]))
    return found


def describes(word: str) -> bool:
    """The word tells a property (colour, material, size, state) rather than a subtype."""
    if word in word_lists()["classifying"]:
        return False
    return word in _describing_words() or (len(word) > 4 and word.endswith(("ed", "ly")))


@lru_cache(maxsize=65_536)
def analyse(text: str) -> Phrase:
    """The parts of a category phrase."""
    lexicon, lists = wordnet(), word_lists()
    words = normalise(re.sub(r"\([^)]*\)", " ", text)).split()
    words = " ".join(lists["rewrites"].get(word, word) for word in words).split()
    while len(words) > 1 and words[0] in lists["leading"]:
        words = words[1:]
    whole = " ".join(words)
    if not lexicon.is_lemma(whole):  # "glasses" and "french fries" are names of their own
        whole = lexicon.singular(whole)
    words = whole.split()
    kinds = lexicon.synsets(whole)
    titled = _find_series(tuple(words), "")
    if not kinds and not (titled and "of" in titled[1].words):
        words = _main_words(words)
    proper = sum(part[:1].isupper() for part in text.split()) >= 2
    named = None if kinds and text.islower() else _read_name(tuple(words), whole)
    if named is not None:
        return named
    head = _longest_head(words)
    before = words[: len(words) - len(head)]
    if proper and not kinds and " of " in whole:
        # "Tower of London" is narrower than a tower.
        before += [w for w in whole.partition(" of ")[2].split() if w not in lists["leading"]]
    return _common(whole, before, " ".join(head), proper)


def _main_words(words: Sequence[str]) -> list[str]:
    """Without what follows the head noun: "man in a suit", "pair of shoes", "cup of tea"."""
    lists = word_lists()
    rest = list(words)
    while "of" in rest[1:-1]:
        place = rest.index("of")
        left, right = rest[:place], rest[place + 1 :]
        if wordnet().singular(left[-1]) in lists["portions"]:
            rest = right[1:] if len(right) > 1 and right[0] in lists["leading"] else right
        else:
            rest = left
    for place, word in enumerate(rest):
        if place and word in lists["cuts"]:
            rest = rest[:place]
            break
    return wordnet().singular(" ".join(rest)).split()


def _longest_head(words: Sequence[str]) -> list[str]:
    """The longest ending of the phrase that the hierarchy knows; empty if it knows none."""
    for start in range(len(words)):
        if wordnet().synsets(" ".join(words[start:])):
            return list(words[start:])
    return []


def _noun_of(words: Words) -> list[str]:
    """The noun at the end of a product name; "Pro" and "SE" are no nouns there, "TV" is."""
    if words and _is_trim(words[-1]) and not wordnet().is_a(words[-1], "electronic device"):
        return []
    return _longest_head(words)


def _common(text: str, before: Sequence[str], head: str, proper: bool) -> Phrase:
    """A phrase without a product name. "Toy car" is a toy, "stone lion" a statue."""
    lexicon, lists = wordnet(), word_lists()
    kinds = lexicon.synsets(head) if head else ()
    for word in before:
        other = lists["privative"].get(word)
        if other is None and _moves(kinds) and word in lists["statue_materials"]:
            other = "statue"
        if other is not None:
            rest = [w for w in before if w != word and not describes(w)]
            return Phrase(text, other, lexicon.synsets(other), frozenset([*rest, *head.split()]))
    told = [w for w in before if describes(w) or (_moves(kinds) and w.endswith("ing"))]
    modifiers = frozenset(before).difference(told)
    return Phrase(text, head, kinds, modifiers, frozenset(told), None, proper)


def _moves(kinds: Sequence[int]) -> bool:
    """The head is a person or an animal: "running dog" tells a state, "stone dog" a statue."""
    lexicon = wordnet()
    alive = (*lexicon.synsets("person")[:1], *lexicon.synsets("animal")[:1])
    return lexicon.below(kinds[:1], alive)


def _compatible(first: Iterable[int], second: Iterable[int]) -> bool:
    first, second = tuple(first), tuple(second)
    return wordnet().below(first, second) or wordnet().below(second, first)


def _read_name(words: Words, text: str) -> Phrase | None:
    """The phrase as a product or a series, if it names one."""
    brand_at, brand, makes = _find_brand(words)
    rest = words[: brand_at[0]] + words[brand_at[1] :]
    found = _find_series(rest, brand)
    if found is None:
        return _read_brand(words, text, brand, makes, rest) if brand else None
    place, entry = found
    kinds = wordnet().synsets(entry.kind)
    rest = rest[:place] + rest[place + len(entry.words) :]
    noun = _noun_of(rest)
    described = wordnet().synsets(" ".join(noun))
    if noun and not _compatible(described, kinds):
        return None
    if wordnet().below(described, kinds):
        kinds = described
    marks = rest[: len(rest) - len(noun)]
    alone = wordnet().synsets(text)
    return _named(text, entry.kind, (*kinds, *alone), entry.brand, entry.series, marks)


def _read_brand(words: Words, text: str, brand: str, makes: Words, rest: Words) -> Phrase | None:
    """A phrase with a brand but no known series: "BMW", "Nikon D850", "Apple laptop"."""
    kinds = tuple(synset for kind in makes for synset in wordnet().synsets(kind)[:1])
    noun = _noun_of(rest)
    described = wordnet().synsets(" ".join(noun)) if noun else kinds
    whole = wordnet().synsets(" ".join(words))
    if whole and _compatible(whole, kinds):
        described = (*whole, *described)
    elif whole or not _compatible(described, kinds):
        return None
    marks = rest[: len(rest) - len(noun)]
    return _named(text, " ".join(noun) or makes[0], described, brand, "", marks)


def _named(
    text: str, head: str, kinds: Sequence[int], brand: str, series: str, marks: Words
) -> Phrase:
    years = [mark for mark in marks if _YEAR.fullmatch(mark)]
    kept = frozenset(mark for mark in marks if mark not in years and _is_mark(mark))
    name = Name(brand, series, kept, years[0] if years else "")
    return Phrase(text, head, tuple(kinds), name=name)


def _is_mark(word: str) -> bool:
    return word in word_lists()["sibling_marks"] or not describes(word)


def _find_brand(words: Words) -> tuple[tuple[int, int], str, Words]:
    for place, word in enumerate(words):
        for spelled, brand, makes in _brands().get(word, ()):
            if words[place : place + len(spelled)] == spelled:
                return (place, place + len(spelled)), brand, makes
    return (0, 0), "", ()


def _find_series(words: Words, brand: str) -> tuple[int, _Series] | None:
    """A series in the words. One that is a common word too needs its brand or a number."""
    for place, word in enumerate(words):
        for entry in _series().get(word, ()):
            if words[place : place + len(entry.words)] != entry.words:
                continue
            if brand and entry.brand and entry.brand != brand:
                continue
            after = words[place + len(entry.words) :]
            marked = bool(after) and (any(c.isdigit() for c in after[0]) or _is_trim(after[0]))
            common = bool(wordnet().synsets(" ".join(entry.words)))
            if brand or marked or not common or len(words) == len(entry.words):
                return place, entry
    return None


def _is_trim(word: str) -> bool:
    return word in word_lists()["sibling_marks"] or len(word) <= 2
