"""A light reader of the trimmed WordNet noun hierarchy, extended by curated kinds.

`data/wordnet_nouns.tsv.gz` comes from `scripts/build_wordnet.py`; `data/kinds.tsv` adds what
WordNet lacks (products, landmarks, everyday synonyms). Both are read on first use.
"""

from __future__ import annotations

import gzip
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

DATA = Path(__file__).parent / "data"

_PERSON_FILE = "18"
_SENSE_WINDOW = 3
_EXTENSION_RANK = 0
_SUFFIXES = [
    ("ches", "ch"), ("shes", "sh"), ("sses", "ss"), ("xes", "x"), ("zes", "z"), ("ies", "y"),
    ("ves", "f"), ("ves", "fe"), ("men", "man"), ("s", ""), ("es", ""),
]  # fmt: skip
_IRREGULAR = {
    "alumni": "alumnus", "antennae": "antenna", "cacti": "cactus", "calves": "calf",
    "children": "child", "dice": "die", "dwarves": "dwarf", "feet": "foot", "fungi": "fungus",
    "geese": "goose", "halves": "half", "hippopotami": "hippopotamus", "hooves": "hoof",
    "larvae": "larva", "leaves": "leaf", "lice": "louse", "loaves": "loaf", "mice": "mouse",
    "octopi": "octopus", "oxen": "ox", "people": "person", "persons": "person",
    "scarves": "scarf", "selves": "self", "teeth": "tooth", "thieves": "thief",
    "wolves": "wolf",
}  # fmt: skip


def normalise(text: str) -> str:
    """Lower case, no accents, words parted by single spaces; "S22+" reads "s22 plus"."""
    text = unicodedata.normalize("NFKD", text.replace("+", " plus "))
    text = "".join(char for char in text if not unicodedata.combining(char)).casefold()
    text = re.sub(r"['\u2019]|(?<!\d)\.|\.(?!\d)", "", text)
    return " ".join(re.findall(r"[^\W_]+(?:\.\d+)*", text))


def read_table(name: str) -> Iterator[list[str]]:
    """Rows of a curated tab-separated table; blank lines and `#` comments are skipped."""
    for line in (DATA / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


class Wordnet:
    """Synsets are integers; every phrase is normalised before it is looked up."""

    def __init__(self) -> None:
        self._parents: list[tuple[int, ...]] = []
        self._files: list[str] = []
        self._lemmas: list[tuple[str, ...]] = []
        self._senses: dict[str, list[tuple[int, int]]] = {}
        self._filed_below: dict[int, set[str]] = {}
        self._closures: dict[int, frozenset[int]] = {}
        self._chosen: dict[str, tuple[int, ...]] = {}

    @classmethod
    def load(cls) -> Wordnet:
        """The shipped hierarchy with the curated kinds on top."""
        wordnet = cls()
        text = gzip.decompress((DATA / "wordnet_nouns.tsv.gz").read_bytes()).decode()
        for line in text.splitlines():
            file, parents, pairs = line.split("\t")
            ranked = [pair.split(":") for pair in pairs.split(",")]
            numbers = [int(number) for number in parents.split(",")] if parents else []
            wordnet._add(file, numbers, [(lemma, int(rank)) for lemma, rank in ranked])
        for names, above in read_table("kinds.tsv"):
            for kind in names.split(","):
                wordnet._extend(kind.split("|"), above)
        return wordnet

    def _extend(self, names: Sequence[str], above: str) -> None:
        """Place a kind: `parent;parent` above it, or `=phrase`: these name that phrase too.

        A kind that WordNet knows keeps its place and gains the parents. Raises KeyError when a
        parent is unknown.
        """
        parents = [self._first(phrase) for phrase in above.removeprefix("=").split(";")]
        keys = [normalise(name) for name in names]
        number = parents[0] if above.startswith("=") else self._place(keys, parents)
        for key in keys:
            self._senses.setdefault(key, []).append((_EXTENSION_RANK, number))
        self._chosen.clear()

    def _place(self, keys: Sequence[str], parents: Sequence[int]) -> int:
        """The synset that the names have among the parents' sort, else a new one; linked below."""
        number = self._sense_like(keys[0], parents)
        if number is None:
            number = self._add(self._files[parents[0]], (), [(keys[0], _EXTENSION_RANK)])
        for parent in parents:
            # A parent that lies below the kind already would close a loop.
            if number not in self._walk(parent):
                self._parents[number] += (parent,)
        return number

    def _sense_like(self, key: str, parents: Sequence[int]) -> int | None:
        """The sense that is below a parent already, else one filed where a parent's kinds are."""
        forms = dict.fromkeys((key, self.singular(key), key.replace(" ", "")))
        known = [number for form in forms for _, number in sorted(self._senses.get(form, ()))]
        if len(known) == 1:
            return known[0]
        below = (n for n in known if not self._walk(n).isdisjoint(parents))
        files = set().union(*(self._filed_below.get(parent, {self._files[parent]})
                              for parent in parents))  # fmt: skip
        return next(below, next((n for n in known if self._files[n] in files), None))

    def _walk(self, synset: int) -> set[int]:
        """What `closure` gives, while the hierarchy still grows."""
        seen = {synset}
        open_synsets = [synset]
        while open_synsets:
            above = set(self._parents[open_synsets.pop()]) - seen
            seen |= above
            open_synsets += above
        return seen

    def _first(self, phrase: str) -> int:
        found = self.synsets(phrase)
        if not found:
            raise KeyError(f"unknown kind {phrase!r} in kinds.tsv")
        return found[0]

    def _add(self, file: str, parents: Iterable[int], ranked: Sequence[tuple[str, int]]) -> int:
        number = len(self._files)
        self._files.append(file)
        self._parents.append(tuple(parents))
        for parent in self._parents[-1]:
            self._filed_below.setdefault(parent, set()).add(file)
        self._lemmas.append(tuple(lemma for lemma, _ in ranked))
        for lemma, rank in ranked:
            self._senses.setdefault(lemma, []).append((rank, number))
        return number

    def is_lemma(self, key: str) -> bool:
        """A normalised phrase that is an entry exactly as it is spelled."""
        return key in self._senses

    def __contains__(self, phrase: str) -> bool:
        return bool(self.synsets(phrase))

    def synsets(self, phrase: str) -> tuple[int, ...]:
        """Likely physical senses of a phrase, singular or plural, most frequent first."""
        key = normalise(phrase)
        found = self._chosen.get(key)
        if found is None:
            forms = [key, self.singular(key)]
            if not any(form in self._senses for form in forms):
                return self._respelled(key)
            chosen = (number for form in dict.fromkeys(forms) for number in self._select(form))
            found = self._chosen[key] = tuple(dict.fromkeys(chosen))
        return found

    def _respelled(self, key: str) -> tuple[int, ...]:
        """Senses of "book shelf" spelled "bookshelf", or of "firetruck" spelled "fire truck"."""
        found: tuple[int, ...] = ()
        if " " in key:
            joined, last = self.synsets(key.replace(" ", "")), self.synsets(key.rpartition(" ")[2])
            # "Blue jacket" is no "bluejacket": a compound is a kind of its last word.
            found = joined if not last or self.below(joined, last) else ()
        else:
            places = range(3, len(key) - 2)
            forms = (self.singular(f"{key[:place]} {key[place:]}") for place in places)
            parted = next((form for form in forms if form in self._senses), None)
            found = tuple(self._select(parted)) if parted else ()
        self._chosen[key] = found
        return found

    def _select(self, lemma: str) -> Iterator[int]:
        """A curated name means what the table says, no more. Of WordNet's senses the rare ones
        are dropped, and persons named after things ("dog", "pig").
        """
        ranked = sorted(self._senses.get(lemma, ()))
        first = ranked[0][0] if ranked else 0
        seen_thing = False
        for rank, number in ranked:
            person = self._files[number] == _PERSON_FILE
            if first == _EXTENSION_RANK:
                if rank == _EXTENSION_RANK:
                    yield number
            elif rank <= first + _SENSE_WINDOW and not (person and (seen_thing or rank > 2)):
                yield number
                seen_thing = seen_thing or not person

    def singular(self, phrase: str) -> str:
        """The phrase with its last word in the singular, where the lexicon knows that word."""
        head, _, word = phrase.rpartition(" ")
        prefix = f"{head} " if head else ""
        if word in _IRREGULAR:
            return prefix + _IRREGULAR[word]
        for ending, replacement in _SUFFIXES:
            stem = word.removesuffix(ending)
            if stem != word and len(stem) > 1 and not word.endswith(("ss", "us", "is")):
                candidate = stem + replacement
                if prefix + candidate in self._senses or candidate in self._senses:
                    return prefix + candidate
        return phrase

    def lemmas(self, synset: int) -> tuple[str, ...]:
        """Names of a synset."""
        return self._lemmas[synset]

    def parents(self, synset: int) -> tuple[int, ...]:
        """Direct hypernyms of a synset."""
        return self._parents[synset]

    def closure(self, synset: int) -> frozenset[int]:
        """A synset with everything above it."""
        found = self._closures.get(synset)
        if found is None:
            above = (self.closure(parent) for parent in self._parents[synset])
            found = self._closures[synset] = frozenset({synset}).union(*above)
        return found

    def is_a(self, phrase: str, kind: str) -> bool:
        """Some likely sense of the phrase is the kind or lies below it."""
        return self.below(self.synsets(phrase), self.synsets(kind))

    def below(self, lower: Iterable[int], upper: Iterable[int]) -> bool:
        """Some synset of `lower` is one of `upper` or lies below it."""
        wanted = frozenset(upper)
        return any(not wanted.isdisjoint(self.closure(synset)) for synset in lower)

    def are_siblings(self, first: str, second: str) -> bool:
        """The phrases share a direct hypernym and neither is a kind of the other."""
        if self.is_a(first, second) or self.is_a(second, first):
            return False
        above = [{up for synset in self.synsets(p) for up in self._parents[synset]}
                 for p in (first, second)]  # fmt: skip
        return not above[0].isdisjoint(above[1])


@lru_cache(maxsize=1)
def wordnet() -> Wordnet:
    """The shared hierarchy, read on the first call."""
    return Wordnet.load()
