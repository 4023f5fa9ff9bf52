"""What of a graph can be asked about: elements with four negatives, as phrases of a sentence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from agents.nouns import bare, definite, indefinite, is_plural
from agents.phrases import is_phrase, with_phrase
from backends.rules.grammar import singular
from schemas.scene_graph import NEGATIVES, NegatedGraph, NegatedObject


class Part(NamedTuple):
    """An element and its four negatives, all in the form in which a sentence takes them.

    `replaceable` says that no negative is stated by the graph, so that its sentence is wrong.
    """

    text: str
    wrong: tuple[str, ...]
    replaceable: bool


class Link(NamedTuple):
    """A relation of a thing: `verb` "is sitting on", the index of the chair, and all together."""

    verb: str
    target: int
    part: Part
    only: bool
    """Nothing else has this relation to the target."""


class Thing(NamedTuple):
    """An object: `phrase` is "the puppy", or "a puppy" where the graph has several."""

    name: str
    key: str
    negatives: tuple[str, ...]
    phrase: str
    unique: bool
    part: Part
    attributes: tuple[Part, ...]


class Parts(NamedTuple):
    """The usable part of a graph: things by their index, and relations by that of the subject."""

    things: dict[int, Thing]
    links: dict[int, tuple[Link, ...]]


def usable_parts(graph: NegatedGraph) -> Parts:
    """Everything that has four negatives; relations between two such objects."""
    names = _Names(item.name for item in graph.objects)
    things = {
        index: _thing(index, item, graph, names)
        for index, item in enumerate(graph.objects)
        if len(item.negatives) == NEGATIVES
    }
    links: dict[int, list[Link]] = defaultdict(list)
    for subject, link in _links(graph, names, things):
        known = (other.part.text.lower() for other in links[subject])
        if link.part.text.lower() not in known:
            links[subject].append(link)
    return Parts(things, {subject: tuple(found) for subject, found in links.items()})


@lru_cache(16_384)
def name_key(name: str) -> str:
    """What makes two names the same: neither case nor number."""
    return singular(bare(name).lower())


class _Names:
    """Which objects a name may stand for: "dog" for "upper dog" too."""

    def __init__(self, names: Iterable[str]) -> None:
        self._meant: dict[str, list[int]] = defaultdict(list)
        self._keys = [name_key(name) for name in names]
        for index, key in enumerate(self._keys):
            self._meant[key].append(index)
            for place, letter in enumerate(key):
                if letter == " ":
                    self._meant[key[place + 1 :]].append(index)

    def alike(self, index: int) -> list[int]:
        """The objects that the name of this one fits, itself among them."""
        return self._meant[self._keys[index]]

    def used(self, name: str) -> bool:
        """Whether the name fits an object of the graph."""
        return name_key(name) in self._meant


def _thing(index: int, item: NegatedObject, graph: NegatedGraph, names: _Names) -> Thing:
    alike = names.alike(index)
    unique = len(alike) == 1
    safe = not any(names.used(name) for name in item.negatives)
    return Thing(
        name=item.name,
        key=name_key(item.name),
        negatives=item.negatives,
        phrase=definite(item.name) if unique else indefinite(item.name),
        unique=unique,
        part=_part(indefinite(item.name), [indefinite(name) for name in item.negatives], safe),
        attributes=_attributes(item, [graph.objects[other] for other in alike]),
    )


def _attributes(item: NegatedObject, alike: Sequence[NegatedObject]) -> tuple[Part, ...]:
    """Attributes with four negatives; what is true of a namesake is no negative."""
    owner = item.name
    true = {with_phrase(text, owner).lower() for other in alike for text in other.attributes}
    found: dict[str, Part] = {}
    for text, negatives in zip(item.attributes, item.attribute_negatives, strict=True):
        if len(negatives) == NEGATIVES:
            phrase = with_phrase(text, owner)
            wrong = [with_phrase(negative, owner) for negative in negatives]
            safe = true.isdisjoint(map(str.lower, wrong))
            found.setdefault(phrase.lower(), _part(phrase, wrong, safe))
    return tuple(found.values())


def _links(
    graph: NegatedGraph, names: _Names, things: dict[int, Thing]
) -> Iterator[tuple[int, Link]]:
    """Relations with four negatives, with the index of their subject."""
    for relation in graph.relations:
        subject, target = things.get(relation.subject), things.get(relation.object)
        if subject is None or target is None or len(relation.negatives) != NEGATIVES:
            continue
        plural = is_plural(subject.name)
        verb = is_phrase(relation.relation, plural)
        targets = names.alike(relation.object)
        said = [
            (other.subject, is_phrase(other.relation, plural).lower())
            for other in graph.relations
            if other.object in targets
        ]
        namesakes = names.alike(relation.subject)
        true = {phrase for owner, phrase in said if owner in namesakes}
        wrong = [is_phrase(negative, plural) for negative in relation.negatives]
        safe = true.isdisjoint(map(str.lower, wrong))
        clauses = [f"{negative} {target.phrase}" for negative in wrong]
        only = {owner for owner, phrase in said if phrase == verb.lower()} == {relation.subject}
        part = _part(f"{verb} {target.phrase}", clauses, safe)
        yield relation.subject, Link(verb, relation.object, part, only)


def _part(text: str, wrong: Sequence[str], safe: bool) -> Part:
    different = len({phrase.lower() for phrase in (text, *wrong)}) == 1 + NEGATIVES
    return Part(text, tuple(wrong), safe and different)
