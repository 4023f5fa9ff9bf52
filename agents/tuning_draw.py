"""Draws the phrases of FINER-Tuning from a scene graph: one of each kind (FINER section 3)."""

from __future__ import annotations

import random
from typing import NamedTuple

from agents.draws import seeded
from backends.rules.grammar import singular
from schemas.scene_graph import Element, SceneGraph, elements
from schemas.tuning import Phrase, TuningKind

MAX_OBJECTS, MAX_ATTRIBUTES, MAX_RELATIONS = 6, 5, 3


class Draft(NamedTuple):
    """A phrase of one kind, and the element of the graph that will be replaced in it."""

    kind: TuningKind
    phrase: Phrase
    place: int
    element: Element


def draw(kind: TuningKind, graph: SceneGraph, seed: int) -> Draft | None:
    """A phrase of a kind with the element to be replaced; None where the graph has too little."""
    return _DRAWERS[kind](graph, seeded(seed, graph.id, kind))


def _draw_objects(graph: SceneGraph, rng: random.Random) -> Draft | None:
    """Two to six objects of which no name could stand for another's."""
    listed = {e.text: e for e in elements(graph) if e.kind == "object" and _is_only(graph, e.index)}
    if len(listed) < 2:
        return None
    names = sorted(listed)
    chosen = rng.sample(names, rng.randint(2, min(MAX_OBJECTS, len(names))))
    place = rng.randrange(len(chosen))
    phrase = Phrase(parts=tuple(listed[name].text for name in chosen))
    return Draft("obj", phrase, place, listed[chosen[place]])


def _draw_attributes(graph: SceneGraph, rng: random.Random) -> Draft | None:
    """One to five attributes of one object that is the only one of its name."""
    owners: dict[int, list[Element]] = {}
    for element in elements(graph):
        if element.kind == "attribute" and _is_only(graph, element.index):
            owners.setdefault(element.index, []).append(element)
    return _draw_list("attr", owners, MAX_ATTRIBUTES, rng)


def _draw_relations(graph: SceneGraph, rng: random.Random) -> Draft | None:
    """One to three relations of one object that is the only one of its name."""
    subjects: dict[int, list[Element]] = {}
    for element in elements(graph):
        if element.kind == "relation" and _is_only(graph, graph.relations[element.index].subject):
            subjects.setdefault(graph.relations[element.index].subject, []).append(element)
    return _draw_list("rel", subjects, MAX_RELATIONS, rng)


def _draw_list(
    kind: TuningKind, groups: dict[int, list[Element]], most: int, rng: random.Random
) -> Draft | None:
    if not groups:
        return None
    listed = groups[rng.choice(sorted(groups))]
    chosen = rng.sample(listed, rng.randint(1, min(most, len(listed))))
    place = rng.randrange(len(chosen))
    phrase = Phrase(
        head=chosen[0].subject,
        parts=tuple(element.text for element in chosen),
        targets=tuple(element.object for element in chosen if element.object),
    )
    return Draft(kind, phrase, place, chosen[place])


def _draw_wh(graph: SceneGraph, rng: random.Random) -> Draft | None:
    """A relation of two objects, both the only ones of their name, the second with attributes."""
    usable = [
        (relation, element)
        for relation in graph.relations
        if _is_only(graph, relation.subject) and _is_only(graph, relation.object)
        if _holds_once(graph, relation.relation, relation.object)
        for element in elements(graph)
        if element.kind == "attribute" and element.index == relation.object
    ]
    if not usable:
        return None
    relation, attribute = rng.choice(usable)
    subject = graph.objects[relation.subject].name
    phrase = Phrase(
        head=subject,
        parts=(relation.relation, attribute.text),
        targets=(attribute.subject or "",),
    )
    return Draft("wh", phrase, 1, attribute)


def _is_only(graph: SceneGraph, index: int) -> bool:
    """Whether "the NAME" can only be this object: "dog" could be the "upper dog" or "dogs" too."""
    name = f" {singular(graph.objects[index].name.lower())}"
    others = (
        f" {singular(item.name.lower())}" for i, item in enumerate(graph.objects) if i != index
    )
    return not any(name.endswith(other) or other.endswith(name) for other in others)


def _holds_once(graph: SceneGraph, relation: str, target: int) -> bool:
    return sum(r.relation == relation and r.object == target for r in graph.relations) == 1


_DRAWERS = {
    "obj": _draw_objects, "attr": _draw_attributes, "rel": _draw_relations, "wh": _draw_wh,
}  # fmt: skip
