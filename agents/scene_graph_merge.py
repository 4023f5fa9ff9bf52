"""Repeated mentions: one graph out of the answers to the sentences of a caption."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from backends.rules.grammar import plural, singular
from schemas.scene_graph import Relation, SceneGraphAnswer, SceneObject

_SENTENCE = re.compile(r"(?<=[.!?])[\"”')]*\s+(?=[\"“(]?[A-Z0-9])|\s*\n\s*")
_INTRODUCING = frozenset({"a", "an", "one", "another", "other", "second", "third"})
_DETERMINERS = _INTRODUCING | {
    "the", "this", "that", "these", "those", "its", "his", "her", "their", "some", "no", "each",
    "both", "of", "with", "to", "from", "is", "are", ".", ";", ":",
}  # fmt: skip
_REACH = 5
"""How many words before a name its determiner may stand."""


def split_sentences(caption: str) -> list[str]:
    """The sentences of a caption, each a part of it word for word."""
    return [part.strip() for part in _SENTENCE.split(caption) if part.strip()]


def merge(answers: Iterable[tuple[str, SceneGraphAnswer]], caption: str) -> SceneGraphAnswer:
    """One graph of all answers, in which repeated mentions of a thing are one object.

    Each answer comes with the text that was asked about. A name stands for one object, unless the
    caption tells of several ("one mug … the other mug"). Then the objects of one answer stay
    apart; one of a later answer is the former that shares an attribute, or the latest former,
    unless the text introduces a new one or places it elsewhere.
    """
    graph = _Merger(caption)
    for text, answer in answers:
        graph.add(text.lower(), answer)
    return graph.answer()


class _Merger:
    """A graph that grows by one answer after the other."""

    def __init__(self, caption: str) -> None:
        self._caption = caption.lower()
        self._names: list[str] = []
        self._attributes: list[dict[str, str]] = []
        self._relations: dict[tuple[int, str, int], Relation] = {}

    def add(self, text: str, answer: SceneGraphAnswer) -> None:
        known = len(self._names)
        places: list[int] = []
        for item in answer.objects:
            former = [n for n in range(known) if n not in places]
            place = self._place(item, text, former)
            for attribute in item.attributes:
                self._attributes[place].setdefault(attribute.lower(), attribute)
            places.append(place)
        for relation in answer.relations:
            ends = places[relation.subject], places[relation.object]
            if ends[0] != ends[1]:
                key = ends[0], relation.relation.lower(), ends[1]
                moved = Relation(subject=ends[0], relation=relation.relation, object=ends[1])
                self._relations.setdefault(key, moved)

    def _place(self, item: SceneObject, text: str, former: Sequence[int]) -> int:
        """Where an object of the answer stands in the graph; a new place if it is new."""
        same = [n for n, name in enumerate(self._names) if name.lower() == item.name.lower()]
        said = {attribute.lower() for attribute in item.attributes}
        if same and not told_apart(item.name, self._caption):
            # Within one answer, another color is another thing ("red shoes … blue shoes").
            alike = [n for n in same if n in former or not _clash(said, self._attributes[n])]
            if alike:
                return alike[0]
        free = [n for n in same if n in former and not _clash(said, self._attributes[n])]
        shared = [n for n in free if said & self._attributes[n].keys()]
        if shared or (free and not self._is_new(item, text)):
            return shared[0] if shared else free[-1]
        self._names.append(item.name)
        self._attributes.append({})
        return len(self._names) - 1

    def _is_new(self, item: SceneObject, text: str) -> bool:
        """Whether a text introduces an object ("another dog") or places it where none was."""
        if not several(item.name, self._caption):
            return False
        introduced = determiners(item.name, text).keys() & _INTRODUCING
        return bool(introduced) or any("position" in said for said in item.attributes)

    def answer(self) -> SceneGraphAnswer:
        """The graph so far, within the schema's limits."""
        objects = tuple(
            SceneObject(name=name, attributes=tuple(attributes.values())[:40])
            for name, attributes in zip(self._names, self._attributes, strict=True)
        )[:60]
        relations = [r for r in self._relations.values() if max(r.subject, r.object) < 60]
        return SceneGraphAnswer(objects=objects, relations=tuple(relations[:120]))


def _clash(said: Iterable[str], former: Iterable[str]) -> bool:
    """Whether two sets of attributes name different colors."""
    first, second = (
        {text for text in texts if text.endswith((" color", " colour"))} for texts in (said, former)
    )
    return bool(first and second) and not first & second


def told_apart(name: str, caption: str) -> bool:
    """Whether a lower-case caption may speak of more than one thing of this name."""
    used = determiners(name, caption)
    return several(name, caption) or sum(used[word] for word in ("a", "an", "one")) > 1


def several(name: str, caption: str) -> bool:
    """Whether a lower-case caption surely speaks of more than one: "dogs", "another dog"."""
    many = re.escape(plural(singular(name.lower())))
    if many != name.lower() and re.search(rf"\b{many}\b", caption):
        return True
    used = determiners(name, caption)
    return any(used[word] for word in ("another", "other", "second", "third"))


def determiners(name: str, text: str) -> Counter[str]:
    """How often each determiner introduces a name in a lower-case text."""
    used: Counter[str] = Counter()
    for match in re.finditer(rf"\b{re.escape(name.lower())}\b", text):
        before = re.findall(r"[\w-]+|[.;:]", text[: match.start()])[-_REACH:]
        found = next((word for word in reversed(before) if word in _DETERMINERS), None)
        if found:
            used[found] += 1
    return used
