"""Negatives of objects: everyday things of a like class that are surely something else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import chain

from backends.rules.grammar import plural
from backends.rules.negatives_words import category, head, is_plural, key, shuffled, table, words
from backends.rules.wordnet import wordnet

_SENSES = 2
_NEAREST = 24


@lru_cache(65_536)
def object_clash(name: str, candidate: str) -> str | None:
    """Why two names may be said of one thing: the same, a synonym, more general, more special.

    Names of more than one word are looked up as a whole, else by their head noun.
    """
    if key(name) == key(candidate):
        return f'is the same as "{name}"'
    first, second = key(name), key(candidate)
    if first[-len(second) :] == second:
        return f'is more general than "{name}"'
    if second[-len(first) :] == first:
        return f'is more special than "{name}", and could be true'
    if head(name) == head(candidate) and len(first) > 1 and len(second) > 1:
        return None
    net, of_name, of_candidate = wordnet(), _senses(name), _senses(candidate)
    if not set(of_name).isdisjoint(of_candidate):
        return f'is a synonym of "{name}"'
    if net.below(of_name, of_candidate):
        return f'is more general than "{name}"'
    if net.below(of_candidate, of_name):
        return f'is more special than "{name}", and could be true'
    return None


def object_choices(name: str, seed: Sequence[object]) -> Iterator[str]:
    """Things of the same class, of a class like it, then those nearest in WordNet.

    All in the number of the name.
    """
    many = is_plural(name)
    lists = [*_listed(category(name)), _nearest(name)]
    for entry in chain.from_iterable(shuffled(listed, seed) for listed in lists):
        text = entry.rstrip("*")
        if not many:
            if not is_plural(text):
                yield text
        elif is_plural(text):
            yield text
        elif not entry.endswith("*"):
            yield _pluralised(text)


def _listed(name: str) -> Iterator[Sequence[str]]:
    """What a class offers, then the class that it falls back on, and so on."""
    seen = set()
    while name and name not in seen:
        seen.add(name)
        yield table("objects")[name]["negatives"]
        name = table("objects")[name].get("spare", "")


def _pluralised(text: str) -> str:
    """ "jacks-in-the-box" is left to others: the first noun of "bowl of soup" is inflected."""
    first, of, rest = text.partition(" of ")
    return f"{plural(first)}{of}{rest}"


@lru_cache(4096)
def _nearest(name: str) -> tuple[str, ...]:
    """Listed things that share the most special class with the name."""
    net = wordnet()
    above = frozenset[int]().union(*(net.closure(sense) for sense in _senses(name)))

    def depth(entry: str) -> int:
        shared = above.intersection(*(net.closure(sense) for sense in _senses(entry)[:1]))
        return max((len(net.closure(sense)) for sense in shared), default=0)

    known = [entry for entry in _offered() if _senses(entry.rstrip("*"))]
    return tuple(sorted(known, key=lambda entry: -depth(entry.rstrip("*")))[:_NEAREST])


@cache
def _offered() -> tuple[str, ...]:
    entries = (entry for of in table("objects").values() for entry in of["negatives"])
    return tuple(dict.fromkeys(entries))


def _senses(name: str) -> tuple[int, ...]:
    net = wordnet()
    return (net.synsets(" ".join(words(name))) or net.synsets(head(name)))[:_SENSES]
