"""Mechanical checks of a scene graph against its caption: support, repeated mentions, merging."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from backends.rules.grammar import plural, singular
from schemas.scene_graph import Element, Relation, SceneGraphAnswer, SceneObject

_WORD = re.compile(r"[a-z0-9]+")
_SENTENCE = re.compile(r"(?<=[.!?])[\"”')]*\s+(?=[\"“(]?[A-Z0-9])|\s*\n\s*")
_FUNCTION = set(
    "a an the with of and or its his her their it them is are be been being that which who whose "
    "to as no not some one two three four several own this these those both each".split()
)
_FRAME = set(
    "color colour size shape posture pose state surface build look appearance expression pattern "
    "texture finish material style design height length width thickness age position condition "
    "motion made having direction number covered type kind part".split()
)
_SAME = (
    "in inside within into", "on onto upon atop top", "next beside near alongside by adjacent close",
    "under beneath below underneath", "above over", "against leaning", "around surround",
    "wear dress clad in with", "hold carry grip clutch", "gray grey", "look gaze stare face",
    "sit seat", "lie lay rest recline", "toward towards to", "through across", "behind beyond",
    "have with feature", "tv television", "photo picture image", "stand stood", "hang hung",
    "front ahead", "snow snowy", "tile tiled", "wood wooden",
)  # fmt: skip
_IRREGULAR = {
    "sat": "sit", "stood": "stand", "lying": "lie", "lain": "lie", "held": "hold", "worn": "wear",
    "wore": "wear", "ridden": "ride", "rode": "ride", "hung": "hang", "built": "build",
    "bent": "bend", "broken": "break", "driven": "drive", "flown": "fly", "grown": "grow",
    "eaten": "eat", "frozen": "freeze", "hidden": "hide", "thrown": "throw", "shown": "show",
    "drawn": "draw", "written": "write", "woven": "weave", "torn": "tear", "kept": "keep",
    "caught": "catch", "dying": "die", "tying": "tie", "better": "good", "people": "person",
}  # fmt: skip


@lru_cache(maxsize=65536)
def _lemmas(word: str) -> frozenset[str]:
    """What a lower-case word may be a form of, words of the same meaning included."""
    base = _IRREGULAR.get(word, word)
    found = {word, base, singular(word)}
    for ending in ("ing", "ed", "en", "es", "er", "est", "ly", "y", "d", "s", "n"):
        if base.endswith(ending) and len(base) - len(ending) >= 3:
            stem = base.removesuffix(ending)
            found |= {stem, f"{stem}e", f"{stem}y"}
            if stem[-1:] == stem[-2:-1]:
                found.add(stem[:-1])
            if stem.endswith("i"):
                found.add(f"{stem[:-1]}y")
    return frozenset(found.union(*(set(group.split()) for group in _SAME
                                   if found & set(group.split()))))  # fmt: skip


def unsupported_words(text: str, caption: str) -> list[str]:
    """Words of an element that the caption has in no form; function and frame words are free.

    "a dark green color" is supported by "dark green door", for "color" only names what "green" is.
    """
    said = _caption_lemmas(caption)
    words = [word for word in _WORD.findall(text.lower()) if word not in _FUNCTION]
    return [word for word in words if word not in _FRAME and not _lemmas(word) & said]


@lru_cache(maxsize=512)
def _caption_lemmas(caption: str) -> frozenset[str]:
    return frozenset[str]().union(*(_lemmas(word) for word in _WORD.findall(caption.lower())))


def unsupported(element: Element, caption: str) -> str | None:
    """Why an element is not supported by its caption; None if it is."""
    words = unsupported_words(element.text, caption)
    if not words:
        return None
    return f'{element.kind} "{element.text}": the caption has no {", ".join(map(repr, words))}'


def prune(
    answer: SceneGraphAnswer, keep: Callable[[str, int, int | None], bool]
) -> SceneGraphAnswer:
    """The elements that `keep(kind, index, attribute)` wants.

    An object goes with its attributes and relations.
    """
    kept = [index for index in range(len(answer.objects)) if keep("object", index, None)]
    number = {old: new for new, old in enumerate(kept)}
    objects = tuple(
        SceneObject(
            name=answer.objects[index].name,
            attributes=tuple(
                text for place, text in enumerate(answer.objects[index].attributes)
                if keep("attribute", index, place)
            ),
        )
        for index in kept
    )  # fmt: skip
    relations = tuple(
        Relation(subject=number[r.subject], relation=r.relation, object=number[r.object])
        for index, r in enumerate(answer.relations)
        if keep("relation", index, None) and r.subject in number and r.object in number
    )
    return SceneGraphAnswer(objects=objects, relations=relations)


def split_sentences(caption: str) -> list[str]:
    """The sentences of a caption, each a part of it word for word."""
    return [part.strip() for part in _SENTENCE.split(caption) if part.strip()]


def merge(answers: Iterable[SceneGraphAnswer], caption: str) -> SceneGraphAnswer:
    """One graph of all answers, in which repeated mentions of a thing are one object.

    Two objects of one name within an answer stay two only where the caption tells of several
    ("one mug … the other mug"). Across answers a name speaks of the object it named before; of
    several such, of the one that shares an attribute, else of the one in the same place of order.
    """
    graph = _Merger(caption)
    for answer in answers:
        graph.add(answer)
    return graph.answer()


class _Merger:
    """A graph that grows by one answer after the other."""

    def __init__(self, caption: str) -> None:
        self._caption = caption.lower()
        self._names: list[str] = []
        self._attributes: list[dict[str, str]] = []
        self._relations: dict[tuple[int, str, int], Relation] = {}

    def add(self, answer: SceneGraphAnswer) -> None:
        known = list(self._names)
        places: list[int] = []
        for item in answer.objects:
            place = self._place(item, known, places)
            for attribute in item.attributes:
                self._attributes[place].setdefault(attribute.lower(), attribute)
            places.append(place)
        for relation in answer.relations:
            ends = places[relation.subject], places[relation.object]
            if ends[0] != ends[1]:
                key = ends[0], relation.relation.lower(), ends[1]
                moved = Relation(subject=ends[0], relation=relation.relation, object=ends[1])
                self._relations.setdefault(key, moved)

    def _place(self, item: SceneObject, known: Sequence[str], taken: Sequence[int]) -> int:
        """Where an object of the answer stands in the graph; a new place if it is new."""
        same = [n for n, name in enumerate(self._names) if name.lower() == item.name.lower()]
        if same and not told_apart(item.name, self._caption):
            return same[0]
        free = [n for n in same if n < len(known) and n not in taken]
        said = {attribute.lower() for attribute in item.attributes}
        shared = [n for n in free if said & self._attributes[n].keys()]
        if shared or free:
            return (shared or free)[0]
        self._names.append(item.name)
        self._attributes.append({})
        return len(self._names) - 1

    def answer(self) -> SceneGraphAnswer:
        """The graph so far, within the schema's limits."""
        objects = tuple(
            SceneObject(name=name, attributes=tuple(attributes.values())[:40])
            for name, attributes in zip(self._names, self._attributes, strict=True)
        )[:60]
        relations = [r for r in self._relations.values() if max(r.subject, r.object) < 60]
        return SceneGraphAnswer(objects=objects, relations=tuple(relations[:120]))


def told_apart(name: str, caption: str) -> bool:
    """Whether a lower-case caption speaks of more than one thing of this name."""
    head = re.escape(name.lower())
    several = re.escape(plural(singular(name.lower())))
    if several != head and re.search(rf"\b{several}\b", caption):
        return True
    if re.search(rf"\b(another|other|second|third|each)\b[^.;]*?\b{head}\b", caption):
        return True
    return len(re.findall(rf"\b(?:an?|one) (?:[\w-]+,? ){{0,4}}?{head}\b", caption)) > 1
